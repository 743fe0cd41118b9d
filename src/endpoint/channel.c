// The channel route: one session with one subscription over a WebSocket; SSE and POST stand in
// files of their own. Owner: the connection's worker.

#include "tidegate/endpoint/channel.h"

#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/session/event.h"
#include "tidegate/ws/handshake.h"

#include "channel_request.h"

struct channel_socket {
    struct websocket websocket;
    struct session session;
};

static struct channel_socket *channel_of(struct websocket *websocket)
{
    return container_of(websocket, struct channel_socket, websocket);
}

// --- the session's sinks ---

static struct channel_socket *channel_of_session(struct session *session)
{
    return container_of(session, struct channel_socket, session);
}

// An empty publication is an empty message; other events without bytes are nothing.
static bool channel_says_nothing(const struct event *event, struct bytes payload)
{
    return payload.len == 0 && event->kind != EVENT_PUBLICATION;
}

static struct blob *channel_frame(struct session *session, const struct event *event,
                                  struct bytes payload, bool is_binary)
{
    (void)session;
    if (channel_says_nothing(event, payload)) {
        return NULL;
    }
    return ws_frame_try_create(is_binary ? WS_BINARY : WS_TEXT, payload);
}

static struct blob *channel_frame_deflated(struct session *session, const struct event *event,
                                           struct bytes payload, bool is_binary)
{
    if (channel_says_nothing(event, payload)) {
        return NULL;
    }
    return websocket_frame_shared(channel_of_session(session)->websocket.worker,
                                  is_binary ? WS_BINARY : WS_TEXT, payload);
}

static uint32_t channel_send(struct session *session, struct blob *wire, uint32_t key)
{
    return websocket_send(&channel_of_session(session)->websocket, wire, key);
}

// For a connection whose compressed frames are its own: made from the plain frame that others
// share.
static uint32_t channel_send_own(struct session *session, struct blob *wire, uint32_t key)
{
    struct websocket *websocket = &channel_of_session(session)->websocket;
    enum ws_opcode opcode;
    struct bytes payload = ws_frame_payload(blob_bytes(wire), &opcode);
    struct blob *own = websocket_frame(websocket, opcode, payload);

    blob_unref(wire);
    return own == NULL ? 0 : websocket_send(websocket, own, key);
}

static bool channel_is_behind(struct session *session, size_t next)
{
    struct conn *conn = channel_of_session(session)->websocket.conn;
    bool is_behind = conn->outbox.bytes > 0 && conn->outbox.bytes + next > conn->outbox.max / 2;

    conn->want_drained |= is_behind;
    return is_behind;
}

static void channel_close(struct session *session, enum close_reason reason)
{
    websocket_close(&channel_of_session(session)->websocket, reason);
}

static const struct session_sink channel_sinks[] = {
    {SINK_WEBSOCKET, channel_frame, channel_send, channel_is_behind, channel_close},
    {SINK_WEBSOCKET_DEFLATED, channel_frame_deflated, channel_send, channel_is_behind,
     channel_close},
    {SINK_WEBSOCKET, channel_frame, channel_send_own, channel_is_behind, channel_close},
};

static const struct session_sink *channel_sink(const struct websocket *websocket)
{
    if (!websocket->stream.deflate.is_on) {
        return &channel_sinks[0];
    }
    return websocket_shares_frames(websocket) ? &channel_sinks[1] : &channel_sinks[2];
}

// --- the websocket's user ---

static void channel_on_message(struct websocket *websocket, enum ws_opcode opcode,
                               struct bytes data)
{
    enum close_reason reason =
        session_receive(&channel_of(websocket)->session, data, opcode == WS_BINARY);

    if (reason != CLOSE_NONE) {
        websocket_close(websocket, reason);
    }
}

static void channel_on_drained(struct websocket *websocket)
{
    session_on_drained(&channel_of(websocket)->session);
}

static void channel_on_closed(struct websocket *websocket)
{
    session_close(&channel_of(websocket)->session);
}

static void channel_bury(struct websocket *websocket)
{
    mem_free(channel_of(websocket));
}

static const struct websocket_user channel_user = {
    .on_message = channel_on_message,
    .on_drained = channel_on_drained,
    .on_closed = channel_on_closed,
    .bury = channel_bury,
};

static void channel_begin(struct channel_target *channel, struct http_exchange *exchange,
                          const struct channel_request *request)
{
    struct channel_socket *socket = mem_alloc(sizeof(*socket));

    if (!websocket_begin(&socket->websocket, channel->worker, &channel_user, exchange,
                         channel->route)) {
        mem_free(socket);
        return;
    }
    socket->websocket.conn->outbox.policy = (uint8_t)channel->route->queue_policy;
    session_open(&socket->session, channel->worker->session, request->protocol,
                 channel_sink(&socket->websocket), &request->options);
}

// --- the target ---

static bool channel_wants_sse(const struct http_request *request)
{
    struct bytes accept;

    return http_request_header(request, "Accept", &accept) &&
           http_request_has_token(request, "Accept", "text/event-stream");
}

static void channel_on_request(struct http_target *target, struct http_exchange *exchange)
{
    struct channel_target *channel = container_of(target, struct channel_target, target);
    struct channel_request request;
    const char *problem = NULL;

    if (exchange->request.method == HTTP_POST) {
        channel_post(channel, exchange);
        return;
    }
    int status = channel_request_read(channel, exchange, &request, &problem);
    if (status != 0) {
        metric_add(METRIC_HANDSHAKE_REFUSED_CHANNEL, 1);
        struct websocket_refusal refusal = {status, problem, ""};
        websocket_refuse(channel->worker, exchange, channel->route, &refusal);
    } else if (channel_wants_sse(&exchange->request)) {
        sse_begin(channel, exchange, &request);
    } else {
        channel_begin(channel, exchange, &request);
    }
}

static int channel_on_head(struct http_target *target, struct http_exchange *exchange)
{
    struct channel_target *channel = container_of(target, struct channel_target, target);

    // Only a WebSocket's refusal can be made visible to a page.
    if (!ws_handshake_is_asked(&exchange->request) && http_refuse_limited(exchange)) {
        return 0;
    }
    return exchange->request.method == HTTP_POST ? channel_post_check(channel, exchange) : 0;
}

void channel_init(struct channel_target *channel, struct websocket_worker *worker,
                  const struct config_route *route)
{
    *channel = (struct channel_target){
        .target = {.sees_refusals = true,
                   .takes_over = true,
                   .methods = 1u << HTTP_GET | 1u << HTTP_POST,
                   .on_head = channel_on_head,
                   .on_request = channel_on_request},
        .worker = worker,
        .route = route,
    };
}
