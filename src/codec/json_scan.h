// Walking over JSON text without building anything: the grammar of RFC 8259, in one pass, without
// recursion and without memory. Private to codec; json_read.h has what others may call.
// Owner: the scan is the caller's, on its stack; the text is borrowed.
// Invariant: at <= end, and nothing behind `end` is read, also in text that is no JSON.
#ifndef TIDEGATE_SRC_CODEC_JSON_SCAN_H
#define TIDEGATE_SRC_CODEC_JSON_SCAN_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

// Deepest nesting a scan can follow, whatever is asked for: a bit a level.
#define JSON_SCAN_DEPTH_MAX 1024

struct json_scan {
    const char *begin;
    const char *at; // next byte; the place of the problem after a failure
    const char *end;
    const char *problem; // literal, what was wrong; NULL while nothing was
};

struct json_scan json_scan_make(struct bytes text);

void json_scan_space(struct json_scan *scan);

// Passes one value, nested at most `depth_max` deep: `at` is behind it then. UTF-8 in strings is
// not looked at.
bool json_scan_value(struct json_scan *scan, int depth_max) ATTR_MUST_CHECK;

// Passes a string; *ret_inside is what stands between the quotes, escapes as they are.
bool json_scan_string(struct json_scan *scan, struct bytes *ret_inside) ATTR_MUST_CHECK;

// Passes the whole text: one value, white space, valid UTF-8, nothing else.
bool json_scan_document(struct json_scan *scan, int depth_max) ATTR_MUST_CHECK;

// Line and column, from 1, of `place` in the text; a column is a character.
void json_scan_place(const struct json_scan *scan, const char *place, int *ret_line,
                     int *ret_column);

#endif
