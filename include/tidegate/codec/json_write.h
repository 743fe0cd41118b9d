// Writing JSON, append only: no tree, no nesting state but commas. A writer borrows its buffer and
// remembers the first error, so that calls need no check each: look at json_write_end().
// One thread a writer.
#ifndef TIDEGATE_CODEC_JSON_WRITE_H
#define TIDEGATE_CODEC_JSON_WRITE_H

#include "tidegate/base/buf.h"

struct json_writer {
    struct buf *out; // borrowed
    int error;       // first failure of the buffer, or 0
    bool comma;      // the next value or key needs one before it
};

void json_write_begin(struct json_writer *writer, struct buf *out);

// 0, or the first error (-EMSGSIZE, -ENOMEM).
int json_write_end(struct json_writer *writer) ATTR_MUST_CHECK;

void json_open_object(struct json_writer *writer);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer);
void json_close_array(struct json_writer *writer);

// `"name":`; `name` is a literal that needs no escapes.
void json_key(struct json_writer *writer, const char *name);
// A key that may need escapes.
void json_key_bytes(struct json_writer *writer, struct bytes name);

// A string value: escapes the quote, the backslash, control characters, U+2028/2029, < > &;
// invalid UTF-8 becomes U+FFFD.
void json_put_string(struct json_writer *writer, struct bytes text);
void json_put_number(struct json_writer *writer, int64_t value);
void json_put_unsigned(struct json_writer *writer, uint64_t value);
void json_put_real(struct json_writer *writer, double value);
void json_put_bool(struct json_writer *writer, bool value);
void json_put_null(struct json_writer *writer);
// A value that is JSON already, put as it is.
void json_put_raw(struct json_writer *writer, struct bytes json);
// Bytes as a base64 string value.
void json_put_base64(struct json_writer *writer, struct bytes data);

// `"name":value` in one call.
void json_field_string(struct json_writer *writer, const char *name, struct bytes text);
void json_field_number(struct json_writer *writer, const char *name, int64_t value);
void json_field_unsigned(struct json_writer *writer, const char *name, uint64_t value);
void json_field_bool(struct json_writer *writer, const char *name, bool value);
void json_field_raw(struct json_writer *writer, const char *name, struct bytes json);

#endif
