// The grammar of RFC 8259 as a loop: one pass, no recursion, no memory.
// Owner: the scan is the caller's; any thread.
// What is open is a bit a level (object or array), so depth costs a bit and is bounded. A value is
// passed in two alternating states: a value is due, or a value has ended and a comma or a closing
// bracket is due.
// Invariant: every path that goes on has consumed at least one byte, so the pass is linear.
#include "json_scan.h"

#include "tidegate/codec/hex.h"
#include "tidegate/codec/utf8.h"

#include <limits.h>

struct nesting {
    uint64_t is_object[JSON_SCAN_DEPTH_MAX / 64];
    int depth;
    int depth_max;
};

struct json_scan json_scan_make(struct bytes text)
{
    // An empty view may have no address; a scan needs one to compare with.
    const char *begin = text.len > 0 ? text.at : "";
    return (struct json_scan){begin, begin, begin + text.len, NULL};
}

static bool fail(struct json_scan *scan, const char *problem)
{
    scan->problem = scan->at == scan->end ? "the text ends too early" : problem;
    return false;
}

void json_scan_space(struct json_scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t')) {
        scan->at++;
    }
}

static bool is_at(const struct json_scan *scan, char c)
{
    return scan->at < scan->end && *scan->at == c;
}

static bool is_digit_at(const struct json_scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

// Passes `c` after white space.
static bool scan_mark(struct json_scan *scan, char c, const char *problem)
{
    json_scan_space(scan);
    if (!is_at(scan, c)) {
        return fail(scan, problem);
    }
    scan->at++;
    return true;
}

// Passes an escape; `at` is behind the backslash.
static bool scan_escape(struct json_scan *scan)
{
    if (scan->at == scan->end || *scan->at == '\0' || strchr("\"\\/bfnrtu", *scan->at) == NULL) {
        return fail(scan, "unknown escape in a string");
    }
    bool is_unicode = *scan->at == 'u';
    scan->at++;
    for (int i = 0; is_unicode && i < 4; i++) {
        if (scan->at == scan->end || hex_digit(*scan->at) < 0) {
            return fail(scan, "four hexadecimal digits expected");
        }
        scan->at++;
    }
    return true;
}

bool json_scan_string(struct json_scan *scan, struct bytes *ret_inside)
{
    if (!is_at(scan, '"')) {
        return fail(scan, "a string in double quotes expected");
    }
    const char *inside = ++scan->at;
    while (scan->at < scan->end) {
        char c = *scan->at;
        if (c == '"') {
            *ret_inside = bytes_make(inside, (size_t)(scan->at - inside));
            scan->at++;
            return true;
        }
        if ((unsigned char)c < 0x20) {
            return fail(scan, "control character in a string");
        }
        scan->at++;
        if (c == '\\' && !scan_escape(scan)) {
            return false;
        }
    }
    return fail(scan, "");
}

static bool scan_digits(struct json_scan *scan)
{
    if (!is_digit_at(scan)) {
        return fail(scan, "a digit expected");
    }
    while (is_digit_at(scan)) {
        scan->at++;
    }
    return true;
}

static bool scan_number(struct json_scan *scan)
{
    if (is_at(scan, '-')) {
        scan->at++;
    }
    if (is_at(scan, '0')) {
        scan->at++;
        if (is_digit_at(scan)) {
            return fail(scan, "a number does not begin with 0");
        }
    } else if (!scan_digits(scan)) {
        return false;
    }
    if (is_at(scan, '.')) {
        scan->at++;
        if (!scan_digits(scan)) {
            return false;
        }
    }
    if (is_at(scan, 'e') || is_at(scan, 'E')) {
        scan->at++;
        if (is_at(scan, '+') || is_at(scan, '-')) {
            scan->at++;
        }
        return scan_digits(scan);
    }
    return true;
}

static bool scan_word(struct json_scan *scan, struct bytes word)
{
    struct bytes rest = bytes_make(scan->at, (size_t)(scan->end - scan->at));
    if (!bytes_starts_with(rest, word)) {
        return fail(scan, "a value expected");
    }
    scan->at += word.len;
    return true;
}

static bool scan_scalar(struct json_scan *scan)
{
    struct bytes inside;
    char c = scan->at < scan->end ? *scan->at : '\0';
    switch (c) {
    case '"':
        return json_scan_string(scan, &inside);
    case 't':
        return scan_word(scan, BYTES_OF("true"));
    case 'f':
        return scan_word(scan, BYTES_OF("false"));
    case 'n':
        return scan_word(scan, BYTES_OF("null"));
    default:
        if (c == '-' || is_digit_at(scan)) {
            return scan_number(scan);
        }
        return fail(scan, "a value expected");
    }
}

static bool is_in_object(const struct nesting *nesting)
{
    int level = nesting->depth - 1;
    return (nesting->is_object[level / 64] >> (level % 64) & 1) != 0;
}

// Passes an opening bracket, and a closing one right behind it. *ret_ended: it was empty.
static bool scan_open(struct json_scan *scan, struct nesting *nesting, bool *ret_ended)
{
    bool is_object = *scan->at == '{';
    if (nesting->depth >= nesting->depth_max) {
        return fail(scan, "nested too deep");
    }
    scan->at++;
    json_scan_space(scan);
    if (is_at(scan, is_object ? '}' : ']')) {
        scan->at++;
        *ret_ended = true;
        return true;
    }
    uint64_t bit = (uint64_t)1 << (nesting->depth % 64);
    uint64_t *word = &nesting->is_object[nesting->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    nesting->depth++;
    *ret_ended = false;
    return true;
}

static bool scan_key(struct json_scan *scan)
{
    struct bytes inside;
    json_scan_space(scan);
    return json_scan_string(scan, &inside) && scan_mark(scan, ':', "':' expected");
}

// A value has ended: passes closing brackets, then a comma if something is still open.
static bool scan_after(struct json_scan *scan, struct nesting *nesting)
{
    while (nesting->depth > 0) {
        json_scan_space(scan);
        bool in_object = is_in_object(nesting);
        if (is_at(scan, ',')) {
            scan->at++;
            return true;
        }
        if (!is_at(scan, in_object ? '}' : ']')) {
            return fail(scan, in_object ? "',' or '}' expected" : "',' or ']' expected");
        }
        scan->at++;
        nesting->depth--;
    }
    return true;
}

bool json_scan_value(struct json_scan *scan, int depth_max)
{
    struct nesting nesting = {0};
    nesting.depth = 0;
    nesting.depth_max = depth_max < JSON_SCAN_DEPTH_MAX ? depth_max : JSON_SCAN_DEPTH_MAX;
    do {
        if (nesting.depth > 0 && is_in_object(&nesting) && !scan_key(scan)) {
            return false;
        }
        json_scan_space(scan);
        bool ended = true;
        bool is_open = is_at(scan, '{') || is_at(scan, '[');
        if (is_open ? !scan_open(scan, &nesting, &ended) : !scan_scalar(scan)) {
            return false;
        }
        if (ended && !scan_after(scan, &nesting)) {
            return false;
        }
    } while (nesting.depth > 0);
    return true;
}

bool json_scan_document(struct json_scan *scan, int depth_max)
{
    if (!json_scan_value(scan, depth_max)) {
        return false;
    }
    json_scan_space(scan);
    if (scan->at < scan->end) {
        return fail(scan, "nothing expected behind the value");
    }
    // Outside of strings the grammar has let only ASCII through.
    if (!utf8_is_valid(bytes_make(scan->begin, (size_t)(scan->end - scan->begin)))) {
        scan->at = scan->begin;
        size_t len;
        while ((len = bytes_utf8_len(bytes_make(scan->at, (size_t)(scan->end - scan->at)))) > 0) {
            scan->at += len;
        }
        return fail(scan, "invalid UTF-8");
    }
    return true;
}

void json_scan_place(const struct json_scan *scan, const char *place, int *ret_line,
                     int *ret_column)
{
    int line = 1;
    int column = 1;
    for (const char *at = scan->begin; at < place; at++) {
        if (*at == '\n') {
            line += line < INT_MAX;
            column = 1;
        } else if (((unsigned char)*at & 0xc0) != 0x80) {
            column += column < INT_MAX;
        }
    }
    *ret_line = line;
    *ret_column = column;
}
