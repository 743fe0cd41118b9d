// From collected answers to the body of the response (reference: docs/api.md). Members that are
// zero or empty are left out, except those that a client may rely on.
// Owner: the worker. The body is built at once and copied into the response.
// Invariant: raw JSON that stands in a result was checked when it came in, or is checked here.
#include "answer.h"

#include "method.h"
#include "tidegate/codec/json_read.h"

#define ANSWER_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define ANSWER_DEPTH_MAX 1024
#define ERROR_BYTES_MAX 256

static void print_error(enum api_error error, struct json_writer *writer)
{
    const struct api_error_row *row = api_error_row(error);
    json_open_object(writer);
    json_field_number(writer, "code", row->code);
    json_field_string(writer, "message", bytes_str(row->message));
    json_close_object(writer);
}

// "<key>":{...}, or "error":{...}.
static void print_outcome(const struct api_call *call, uint32_t index, const char *key,
                          struct json_writer *writer)
{
    const struct api_answer *answer = &call->answers[index];
    json_open_object(writer);
    if (answer->error != API_OK) {
        json_key(writer, "error");
        print_error(answer->error, writer);
    } else {
        json_key(writer, key);
        method_row(answer->method)->print(call, index, writer);
    }
    json_close_object(writer);
}

void answer_print_nothing(const struct api_call *call ATTR_UNUSED, uint32_t index ATTR_UNUSED,
                          struct json_writer *writer)
{
    json_open_object(writer);
    json_close_object(writer);
}

void answer_print_position(const struct api_call *call, uint32_t index, struct json_writer *writer)
{
    const struct position *position = &call->answers[index].position;
    json_open_object(writer);
    if (position->offset > 0) {
        json_field_unsigned(writer, "offset", position->offset);
    }
    if (position->epoch[0] != '\0') {
        json_field_string(writer, "epoch", bytes_str(position->epoch));
    }
    json_close_object(writer);
}

void answer_print_responses(const struct api_call *call, uint32_t index, struct json_writer *writer)
{
    json_open_object(writer);
    json_key(writer, "responses");
    json_open_array(writer);
    for (uint32_t i = 1; i <= call->answers[index].children; i++) {
        print_outcome(call, index + i, "result", writer);
    }
    json_close_array(writer);
    json_close_object(writer);
}

static void print_publication(const struct publication *publication, struct json_writer *writer)
{
    json_open_object(writer);
    if (json_is_valid(publication->data, ANSWER_DEPTH_MAX)) {
        json_field_raw(writer, "data", publication->data);
    } else {
        json_key(writer, "b64data");
        json_put_base64(writer, publication->data);
    }
    if (publication->info.len > 0) {
        json_field_raw(writer, "info", publication->info);
    }
    json_field_unsigned(writer, "offset", publication->offset);
    if (publication->tags.len > 0) {
        json_field_raw(writer, "tags", publication->tags);
    }
    json_close_object(writer);
}

void answer_print_history(const struct api_call *call, uint32_t index, struct json_writer *writer)
{
    const struct broker_reply *reply = call->answers[index].reply;
    json_open_object(writer);
    json_key(writer, "publications");
    json_open_array(writer);
    for (size_t i = 0; i < reply->history.count; i++) {
        print_publication(reply->history.items[i], writer);
    }
    json_close_array(writer);
    json_field_unsigned(writer, "offset", reply->position.offset);
    json_field_string(writer, "epoch", bytes_str(reply->position.epoch));
    json_close_object(writer);
}

void answer_print_channels(const struct api_call *call, uint32_t index, struct json_writer *writer)
{
    const struct broker_reply *reply = call->answers[index].reply;
    json_open_object(writer);
    json_key(writer, "channels");
    json_open_object(writer);
    for (size_t i = 0; i < reply->channel_count; i++) {
        // A worker's interest may outlive its last subscriber, or come before its first, a moment.
        if (reply->channels[i].subscribers == 0) {
            continue;
        }
        json_key_bytes(writer, reply->channels[i].name);
        json_open_object(writer);
        json_field_unsigned(writer, "num_clients", reply->channels[i].subscribers);
        json_close_object(writer);
    }
    json_close_object(writer);
    json_close_object(writer);
}

static void print_batch(const struct api_call *call, struct json_writer *writer)
{
    json_open_object(writer);
    json_key(writer, "replies");
    json_open_array(writer);
    for (uint32_t i = 0; i < call->answer_count; i += 1 + call->answers[i].children) {
        print_outcome(call, i, method_row(call->answers[i].method)->name, writer);
    }
    json_close_array(writer);
    json_close_object(writer);
}

int answer_print(const struct api_call *call, struct buf *out)
{
    struct json_writer writer;
    int status = 200;
    json_write_begin(&writer, out);
    if (call->is_batch) {
        print_batch(call, &writer);
    } else if (call->answers[0].error != API_OK && call->has_transport_errors) {
        status = api_error_row(call->answers[0].error)->status;
        print_error(call->answers[0].error, &writer);
    } else {
        print_outcome(call, 0, "result", &writer);
    }
    int r = json_write_end(&writer);
    return r < 0 ? r : status;
}

static void respond(struct http_exchange *exchange, int status, struct bytes body)
{
    http_respond(exchange, &(struct http_response){
                               .status = status, .content_type = "application/json", .body = body});
}

void answer_send(struct api_call *call)
{
    struct http_exchange *exchange = call->exchange;
    struct buf out;
    buf_init(&out, ANSWER_BYTES_MAX);
    int status = answer_print(call, &out);
    bool has_error = call->has_error || status < 0;
    metric_add(METRIC_API_ERRORS, has_error ? 1 : 0);
    if (exchange != NULL && status > 0) {
        respond(exchange, status, buf_bytes(&out));
    } else if (exchange != NULL) {
        answer_error(exchange, API_TOO_LARGE, call->has_transport_errors);
    }
    buf_finish(&out);
}

void answer_error(struct http_exchange *exchange, enum api_error error, bool is_bare)
{
    struct buf out;
    struct json_writer writer;
    buf_init(&out, ERROR_BYTES_MAX);
    json_write_begin(&writer, &out);
    if (is_bare) {
        print_error(error, &writer);
    } else {
        json_open_object(&writer);
        json_key(&writer, "error");
        print_error(error, &writer);
        json_close_object(&writer);
    }
    // A path that is none is told by the status in either mode.
    int status = is_bare || error == API_NOT_FOUND ? api_error_row(error)->status : 200;
    respond(exchange, json_write_end(&writer) < 0 ? 500 : status, buf_bytes(&out));
    buf_finish(&out);
}
