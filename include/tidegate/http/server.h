// HTTP/1.1 on a connection: reads requests one after the other (pipelined ones wait), finds the
// target, hands it the whole request, and writes the response. Strict by design: what can be read
// in two ways is refused (RFC 9112 §11.2). Owner: the connection's worker. An exchange lives from
// the request's head until its response is complete, the connection closes, or the target takes the
// connection over (http_take_over).
#ifndef TIDEGATE_HTTP_SERVER_H
#define TIDEGATE_HTTP_SERVER_H

#include "tidegate/http/forwarded.h"
#include "tidegate/http/request.h"
#include "tidegate/http/router.h"
#include "tidegate/net/conn.h"

struct http_exchange;
struct http_link;

// Who answers. Embedded in the endpoint's per-worker, per-route structure.
struct http_target {
    unsigned methods;   // bits 1u << enum http_method that are allowed; others get 405 with Allow
    bool sees_refusals; // answers also on a connection that a limit refuses (conn->refusal)
    bool takes_over;    // a GET may take the connection: its client is counted by address first
    unsigned serves;    // bits of listener.serves on which it exists; elsewhere it is 404
    // The head is there, the body (if any) is not: return 0 to go on, or a status to refuse with
    // before a byte of body is read. NULL: go on.
    int (*on_head)(struct http_target *target, struct http_exchange *exchange);
    // The request is whole. Respond now, or later on the same worker (then set on_abandoned).
    void (*on_request)(struct http_target *target, struct http_exchange *exchange);
};

struct http_exchange {
    struct http_request request;
    struct router_match match;
    struct forwarded from;      // whose request it is, behind all trusted proxies
    struct conn *conn;          // borrowed
    struct http_server *server; // borrowed
    void *owner;                // the target's while it answers late
    // The connection closed before the response: forget the exchange. NULL: nobody waits.
    void (*on_abandoned)(struct http_exchange *exchange);
    bool responded;
};

struct http_limits {
    int64_t head_timeout_ms;
    int64_t body_timeout_ms;
    int64_t idle_timeout_ms;
    uint32_t request_line_max;
    uint32_t header_bytes_max;
    uint32_t header_count_max; // at most HTTP_HEADERS_MAX
    uint32_t body_max;
};

// What all HTTP connections of a worker share.
struct http_server {
    struct http_limits limits;
    const struct router *router;  // borrowed; may be replaced between turns
    struct forwarded_trust trust; // as the router
    bool is_draining;             // every response closes its connection
    struct http_link *spare;      // states of connections that left HTTP, to be used again
    unsigned spare_count;
};

// Frees what is kept to be used again; no connection may speak HTTP any more.
void http_server_finish(struct http_server *server);

// Makes `conn` (state ACCEPTED) speak HTTP.
void http_begin(struct http_server *server, struct conn *conn);

struct http_response {
    int status;
    const char *content_type; // NULL: none
    struct bytes headers;     // further header lines, each ending in CRLF
    struct bytes body;        // copied
    struct blob *body_blob;   // instead of `body`: one reference, taken over
};

// Responds, once. HEAD gets the head alone. The exchange must not be used afterwards.
void http_respond(struct http_exchange *exchange, const struct http_response *response);

// Responds with {"error":{"status":N,"message":"..."}}; counts the refusal. `headers` as above, or
// empty. Requests with an unread body close the connection after it.
void http_refuse(struct http_exchange *exchange, int status, const char *message,
                 struct bytes headers);

// Refuses a request on a connection that a limit refuses (conn->refusal), with a Retry-After that
// is spread, so that those who are refused together do not come back together. False: there is
// none.
bool http_refuse_limited(struct http_exchange *exchange);

// Ends HTTP on this connection without a response: the exchange and its input buffer are gone,
// bytes behind the request stay in conn->in for the next handler. Returns the connection, now
// STREAMING without deadline; the caller installs its handler at once.
struct conn *http_take_over(struct http_exchange *exchange);

// "Not Found" for 404 and so on.
const char *http_status_text(int status);

#endif
