// What every WebSocket connection needs, whatever it is used for: the handshake, a ping and its
// deadline on the connection's one timer, the close handshake, and the limit of its queue.
//
//   IDLE --ping--> PINGED --pong--> IDLE        any --close--> CLOSING --peer's close--> drained
//
// Owner: the connection's worker. Invariant: the user's on_closed runs exactly once, when the close
// begins or the connection ends; its memory stays until step 5.

#include "tidegate/endpoint/websocket.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rand.h"

#include "websocket_begin.h"
#include "websocket_limits.h"

#include <errno.h>

#define PONGS_WAITING_MAX 4096 // bytes
#define LINGER_MS 2000         // the peer's time to read the last frame and close

static struct websocket *websocket_of(struct conn *conn)
{
    return conn->handler_state;
}

static void websocket_end(struct websocket *websocket)
{
    if (!websocket->is_over) {
        websocket->is_over = true;
        ws_stream_stop(&websocket->stream);
        websocket->user->on_closed(websocket);
    }
}

// --- sending ---

uint32_t websocket_send(struct websocket *websocket, struct blob *frame, uint32_t key)
{
    uint32_t dropped = 0;

    if (UNLIKELY(websocket->is_over)) {
        blob_unref(frame);
        return 0;
    }
    int result = conn_send(websocket->conn, frame, key, &dropped);
    if (UNLIKELY(result == -ENOBUFS)) {
        metric_add(METRIC_DROPS_DISCONNECT, 1);
        websocket_close(websocket, CLOSE_SLOW);
        return 0;
    }
    websocket->conn->messages_out++;
    metric_add(METRIC_MESSAGES_OUT, 1);
    if (UNLIKELY(dropped > 0)) {
        bool is_conflated = websocket->conn->outbox.policy == OUTBOX_CONFLATE;
        metric_add(is_conflated ? METRIC_DROPS_CONFLATE : METRIC_DROPS_OLDEST, dropped);
        websocket->conn->want_drained = true;
    }
    return dropped;
}

static void websocket_send_close(struct websocket *websocket, struct blob *frame)
{
    // Without memory for two bytes of code the end of the stream has to tell.
    if (frame != NULL) {
        conn_send(websocket->conn, frame, OUTBOX_KEY_CONTROL, NULL);
    }
}

void websocket_close(struct websocket *websocket, enum close_reason reason)
{
    websocket_close_saying(websocket, reason, close_row(reason)->text);
}

void websocket_close_saying(struct websocket *websocket, enum close_reason reason, const char *text)
{
    struct conn *conn = websocket->conn;

    if (websocket->phase == WEBSOCKET_CLOSING || conn_is_closed(conn)) {
        return;
    }
    websocket->phase = WEBSOCKET_CLOSING;
    conn_set_reason(conn, reason);
    if (reason == CLOSE_SLOW) {
        // It did not read what is queued; it may still read why it is closed.
        outbox_drop_unsent(&conn->outbox);
    }
    websocket_send_close(websocket, ws_frame_try_close(close_row(reason)->code, bytes_str(text)));
    conn_set_deadline(conn, websocket->worker->session->config->client.close_timeout_ms);
    // The stream goes on for the peer's close frame; its messages are ignored from here on.
    websocket->is_over = true;
    websocket->user->on_closed(websocket);
}

// Arms the connection's one timer for the next ping, pong or end of its lifetime.
static void websocket_arm(struct websocket *websocket, int64_t next_ms)
{
    int64_t left_ms = limits_time_left(websocket->conn, websocket->lifetime_ms);

    next_ms = next_ms == 0 && left_ms != INT64_MAX ? left_ms : next_ms;
    conn_set_deadline(websocket->conn, next_ms < left_ms ? next_ms : left_ms > 0 ? left_ms : 1);
}

// --- receiving: the stream's events ---

static struct websocket *websocket_of_stream(struct ws_stream *stream)
{
    return container_of(stream, struct websocket, stream);
}

static void websocket_on_message(struct ws_stream *stream, enum ws_opcode opcode, struct bytes data)
{
    struct websocket *websocket = websocket_of_stream(stream);

    if (websocket->is_over) {
        return;
    }
    enum close_reason reason = limits_count_message(websocket);
    if (reason != CLOSE_NONE) {
        websocket_close(websocket, reason);
        return;
    }
    websocket->conn->messages_in++;
    metric_add(METRIC_MESSAGES_IN, 1);
    websocket->message_began_ms = 0;
    websocket->user->on_message(websocket, opcode, data);
}

static void websocket_on_ping(struct ws_stream *stream, struct bytes data)
{
    struct websocket *websocket = websocket_of_stream(stream);
    enum close_reason reason;

    if (websocket->phase == WEBSOCKET_CLOSING) {
        return;
    }
    reason = limits_count_ping(websocket);
    if (reason != CLOSE_NONE) {
        websocket_close(websocket, reason);
        return;
    }
    struct blob *pong = ws_frame_try_create(WS_PONG, data);
    if (pong != NULL) {
        // Each ping is answered, until so much waits that only the latest one is (§5.5.3).
        bool is_behind = websocket->conn->outbox.bytes > PONGS_WAITING_MAX;
        conn_send(websocket->conn, pong, is_behind ? OUTBOX_KEY_PONG : OUTBOX_KEY_CONTROL, NULL);
    }
}

static void websocket_on_pong(struct ws_stream *stream, struct bytes data)
{
    struct websocket *websocket = websocket_of_stream(stream);

    (void)data;
    if (websocket->phase == WEBSOCKET_PINGED) {
        websocket->phase = WEBSOCKET_IDLE;
        websocket_arm(websocket, websocket->worker->session->config->client.ping_interval_ms);
    }
}

static void websocket_on_close(struct ws_stream *stream, uint16_t code, struct bytes reason)
{
    struct websocket *websocket = websocket_of_stream(stream);
    struct conn *conn = websocket->conn;
    (void)reason;
    if (websocket->phase == WEBSOCKET_CLOSING) {
        conn_finish(conn, conn->reason, LINGER_MS);
        return;
    }
    websocket_end(websocket);
    // The code is echoed (RFC 6455 §5.5.1); 1005 stands for none and is never sent.
    websocket_send_close(websocket, ws_frame_try_close(code == 1005 ? 0 : code, BYTES_EMPTY));
    websocket->phase = WEBSOCKET_CLOSING;
    conn_finish(conn, CLOSE_PEER_CLOSED, LINGER_MS);
}

static void websocket_on_error(struct ws_stream *stream, enum close_reason reason)
{
    struct websocket *websocket = websocket_of_stream(stream);

    if (reason == CLOSE_MESSAGE_TOO_BIG) {
        metric_add(METRIC_MESSAGE_SIZE_REFUSED, 1);
    } else if (reason == CLOSE_POLICY_VIOLATION) {
        metric_add(METRIC_FRAGMENTS_REFUSED, 1);
    }
    if (websocket->phase != WEBSOCKET_CLOSING) {
        websocket_end(websocket);
        websocket_send_close(websocket, ws_frame_try_close(close_row(reason)->code,
                                                           bytes_str(close_row(reason)->text)));
        websocket->phase = WEBSOCKET_CLOSING;
    }
    // A peer that breaks the protocol is not waited for (§7.1.7).
    conn_finish(websocket->conn, reason, LINGER_MS);
}

static const struct ws_stream_events websocket_events = {
    .on_message = websocket_on_message,
    .on_ping = websocket_on_ping,
    .on_pong = websocket_on_pong,
    .on_close = websocket_on_close,
    .on_error = websocket_on_error,
};

// --- the connection's handler ---

static void websocket_on_bytes(struct conn *conn)
{
    struct websocket *websocket = websocket_of(conn);
    size_t taken = ws_on_bytes(&websocket->stream, conn->in);
    enum close_reason reason = CLOSE_NONE;

    conn_consume(conn, taken);
    if (conn->in.len > 0) {
        conn_yield(conn);
    }
    if (!websocket->is_over) {
        reason = limits_count_bytes(websocket, taken);
        reason = reason != CLOSE_NONE ? reason : limits_check_message_time(websocket);
    }
    if (reason != CLOSE_NONE) {
        websocket_close(websocket, reason);
    }
}

static void websocket_on_drained(struct conn *conn)
{
    struct websocket *websocket = websocket_of(conn);

    if (!websocket->is_over && websocket->user->on_drained != NULL) {
        websocket->user->on_drained(websocket);
    }
}

static void websocket_send_ping(struct websocket *websocket)
{
    if (!websocket->deflater_used) {
        ws_deflater_destroy(websocket->deflater);
        websocket->deflater = NULL;
    }
    websocket->deflater_used = false;
    conn_send(websocket->conn, blob_ref(websocket->worker->ping), OUTBOX_KEY_CONTROL, NULL);
    metric_add(METRIC_PINGS_SENT, 1);
    websocket->phase = WEBSOCKET_PINGED;
}

// Whether the peer took some of its queue since the deadline was set: slow, but not dead.
static bool websocket_made_progress(const struct websocket *websocket)
{
    return !outbox_is_empty(&websocket->conn->outbox) &&
           (uint32_t)websocket->conn->bytes_out != websocket->out_at_ping;
}

static void websocket_on_deadline(struct conn *conn)
{
    struct websocket *websocket = websocket_of(conn);

    if (websocket->phase == WEBSOCKET_CLOSING) {
        conn_close(conn, conn->reason);
        return;
    }
    if (limits_time_left(conn, websocket->lifetime_ms) == 0) {
        metric_add(METRIC_LIFETIME_REACHED, 1);
        websocket_close(websocket, CLOSE_FORCE_RECONNECT);
        return;
    }
    if (websocket->phase == WEBSOCKET_IDLE) {
        websocket_send_ping(websocket);
    } else if (!websocket_made_progress(websocket)) {
        websocket_close(websocket, CLOSE_NO_PONG);
        return;
    }
    websocket->out_at_ping = (uint32_t)conn->bytes_out;
    websocket_arm(websocket, websocket->worker->session->config->client.pong_timeout_ms);
}

static void websocket_on_shutdown(struct conn *conn, enum close_reason reason)
{
    websocket_close(websocket_of(conn), reason);
}

static void websocket_on_closed(struct conn *conn, enum close_reason reason)
{
    struct websocket *websocket = websocket_of(conn);

    (void)reason;
    websocket_end(websocket);
    metric_add(METRIC_CONNECTIONS_WEBSOCKET, -1);
    net_inter(conn->net, &websocket->grave);
}

static void websocket_bury(struct grave *grave)
{
    struct websocket *websocket = container_of(grave, struct websocket, grave);

    ws_stream_finish(&websocket->stream);
    ws_deflater_destroy(websocket->deflater);
    websocket->user->bury(websocket);
}

static const struct conn_handler websocket_handler = {
    .on_bytes = websocket_on_bytes,
    .on_drained = websocket_on_drained,
    .on_deadline = websocket_on_deadline,
    .on_shutdown = websocket_on_shutdown,
    .on_closed = websocket_on_closed,
};

// --- beginning ---

// Pings of connections that were opened together are spread over the interval.
static int64_t websocket_first_ping(const struct config *config)
{
    int64_t half = config->client.ping_interval_ms / 2;

    return config->client.ping_interval_ms == 0 ? 0
                                                : half + (int64_t)rand_below((uint64_t)half + 1);
}

void websocket_install(struct websocket *websocket, struct websocket_worker *worker,
                       const struct websocket_user *user, struct conn *conn,
                       const struct ws_deflate *deflate)
{
    const struct config *config = worker->session->config;

    *websocket = (struct websocket){
        .conn = conn,
        .worker = worker,
        .user = user,
        .grave.bury = websocket_bury,
        .lifetime_ms = limits_spread_lifetime(config->client.connection_lifetime_ms),
    };
    ws_stream_init(&websocket->stream, &worker->pool,
                   (uint32_t)config->websocket.message_size_limit, deflate);
    conn_set_handler(conn, &websocket_handler, websocket);
    conn->in_max = 0;
    conn->outbox.max = (uint32_t)config->client.queue_max_size;
    websocket_arm(websocket, websocket_first_ping(config));
    metric_add(METRIC_HANDSHAKES_WEBSOCKET, 1);
    metric_add(METRIC_CONNECTIONS_WEBSOCKET, 1);
}

static void websocket_worker_drop_deflaters(struct websocket_worker *worker)
{
    for (size_t i = 0; i < ARRAY_LEN(worker->deflaters); i++) {
        ws_deflater_destroy(worker->deflaters[i]);
        worker->deflaters[i] = NULL;
    }
}

void websocket_worker_configure(struct websocket_worker *worker)
{
    const struct config *config = worker->session->config;

    worker->pool.limits = (struct ws_limits){
        .fragments_max = (uint32_t)config->websocket.fragments_limit,
        .ratio_max = (uint32_t)config->websocket.compression_ratio_limit,
    };
    if (worker->deflate_level != (int)config->websocket.compression_level) {
        worker->deflate_level = (int)config->websocket.compression_level;
        websocket_worker_drop_deflaters(worker);
    }
}

void websocket_worker_init(struct websocket_worker *worker, struct session_worker *session)
{
    struct ws_limits none = {0};

    *worker = (struct websocket_worker){.session = session};
    ws_pool_init(&worker->pool, &websocket_events, &none);
    websocket_worker_configure(worker);
    worker->ping = ws_frame_try_create(WS_PING, BYTES_EMPTY);
    assert_always(worker->ping != NULL);
}

void websocket_worker_finish(struct websocket_worker *worker)
{
    ws_pool_finish(&worker->pool);
    websocket_worker_drop_deflaters(worker);
    blob_unref(worker->ping);
}
