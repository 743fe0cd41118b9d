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

static int indent_bracket(struct bytes json, size_t *depth, struct buf *out)
{
    char c = json.at[0];
    bool opens = c == '{' || c == '[';
    bool is_empty = opens && json.len > 1 && (json.at[1] == '}' || json.at[1] == ']');
    int err = 0;
    if (is_empty) {
        return buf_append(out, bytes_make(json.at, 2));
    }
    if (!opens && c != ',') {
        *depth -= 1;
        err = break_line(out, *depth);
    }
    err = err == 0 ? buf_append(out, bytes_make(json.at, 1)) : err;
    if (opens || c == ',') {
        *depth += opens ? 1 : 0;
        err = err == 0 ? break_line(out, *depth) : err;
    }
    return err;
}

int indent_json(struct bytes json, struct buf *out)
{
    size_t depth = 0;
    int err = 0;
    while (err == 0 && json.len > 0) {
        char c = json.at[0];
        size_t taken = 1;
        if (c == '"') {
            taken = string_length(json);
            err = buf_append(out, bytes_make(json.at, taken));
        } else if (c == ':') {
            err = buf_append(out, BYTES_OF(": "));
        } else if (strchr("{}[],", c) != NULL) {
            bool is_empty = (c == '{' || c == '[') && json.len > 1 &&
                            (json.at[1] == '}' || json.at[1] == ']');
            taken = is_empty ? 2 : 1;
            err = indent_bracket(json, &depth, out);
        } else {
            err = buf_append(out, bytes_make(json.at, 1));
        }
        json = bytes_skip(json, taken);
    }
    return err == 0 ? buf_append(out, BYTES_OF("\n")) : err;
}
