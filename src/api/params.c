// Typed reading of a request's members. Owner: the caller, for the length of one request.
// A string without escapes is a view of the request; one with escapes is decoded, and kept until
// params_finish(). Invariant: the text was checked to be valid JSON as a whole before.
#include "params.h"

#include "tidegate/base/assert.h"

#include <errno.h>

void params_init(struct params *params, struct bytes text)
{
    *params = (struct params){.text = text};
}

void params_finish(struct params *params)
{
    for (size_t i = 0; i < params->decoded_count; i++) {
        json_destroy(params->decoded[i]);
    }
    params->decoded_count = 0;
}

bool params_raw(const struct params *params, const char *key, struct bytes *ret_raw)
{
    return json_raw_member(params->text, key, ret_raw);
}

// A member that begins with `first`, as all values of its type do.
static int take(const struct params *params, const char *key, char first, struct bytes *ret_raw)
{
    struct bytes raw;
    if (!params_raw(params, key, &raw) || bytes_equal(raw, BYTES_OF("null"))) {
        return 0;
    }
    if (raw.at[0] != first) {
        return -EINVAL;
    }
    *ret_raw = raw;
    return 1;
}

int params_object(const struct params *params, const char *key, struct bytes *ret_raw)
{
    return take(params, key, '{', ret_raw);
}

int params_array(const struct params *params, const char *key, struct bytes *ret_raw)
{
    return take(params, key, '[', ret_raw);
}

int params_text_of(struct params *params, struct bytes raw, struct bytes *ret_text)
{
    if (raw.len < 2 || raw.at[0] != '"') {
        return -EINVAL;
    }
    struct bytes inside = bytes_make(raw.at + 1, raw.len - 2);
    if (bytes_find(inside, '\\') < 0) {
        *ret_text = inside;
        return 1;
    }
    struct json *value;
    assert_always(params->decoded_count < PARAMS_STRINGS_MAX);
    if (json_parse(raw, raw.len, &value, NULL) < 0) {
        return -EINVAL; // \u0000 or half a surrogate pair
    }
    params->decoded[params->decoded_count++] = value;
    *ret_text = json_string(value);
    return 1;
}

int params_string(struct params *params, const char *key, struct bytes *ret_text)
{
    struct bytes raw;
    int r = take(params, key, '"', &raw);
    return r == 1 ? params_text_of(params, raw, ret_text) : r;
}

int params_bool(const struct params *params, const char *key, bool *ret_value)
{
    struct bytes raw;
    if (!params_raw(params, key, &raw) || bytes_equal(raw, BYTES_OF("null"))) {
        return 0;
    }
    bool is_true = bytes_equal(raw, BYTES_OF("true"));
    if (!is_true && !bytes_equal(raw, BYTES_OF("false"))) {
        return -EINVAL;
    }
    *ret_value = is_true;
    return 1;
}

// Sign and digits.
static int number_of(struct bytes raw, uint64_t max, uint64_t *ret_value, bool *ret_negative)
{
    *ret_negative = raw.at[0] == '-';
    return bytes_to_u64(bytes_skip(raw, *ret_negative ? 1 : 0), max, ret_value);
}

int params_int64(const struct params *params, const char *key, int64_t *ret_value)
{
    struct bytes raw;
    uint64_t value;
    bool is_negative;
    if (!params_raw(params, key, &raw) || bytes_equal(raw, BYTES_OF("null"))) {
        return 0;
    }
    if (number_of(raw, INT64_MAX, &value, &is_negative) < 0) {
        return -EINVAL;
    }
    *ret_value = is_negative ? -(int64_t)value : (int64_t)value;
    return 1;
}

int params_uint64(const struct params *params, const char *key, uint64_t *ret_value)
{
    struct bytes raw;
    uint64_t value;
    bool is_negative;
    if (!params_raw(params, key, &raw) || bytes_equal(raw, BYTES_OF("null"))) {
        return 0;
    }
    if (number_of(raw, UINT64_MAX, &value, &is_negative) < 0 || is_negative) {
        return -EINVAL;
    }
    *ret_value = value;
    return 1;
}
