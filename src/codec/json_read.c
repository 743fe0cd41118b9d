// JSON trees, on jansson: the one file that sees it. A struct json is a json_t under a name that
// the rest of the program may know.
// Owner: the caller of json_parse() owns the root, and with it the document; values inside are
// borrowed and end with it. One thread a document.
// Invariant: jansson gets only text that has passed the scan: no deeper than 64 levels (jansson
// recurses), valid UTF-8, the grammar kept. What is left for it to refuse are duplicate keys,
// numbers out of range, \u0000 and lone surrogates in strings.
#include "tidegate/codec/json_read.h"

#include "json_scan.h"

#include "tidegate/base/rand.h"
#include "tidegate/codec/json_write.h"

#include <errno.h>
#include <stdio.h>

// jansson's names for these meet ours; its own go by another name in this file.
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_NULL JANSSON_NULL
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_REAL JANSSON_REAL
#define JSON_STRING JANSSON_STRING
#define json_real jansson_real
#define json_string jansson_string
#include <jansson.h>
#undef JSON_ARRAY
#undef JSON_NULL
#undef JSON_OBJECT
#undef JSON_REAL
#undef JSON_STRING
#undef json_real
#undef json_string

#define JSON_PARSE_DEPTH_MAX 64

static const json_t *tree_of(const struct json *value)
{
    return (const json_t *)value;
}

static const struct json *value_of(const json_t *tree)
{
    return (const struct json *)tree;
}

void json_read_setup(void)
{
    size_t seed = 0;
    // 0 would mean "choose one".
    while (seed == 0) {
        rand_bytes(&seed, sizeof(seed));
    }
    json_object_seed(seed);
}

static void set_error(struct json_error *error, int line, int column, const char *text)
{
    if (error == NULL) {
        return;
    }
    error->line = line > 0 ? line : 1;
    error->column = column > 0 ? column : 1;
    snprintf(error->text, sizeof(error->text), "%.*s", (int)sizeof(error->text) - 1, text);
}

int json_parse(struct bytes text, size_t size_max, struct json **ret_root,
               struct json_error *ret_error)
{
    if (text.len > size_max) {
        char message[64];
        snprintf(message, sizeof(message), "larger than %zu bytes", size_max);
        set_error(ret_error, 1, 1, message);
        return -EMSGSIZE;
    }
    struct json_scan scan = json_scan_make(text);
    if (!json_scan_document(&scan, JSON_PARSE_DEPTH_MAX)) {
        int line;
        int column;
        json_scan_place(&scan, scan.at, &line, &column);
        set_error(ret_error, line, column, scan.problem);
        return -EINVAL;
    }
    json_error_t error;
    json_t *tree = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (tree == NULL) {
        enum json_error_code code = json_error_code(&error);
        // jansson's own words for this name one of its flags.
        bool is_zero = code == json_error_null_character || code == json_error_null_byte_in_key;
        set_error(ret_error, error.line, error.column,
                  is_zero ? "\\u0000 is not allowed in a string" : error.text);
        return code == json_error_out_of_memory ? -ENOMEM : -EINVAL;
    }
    *ret_root = (struct json *)tree;
    return 0;
}

void json_destroy(struct json *root)
{
    json_decref((json_t *)root);
}

enum json_kind json_kind(const struct json *value)
{
    if (value == NULL) {
        return JSON_NULL;
    }
    switch (json_typeof(tree_of(value))) {
    case JANSSON_OBJECT:
        return JSON_OBJECT;
    case JANSSON_ARRAY:
        return JSON_ARRAY;
    case JANSSON_STRING:
        return JSON_STRING;
    case JSON_INTEGER:
        return JSON_NUMBER;
    case JANSSON_REAL:
        return JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_BOOL;
    default:
        return JSON_NULL;
    }
}

// The accessors of jansson answer NULL or 0 for a value of another kind and for NULL, which is what
// the header promises.

const struct json *json_get(const struct json *value, const char *key)
{
    return value_of(json_object_get(tree_of(value), key));
}

const struct json *json_at(const struct json *value, size_t index)
{
    return value_of(json_array_get(tree_of(value), index));
}

size_t json_count(const struct json *value)
{
    return json_array_size(tree_of(value)) + json_object_size(tree_of(value));
}

struct bytes json_string_bytes(const struct json *value)
{
    return bytes_make(json_string_value(tree_of(value)), json_string_length(tree_of(value)));
}

int64_t json_number(const struct json *value)
{
    return json_integer_value(tree_of(value));
}

double json_real_number(const struct json *value)
{
    return json_number_value(tree_of(value));
}

bool json_bool(const struct json *value)
{
    return json_is_true(tree_of(value));
}

int json_each_member(const struct json *object,
                     int (*visit)(void *context, const char *key, const struct json *value),
                     void *context)
{
    // Only the iterator's interface wants it without const.
    json_t *tree = (json_t *)tree_of(object);
    for (void *at = json_object_iter(tree); at != NULL; at = json_object_iter_next(tree, at)) {
        int result = visit(context, json_object_iter_key(at), value_of(json_object_iter_value(at)));
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static void print_value(const struct json *value, struct json_writer *writer);

static int print_member(void *context, const char *key, const struct json *value)
{
    struct json_writer *writer = context;
    json_key_bytes(writer, bytes_str(key));
    print_value(value, writer);
    return 0;
}

// Recursion ends at JSON_PARSE_DEPTH_MAX: there are no deeper trees.
static void print_value(const struct json *value, struct json_writer *writer)
{
    switch (json_kind(value)) {
    case JSON_NULL:
        json_put_null(writer);
        break;
    case JSON_BOOL:
        json_put_bool(writer, json_bool(value));
        break;
    case JSON_NUMBER:
        json_put_number(writer, json_number(value));
        break;
    case JSON_REAL:
        json_put_real(writer, json_real(value));
        break;
    case JSON_STRING:
        json_put_string(writer, json_string(value));
        break;
    case JSON_ARRAY:
        json_open_array(writer);
        for (size_t i = 0; i < json_count(value); i++) {
            print_value(json_at(value, i), writer);
        }
        json_close_array(writer);
        break;
    case JSON_OBJECT:
        json_open_object(writer);
        (void)json_each_member(value, print_member, writer);
        json_close_object(writer);
        break;
    }
}

int json_print(const struct json *value, struct buf *out)
{
    struct json_writer writer;
    json_write_begin(&writer, out);
    print_value(value, &writer);
    return json_write_end(&writer);
}
