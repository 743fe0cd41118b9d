// publish and broadcast: the same fields, to one channel or to many.
// Owner: the worker. What is decoded here is freed before the function returns; a publication has
// its own copy.
// Invariant: nothing is published when any field is of a wrong type. Data given as JSON is passed
// on byte for byte, but for line ends between its tokens, which line-based formats could not carry.
#include "method.h"

#include "tidegate/base/mem.h"
#include "tidegate/codec/base64.h"
#include "tidegate/session/settings.h"

#include <errno.h>

struct fields {
    struct publication_parts parts; // without the channel
    bool skip_history;
    struct bytes idempotency_key;
    uint64_t version;
    struct bytes version_epoch;
    char *data; // owned, or NULL when parts.data is a view of the request
    char *tags; // owned, or NULL
};

static void fields_finish(struct fields *fields)
{
    mem_free(fields->data);
    mem_free(fields->tags);
}

// `json` without line ends: a view of it when it has none, else a new block, *ret_block.
static int without_line_ends(struct bytes json, char **ret_block, struct bytes *ret_json)
{
    *ret_json = json;
    if (bytes_find(json, '\n') < 0) {
        return 0;
    }
    char *block = mem_try_alloc(json.len);
    if (block == NULL) {
        return -ENOMEM;
    }
    size_t len = 0;
    for (size_t i = 0; i < json.len; i++) {
        block[len] = json.at[i];
        len += json.at[i] != '\n';
    }
    *ret_block = block;
    *ret_json = bytes_make(block, len);
    return 0;
}

static int decode_base64(struct fields *fields, struct bytes text)
{
    fields->data = mem_try_alloc(text.len / 4 * 3);
    if (fields->data == NULL) {
        return -ENOMEM;
    }
    ptrdiff_t len = base64_decode(text, fields->data);
    if (len < 0) {
        return -EINVAL;
    }
    fields->parts.data = bytes_make(fields->data, (size_t)len);
    fields->parts.is_binary = true;
    return 0;
}

// b64data where it is given, else data, which must be there; null is data, too.
static int read_data(struct fields *fields, struct params *params)
{
    struct bytes value = BYTES_EMPTY;
    if (params_string(params, "b64data", &value) < 0) {
        return -EINVAL;
    }
    if (value.len > 0) {
        return decode_base64(fields, value);
    }
    if (!params_raw(params, "data", &value)) {
        return -EINVAL;
    }
    return without_line_ends(value, &fields->data, &fields->parts.data);
}

static int check_tag(void *context ATTR_UNUSED, const char *key ATTR_UNUSED,
                     const struct json *value)
{
    return json_kind(value) == JSON_STRING ? 0 : -EINVAL;
}

// An object of strings, kept as it is written.
static int read_tags(struct fields *fields, struct params *params)
{
    struct bytes raw;
    struct json *tree;
    int r = params_object(params, "tags", &raw);
    if (r <= 0) {
        return r;
    }
    if (json_parse(raw, raw.len, &tree, NULL) < 0) {
        return -EINVAL;
    }
    r = json_each_member(tree, check_tag, NULL);
    if (r == 0 && json_count(tree) > 0) {
        r = without_line_ends(raw, &fields->tags, &fields->parts.tags);
    }
    json_destroy(tree);
    return r;
}

// 0, -EINVAL or -ENOMEM. fields_finish() in every case.
static int fields_read(struct fields *fields, struct params *params)
{
    *fields = (struct fields){.parts = {.origin = SLOT_REF_NONE}};
    if (params_bool(params, "skip_history", &fields->skip_history) < 0 ||
        params_string(params, "idempotency_key", &fields->idempotency_key) < 0 ||
        params_uint64(params, "version", &fields->version) < 0 ||
        params_string(params, "version_epoch", &fields->version_epoch) < 0) {
        return -EINVAL;
    }
    if (fields->idempotency_key.len > HUB_KEY_MAX || fields->version_epoch.len > HUB_KEY_MAX) {
        return -EINVAL;
    }
    int r = read_tags(fields, params);
    return r == 0 ? read_data(fields, params) : r;
}

// Publishes to one channel; answer `index` is its result.
static void publish_to(struct api_call *call, uint32_t index, struct fields *fields,
                       struct bytes channel)
{
    struct session_worker *session = call->worker->options.session;
    struct channel_settings settings;
    int r = settings_of_channel(session->config, channel, &settings);
    if (r < 0) {
        call_fail(call, index, api_error_of(r));
        return;
    }
    fields->parts.channel = channel;
    struct publication *publication = publication_try_create(&fields->parts);
    if (publication == NULL) {
        call_fail(call, index, API_INTERNAL);
        return;
    }
    struct hub_publish_request request = {
        .publication = publication,
        .settings = &settings,
        .skip_history = fields->skip_history,
        .idempotency_key = fields->idempotency_key,
        .version = fields->version,
        .version_epoch = fields->version_epoch,
    };
    session->broker->ops->publish(session->broker, &request, call_expect(call, index));
}

void publish_run(struct api_call *call, uint32_t index, struct params *params)
{
    struct fields fields;
    struct bytes channel = BYTES_EMPTY;
    int r = fields_read(&fields, params);
    if (r == 0 && params_string(params, "channel", &channel) != 1) {
        r = -EINVAL;
    }
    if (r < 0) {
        call_fail(call, index, api_error_of(r));
    } else {
        publish_to(call, index, &fields, channel);
    }
    fields_finish(&fields);
}

// How many channels `array` names, or -EINVAL: none, too many, or something else among them.
static ptrdiff_t channels_check(struct bytes array, size_t max)
{
    size_t cursor = 0;
    size_t count = 0;
    struct bytes raw;
    while (json_raw_element(array, &cursor, &raw)) {
        count++;
        if (raw.at[0] != '"' || count > max) {
            return -EINVAL;
        }
    }
    return count > 0 ? (ptrdiff_t)count : -EINVAL;
}

static void publish_to_each(struct api_call *call, struct fields *fields, struct bytes array)
{
    size_t cursor = 0;
    struct bytes raw;
    while (json_raw_element(array, &cursor, &raw)) {
        struct params scratch;
        struct bytes channel;
        uint32_t index = call_add(call, API_PUBLISH);
        params_init(&scratch, BYTES_EMPTY);
        if (params_text_of(&scratch, raw, &channel) == 1) {
            publish_to(call, index, fields, channel);
        } else {
            call_fail(call, index, API_BAD_REQUEST);
        }
        params_finish(&scratch);
    }
}

void publish_run_many(struct api_call *call, uint32_t index, struct params *params)
{
    struct fields fields;
    struct bytes array = BYTES_EMPTY;
    ptrdiff_t count = 0;
    int r = fields_read(&fields, params);
    if (r == 0) {
        size_t max = (size_t)call->worker->options.session->config->http_api.batch_limit;
        count =
            params_array(params, "channels", &array) == 1 ? channels_check(array, max) : -EINVAL;
        r = count < 0 ? -EINVAL : call_reserve(call, (size_t)count);
    }
    if (r < 0) {
        call_fail(call, index, api_error_of(r));
    } else {
        call->answers[index].children = (uint32_t)count;
        publish_to_each(call, &fields, array);
    }
    fields_finish(&fields);
}
