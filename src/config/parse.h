// Text of a setting to its value and back. Pure functions, any thread.
#ifndef TIDEGATE_CONFIG_PARSE_H
#define TIDEGATE_CONFIG_PARSE_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

// Decimal digits, with or without a minus: 0, -EINVAL, -ERANGE.
int parse_integer(struct bytes text, int64_t *ret_value) ATTR_MUST_CHECK;

// "true" or "false": 0 or -EINVAL.
int parse_bool(struct bytes text, bool *ret_value) ATTR_MUST_CHECK;

// "300ms", "25s", "10m", "1h", "1h30m" (larger units first), or "0", in milliseconds. -EINVAL,
// -ERANGE, or -ENODATA: a number without a unit.
int parse_duration(struct bytes text, int64_t *ret_ms) ATTR_MUST_CHECK;

// "64KiB", "1MiB", "2GiB" (1024), "512KB", "1MB", "1GB" (1000), "100B" or "100", in bytes: 0,
// -EINVAL, -ERANGE.
int parse_size(struct bytes text, int64_t *ret_bytes) ATTR_MUST_CHECK;

// Cuts the next item off a list written with spaces or commas; false at the end.
bool parse_item(struct bytes *rest, struct bytes *ret_item);

// The shortest text that parses to the same value.
struct value_text {
    char text[32];
};
struct value_text parse_print_duration(int64_t ms);
struct value_text parse_print_size(int64_t bytes);

#endif
