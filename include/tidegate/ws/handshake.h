// The server's half of the opening handshake (RFC 6455 §4.2). Pure: a request in, a verdict or the
// response head out. Any thread.
#ifndef TIDEGATE_WS_HANDSHAKE_H
#define TIDEGATE_WS_HANDSHAKE_H

#include "tidegate/base/buf.h"
#include "tidegate/http/request.h"
#include "tidegate/ws/deflate.h"

struct ws_handshake_options {
    // Globs; an Origin that matches none is refused. No Origin header: not a browser, accepted.
    char *const *allowed_origins;
    size_t allowed_origin_count;
    // What the server speaks, in order of preference.
    char *const *subprotocols;
    size_t subprotocol_count;
    bool may_compress;  // permessage-deflate is accepted
    bool may_take_over; // with contexts kept between messages
};

enum ws_handshake_verdict {
    WS_HANDSHAKE_OK,
    WS_HANDSHAKE_BAD_REQUEST, // 400
    WS_HANDSHAKE_BAD_METHOD,  // 405
    WS_HANDSHAKE_BAD_VERSION, // 426 with Sec-WebSocket-Version: 13
    WS_HANDSHAKE_BAD_ORIGIN   // 403
};

struct ws_handshake {
    const char *problem;       // why it was refused; a literal
    const char *subprotocol;   // agreed, or NULL; in the options
    struct ws_deflate deflate; // what was agreed
    char accept[29];           // Sec-WebSocket-Accept and a zero byte
};

// Prepares the digest and proves it with the RFC's example: 0, or -ENOTSUP where the system's
// OpenSSL has no SHA-1. Main thread, once, before any handshake.
int ws_handshake_setup(void) ATTR_MUST_CHECK;

// Whether the request asks for WebSocket at all (Upgrade: websocket), rightly or not.
bool ws_handshake_is_asked(const struct http_request *request);

// Checks the request and computes the accept value.
enum ws_handshake_verdict ws_handshake_check(const struct http_request *request,
                                             const struct ws_handshake_options *options,
                                             struct ws_handshake *ret_handshake);

// Whether `origin` matches one of the globs (case-insensitive; "*" matches every origin).
bool ws_origin_is_allowed(struct bytes origin, char *const *globs, size_t count);

// Appends the 101 response head: 0 or buf_append's errors.
int ws_handshake_print(const struct ws_handshake *handshake, struct buf *out) ATTR_MUST_CHECK;

#endif
