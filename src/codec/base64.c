// Base64 in both alphabets (RFC 4648 §4 with padding, §5 without). Owner: none, no state; any
// thread. Nothing is allocated; the caller's room is computed from the length alone.
// Invariant: a value has one spelling. What decodes, encodes back to the same text: unused bits
// must be zero and nothing is skipped, so that nobody gets two names for one thing.
#include "tidegate/codec/base64.h"

#include <errno.h>

// Values are below 64; this one marks what is in neither alphabet.
#define NOT_A_DIGIT 64u

void base64_encode(struct bytes data, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)data.at;
    size_t left = data.len;
    while (left >= 3) {
        *to++ = digits[at[0] >> 2];
        *to++ = digits[(at[0] & 0x3) << 4 | at[1] >> 4];
        *to++ = digits[(at[1] & 0xf) << 2 | at[2] >> 6];
        *to++ = digits[at[2] & 0x3f];
        at += 3;
        left -= 3;
    }
    if (left == 0) {
        return;
    }
    unsigned second = left == 2 ? at[1] : 0;
    *to++ = digits[at[0] >> 2];
    *to++ = digits[(at[0] & 0x3) << 4 | second >> 4];
    *to++ = left == 2 ? digits[(second & 0xf) << 2] : '=';
    *to = '=';
}

static unsigned digit_value(char c, bool is_url)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0') + 52;
    }
    if (c == (is_url ? '-' : '+')) {
        return 62;
    }
    if (c == (is_url ? '_' : '/')) {
        return 63;
    }
    return NOT_A_DIGIT;
}

// Decodes digits without padding.
static ptrdiff_t decode_digits(struct bytes text, bool is_url, char *to)
{
    if (text.len % 4 == 1) {
        return -EINVAL;
    }
    uint32_t bits = 0;
    unsigned bit_count = 0;
    ptrdiff_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned value = digit_value(text.at[i], is_url);
        if (value == NOT_A_DIGIT) {
            return -EINVAL;
        }
        bits = bits << 6 | value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            to[len++] = (char)(bits >> bit_count);
            bits &= (1u << bit_count) - 1;
        }
    }
    return bits == 0 ? len : -EINVAL;
}

ptrdiff_t base64_decode(struct bytes text, char *to)
{
    if (text.len % 4 != 0) {
        return -EINVAL;
    }
    // Two pads at most; a third is then met as a character of no alphabet.
    for (int pads = 0; pads < 2 && text.len > 0 && text.at[text.len - 1] == '='; pads++) {
        text.len--;
    }
    return decode_digits(text, false, to);
}

ptrdiff_t base64url_decode(struct bytes text, char *to)
{
    return decode_digits(text, true, to);
}
