// Receiving with wslay. Its event layer checks framing, masks, lengths, control frames and UTF-8;
// what it leaves open is done here: assembling messages as bytes arrive (wslay would allocate the
// declared length at once), the size limit over all fragments, UTF-8 of a close reason that came in
// pieces.
//
// Owner: the worker. A context is lent for as long as a frame or message is incomplete and goes
// back to the pool clean. To know that, and to be right where wslay is not, headers are looked at
// on their way in, and wslay is never given a byte past the end of a frame. Output never goes
// through wslay. The answers it queues to pings and closes are taken out of it with a send callback
// that throws them away; only the code of a close it wants is read.

#include "tidegate/ws/stream.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/codec/utf8.h"

#include "feed.h"

#include <errno.h>

#define POOL_IDLE_MAX 16

void stream_fail(struct ws_lease *lease, enum close_reason reason)
{
    struct ws_stream *stream = lease->stream;

    if (!stream->stopped) {
        stream->stopped = true;
        stream->pool->events->on_error(stream, reason);
    }
}

// A data message begins: what it is, and an inflater if it needs one.
static void stream_begin_message(struct ws_lease *lease, uint8_t opcode, bool is_compressed)
{
    struct ws_stream *stream = lease->stream;
    struct ws_pool *pool = stream->pool;
    bool keeps = stream->deflate.client_takeover;
    struct ws_inflater **home = keeps ? &stream->inflater : &pool->inflater;

    lease->in_message = true;
    lease->opcode = opcode;
    lease->fragments = 0;
    lease->is_compressed = is_compressed;
    buf_init(&lease->message, stream->message_max);
    if (!is_compressed) {
        return;
    }
    lease->compressed_len = 0;
    lease->utf8 = (struct utf8_state){0};
    lease->inflater = *home != NULL ? *home : ws_inflater_try_create(WS_WINDOW_BITS_MAX);
    *home = keeps ? lease->inflater : NULL;
    if (lease->inflater == NULL) {
        stream_fail(lease, CLOSE_INTERNAL_ERROR);
        return;
    }
    ws_inflater_begin(lease->inflater, keeps);
}

// The inflater is of no more use to this message: back to the pool, unless it is the stream's own.
static void stream_return_inflater(struct ws_lease *lease, struct ws_stream *stream)
{
    struct ws_inflater *inflater = lease->inflater;

    lease->inflater = NULL;
    if (inflater == NULL || inflater == stream->inflater) {
        return;
    }
    if (stream->pool->inflater == NULL) {
        stream->pool->inflater = inflater;
    } else {
        ws_inflater_destroy(inflater);
    }
}

// Compressed bytes may be a little more than what they hold, and stored blocks may hold nothing.
static uint64_t stream_compressed_max(const struct ws_stream *stream)
{
    return (uint64_t)stream->message_max + stream->message_max / 8 + 1024;
}

static void stream_on_frame_start(wslay_event_context_ptr wslay,
                                  const struct wslay_event_on_frame_recv_start_arg *arg,
                                  void *user_data)
{
    struct ws_lease *lease = user_data;
    uint64_t len = arg->payload_length;

    (void)wslay;
    lease->payload_len = len;
    lease->is_control = arg->opcode >= WS_CLOSE;
    if (arg->rsv != 0 && (lease->is_control || lease->in_message)) {
        stream_fail(lease, CLOSE_PROTOCOL_ERROR); // RSV1 is the first frame's alone (RFC 7692 §6.1)
        return;
    }
    if (lease->is_control) {
        return;
    }
    lease->is_final = arg->fin;
    if (!lease->in_message) {
        stream_begin_message(lease, arg->opcode, arg->rsv != 0);
    }
    lease->fragments++;
    bool is_large = lease->is_compressed
                        ? len > stream_compressed_max(lease->stream) - lease->compressed_len
                        : len > lease->message.max - lease->message.len;
    if (is_large || lease->fragments > lease->stream->pool->limits.fragments_max) {
        stream_fail(lease, is_large ? CLOSE_MESSAGE_TOO_BIG : CLOSE_POLICY_VIOLATION);
    }
}

// Inflates a piece, and checks what came out if it is text (wslay leaves that to us).
static void stream_inflate(struct ws_lease *lease, struct bytes piece, bool is_last)
{
    size_t old = lease->message.len;
    int error = ws_inflater_feed(lease->inflater, piece, is_last,
                                 lease->stream->pool->limits.ratio_max, &lease->message);

    lease->compressed_len += piece.len;
    struct bytes fresh = bytes_skip(buf_bytes(&lease->message), old);
    bool is_invalid =
        lease->opcode == WS_TEXT && (!utf8_feed(&lease->utf8, fresh) ||
                                     (error == 0 && is_last && !utf8_is_complete(&lease->utf8)));
    // First what comes first: a fault of the text stands before the end of what was inflated.
    if (is_invalid || error == -EBADMSG) {
        stream_fail(lease, CLOSE_INVALID_PAYLOAD);
    } else if (error < 0) {
        stream_fail(lease, error == -EMSGSIZE ? CLOSE_MESSAGE_TOO_BIG : CLOSE_INTERNAL_ERROR);
    }
}

static void stream_on_frame_chunk(wslay_event_context_ptr wslay,
                                  const struct wslay_event_on_frame_recv_chunk_arg *arg,
                                  void *user_data)
{
    struct ws_lease *lease = user_data;
    struct bytes chunk = bytes_make(arg->data, arg->data_length);

    (void)wslay;
    if (lease->is_control || lease->stream->stopped) {
        return;
    }
    if (lease->is_compressed) {
        stream_inflate(lease, chunk, false);
        return;
    }
    if (lease->is_final && lease->message.len == 0 && chunk.len == lease->payload_len) {
        lease->whole = chunk;
        return;
    }
    if (buf_append(&lease->message, chunk) < 0) {
        stream_fail(lease, CLOSE_INTERNAL_ERROR);
    }
}

static void stream_deliver(struct ws_lease *lease)
{
    struct ws_stream *stream = lease->stream;

    if (lease->is_compressed) {
        stream_inflate(lease, BYTES_EMPTY, true);
        stream_return_inflater(lease, stream);
        if (stream->stopped) {
            return;
        }
    }
    struct buf message = lease->message;
    struct bytes data = lease->whole.at != NULL ? lease->whole : buf_bytes(&message);

    // Cleared first: what the receiver does may end the stream.
    lease->in_message = false;
    lease->whole = BYTES_EMPTY;
    lease->message = (struct buf){0};
    lease->given += data.len;
    stream->pool->events->on_message(stream, lease->opcode, data);
    buf_finish(&message);
}

// What may stand in a close frame (§7.4 and the registry it founded).
static bool stream_code_is_good(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void stream_deliver_close(struct ws_lease *lease, struct bytes payload)
{
    struct ws_stream *stream = lease->stream;
    struct bytes reason = payload.len > 2 ? bytes_skip(payload, 2) : BYTES_EMPTY;
    uint16_t code = WSLAY_CODE_NO_STATUS_RCVD;

    if (payload.len >= 2) {
        code = (uint16_t)((uint8_t)payload.at[0] << 8 | (uint8_t)payload.at[1]);
    }
    if (payload.len == 1 || (payload.len > 1 && !stream_code_is_good(code))) {
        stream_fail(lease, CLOSE_PROTOCOL_ERROR);
        return;
    }
    if (!utf8_is_valid(reason)) {
        stream_fail(lease, CLOSE_INVALID_PAYLOAD);
        return;
    }
    stream->stopped = true;
    stream->pool->events->on_close(stream, code, reason);
}

static void stream_on_message(wslay_event_context_ptr wslay,
                              const struct wslay_event_on_msg_recv_arg *arg, void *user_data)
{
    struct ws_lease *lease = user_data;
    struct ws_stream *stream = lease->stream;
    struct bytes data = bytes_make(arg->msg, arg->msg_length);

    (void)wslay;
    if (stream->stopped) {
        return;
    }
    switch (arg->opcode) {
    case WS_TEXT:
    case WS_BINARY:
        stream_deliver(lease);
        break;
    case WS_PING:
        if (lease->is_close) {
            stream_deliver_close(lease, data);
            break;
        }
        stream->pool->events->on_ping(stream, data);
        break;
    case WS_PONG:
        stream->pool->events->on_pong(stream, data);
        break;
    default:
        break;
    }
}

static const struct wslay_event_callbacks stream_callbacks = {
    .recv_callback = feed_on_recv,
    .send_callback = feed_on_send,
    .on_frame_recv_start_callback = stream_on_frame_start,
    .on_frame_recv_chunk_callback = stream_on_frame_chunk,
    .on_msg_recv_callback = stream_on_message,
};

// --- lending ---

// `stream`: whose it is, or NULL.
static void lease_destroy(struct ws_lease *lease, struct ws_stream *stream)
{
    wslay_event_context_free(lease->wslay);
    buf_finish(&lease->message);
    if (stream != NULL) {
        stream_return_inflater(lease, stream);
    }
    mem_free(lease);
}

// NULL when there is no memory.
static struct ws_lease *lease_take(struct ws_pool *pool, struct ws_stream *stream)
{
    struct ws_lease *lease = pool->idle;

    if (lease != NULL) {
        pool->idle = lease->next;
        pool->idle_count--;
    } else {
        lease = mem_zalloc(sizeof(*lease));
        if (wslay_event_context_server_init(&lease->wslay, &stream_callbacks, lease) != 0) {
            mem_free(lease);
            return NULL;
        }
        wslay_event_config_set_no_buffering(lease->wslay, 1);
        // The limit over all fragments is counted here; wslay's bounds one frame.
        wslay_event_config_set_max_recv_msg_length(lease->wslay, UINT32_MAX);
    }
    wslay_event_config_set_allowed_rsv_bits(lease->wslay, stream->deflate.is_on ? WSLAY_RSV1_BIT
                                                                                : WSLAY_RSV_NONE);
    lease->stream = stream;
    lease->head_len = 0;
    lease->payload_left = 0;
    return lease;
}

// Whether it stands between two messages: nothing of it would be missed, nothing left behind.
static bool lease_is_clean(const struct ws_lease *lease)
{
    return lease->head_len == 0 && lease->payload_left == 0 && !lease->in_message;
}

static void lease_give_back(struct ws_pool *pool, struct ws_lease *lease)
{
    if (pool->idle_count >= POOL_IDLE_MAX) {
        lease_destroy(lease, NULL);
        return;
    }
    lease->stream = NULL;
    lease->next = pool->idle;
    pool->idle = lease;
    pool->idle_count++;
}

void ws_pool_init(struct ws_pool *pool, const struct ws_stream_events *events,
                  const struct ws_limits *limits)
{
    *pool = (struct ws_pool){.events = events, .limits = *limits};
}

void ws_pool_finish(struct ws_pool *pool)
{
    while (pool->idle != NULL) {
        struct ws_lease *lease = pool->idle;
        pool->idle = lease->next;
        lease_destroy(lease, NULL);
    }
    pool->idle_count = 0;
    ws_inflater_destroy(pool->inflater);
    pool->inflater = NULL;
}

// --- the stream ---

void ws_stream_init(struct ws_stream *stream, struct ws_pool *pool, uint32_t message_max,
                    const struct ws_deflate *deflate)
{
    *stream = (struct ws_stream){.pool = pool, .message_max = message_max, .deflate = *deflate};
}

void ws_stream_finish(struct ws_stream *stream)
{
    if (stream->lease != NULL) {
        lease_destroy(stream->lease, stream);
        stream->lease = NULL;
    }
    ws_inflater_destroy(stream->inflater);
    stream->inflater = NULL;
}

void ws_stream_stop(struct ws_stream *stream)
{
    stream->stopped = true;
}

static enum close_reason stream_error_reason(uint16_t code)
{
    return code == WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA ? CLOSE_INVALID_PAYLOAD
           : code == WSLAY_CODE_MESSAGE_TOO_BIG          ? CLOSE_MESSAGE_TOO_BIG
                                                         : CLOSE_PROTOCOL_ERROR;
}

// Takes out what wslay queued to send; tells of an error it met.
static void stream_settle(struct ws_lease *lease, int result)
{
    if (wslay_event_want_write(lease->wslay)) {
        int sent = wslay_event_send(lease->wslay);
        assert_always(sent == 0 || sent == WSLAY_ERR_NOMEM);
    }
    if (result == WSLAY_ERR_NOMEM) {
        stream_fail(lease, CLOSE_INTERNAL_ERROR);
    } else if (result != 0) {
        // A broken frame header is reported as a failure of the callback, which here never fails.
        stream_fail(lease, CLOSE_PROTOCOL_ERROR);
    } else if (!wslay_event_get_read_enabled(lease->wslay)) {
        stream_fail(lease, stream_error_reason(lease->close_code));
    }
}

size_t ws_on_bytes(struct ws_stream *stream, struct bytes data)
{
    if (stream->stopped) {
        return data.len;
    }
    struct ws_lease *lease =
        stream->lease != NULL ? stream->lease : lease_take(stream->pool, stream);
    if (lease == NULL) {
        stream->stopped = true;
        stream->pool->events->on_error(stream, CLOSE_INTERNAL_ERROR);
        return data.len;
    }
    stream->lease = lease;
    lease->in = data;
    lease->given = 0;
    int result = wslay_event_recv(lease->wslay);
    stream_settle(lease, result);
    size_t taken = stream->stopped ? data.len : data.len - lease->in.len;
    if (stream->stopped) {
        // Its state is of no use to another stream.
        stream->lease = NULL;
        lease_destroy(lease, stream);
    } else if (lease_is_clean(lease)) {
        stream->lease = NULL;
        lease_give_back(stream->pool, lease);
    }
    return taken;
}
