// UTF-8 (RFC 3629): validation with an ASCII fast path, also in pieces. Pure functions, any thread.
#ifndef TIDEGATE_CODEC_UTF8_H
#define TIDEGATE_CODEC_UTF8_H

#include "tidegate/base/bytes.h"

// State between pieces: zero at the start.
struct utf8_state {
    uint32_t state;
};

// Feeds a piece: false as soon as the bytes so far can be no prefix of valid UTF-8 (fail fast).
bool utf8_feed(struct utf8_state *state, struct bytes piece);

// Whether the text may end here (not inside a character).
bool utf8_is_complete(const struct utf8_state *state);

// Whether all of `text` is valid.
bool utf8_is_valid(struct bytes text);

#endif
