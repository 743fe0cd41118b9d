// The append-only JSON writer. Owner: the thread that owns the writer; the buffer is borrowed.
// Invariant: `comma` is true exactly when a value has just ended at this level, so the next value
// or key needs a comma first. After the first failure nothing more is appended: half a document is
// never mistaken for a whole one, because json_write_end() tells.
// Strings are escaped so that they may stand in a script element or in an event stream line too.
#include "tidegate/codec/json_write.h"

#include "tidegate/codec/base64.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_write_begin(struct json_writer *writer, struct buf *out)
{
    *writer = (struct json_writer){.out = out};
}

int json_write_end(struct json_writer *writer)
{
    return writer->error;
}

static void put(struct json_writer *writer, struct bytes text)
{
    if (writer->error == 0) {
        writer->error = buf_append(writer->out, text);
    }
}

// What stands before a value or a key.
static void put_comma(struct json_writer *writer)
{
    if (writer->comma) {
        put(writer, BYTES_OF(","));
    }
    writer->comma = false;
}

static void put_value(struct json_writer *writer, struct bytes text)
{
    put_comma(writer);
    put(writer, text);
    writer->comma = true;
}

static void put_open(struct json_writer *writer, struct bytes bracket)
{
    put_comma(writer);
    put(writer, bracket);
}

static void put_close(struct json_writer *writer, struct bytes bracket)
{
    put(writer, bracket);
    writer->comma = true;
}

void json_open_object(struct json_writer *writer)
{
    put_open(writer, BYTES_OF("{"));
}

void json_close_object(struct json_writer *writer)
{
    put_close(writer, BYTES_OF("}"));
}

void json_open_array(struct json_writer *writer)
{
    put_open(writer, BYTES_OF("["));
}

void json_close_array(struct json_writer *writer)
{
    put_close(writer, BYTES_OF("]"));
}

// Whether the byte may stand in a string as it is; bytes past ASCII are looked at one character at
// a time instead.
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static void put_escape(struct json_writer *writer, unsigned char c)
{
    char text[8];
    switch (c) {
    case '"':
        put(writer, BYTES_OF("\\\""));
        return;
    case '\\':
        put(writer, BYTES_OF("\\\\"));
        return;
    case '\n':
        put(writer, BYTES_OF("\\n"));
        return;
    case '\r':
        put(writer, BYTES_OF("\\r"));
        return;
    case '\t':
        put(writer, BYTES_OF("\\t"));
        return;
    default:
        snprintf(text, sizeof(text), "\\u%04x", c);
        put(writer, bytes_make(text, 6));
        return;
    }
}

// Puts the character at the start of `text` and returns how many bytes it took.
static size_t put_character(struct json_writer *writer, struct bytes text)
{
    size_t len = bytes_utf8_len(text);
    if (len == 0) {
        put(writer, BYTES_OF("\xef\xbf\xbd"));
        return 1;
    }
    if (len == 1) {
        put_escape(writer, (unsigned char)text.at[0]);
    } else if (bytes_starts_with(text, BYTES_OF("\xe2\x80\xa8"))) {
        put(writer, BYTES_OF("\\u2028"));
    } else if (bytes_starts_with(text, BYTES_OF("\xe2\x80\xa9"))) {
        put(writer, BYTES_OF("\\u2029"));
    } else {
        put(writer, bytes_make(text.at, len));
    }
    return len;
}

static void put_quoted(struct json_writer *writer, struct bytes text)
{
    put(writer, BYTES_OF("\""));
    while (text.len > 0 && writer->error == 0) {
        size_t plain = 0;
        while (plain < text.len && is_plain((unsigned char)text.at[plain])) {
            plain++;
        }
        put(writer, bytes_make(text.at, plain));
        text = bytes_skip(text, plain);
        if (text.len > 0) {
            text = bytes_skip(text, put_character(writer, text));
        }
    }
    put(writer, BYTES_OF("\""));
}

void json_key(struct json_writer *writer, const char *name)
{
    put_comma(writer);
    put(writer, BYTES_OF("\""));
    put(writer, bytes_str(name));
    put(writer, BYTES_OF("\":"));
}

void json_key_bytes(struct json_writer *writer, struct bytes name)
{
    put_comma(writer);
    put_quoted(writer, name);
    put(writer, BYTES_OF(":"));
}

void json_put_string(struct json_writer *writer, struct bytes text)
{
    put_comma(writer);
    put_quoted(writer, text);
    writer->comma = true;
}

void json_put_number(struct json_writer *writer, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);
    put_value(writer, bytes_make(text, (size_t)len));
}

void json_put_unsigned(struct json_writer *writer, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    put_value(writer, bytes_make(text, (size_t)len));
}

void json_put_real(struct json_writer *writer, double value)
{
    // JSON has no infinity and no NaN.
    if (!isfinite(value)) {
        json_put_null(writer);
        return;
    }
    char text[40];
    int len = 0;
    // The shortest of the three that reads back as the same number.
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    // "-0" would read back as an integer, and those have no such zero.
    bool is_minus_zero = value == 0 && signbit(value);
    put_value(writer, is_minus_zero ? BYTES_OF("-0.0") : bytes_make(text, (size_t)len));
}

void json_put_bool(struct json_writer *writer, bool value)
{
    put_value(writer, value ? BYTES_OF("true") : BYTES_OF("false"));
}

void json_put_null(struct json_writer *writer)
{
    put_value(writer, BYTES_OF("null"));
}

void json_put_raw(struct json_writer *writer, struct bytes json)
{
    put_value(writer, json);
}

void json_put_base64(struct json_writer *writer, struct bytes data)
{
    put_comma(writer);
    put(writer, BYTES_OF("\""));
    size_t len = BASE64_ENCODED_LEN(data.len);
    if (writer->error == 0) {
        writer->error = buf_reserve(writer->out, len);
    }
    if (writer->error == 0 && len > 0) {
        base64_encode(data, writer->out->at + writer->out->len);
        writer->out->len += len;
    }
    put(writer, BYTES_OF("\""));
    writer->comma = true;
}

void json_field_string(struct json_writer *writer, const char *name, struct bytes text)
{
    json_key(writer, name);
    json_put_string(writer, text);
}

void json_field_number(struct json_writer *writer, const char *name, int64_t value)
{
    json_key(writer, name);
    json_put_number(writer, value);
}

void json_field_unsigned(struct json_writer *writer, const char *name, uint64_t value)
{
    json_key(writer, name);
    json_put_unsigned(writer, value);
}

void json_field_bool(struct json_writer *writer, const char *name, bool value)
{
    json_key(writer, name);
    json_put_bool(writer, value);
}

void json_field_raw(struct json_writer *writer, const char *name, struct bytes json)
{
    json_key(writer, name);
    json_put_raw(writer, json);
}
