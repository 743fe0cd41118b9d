// UTF-8 validation (RFC 3629), whole or in pieces that may cut a character anywhere.
// Owner: the state is the caller's; any thread. Nothing is allocated.
// The state between bytes is how many continuation bytes are due and which range the next one must
// be in: the second byte of a character excludes overlong forms, surrogates and what lies past
// U+10FFFF, so the first impossible byte is refused at once, as RFC 6455 §8.1 endpoints are tested.
#include "tidegate/codec/utf8.h"

// Packs what is due into utf8_state.state; 0 means "between characters".
#define UTF8_DUE(count, low, high) \
    ((uint32_t)(count) | (uint32_t)(low) << 8 | (uint32_t)(high) << 16)
#define UTF8_COUNT(state) ((state)&0xffu)
#define UTF8_LOW(state) ((state) >> 8 & 0xffu)
#define UTF8_HIGH(state) ((state) >> 16 & 0xffu)

#define NOT_ASCII_MASK 0x8080808080808080u

// What is due behind the first byte of a longer character; 0 when none can begin so.
static uint32_t due_after(unsigned char first)
{
    if (first >= 0xc2 && first <= 0xdf) {
        return UTF8_DUE(1, 0x80, 0xbf);
    }
    if (first >= 0xe0 && first <= 0xef) {
        return UTF8_DUE(2, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
    }
    if (first >= 0xf0 && first <= 0xf4) {
        return UTF8_DUE(3, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
    }
    return 0;
}

// Skips ASCII, eight bytes at a time.
static const char *skip_ascii(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        if ((word & NOT_ASCII_MASK) != 0) {
            break;
        }
        at += 8;
    }
    while (at < end && (*at & 0x80) == 0) {
        at++;
    }
    return at;
}

bool utf8_feed(struct utf8_state *state, struct bytes piece)
{
    if (piece.len == 0) {
        return true;
    }
    uint32_t due = state->state;
    const char *end = piece.at + piece.len;
    for (const char *at = piece.at; at < end; at++) {
        if (due == 0) {
            at = skip_ascii(at, end);
            if (at == end) {
                break;
            }
            due = due_after((unsigned char)*at);
            if (due == 0) {
                return false;
            }
            continue;
        }
        unsigned char c = (unsigned char)*at;
        if (c < UTF8_LOW(due) || c > UTF8_HIGH(due)) {
            return false;
        }
        due = UTF8_COUNT(due) > 1 ? UTF8_DUE(UTF8_COUNT(due) - 1, 0x80, 0xbf) : 0;
    }
    state->state = due;
    return true;
}

bool utf8_is_complete(const struct utf8_state *state)
{
    return state->state == 0;
}

bool utf8_is_valid(struct bytes text)
{
    struct utf8_state state = {0};
    return utf8_feed(&state, text) && utf8_is_complete(&state);
}
