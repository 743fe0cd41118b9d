// Reading JSON (RFC 8259) with limits: the one place that sees jansson. A document is a tree owned
// by the caller; values in it are borrowed from it. One thread a document.
// Never used for published payloads: those are checked once by json_is_valid() and passed on as
// they came.
#ifndef TIDEGATE_CODEC_JSON_READ_H
#define TIDEGATE_CODEC_JSON_READ_H

#include "tidegate/base/attr.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/bytes.h"

struct json; // a value; the root also owns the document

enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER, // an integer that fits int64
    JSON_REAL,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_error {
    int line;   // from 1
    int column; // from 1
    char text[128];
};

// Must be called once before any thread reads JSON (seeds the hash tables).
void json_read_setup(void);

// Parses `text`: refuses more than `size_max` bytes (-EMSGSIZE), nesting deeper than 64 levels,
// duplicate keys, numbers that fit neither int64 nor double, \u0000 in strings, anything after the
// value (-EINVAL); -ENOMEM. *ret_root is owned: json_destroy(). `ret_error` may be NULL.
int json_parse(struct bytes text, size_t size_max, struct json **ret_root,
               struct json_error *ret_error) ATTR_MUST_CHECK;

// Frees a root. NULL is allowed.
void json_destroy(struct json *root);

// JSON_NULL also for NULL.
enum json_kind json_kind(const struct json *value);

// Member `key` of an object, or NULL (also when `value` is NULL or no object). Case-sensitive.
const struct json *json_get(const struct json *value, const char *key);

// Element `index` of an array, or NULL.
const struct json *json_at(const struct json *value, size_t index);

// Elements of an array or members of an object; else 0.
size_t json_count(const struct json *value);

// jansson exports functions called json_string and json_real and calls them itself: symbols of
// these names in the program would take their place. So these two are inline.
struct bytes json_string_bytes(const struct json *value);
double json_real_number(const struct json *value);

// A string's bytes (UTF-8), or the empty view.
static inline struct bytes json_string(const struct json *value)
{
    return json_string_bytes(value);
}

// JSON_REAL or JSON_NUMBER, else 0.
static inline double json_real(const struct json *value)
{
    return json_real_number(value);
}

int64_t json_number(const struct json *value); // JSON_NUMBER, else 0
bool json_bool(const struct json *value);      // JSON_BOOL, else false

// Calls `visit` for each member in the order of the document until it returns non-zero, which is
// returned then; else 0, also when `object` is no object.
int json_each_member(const struct json *object,
                     int (*visit)(void *context, const char *key, const struct json *value),
                     void *context);

// Writes the value as compact JSON to `out`: 0 or buf_append's errors.
int json_print(const struct json *value, struct buf *out) ATTR_MUST_CHECK;

// Whether `text` is exactly one JSON value, white space around it allowed (RFC 8259 §2), nested at
// most `depth_max` (to 1024) deep, in valid UTF-8. Builds nothing: linear, no memory. Any thread.
bool json_is_valid(struct bytes text, int depth_max);

// In the valid JSON object `text`: the raw bytes of member `key` of the top-level object (the value
// as it stands there, no white space around it). Returns false if it is not there. Escapes in keys
// are not decoded; of members with the same key the first counts. Any thread.
bool json_raw_member(struct bytes text, const char *key, struct bytes *ret_raw);

// Elements of a raw JSON array, one a call: *cursor starts at 0. False at the end.
bool json_raw_element(struct bytes array, size_t *cursor, struct bytes *ret_raw);

// Line and column (from 1) of the value at `path`, e.g. "channel.namespaces.0.name", in valid JSON
// `text`; of its key where it is an object's member. False when there is none.
bool json_locate(struct bytes text, const char *path, int *ret_line, int *ret_column);

#endif
