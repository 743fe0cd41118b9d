// Operations on borrowed views that are too long to be inline.
// Owner: none, no state; any thread. Nothing is allocated, nothing is written through a view.
// Invariant: a view whose `len` is 0 may have a NULL `at`, so no function here hands `at` to the C
// library before it has looked at `len`.
#include "tidegate/base/bytes.h"

#include <errno.h>

static unsigned char ascii_lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.at[i]) != ascii_lower(b.at[i])) {
            return false;
        }
    }
    return true;
}

ptrdiff_t bytes_find(struct bytes a, char c)
{
    if (a.len == 0) {
        return -1;
    }
    const char *found = memchr(a.at, c, a.len);
    return found != NULL ? found - a.at : -1;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct bytes bytes_trim(struct bytes a)
{
    while (a.len > 0 && is_ows(a.at[0])) {
        a = bytes_skip(a, 1);
    }
    while (a.len > 0 && is_ows(a.at[a.len - 1])) {
        a.len--;
    }
    return a;
}

bool bytes_next_part(struct bytes *rest, char separator, struct bytes *ret_part)
{
    if (rest->at == NULL) {
        return false;
    }
    ptrdiff_t end = bytes_find(*rest, separator);
    if (end < 0) {
        *ret_part = *rest;
        *rest = BYTES_EMPTY;
        return true;
    }
    *ret_part = bytes_make(rest->at, (size_t)end);
    *rest = bytes_skip(*rest, (size_t)end + 1);
    return true;
}

int bytes_to_u64(struct bytes a, uint64_t max, uint64_t *ret_value)
{
    if (a.len == 0) {
        return -EINVAL;
    }
    uint64_t value = 0;
    bool too_big = false;
    for (size_t i = 0; i < a.len; i++) {
        if (a.at[i] < '0' || a.at[i] > '9') {
            return -EINVAL;
        }
        uint64_t digit = (uint64_t)(a.at[i] - '0');
        // Goes on to the end even then: "not a number" is the better answer to 99999x.
        too_big = too_big || digit > max || value > (max - digit) / 10;
        value = too_big ? 0 : value * 10 + digit;
    }
    if (too_big) {
        return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

// On a mismatch only the last `*` is extended: an earlier one could gain nothing that the last one
// does not also reach, so no combination is tried twice.
bool bytes_glob(struct bytes pattern, struct bytes text)
{
    size_t p = 0;
    size_t t = 0;
    bool has_star = false;
    size_t star_p = 0; // behind the last star
    size_t star_t = 0; // where its run ends for now
    while (t < text.len) {
        if (p < pattern.len && pattern.at[p] == '*') {
            has_star = true;
            star_p = ++p;
            star_t = t;
        } else if (p < pattern.len && (pattern.at[p] == '?' || pattern.at[p] == text.at[t])) {
            p++;
            t++;
        } else if (has_star) {
            p = star_p;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

bool bytes_equal_secret(struct bytes a, struct bytes b)
{
    if (a.len != b.len) {
        return false;
    }
    // Volatile, or the compiler may leave the loop at the first difference.
    volatile unsigned char difference = 0;
    for (size_t i = 0; i < a.len; i++) {
        difference = (unsigned char)(difference | (a.at[i] ^ b.at[i]));
    }
    return difference == 0;
}

static bool is_tail(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

size_t bytes_utf8_len(struct bytes text)
{
    if (text.len == 0) {
        return 0;
    }
    const unsigned char *at = (const unsigned char *)text.at;
    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] < 0xc2 || at[0] > 0xf4) {
        return 0;
    }
    size_t len = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (text.len < len) {
        return 0;
    }
    // The second byte excludes overlong forms, surrogates and what is past U+10FFFF.
    unsigned char low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
    if (!is_tail(at[1], low, high)) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (!is_tail(at[i], 0x80, 0xbf)) {
            return 0;
        }
    }
    return len;
}
