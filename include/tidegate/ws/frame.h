// Server frames (RFC 6455 §5.2): unmasked, hence identical for every receiver, so a message is
// framed once and shared. Pure functions, any thread.
#ifndef TIDEGATE_WS_FRAME_H
#define TIDEGATE_WS_FRAME_H

#include "tidegate/base/blob.h"

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xa
};

#define WS_FRAME_HEADER_MAX 10
#define WS_RSV1 0x40 // the message is compressed (RFC 7692 §6)

// Writes the header of a final frame to `to` (WS_FRAME_HEADER_MAX bytes); returns its length.
size_t ws_frame_header(enum ws_opcode opcode, uint64_t payload_len, char *to);

// A whole frame in a new blob; NULL when there is no memory.
struct blob *ws_frame_try_create(enum ws_opcode opcode, struct bytes payload);

// The payload of a whole frame this server made, and its opcode.
struct bytes ws_frame_payload(struct bytes frame, enum ws_opcode *ret_opcode);

// A close frame with `code` and `text` (ASCII, cut at 123 bytes); an empty one for code 0.
struct blob *ws_frame_try_close(uint16_t code, struct bytes text);

#endif
