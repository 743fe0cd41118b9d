// The echo route. A client that does not read its echoes is not read either: the queue is bounded
// by holding the connection's reading back, so nothing is dropped and nobody is disconnected.
// Owner: the connection's worker.

#include "tidegate/endpoint/echo.h"

#include "tidegate/base/mem.h"

static void echo_on_message(struct websocket *websocket, enum ws_opcode opcode, struct bytes data)
{
    struct conn *conn = websocket->conn;
    struct blob *frame = websocket_frame(websocket, opcode, data);

    if (frame == NULL) {
        websocket_close(websocket, CLOSE_SERVER_ERROR);
        return;
    }
    websocket_send(websocket, frame, OUTBOX_KEY_CONTROL);
    if (conn->outbox.bytes > conn->outbox.max && !conn->paused) {
        conn->want_drained = true;
        conn_pause(conn);
    }
}

static void echo_on_drained(struct websocket *websocket)
{
    if (websocket->conn->paused) {
        conn_resume(websocket->conn);
    }
}

static void echo_on_closed(struct websocket *websocket)
{
    // Reading goes on for the peer's close frame.
    echo_on_drained(websocket);
}

static void echo_bury(struct websocket *websocket)
{
    mem_free(websocket);
}

static const struct websocket_user echo_user = {
    .on_message = echo_on_message,
    .on_drained = echo_on_drained,
    .on_closed = echo_on_closed,
    .bury = echo_bury,
};

static void echo_on_request(struct http_target *target, struct http_exchange *exchange)
{
    struct echo_target *echo = container_of(target, struct echo_target, target);
    struct websocket *websocket = mem_alloc(sizeof(*websocket));

    if (!websocket_begin(websocket, echo->worker, &echo_user, exchange, echo->route)) {
        mem_free(websocket);
    }
}

void echo_init(struct echo_target *echo, struct websocket_worker *worker,
               const struct config_route *route)
{
    *echo = (struct echo_target){
        .target = {.sees_refusals = true,
                   .takes_over = true,
                   .methods = 1u << HTTP_GET,
                   .on_request = echo_on_request},
        .worker = worker,
        .route = route,
    };
}
