// Reading what a client of a channel route wants: which channel, from where, in which format.
// Pure but for the settings. Owner: the worker.

#include "channel_request.h"

#include "tidegate/codec/url.h"
#include "tidegate/proto/protocol.h"
#include "tidegate/session/settings.h"

#include <errno.h>

#define SINCE_MAX 64 // "<epoch>:<offset>", percent-encoded

static int name_append(char *to, size_t *len, struct bytes part)
{
    if (part.len > CHANNEL_NAME_MAX - *len) {
        return -ENAMETOOLONG;
    }
    memcpy(to + *len, part.at, part.len);
    *len += part.len;
    return 0;
}

// A path parameter, decoded.
static int name_append_param(const struct router_match *match, const char *name, char *to,
                             size_t *len)
{
    char decoded[CHANNEL_NAME_MAX * 3];
    struct bytes value;

    if (!router_param(match, name, &value)) {
        return -EINVAL;
    }
    if (value.len > sizeof(decoded)) {
        return -ENAMETOOLONG;
    }
    ptrdiff_t decoded_len = url_decode(value, false, decoded);
    return decoded_len < 0 ? -EINVAL
                           : name_append(to, len, bytes_make(decoded, (size_t)decoded_len));
}

int channel_request_name(const struct channel_target *channel, const struct router_match *match,
                         char *to, size_t *ret_len)
{
    struct bytes rest = bytes_str(channel->route->channel);
    size_t len = 0;
    int error = 0;

    while (rest.len > 0 && error == 0) {
        ptrdiff_t open = bytes_find(rest, '{');
        ptrdiff_t close = open < 0 ? -1 : bytes_find(bytes_skip(rest, (size_t)open), '}');
        size_t literal = close < 0 ? rest.len : (size_t)open;
        error = name_append(to, &len, bytes_make(rest.at, literal));
        rest = bytes_skip(rest, literal);
        if (close >= 0 && error == 0) {
            char name[64] = {0};
            size_t name_len = (size_t)close - 1;
            memcpy(name, rest.at + 1, name_len < sizeof(name) ? name_len : sizeof(name) - 1);
            error = name_append_param(match, name, to, &len);
            rest = bytes_skip(rest, (size_t)close + 1);
        }
    }
    *ret_len = len;
    return error;
}

// "<epoch>:<offset>"; an empty epoch means whichever it is.
static int since_parse(struct bytes text, struct position *ret_since)
{
    ptrdiff_t colon = bytes_find(text, ':');
    struct position since = {0};

    if (colon < 0) {
        return -EINVAL;
    }
    // An epoch of another length is another server's: as good as any that has gone.
    bool is_ours = colon == 0 || colon == EPOCH_LEN;
    memcpy(since.epoch, is_ours ? text.at : "?", is_ours ? (size_t)colon : 1);
    int error = bytes_to_u64(bytes_skip(text, (size_t)colon + 1), UINT64_MAX, &since.offset);
    if (error < 0) {
        return error;
    }
    *ret_since = since;
    return 0;
}

// `since` in the query, or what a browser's EventSource sends when it reconnects. The header is the
// newer of the two: EventSource keeps the URL it was opened with.
static int request_since(const struct http_request *request, struct session_options *options)
{
    char decoded[SINCE_MAX];
    struct bytes value;

    if (http_request_header(request, "Last-Event-ID", &value)) {
        // An id that is not ours (another server's) is as good as none: the client is told so.
        options->recover = true;
        if (since_parse(value, &options->since) < 0) {
            options->since = (struct position){.epoch = "?"};
        }
        return 0;
    }
    if (!url_query_get(request->query, "since", &value)) {
        return 0;
    }
    if (value.len > sizeof(decoded)) {
        return -EINVAL;
    }
    ptrdiff_t len = url_decode(value, true, decoded);
    options->recover = true;
    return len < 0 ? -EINVAL : since_parse(bytes_make(decoded, (size_t)len), &options->since);
}

static int request_query(const struct http_request *request, uint32_t initial_max,
                         struct channel_request *ret_request, const char **ret_problem)
{
    struct bytes value;
    uint64_t initial;

    if (url_query_get(request->query, "history", &value)) {
        if (bytes_to_u64(value, INT32_MAX, &initial) < 0) {
            *ret_problem = "history must be a number";
            return 400;
        }
        // A short request must not make us walk a long history: it gets what a recovery may get.
        ret_request->options.initial = initial < initial_max ? (uint32_t)initial : initial_max;
    }
    if (url_query_get(request->query, "format", &value)) {
        ret_request->protocol = protocol_find(value);
        if (ret_request->protocol == NULL) {
            *ret_problem = "format must be plain or json";
            return 400;
        }
    }
    if (request_since(request, &ret_request->options) < 0) {
        *ret_problem = "since must be <epoch>:<offset>";
        return 400;
    }
    return 0;
}

int channel_request_read(const struct channel_target *channel, const struct http_exchange *exchange,
                         struct channel_request *ret_request, const char **ret_problem)
{
    const struct config_route *route = channel->route;
    const struct config *config = channel->worker->session->config;
    int64_t initial_max = config->client.recovery_max_publication_limit;
    struct channel_settings settings;
    size_t name_len = 0;

    if (initial_max < route->initial_messages) {
        initial_max = route->initial_messages;
    }
    ret_request->protocol = &protocol_plain;
    ret_request->options = (struct session_options){
        .initial = (uint32_t)route->initial_messages,
        .client_publish = route->client_publish,
        .exclude_sender = route->exclude_sender,
    };
    int error = channel_request_name(channel, &exchange->match, ret_request->name, &name_len);
    ret_request->options.channel = bytes_make(ret_request->name, name_len);
    if (error == 0) {
        error = settings_of_channel(config, ret_request->options.channel, &settings);
    }
    if (error < 0) {
        *ret_problem = error == -ENOENT ? "unknown namespace" : "not a channel name";
        return error == -ENOENT ? 404 : 400;
    }
    return request_query(&exchange->request, (uint32_t)initial_max, ret_request, ret_problem);
}
