// One connection: bytes in, bytes out, one state, one deadline, one exit. It knows nothing of what
// the bytes mean: a conn_handler does, and is replaced when that changes (HTTP, then WebSocket).
// Owner: its worker. Lifetime: conn_close() is idempotent and the first reason wins; the structure
// stays valid until the end of the turn, when net_bury() frees it.
//
//   ACCEPTED -> HTTP -> STREAMING -> DRAINING -> CLOSED     (any state may go to CLOSED,
//                  \_________________/                       HTTP also straight to DRAINING)
#ifndef TIDEGATE_NET_CONN_H
#define TIDEGATE_NET_CONN_H

#include "tidegate/base/close.h"
#include "tidegate/loop/timer.h"
#include "tidegate/net/addr.h"
#include "tidegate/net/net.h"
#include "tidegate/net/outbox.h"

struct conn;
struct transport; // how bytes move: plain or TLS

// What the bytes mean. One static table a protocol.
struct conn_handler {
    // New bytes are in conn->in. Take what you can with conn_consume(); what is left is kept and
    // shown again, with more, up to conn->in_max bytes.
    void (*on_bytes)(struct conn *conn);
    // Everything queued was written, asked for with conn->want_drained (optional).
    void (*on_drained)(struct conn *conn);
    // The peer sent its last byte (half-close). NULL: the connection is closed.
    void (*on_eof)(struct conn *conn);
    // The state's deadline passed. NULL: the connection is closed with the state's reason.
    void (*on_deadline)(struct conn *conn);
    // The process stops: end politely for `reason`. NULL: the connection is closed.
    void (*on_shutdown)(struct conn *conn, enum close_reason reason);
    // Last call: drop your state. Nothing may be sent any more.
    void (*on_closed)(struct conn *conn, enum close_reason reason);
};

struct conn {
    struct watch watch;
    const struct transport *transport;
    void *transport_state; // the transport's; owned by it
    const struct conn_handler *handler;
    void *handler_state;             // the handler's; owned by it
    struct net *net;                 // borrowed: the worker's byte side
    const struct listener *listener; // borrowed; where it came in
    struct list link;                // net.conns[state]
    struct list dirty;               // net.dirty: output to be written in step 4
    struct list ready;               // net.ready: reading to be continued next turn
    struct timer deadline;           // of the state
    struct outbox outbox;
    struct bytes in;   // unconsumed input, valid in on_bytes only
    int64_t opened_ms; // monotonic
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint32_t messages_in;
    uint32_t messages_out;
    struct buf *kept;      // owned; input kept between turns, NULL when there is none
    uint32_t in_max;       // bytes that may be kept
    uint8_t state;         // enum conn_state
    uint8_t refusal;       // enum census_verdict: the limit that refuses it; its request is told so
    uint8_t reason;        // enum close_reason; set when closing
    bool readable : 1;     // the socket may have more
    bool writable : 1;     // the socket took everything last time
    bool paused : 1;       // reading is held back by the handler
    bool eof : 1;          // the peer half-closed and all of it was read
    bool counted : 1;      // in the census by address
    bool want_drained : 1; // on_drained is to be called, once
    bool eof_seen : 1;     // epoll, or the transport, reported the end of the stream
    bool handshaking : 1;  // of TLS: events go there (secure.c)
    bool write_waits : 1;  // writing goes on when something was read
    bool yielded : 1;      // what is left of its input waits for the next turn
    bool by_address : 1;   // counted under the peer's address too, not only in the total
    uint32_t queued;       // what of outbox.bytes the gauge knows
    struct addr peer;      // whose it is
    struct addr *via;      // owned; the socket's peer, where that only brings it; else NULL
};

#define CONN_STATES(X) \
    X(ACCEPTED, HEAD_TIMEOUT) \
    X(HTTP, IDLE_TIMEOUT) \
    X(STREAMING, IDLE_TIMEOUT) \
    X(DRAINING, DRAIN_TIMEOUT) \
    X(CLOSED, NONE)

enum conn_state {
#define X(name, reason) CONN_##name,
    CONN_STATES(X)
#undef X
};

const char *conn_state_name(enum conn_state state);

// Installs another handler with its state. Bytes left in conn->in go to the new one: from
// on_bytes, when the old handler returns. The old handler must have dropped its state.
void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *state);

// The only writer of conn->state: asserts the move, moves the list link and re-arms the deadline,
// `deadline_ms` from now (0: none).
void conn_set_state(struct conn *conn, enum conn_state state, int64_t deadline_ms);

// Re-arms the state's deadline, `deadline_ms` from now (0: none).
void conn_set_deadline(struct conn *conn, int64_t deadline_ms);

// Queues `blob` (one reference, taken over in every case) for step 4. `key`: see outbox.h.
// 0, or -ENOBUFS: the queue is full and the policy is to disconnect (the caller decides how),
// -ENOTCONN: closed. *ret_dropped (may be NULL): messages dropped by the policy.
int conn_send(struct conn *conn, struct blob *blob, uint32_t key, uint32_t *ret_dropped);

// Copies `data` and queues it as control output.
int conn_send_bytes(struct conn *conn, struct bytes data);

// Says whose the connection is: `client` is the peer from now on, the socket's own stays in `via`.
void conn_set_peer(struct conn *conn, const struct addr *client);

// Takes `n` bytes off conn->in.
void conn_consume(struct conn *conn, size_t n);

// Holds reading back (flow control), or lets it go on: then kept input is shown again next turn.
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

// Says why the connection will end, where nothing has said so yet: for an end in several steps.
void conn_set_reason(struct conn *conn, enum close_reason reason);

// From on_bytes: this turn has done enough for it; what is left in conn->in is shown again next
// turn.
void conn_yield(struct conn *conn);

// Ends reading, lets the outbox drain and then closes with `reason`; at the latest in `timeout_ms`.
void conn_finish(struct conn *conn, enum close_reason reason, int64_t timeout_ms);

// The only exit. Unwritten output is dropped; on_closed is called before this returns.
void conn_close(struct conn *conn, enum close_reason reason);

static inline bool conn_is_closed(const struct conn *conn)
{
    return conn->state == CONN_CLOSED;
}

#endif
