// HTTP's state on one connection, and the exchange that is under way on it.
// Owner: the connection's worker. Lifetime: a link lives from http_begin() until the connection
// closes or is taken over; an exchange from its head until its response. Between requests a link is
// all that a connection holds.
// Invariant: both stay in memory until the end of the turn in which they ended, so that a target
// may answer or close from wherever it is called.
#ifndef TIDEGATE_HTTP_LINK_H
#define TIDEGATE_HTTP_LINK_H

#include "chunked.h"
#include "fault.h"
#include "scan.h"
#include "tidegate/base/buf.h"
#include "tidegate/http/server.h"

// What the next bytes are: a head, a body, nothing yet (the answer is awaited), or
// nothing any more (the last response is queued).
enum link_phase { LINK_HEAD, LINK_BODY, LINK_ANSWER, LINK_DONE };

enum link_deadline { LINK_NONE, LINK_IDLE, LINK_HEAD_DUE, LINK_BODY_DUE };

struct exchange;

struct http_link {
    struct grave grave;
    struct http_server *server; // borrowed
    struct conn *conn;          // borrowed
    struct http_link *next;     // http_server.spare
    struct exchange *exchange;  // owned; NULL between requests
    struct scan scan;           // of the head that is arriving
    struct addr peer;           // whose the connection is, as far as the net knows
    uint64_t sent_seen;         // conn->bytes_out when the deadline was looked at last
    uint16_t burst;             // requests of this turn
    uint8_t phase;              // enum link_phase
    uint8_t armed;              // enum link_deadline
    bool in_turn : 1;           // on_bytes is running
    bool is_gone : 1;           // the connection closed or was taken over
    bool is_throttled : 1;      // the next request waits until output has left
    bool had_request : 1;       // the first head is in
    bool renew : 1;             // the deadline starts anew
    bool has_client : 1;        // the request's client is counted: net_set_client()
};

struct exchange {
    struct http_exchange public; // what the target sees
    struct grave grave;
    struct http_link *link; // borrowed
    struct buf body;
    struct chunked chunked;
    uint64_t left; // of a sized body
    // Behind this: the headers, then the head's bytes.
    struct http_header headers[];
};

static inline struct exchange *exchange_of(struct http_exchange *public)
{
    return container_of(public, struct exchange, public);
}

// exchange.c

// Copies the head (`count` field lines) and parses it: the link's exchange, or -EBADMSG.
int exchange_begin(struct http_link *link, struct bytes head, uint32_t count,
                   struct http_fault *ret_fault) ATTR_MUST_CHECK;

// Finds who answers and decides whether the body may come.
void exchange_open(struct exchange *exchange);

// Takes body bytes: 1 whole, 0 more is needed, -EBADMSG.
int exchange_read(struct exchange *exchange, struct bytes in, size_t *ret_used,
                  struct http_fault *ret_fault) ATTR_MUST_CHECK;

// Lets the target answer the whole request.
void exchange_run(struct exchange *exchange);

// The connection is gone: tells a target that still waits.
void exchange_abandon(struct exchange *exchange);

// Frees it at the end of the turn.
void exchange_inter(struct exchange *exchange);

// Frees it at once, when nobody else can be looking at it. NULL is allowed.
void exchange_destroy(struct exchange *exchange);

// response.c

// Refuses what never became an exchange, or whose body is no good. The connection ends after it.
void response_refuse_link(struct http_link *link, const struct http_fault *fault);

// server.c

// A response is queued: on to the next request, or to the end. `reason` when it ends.
void link_responded(struct http_link *link, bool is_last, enum close_reason reason);

#endif
