// A WebSocket connection: the bridge between a connection's bytes and whoever uses its messages. It
// does what every use needs: handshake, pings, the close handshake, back-pressure.
// Owner: the connection's worker. Lifetime: from websocket_begin() until the turn after its close;
// the user's structure embeds it and is freed by `bury`.
#ifndef TIDEGATE_ENDPOINT_WEBSOCKET_H
#define TIDEGATE_ENDPOINT_WEBSOCKET_H

#include "tidegate/http/server.h"
#include "tidegate/net/conn.h"
#include "tidegate/session/session.h"
#include "tidegate/ws/stream.h"

struct websocket;

// Who uses the messages: one static table a use.
struct websocket_user {
    void (*on_message)(struct websocket *websocket, enum ws_opcode opcode, struct bytes data);
    // The outbox is empty again, asked for with conn->want_drained (optional).
    void (*on_drained)(struct websocket *websocket);
    // It ends: nothing may be sent any more. Called once.
    void (*on_closed)(struct websocket *websocket);
    // Frees the structure it is embedded in, after the turn.
    void (*bury)(struct websocket *websocket);
};

// What the WebSocket connections of a worker share.
struct websocket_worker {
    struct session_worker *session; // borrowed
    struct ws_pool pool;
    struct blob *ping; // counted; the same for everybody
    // Owned, by window bits; made when first needed. They keep nothing between messages.
    struct ws_deflater *deflaters[WS_WINDOW_BITS_MAX + 1];
    int deflate_level; // of all of them
};

enum websocket_phase { WEBSOCKET_IDLE, WEBSOCKET_PINGED, WEBSOCKET_CLOSING };

struct websocket {
    struct conn *conn;               // borrowed
    struct websocket_worker *worker; // borrowed
    const struct websocket_user *user;
    struct ws_stream stream;
    struct grave grave;
    struct ws_deflater *deflater; // owned; only while contexts are kept and it is in use
    uint32_t quota_second;        // monotonic: the second in which the next three count
    uint32_t quota_messages;
    uint32_t quota_bytes;
    uint32_t message_began_ms; // low bits of the monotonic clock, while one is incomplete
    uint32_t lifetime_ms;      // since the connection opened; 0 = for ever
    uint32_t out_at_ping;      // low bits of conn->bytes_out when the deadline was set
    uint16_t quota_pings;
    uint8_t phase;          // enum websocket_phase
    bool is_over : 1;       // on_closed was called
    bool deflater_used : 1; // since the last ping
};

// Takes over what a new snapshot says about compression and fragments.
void websocket_worker_configure(struct websocket_worker *worker);

void websocket_worker_init(struct websocket_worker *worker, struct session_worker *session);
void websocket_worker_finish(struct websocket_worker *worker);

// Answers the handshake in `exchange` by the route's settings: true: 101 is queued, the exchange is
// gone and `websocket` handles the connection; false: it was refused and the caller frees its
// structure.
bool websocket_begin(struct websocket *websocket, struct websocket_worker *worker,
                     const struct websocket_user *user, struct http_exchange *exchange,
                     const struct config_route *route);

struct websocket_refusal {
    int status; // HTTP
    const char *message;
    const char *headers; // further header lines, each ending in CRLF
};

// Refuses a request to a WebSocket route: with the status, or, where the route has visible_refusals
// and a WebSocket was asked for, by accepting it and closing with 1013 and the message.
void websocket_refuse(struct websocket_worker *worker, struct http_exchange *exchange,
                      const struct config_route *route, const struct websocket_refusal *refusal);

// A message for this connection as a frame, compressed where that was agreed and is worth it; NULL
// when there is no memory.
struct blob *websocket_frame(struct websocket *websocket, enum ws_opcode opcode,
                             struct bytes payload);

// A message as the compressed frame that suits every connection for which
// websocket_shares_frames().
struct blob *websocket_frame_shared(struct websocket_worker *worker, enum ws_opcode opcode,
                                    struct bytes payload);

// Whether this connection takes the compressed frames that others take: no context is kept for it
// and its window is the largest.
static inline bool websocket_shares_frames(const struct websocket *websocket)
{
    const struct ws_deflate *deflate = &websocket->stream.deflate;

    return deflate->is_on && !deflate->server_takeover &&
           deflate->server_bits == WS_WINDOW_BITS_MAX;
}

// Sends a whole frame (one reference, taken over). `key`: see outbox.h. Returns messages the policy
// dropped; a full queue without a policy closes the connection as SLOW.
uint32_t websocket_send(struct websocket *websocket, struct blob *frame, uint32_t key);

// Begins the close handshake for `reason` (RFC 6455 §7.1.2): what is queued is still sent, except
// to a slow reader; the peer has client.close_timeout to answer.
void websocket_close(struct websocket *websocket, enum close_reason reason);

// The same with another text in the close frame.
void websocket_close_saying(struct websocket *websocket, enum close_reason reason,
                            const char *text);

#endif
