// Compact JSON to indented JSON. The writer knows no nesting, so the shape is put on afterwards, by
// looking at the brackets outside of strings only. Empty objects and arrays stay on their line.
// Pure function, any thread.
#include "indent.h"

static int break_line(struct buf *out, size_t depth)
{
    int err = buf_append(out, BYTES_OF("\n"));
    for (size_t i = 0; err == 0 && i < depth; i++) {
        err = buf_append(out, BYTES_OF("    "));
    }
    return err;
}

// The length of the string at the start of `json`, quotes included.
static size_t string_length(struct bytes json)
{
    size_t at = 1;
    while (at < json.len && json.at[at] != '"') {
        at += json.at[at] == '\\' ? 2 : 1;
    }
    return at < json.len ? at + 1 : json.len;
}

// An opening bracket and the closing one right behind it.
static bool is_empty_pair(struct bytes json)
{
    return bytes_starts_with(json, BYTES_OF("{}")) || bytes_starts_with(json, BYTES_OF("[]"));
}

// One of {}[], with the line breaks around it.
static int indent_mark(struct bytes mark, size_t *depth, struct buf *out)
{
    int err = 0;
    if (*mark.at == '}' || *mark.at == ']') {
        *depth -= 1;
        err = break_line(out, *depth);
        return err == 0 ? buf_append(out, mark) : err;
    }
    *depth += *mark.at == ',' ? 0 : 1;
    err = buf_append(out, mark);
    return err == 0 ? break_line(out, *depth) : err;
}

int indent_json(struct bytes json, struct buf *out)
{
    size_t depth = 0;
    int err = 0;
    while (err == 0 && json.len > 0) {
        struct bytes token = {json.at, is_empty_pair(json) ? 2 : 1};
        if (*json.at == '"') {
            token.len = string_length(json);
            err = buf_append(out, token);
        } else if (*json.at == ':') {
            err = buf_append(out, BYTES_OF(": "));
        } else if (token.len == 1 && strchr("{}[],", *json.at) != NULL) {
            err = indent_mark(token, &depth, out);
        } else {
            err = buf_append(out, token);
        }
        json = bytes_skip(json, token.len);
    }
    return err == 0 ? buf_append(out, BYTES_OF("\n")) : err;
}
