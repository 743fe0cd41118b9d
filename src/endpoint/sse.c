// Server-Sent Events (WHATWG HTML §9.2): a session whose sink is a response that does not end. The
// body is delimited by the end of the connection, so one wire form serves HTTP/1.0 and 1.1 alike.
// Each event carries `id: <epoch>:<offset>`, which a browser sends back as Last-Event-ID.
// Owner: the connection's worker.

#include "channel_request.h"
#include "websocket_limits.h"

#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/codec/base64.h"
#include "tidegate/session/event.h"
#include "tidegate/ws/handshake.h"

#include <errno.h>

#define HEAD_MAX 1024
#define LINGER_MS 2000
// A line per byte at worst ("data: " and a line end each), the id, and the envelope around base64.
#define EVENT_MAX(len) ((len)*8 + 128)

struct sse {
    struct conn *conn;
    struct session session;
    struct grave grave;
    int64_t heartbeat_ms;
    uint64_t out_seen;    // conn->bytes_out at the last heartbeat
    uint32_t lifetime_ms; // since the connection opened; 0 = for ever
};

// --- framing ---

static int sse_append_line(struct buf *out, struct bytes line)
{
    int error = buf_append(out, BYTES_OF("data: "));

    error = error < 0 ? error : buf_append(out, line);
    return error < 0 ? error : buf_append(out, BYTES_OF("\n"));
}

// CRLF, LF and CR each end a line of an event's data; the browser joins them with LF.
static int sse_append_data(struct buf *out, struct bytes data)
{
    size_t start = 0;
    int error = 0;

    for (size_t i = 0; i <= data.len && error == 0; i++) {
        if (i < data.len && data.at[i] != '\n' && data.at[i] != '\r') {
            continue;
        }
        error = sse_append_line(out, bytes_make(data.at + start, i - start));
        i += i + 1 < data.len && data.at[i] == '\r' && data.at[i + 1] == '\n';
        start = i + 1;
    }
    return error;
}

static int sse_append_base64(struct buf *out, struct bytes data)
{
    int error = buf_append(out, BYTES_OF("data: "));

    error = error < 0 ? error : buf_reserve(out, BASE64_ENCODED_LEN(data.len));
    if (error < 0) {
        return error;
    }
    base64_encode(data, out->at + out->len);
    out->len += BASE64_ENCODED_LEN(data.len);
    return buf_append(out, BYTES_OF("\n"));
}

static int sse_append_id(struct buf *out, const char *epoch, uint64_t offset)
{
    return epoch[0] == '\0' ? 0
                            : buf_printf(out, "id: %s:%llu\n", epoch, (unsigned long long)offset);
}

static int sse_append_event(struct buf *out, const struct event *event, struct bytes payload,
                            bool is_binary)
{
    bool is_publication = event->kind == EVENT_PUBLICATION;
    int error = 0;

    if (is_publication) {
        error = sse_append_id(out, event->publication->epoch, event->publication->offset);
    } else if (event->kind == EVENT_STARTED) {
        // Also without data: a browser that reconnects before the first event resumes from here.
        error = sse_append_id(out, event->position.epoch, event->position.offset);
    }
    if (error == 0 && (payload.len > 0 || is_publication)) {
        error = is_binary ? sse_append_base64(out, payload) : sse_append_data(out, payload);
    }
    if (error == 0 && out->len > 0) {
        error = buf_append(out, BYTES_OF("\n"));
    }
    return error;
}

static struct blob *sse_frame(struct session *session, const struct event *event,
                              struct bytes payload, bool is_binary)
{
    struct blob *blob = NULL;
    struct buf out;

    (void)session;
    buf_init(&out, EVENT_MAX(payload.len));
    if (sse_append_event(&out, event, payload, is_binary) == 0 && out.len > 0) {
        blob = blob_try_copy(buf_bytes(&out));
    }
    buf_finish(&out);
    return blob;
}

// --- the session's sink ---

static void sse_close(struct session *session, enum close_reason reason)
{
    struct sse *sse = container_of(session, struct sse, session);

    session_close(session);
    if (reason == CLOSE_SLOW) {
        outbox_drop_unsent(&sse->conn->outbox);
    }
    conn_finish(sse->conn, reason, LINGER_MS);
}

static uint32_t sse_send(struct session *session, struct blob *wire, uint32_t key)
{
    struct sse *sse = container_of(session, struct sse, session);
    uint32_t dropped = 0;

    int result = conn_send(sse->conn, wire, key, &dropped);
    if (UNLIKELY(result == -ENOBUFS)) {
        metric_add(METRIC_DROPS_DISCONNECT, 1);
        sse_close(session, CLOSE_SLOW);
        return 0;
    }
    sse->conn->messages_out++;
    metric_add(METRIC_MESSAGES_OUT, 1);
    if (UNLIKELY(dropped > 0)) {
        bool is_conflated = sse->conn->outbox.policy == OUTBOX_CONFLATE;
        metric_add(is_conflated ? METRIC_DROPS_CONFLATE : METRIC_DROPS_OLDEST, dropped);
        sse->conn->want_drained = true;
    }
    return dropped;
}

static bool sse_is_behind(struct session *session, size_t next)
{
    struct conn *conn = container_of(session, struct sse, session)->conn;
    bool is_behind = conn->outbox.bytes > 0 && conn->outbox.bytes + next > conn->outbox.max / 2;

    conn->want_drained |= is_behind;
    return is_behind;
}

static const struct session_sink sse_sink = {
    .index = SINK_SSE,
    .frame = sse_frame,
    .send = sse_send,
    .is_behind = sse_is_behind,
    .close = sse_close,
};

// --- the connection's handler ---

static struct sse *sse_of(struct conn *conn)
{
    return conn->handler_state;
}

static void sse_on_bytes(struct conn *conn)
{
    // The client has nothing to say after its request.
    conn_consume(conn, conn->in.len);
}

static void sse_on_drained(struct conn *conn)
{
    session_on_drained(&sse_of(conn)->session);
}

// The next heartbeat, or the end of its lifetime.
static void sse_arm(struct sse *sse)
{
    int64_t left_ms = limits_time_left(sse->conn, sse->lifetime_ms);
    int64_t next_ms = sse->heartbeat_ms > 0 ? sse->heartbeat_ms : left_ms;

    if (next_ms != INT64_MAX) {
        conn_set_deadline(sse->conn, next_ms < left_ms ? next_ms : left_ms > 0 ? left_ms : 1);
    }
}

static void sse_on_deadline(struct conn *conn)
{
    if (limits_time_left(conn, sse_of(conn)->lifetime_ms) == 0) {
        metric_add(METRIC_LIFETIME_REACHED, 1);
        sse_close(&sse_of(conn)->session, CLOSE_FORCE_RECONNECT);
        return;
    }
    // A comment: keeps the path open, and finds a peer that is gone. Only when nothing waits; who
    // took none of what waits since the last one is not reading.
    struct sse *sse = sse_of(conn);
    if (outbox_is_empty(&conn->outbox)) {
        conn_send_bytes(conn, BYTES_OF(":\n\n"));
    } else if (sse->out_seen == conn->bytes_out) {
        sse_close(&sse->session, CLOSE_SLOW);
        return;
    }
    sse->out_seen = conn->bytes_out;
    sse_arm(sse);
}

static void sse_on_shutdown(struct conn *conn, enum close_reason reason)
{
    sse_close(&sse_of(conn)->session, reason);
}

static void sse_on_closed(struct conn *conn, enum close_reason reason)
{
    struct sse *sse = sse_of(conn);

    (void)reason;
    session_close(&sse->session);
    metric_add(METRIC_CONNECTIONS_SSE, -1);
    net_inter(conn->net, &sse->grave);
}

static void sse_bury(struct grave *grave)
{
    mem_free(container_of(grave, struct sse, grave));
}

static const struct conn_handler sse_handler = {
    .on_bytes = sse_on_bytes,
    .on_drained = sse_on_drained,
    .on_deadline = sse_on_deadline,
    .on_shutdown = sse_on_shutdown,
    .on_closed = sse_on_closed,
};

// --- beginning ---

static int sse_append_head(struct buf *out, const struct config *config,
                           const struct http_request *request)
{
    struct bytes origin;
    int error = buf_printf(out, "HTTP/1.1 200 OK\r\n"
                                "Content-Type: text/event-stream; charset=utf-8\r\n"
                                "Cache-Control: no-cache, no-store, no-transform\r\n"
                                "X-Accel-Buffering: no\r\n"
                                "Connection: close\r\n");

    // A page of another origin may read this only where the settings allow it.
    if (error == 0 && http_request_header(request, "Origin", &origin) &&
        origin.len < HEAD_MAX / 2 &&
        ws_origin_is_allowed(origin, config->client.allowed_origins.items,
                             config->client.allowed_origins.count)) {
        error = buf_printf(out,
                           "Access-Control-Allow-Origin: %.*s\r\n"
                           "Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n",
                           (int)origin.len, origin.at);
    }
    if (error == 0) {
        error = buf_printf(out, "\r\nretry: %lld\n\n", (long long)config->sse.retry_ms);
    }
    return error;
}

void sse_begin(struct channel_target *channel, struct http_exchange *exchange,
               const struct channel_request *request)
{
    struct session_worker *worker = channel->worker->session;
    const struct config *config = worker->config;
    struct buf head;

    if (exchange->server->is_draining) {
        metric_add(METRIC_HANDSHAKE_REFUSED_SHUTDOWN, 1);
        http_refuse(exchange, 503, "this gateway is stopping", BYTES_OF("Retry-After: 1\r\n"));
        return;
    }
    buf_init(&head, HEAD_MAX);
    if (sse_append_head(&head, config, &exchange->request) < 0) {
        buf_finish(&head);
        http_refuse(exchange, 431, "the Origin header is too long", BYTES_EMPTY);
        return;
    }
    struct conn *conn = http_take_over(exchange);
    struct sse *sse = mem_zalloc(sizeof(*sse));
    sse->conn = conn;
    sse->grave.bury = sse_bury;
    sse->heartbeat_ms = config->sse.heartbeat_interval_ms;
    conn_set_handler(conn, &sse_handler, sse);
    conn->in_max = 0;
    conn->outbox.max = (uint32_t)config->client.queue_max_size;
    conn->outbox.policy = (uint8_t)channel->route->queue_policy;
    conn_send_bytes(conn, buf_bytes(&head));
    buf_finish(&head);
    sse->lifetime_ms = limits_spread_lifetime(config->client.connection_lifetime_ms);
    sse_arm(sse);
    metric_add(METRIC_HANDSHAKES_SSE, 1);
    metric_add(METRIC_CONNECTIONS_SSE, 1);
    session_open(&sse->session, worker, request->protocol, &sse_sink, &request->options);
}
