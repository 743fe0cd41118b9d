// The plain format with an envelope, so that a client without an SDK can recover: each publication
// as
// {"offset","epoch","data"}, first {"recovered","offset","epoch"}, and {"gap"} where some are
// missing. `data` is the publication where it is JSON, else its text as a string; bytes that are no
// text come as base64 in "b64data". Owner: the session's worker; the encoders are pure.

#include "plain.h"

#include "tidegate/codec/json_read.h"
#include "tidegate/codec/json_write.h"
#include "tidegate/codec/utf8.h"
#include "tidegate/proto/protocol.h"
#include "tidegate/session/event.h"

#define DEPTH_MAX 64

static void json_put_position(struct json_writer *writer, uint64_t offset, const char *epoch)
{
    json_field_unsigned(writer, "offset", offset);
    json_field_string(writer, "epoch", bytes_str(epoch));
}

static void json_put_data(struct json_writer *writer, const struct publication *publication)
{
    struct bytes data = publication->data;

    if (!publication->is_binary && json_is_valid(data, DEPTH_MAX)) {
        json_field_raw(writer, "data", data);
    } else if (!publication->is_binary && utf8_is_valid(data)) {
        json_field_string(writer, "data", data);
    } else {
        json_key(writer, "b64data");
        json_put_base64(writer, data);
    }
}

static void json_put_event(struct json_writer *writer, const struct event *event)
{
    const struct publication *publication = event->publication;

    switch (event->kind) {
    case EVENT_STARTED:
        json_field_bool(writer, "recovered", event->recovered);
        json_put_position(writer, event->position.offset, event->position.epoch);
        break;
    case EVENT_PUBLICATION:
        json_put_position(writer, publication->offset, publication->epoch);
        json_put_data(writer, publication);
        break;
    case EVENT_GAP:
        json_key(writer, "gap");
        json_open_object(writer);
        json_field_unsigned(writer, "dropped", event->dropped);
        json_close_object(writer);
        break;
    }
}

static int plain_json_encode(const struct event *event, struct buf *out)
{
    struct json_writer writer;

    json_write_begin(&writer, out);
    json_open_object(&writer);
    json_put_event(&writer, event);
    json_close_object(&writer);
    int error = json_write_end(&writer);
    return error < 0 ? error : 1;
}

const struct session_protocol protocol_plain_json = {
    .name = "json",
    .index = 1,
    .open = plain_open,
    .receive = plain_receive,
    .encode = plain_json_encode,
    .close = plain_close,
};
