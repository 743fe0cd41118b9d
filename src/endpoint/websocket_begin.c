// Answering the opening handshake: 101 and a new handler, or a refusal. Where the route says so, a
// refusal is made visible to pages, which cannot see a status: accepted, and closed with 1013.
// Owner: the connection's worker.

#include "websocket_begin.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/net/census.h"
#include "tidegate/ws/handshake.h"

#define RESPONSE_MAX 1024

static const struct begin_refusal {
    int status;
    enum metric_id metric;
    const char *headers;
} begin_refusals[] = {
    [WS_HANDSHAKE_BAD_REQUEST] = {400, METRIC_HANDSHAKE_REFUSED_REQUEST, ""},
    [WS_HANDSHAKE_BAD_METHOD] = {405, METRIC_HANDSHAKE_REFUSED_REQUEST, ""},
    [WS_HANDSHAKE_BAD_VERSION] = {426, METRIC_HANDSHAKE_REFUSED_VERSION,
                                  "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n"},
    [WS_HANDSHAKE_BAD_ORIGIN] = {403, METRIC_HANDSHAKE_REFUSED_ORIGIN, ""},
};

static enum ws_handshake_verdict begin_check(const struct websocket_worker *worker,
                                             const struct http_exchange *exchange,
                                             const struct config_route *route,
                                             struct ws_handshake *ret_handshake)
{
    const struct config *config = worker->session->config;
    struct ws_handshake_options options = {
        .allowed_origins = config->client.allowed_origins.items,
        .allowed_origin_count = config->client.allowed_origins.count,
        .subprotocols = route->subprotocols.items,
        .subprotocol_count = route->subprotocols.count,
        .may_compress = config->websocket.compression,
        // A frame that refers to earlier ones is of no use where the policy may drop those.
        .may_take_over = config->websocket.compression_context_takeover &&
                         route->queue_policy == QUEUE_DISCONNECT,
    };

    return ws_handshake_check(&exchange->request, &options, ret_handshake);
}

static void begin_accept(struct websocket *websocket, struct websocket_worker *worker,
                         const struct websocket_user *user, struct http_exchange *exchange,
                         const struct ws_handshake *handshake)
{
    struct buf response;
    struct conn *conn = http_take_over(exchange);

    websocket_install(websocket, worker, user, conn, &handshake->deflate);
    buf_init(&response, RESPONSE_MAX);
    int error = ws_handshake_print(handshake, &response);
    assert_always(error == 0);
    conn_send_bytes(conn, buf_bytes(&response));
    buf_finish(&response);
}

// --- a refusal that a page can see ---

static void refused_on_message(struct websocket *websocket, enum ws_opcode opcode,
                               struct bytes data)
{
    (void)websocket;
    (void)opcode;
    (void)data;
}

static void refused_on_closed(struct websocket *websocket)
{
    (void)websocket;
}

static void refused_bury(struct websocket *websocket)
{
    mem_free(websocket);
}

static const struct websocket_user refused_user = {
    .on_message = refused_on_message,
    .on_closed = refused_on_closed,
    .bury = refused_bury,
};

void websocket_refuse(struct websocket_worker *worker, struct http_exchange *exchange,
                      const struct config_route *route, const struct websocket_refusal *refusal)
{
    struct ws_handshake handshake;

    // A page that may not talk to us is not told more than a status.
    if (!route->visible_refusals || !ws_handshake_is_asked(&exchange->request) ||
        begin_check(worker, exchange, route, &handshake) != WS_HANDSHAKE_OK) {
        http_refuse(exchange, refusal->status, refusal->message, bytes_str(refusal->headers));
        return;
    }
    struct websocket *websocket = mem_alloc(sizeof(*websocket));
    begin_accept(websocket, worker, &refused_user, exchange, &handshake);
    websocket_close_saying(websocket, CLOSE_TRY_AGAIN_LATER, refusal->message);
}

// --- beginning ---

// Whether the gateway takes no newcomers now; then the exchange is answered.
static bool begin_is_refused(struct websocket_worker *worker, struct http_exchange *exchange,
                             const struct config_route *route)
{
    const struct census_refusal *limit = census_refusal(exchange->conn->refusal);
    struct websocket_refusal refusal = {limit->status, limit->message, ""};

    if (exchange->server->is_draining) {
        metric_add(METRIC_HANDSHAKE_REFUSED_SHUTDOWN, 1);
        refusal = (struct websocket_refusal){503, "this gateway is stopping", "Retry-After: 1\r\n"};
    } else if (exchange->conn->refusal == CENSUS_OK) {
        return false;
    } else if (!route->visible_refusals) {
        return http_refuse_limited(exchange);
    }
    websocket_refuse(worker, exchange, route, &refusal);
    return true;
}

bool websocket_begin(struct websocket *websocket, struct websocket_worker *worker,
                     const struct websocket_user *user, struct http_exchange *exchange,
                     const struct config_route *route)
{
    struct ws_handshake handshake;

    if (begin_is_refused(worker, exchange, route)) {
        return false;
    }
    if (!ws_handshake_is_asked(&exchange->request)) {
        http_refuse(exchange, 426, "this is a WebSocket endpoint",
                    BYTES_OF("Upgrade: websocket\r\n"));
        return false;
    }
    enum ws_handshake_verdict verdict = begin_check(worker, exchange, route, &handshake);
    if (verdict != WS_HANDSHAKE_OK) {
        const struct begin_refusal *refusal = &begin_refusals[verdict];
        metric_add(refusal->metric, 1);
        http_refuse(exchange, refusal->status, handshake.problem, bytes_str(refusal->headers));
        return false;
    }
    begin_accept(websocket, worker, user, exchange, &handshake);
    return true;
}
