// permessage-deflate (RFC 7692): what is agreed in the handshake, and the two states it needs. They
// are large (a deflater 256 KB, an inflater 40 KB), so they are shared by a worker's connections
// where no context is taken over from message to message, which is the default. Owner: negotiation
// is pure; a deflater or inflater belongs to one worker.
#ifndef TIDEGATE_WS_DEFLATE_H
#define TIDEGATE_WS_DEFLATE_H

#include "tidegate/base/blob.h"
#include "tidegate/base/buf.h"
#include "tidegate/http/request.h"
#include "tidegate/ws/frame.h"

#define WS_WINDOW_BITS_MIN 8
#define WS_WINDOW_BITS_MAX 15

// What was agreed (§7.1).
struct ws_deflate {
    bool is_on : 1;
    bool server_takeover : 1; // our messages may refer to earlier ones
    bool client_takeover : 1; // the client's may
    bool has_server_bits : 1; // the client asked for a limit: the answer repeats it
    uint8_t server_bits : 4;  // our LZ77 window
    uint8_t client_bits : 4;  // the client's
};

// Whether every Sec-WebSocket-Extensions follows the grammar of RFC 6455 §9.1; where one does not,
// the handshake must fail.
bool ws_extensions_are_good(const struct http_request *request);

// Picks the first acceptable offer of the request's Sec-WebSocket-Extensions. `may_take_over`:
// contexts may be kept where the client allows it. Nothing acceptable: is_on is false.
struct ws_deflate ws_deflate_negotiate(const struct http_request *request, bool may_take_over);

// Appends the value for the response's Sec-WebSocket-Extensions: 0 or buf_append's errors.
int ws_deflate_print(const struct ws_deflate *deflate, struct buf *out) ATTR_MUST_CHECK;

// Compresses messages.
struct ws_deflater;

// `bits`: the window. NULL when there is no memory.
struct ws_deflater *ws_deflater_try_create(int level, int bits);
void ws_deflater_destroy(struct ws_deflater *deflater); // NULL is allowed

// The message as a frame: compressed (RSV1) where that is shorter, plain otherwise. `keep`: the
// context goes on from the last message and to the next one; else the frame stands alone and may be
// shared. NULL when there is no memory.
struct blob *ws_deflater_frame(struct ws_deflater *deflater, enum ws_opcode opcode,
                               struct bytes payload, bool keep);

// Inflates messages, piece by piece.
struct ws_inflater;

struct ws_inflater *ws_inflater_try_create(int bits);
void ws_inflater_destroy(struct ws_inflater *inflater); // NULL is allowed

// A new message begins; without `keep` the window is forgotten.
void ws_inflater_begin(struct ws_inflater *inflater, bool keep);

// Inflates a piece of the message's payload into `out`, whose limit bounds the message. The output
// is also bounded by `ratio_max` times the compressed bytes so far, once it is past 1 MiB.
// `is_last`: the message's end (§7.2.2). 0, -EBADMSG: not deflate; -EMSGSIZE: a bound; -ENOMEM.
int ws_inflater_feed(struct ws_inflater *inflater, struct bytes piece, bool is_last,
                     uint32_t ratio_max, struct buf *out) ATTR_MUST_CHECK;

#endif
