// Text of a setting to its value and back: numbers, durations, sizes, lists. Units are exact; there
// are no fractions, so that a value is printed as it was meant.
// Pure functions, any thread.
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    int64_t factor;
};

// Larger ones first: printing takes the first that divides.
static const struct unit duration_units[] = {
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
};
static const struct unit size_units[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1000000000},
    {"MB", 1000000},  {"KB", 1000},     {"B", 1},
};

int parse_integer(struct bytes text, int64_t *ret_value)
{
    bool minus = text.len > 0 && text.at[0] == '-';
    uint64_t value = 0;
    int err = bytes_to_u64(bytes_skip(text, minus ? 1 : 0), INT64_MAX, &value);
    if (err < 0) {
        return err;
    }
    *ret_value = minus ? -(int64_t)value : (int64_t)value;
    return 0;
}

int parse_bool(struct bytes text, bool *ret_value)
{
    bool yes = bytes_equal(text, BYTES_OF("true"));
    if (!yes && !bytes_equal(text, BYTES_OF("false"))) {
        return -EINVAL;
    }
    *ret_value = yes;
    return 0;
}

// Cuts leading digits off *rest.
static struct bytes take_digits(struct bytes *rest)
{
    struct bytes digits = {rest->at, 0};
    while (digits.len < rest->len && rest->at[digits.len] >= '0' && rest->at[digits.len] <= '9') {
        digits.len++;
    }
    *rest = bytes_skip(*rest, digits.len);
    return digits;
}

// Cuts what is no digit off *rest and finds it among `units`; NULL when it is none of them.
static const struct unit *take_unit(struct bytes *rest, const struct unit *units, size_t count)
{
    struct bytes name = {rest->at, 0};
    while (name.len < rest->len && (rest->at[name.len] < '0' || rest->at[name.len] > '9')) {
        name.len++;
    }
    *rest = bytes_skip(*rest, name.len);
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(name, bytes_str(units[i].name))) {
            return &units[i];
        }
    }
    return NULL;
}

int parse_duration(struct bytes text, int64_t *ret_ms)
{
    int64_t sum = 0;
    const struct unit *before = NULL;
    while (text.len > 0 || before == NULL) {
        uint64_t number = 0;
        int err = bytes_to_u64(take_digits(&text), INT64_MAX, &number);
        if (err < 0) {
            return err;
        }
        if (text.len == 0) {
            if (number != 0 || before != NULL) {
                return -ENODATA;
            }
            break;
        }
        const struct unit *unit = take_unit(&text, duration_units, ARRAY_LEN(duration_units));
        if (unit == NULL || (before != NULL && unit <= before)) {
            return -EINVAL;
        }
        int64_t part = 0;
        if (__builtin_mul_overflow((int64_t)number, unit->factor, &part) ||
            __builtin_add_overflow(sum, part, &sum)) {
            return -ERANGE;
        }
        before = unit;
    }
    *ret_ms = sum;
    return 0;
}

int parse_size(struct bytes text, int64_t *ret_bytes)
{
    uint64_t number = 0;
    int err = bytes_to_u64(take_digits(&text), INT64_MAX, &number);
    if (err < 0) {
        return err;
    }
    int64_t factor = 1;
    if (text.len > 0) {
        const struct unit *unit = take_unit(&text, size_units, ARRAY_LEN(size_units));
        if (unit == NULL || text.len > 0) {
            return -EINVAL;
        }
        factor = unit->factor;
    }
    int64_t value = 0;
    if (__builtin_mul_overflow((int64_t)number, factor, &value)) {
        return -ERANGE;
    }
    *ret_bytes = value;
    return 0;
}

static bool is_separator(char c)
{
    return c == ' ' || c == ',' || c == '\t' || c == '\n';
}

bool parse_item(struct bytes *rest, struct bytes *ret_item)
{
    while (rest->len > 0 && is_separator(rest->at[0])) {
        *rest = bytes_skip(*rest, 1);
    }
    struct bytes item = {rest->at, 0};
    while (item.len < rest->len && !is_separator(rest->at[item.len])) {
        item.len++;
    }
    *rest = bytes_skip(*rest, item.len);
    *ret_item = item;
    return item.len > 0;
}

struct value_text parse_print_duration(int64_t ms)
{
    struct value_text out;
    const struct unit *unit = &duration_units[2]; // 0 is "0s"
    for (size_t i = 0; ms != 0 && i < ARRAY_LEN(duration_units); i++) {
        unit = &duration_units[i];
        if (ms % unit->factor == 0) {
            break;
        }
    }
    snprintf(out.text, sizeof out.text, "%" PRId64 "%s", ms / unit->factor, unit->name);
    return out;
}

struct value_text parse_print_size(int64_t bytes)
{
    struct value_text out;
    const struct unit *unit = &size_units[ARRAY_LEN(size_units) - 1];
    for (size_t i = 0; bytes != 0 && i < 3; i++) { // the binary units
        if (bytes % size_units[i].factor == 0) {
            unit = &size_units[i];
            break;
        }
    }
    bool plain = unit->factor == 1;
    snprintf(out.text, sizeof out.text, "%" PRId64 "%s", bytes / unit->factor,
             plain ? "" : unit->name);
    return out;
}
