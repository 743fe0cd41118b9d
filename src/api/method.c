// The table of methods, those that need few lines, and the batch of several in one request.
// Owner: the worker. A request is read from its JSON text, which lives until the call is answered;
// what the broker is asked with it copies.
// Invariant: every run function leaves its answer failed, or asked for, or complete.
#include "method.h"

#include "answer.h"
#include "node.h"
#include "tidegate/base/assert.h"
#include "tidegate/channel/name.h"
#include "tidegate/session/settings.h"

#include <errno.h>

// Settings of the member `channel`: API_OK, or why not. Without history there is nothing to ask.
static enum api_error history_channel(struct api_call *call, struct params *params,
                                      struct bytes *ret_channel,
                                      struct channel_settings *ret_settings)
{
    if (params_string(params, "channel", ret_channel) != 1) {
        return API_BAD_REQUEST;
    }
    const struct config *config = call->worker->options.session->config;
    int r = settings_of_channel(config, *ret_channel, ret_settings);
    if (r < 0) {
        return api_error_of(r);
    }
    bool is_kept = ret_settings->history_size > 0 && ret_settings->history_ttl_ms > 0;
    return is_kept ? API_OK : API_NOT_AVAILABLE;
}

// What to read of a history: API_OK or why not.
static enum api_error history_query(struct params *params, struct history_query *query)
{
    struct bytes raw;
    int since_there = params_object(params, "since", &raw);
    if (since_there < 0 || params_int64(params, "limit", &query->limit) < 0 ||
        params_bool(params, "reverse", &query->reverse) < 0) {
        return API_BAD_REQUEST;
    }
    if (since_there == 0) {
        return API_OK;
    }
    struct params since;
    struct bytes epoch = BYTES_EMPTY;
    enum api_error error = API_OK;
    query->has_since = true;
    params_init(&since, raw);
    if (params_uint64(&since, "offset", &query->since.offset) < 0 ||
        params_string(&since, "epoch", &epoch) < 0) {
        error = API_BAD_REQUEST;
    } else if (epoch.len > EPOCH_LEN) {
        error = API_UNRECOVERABLE; // no epoch of ours
    } else if (epoch.len > 0) {
        memcpy(query->since.epoch, epoch.at, epoch.len);
    }
    params_finish(&since);
    return error;
}

static void history_run(struct api_call *call, uint32_t index, struct params *params)
{
    struct bytes channel = BYTES_EMPTY;
    struct channel_settings settings;
    struct history_query query = {.limit = 0};
    enum api_error error = history_channel(call, params, &channel, &settings);
    error = error == API_OK ? history_query(params, &query) : error;
    if (error != API_OK) {
        call_fail(call, index, error);
        return;
    }
    struct broker *broker = call->worker->options.session->broker;
    broker->ops->history(broker, channel, &settings, &query, call_expect(call, index));
}

static void history_remove_run(struct api_call *call, uint32_t index, struct params *params)
{
    struct bytes channel = BYTES_EMPTY;
    struct channel_settings settings;
    enum api_error error = history_channel(call, params, &channel, &settings);
    if (error != API_OK) {
        call_fail(call, index, error);
        return;
    }
    struct broker *broker = call->worker->options.session->broker;
    broker->ops->history_remove(broker, channel, call_expect(call, index));
}

static void channels_run(struct api_call *call, uint32_t index, struct params *params)
{
    struct bytes pattern = BYTES_EMPTY;
    if (params_string(params, "pattern", &pattern) < 0 || pattern.len > CHANNEL_NAME_MAX) {
        call_fail(call, index, API_BAD_REQUEST);
        return;
    }
    struct broker *broker = call->worker->options.session->broker;
    broker->ops->channels(broker, pattern, call_expect(call, index));
}

// All it tells is read when the answer is written.
static void info_run(struct api_call *call ATTR_UNUSED, uint32_t index ATTR_UNUSED,
                     struct params *params ATTR_UNUSED)
{
}

static const struct api_method_row rows[API_METHODS] = {
    [API_PUBLISH] = {"publish", publish_run, answer_print_position},
    [API_BROADCAST] = {"broadcast", publish_run_many, answer_print_responses},
    [API_HISTORY] = {"history", history_run, answer_print_history},
    [API_HISTORY_REMOVE] = {"history_remove", history_remove_run, answer_print_nothing},
    [API_CHANNELS] = {"channels", channels_run, answer_print_channels},
    [API_INFO] = {"info", info_run, node_print},
    [API_BATCH] = {"batch", NULL, NULL},
};

const struct api_method_row *method_row(enum api_method method)
{
    return &rows[method];
}

int method_find(struct bytes name, enum api_method *ret_method)
{
    for (unsigned i = 0; i < API_METHODS; i++) {
        if (bytes_equal(name, bytes_str(rows[i].name))) {
            *ret_method = (enum api_method)i;
            return 0;
        }
    }
    return -ENOENT;
}

static void run(struct api_call *call, enum api_method method, struct bytes text)
{
    struct params params;
    uint32_t index = call_add(call, method);
    params_init(&params, text);
    rows[method].run(call, index, &params);
    params_finish(&params);
}

// An answer that is this error and nothing else.
static void add_error(struct api_call *call, enum api_method method, enum api_error error)
{
    call_fail(call, call_add(call, method), error);
}

// Runs {"<method>":{...}}.
static void run_command(struct api_call *call, struct bytes text)
{
    struct params command;
    struct bytes raw;
    params_init(&command, text);
    for (unsigned i = 0; i < API_METHODS; i++) {
        if (rows[i].run == NULL || !params_raw(&command, rows[i].name, &raw)) {
            continue;
        }
        if (raw.at[0] == '{') {
            run(call, (enum api_method)i, raw);
        } else {
            add_error(call, (enum api_method)i, API_BAD_REQUEST);
        }
        return;
    }
    add_error(call, API_BATCH, text.at[0] == '{' ? API_NOT_FOUND : API_BAD_REQUEST);
}

static size_t count_elements(struct bytes array)
{
    size_t cursor = 0;
    size_t count = 0;
    struct bytes raw;
    while (json_raw_element(array, &cursor, &raw)) {
        count++;
    }
    return count;
}

// Whether they run one after the other or at once makes no difference here: the order in which the
// broker is asked is the order of the commands either way.
static void run_batch(struct api_call *call, struct bytes body)
{
    struct params params;
    struct bytes commands;
    struct bytes raw;
    size_t cursor = 0;
    int64_t limit = call->worker->options.session->config->http_api.batch_limit;

    params_init(&params, body);
    if (params_array(&params, "commands", &commands) != 1 ||
        count_elements(commands) > (size_t)limit) {
        add_error(call, API_BATCH, API_BAD_REQUEST);
    } else if (call_reserve(call, count_elements(commands)) < 0) {
        add_error(call, API_BATCH, API_INTERNAL);
    } else {
        call->is_batch = true;
        while (json_raw_element(commands, &cursor, &raw)) {
            run_command(call, raw);
        }
    }
    params_finish(&params);
}

void method_start(struct api_call *call, enum api_method method, struct bytes body)
{
    int r = call_reserve(call, 1);
    assert_always(r == 0); // so little is never refused
    if (method == API_BATCH) {
        run_batch(call, body);
    } else {
        run(call, method, body);
    }
}
