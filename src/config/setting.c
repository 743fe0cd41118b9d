// The value of one row in a structure. Text and JSON end in the same three stores (number, string,
// strings), where the bounds are checked, so a default, a variable and the file obey one rule.
// One thread a structure; the thread that loads.
#include "setting.h"

#include "parse.h"
#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/codec/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define EXPECTED_MAX 1000u

static const char *choice_name(const struct row *row, size_t index)
{
    return row->choices[index];
}

static int print_bounds(const struct row *row, struct buf *out)
{
    if (row->kind == ROW_DURATION) {
        return buf_printf(out, "a duration from %s to %s, such as \"%s\"%s",
                          parse_print_duration(row->min).text, parse_print_duration(row->max).text,
                          parse_print_duration(row->max < 25000 ? row->max : 25000).text,
                          row->flags & ZERO ? ", or 0" : "");
    }
    if (row->kind == ROW_SIZE) {
        return buf_printf(out, "a size from %s to %s, such as \"64KiB\"",
                          parse_print_size(row->min).text, parse_print_size(row->max).text);
    }
    return buf_printf(out, "a whole number from %" PRId64 " to %" PRId64, row->min, row->max);
}

static int print_choices(const struct row *row, const char *before, struct buf *out)
{
    int err = buf_printf(out, "%s", before);
    for (size_t i = 0; err == 0 && choice_name(row, i) != NULL; i++) {
        err = buf_printf(out, "%s\"%s\"", i > 0 ? ", " : "", choice_name(row, i));
    }
    return err;
}

int setting_print_expected(const struct row *row, struct buf *out)
{
    switch (row->kind) {
    case ROW_INTEGER:
    case ROW_DURATION:
    case ROW_SIZE:
        return print_bounds(row, out);
    case ROW_BOOL:
        return buf_append(out, BYTES_OF("true or false"));
    case ROW_ENUM:
        return print_choices(row, "one of ", out);
    case ROW_STRING:
        return buf_printf(out, "text of %s%" PRId64 " bytes", row->min > 0 ? "1 to " : "at most ",
                          row->max);
    case ROW_STRINGS:
        if (row->choices != NULL) {
            return print_choices(row, "a list of some of ", out);
        }
        return buf_printf(out, "a list of at most %" PRId64 " texts", row->max);
    case ROW_GROUP:
        return buf_append(out, BYTES_OF("an object of settings"));
    case ROW_LIST:
        return buf_printf(out, "a list of %s%" PRId64 " objects",
                          row->min > 0 ? "1 to " : "at most ", row->max);
    }
    return -EINVAL;
}

// "expected <what the row accepts>, got <got>".
static int refuse(const struct row *row, const char *key, const char *got, const char *more,
                  struct fault *fault)
{
    struct buf expected;
    buf_init(&expected, EXPECTED_MAX);
    if (setting_print_expected(row, &expected) < 0) {
        buf_clear(&expected);
    }
    int err = fault_set(fault, key, "expected %.*s, got %s%s", (int)expected.len, expected.at,
                        row->flags & SECRET ? "something else" : got, more);
    buf_finish(&expected);
    return err;
}

static int refuse_text(const struct row *row, const char *key, struct bytes got,
                       struct fault *fault)
{
    struct suggestion suggestion = {""};
    if (row->choices != NULL) {
        struct hint hint;
        hint_begin(&hint, got);
        for (size_t i = 0; choice_name(row, i) != NULL; i++) {
            hint_offer(&hint, choice_name(row, i));
        }
        suggestion = hint_text(&hint, "");
    }
    return refuse(row, key, fault_quote(got).text, suggestion.text, fault);
}

static int set_number(const struct row *row, void *base, int64_t value)
{
    bool off = value == 0 && (row->flags & ZERO) != 0;
    if (!off && (value < row->min || value > row->max)) {
        return -ERANGE;
    }
    *(int64_t *)row_at(row, base) = value;
    return 0;
}

// Can be printed on one line, and comes back the same from the printed settings.
static bool is_plain_text(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return utf8_is_valid(text);
}

static int set_string(const struct row *row, void *base, struct bytes text)
{
    if ((int64_t)text.len < row->min || (int64_t)text.len > row->max || !is_plain_text(text)) {
        return -EINVAL;
    }
    char **at = row_at(row, base);
    mem_free(*at);
    *at = text.len > 0 ? mem_strndup(text.at, text.len) : mem_strdup("");
    return 0;
}

static int find_choice(const struct row *row, struct bytes text)
{
    for (int i = 0; choice_name(row, (size_t)i) != NULL; i++) {
        if (bytes_equal(bytes_str(choice_name(row, (size_t)i)), text)) {
            return i;
        }
    }
    return -EINVAL;
}

void setting_strings_clear(struct config_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++) {
        mem_free(strings->items[i]);
    }
    mem_free(strings->items);
    *strings = (struct config_strings){NULL, 0};
}

// Adds to a list being built; the bounds of the count are checked when it is whole.
static int strings_add(const struct row *row, struct config_strings *strings, struct bytes text)
{
    if (text.len == 0 || text.len > 255 || !is_plain_text(text) ||
        (int64_t)strings->count >= row->max || strings->count >= CONFIG_STRINGS_MAX ||
        (row->choices != NULL && find_choice(row, text) < 0)) {
        return -EINVAL;
    }
    if (strings->items == NULL) {
        strings->items = mem_zalloc(CONFIG_STRINGS_MAX * sizeof strings->items[0]);
    }
    strings->items[strings->count++] = mem_strndup(text.at, text.len);
    return 0;
}

// Puts a finished list in place, or refuses it.
static int strings_store(const struct row *row, void *base, struct config_strings *strings)
{
    if ((int64_t)strings->count < row->min) {
        return -EINVAL;
    }
    struct config_strings *at = row_at(row, base);
    setting_strings_clear(at);
    *at = *strings;
    return 0;
}

static int set_strings_json(const struct row *row, void *base, const struct json *value,
                            const char *key, struct fault *fault)
{
    struct config_strings strings = {NULL, 0};
    for (size_t i = 0; i < json_count(value); i++) {
        const struct json *item = json_at(value, i);
        struct bytes text = json_string(item);
        if (json_kind(item) != JSON_STRING || strings_add(row, &strings, text) < 0) {
            setting_strings_clear(&strings);
            return json_kind(item) == JSON_STRING
                       ? refuse_text(row, key, text, fault)
                       : refuse(row, key, "another kind of element", "", fault);
        }
    }
    if (strings_store(row, base, &strings) < 0) {
        setting_strings_clear(&strings);
        return refuse(row, key, "an empty list", "", fault);
    }
    return 0;
}

// A JSON array, or items with spaces or commas between them.
static int set_strings_text(const struct row *row, void *base, struct bytes text, const char *key,
                            struct fault *fault)
{
    struct bytes trimmed = bytes_trim(text);
    if (trimmed.len > 0 && trimmed.at[0] == '[') {
        struct json *root = NULL;
        if (json_parse(trimmed, trimmed.len, &root, NULL) < 0) {
            return refuse_text(row, key, text, fault);
        }
        int err = json_kind(root) == JSON_ARRAY ? set_strings_json(row, base, root, key, fault)
                                                : refuse_text(row, key, text, fault);
        json_destroy(root);
        return err;
    }
    struct config_strings strings = {NULL, 0};
    struct bytes item;
    while (parse_item(&text, &item)) {
        if (strings_add(row, &strings, item) < 0) {
            setting_strings_clear(&strings);
            return refuse_text(row, key, item, fault);
        }
    }
    if (strings_store(row, base, &strings) < 0) {
        setting_strings_clear(&strings);
        return refuse(row, key, "an empty list", "", fault);
    }
    return 0;
}

int setting_set_text(const struct row *row, void *base, struct bytes text, const char *key,
                     struct fault *fault)
{
    int64_t number = 0;
    int err = 0;
    switch (row->kind) {
    case ROW_INTEGER:
        err = parse_integer(text, &number);
        break;
    case ROW_DURATION:
        err = parse_duration(text, &number);
        break;
    case ROW_SIZE:
        err = parse_size(text, &number);
        break;
    case ROW_BOOL:
        err = parse_bool(text, (bool *)row_at(row, base));
        return err < 0 ? refuse_text(row, key, text, fault) : 0;
    case ROW_ENUM:
        err = find_choice(row, text);
        if (err < 0) {
            return refuse_text(row, key, text, fault);
        }
        *(int64_t *)row_at(row, base) = err;
        return 0;
    case ROW_STRING:
        err = set_string(row, base, text);
        return err < 0 ? refuse_text(row, key, text, fault) : 0;
    case ROW_STRINGS:
        return set_strings_text(row, base, text, key, fault);
    case ROW_GROUP:
    case ROW_LIST:
        assert_always(false);
    }
    if (err == 0) {
        err = set_number(row, base, number);
    }
    if (err == -ENODATA) {
        return refuse(row, key, fault_quote(text).text, " without a unit", fault);
    }
    return err < 0 ? refuse_text(row, key, text, fault) : 0;
}

int setting_refuse_kind(const struct row *row, const struct json *value, const char *key,
                        struct fault *fault)
{
    if (json_kind(value) == JSON_STRING) {
        return refuse_text(row, key, json_string(value), fault);
    }
    if (json_kind(value) == JSON_ARRAY || json_kind(value) == JSON_OBJECT) {
        return refuse(row, key, json_kind(value) == JSON_ARRAY ? "a list" : "an object", "", fault);
    }
    struct buf shown;
    buf_init(&shown, EXPECTED_MAX);
    const char *more = "";
    if (json_print(value, &shown) < 0) {
        buf_clear(&shown);
    }
    if (row->kind == ROW_DURATION && json_kind(value) == JSON_NUMBER) {
        more = " without a unit";
    }
    struct quoted quoted = fault_quote(buf_bytes(&shown));
    quoted.text[strlen(quoted.text) - 1] = '\0'; // a number, true, false, null: no quotes
    int err = refuse(row, key, quoted.text + 1, more, fault);
    buf_finish(&shown);
    return err;
}

int setting_set_json(const struct row *row, void *base, const struct json *value, const char *key,
                     struct fault *fault)
{
    enum json_kind kind = json_kind(value);
    bool is_text = kind == JSON_STRING && row->kind != ROW_INTEGER && row->kind != ROW_BOOL &&
                   row->kind != ROW_STRINGS;
    if (is_text) {
        return setting_set_text(row, base, json_string(value), key, fault);
    }
    if (row->kind == ROW_STRINGS && kind == JSON_ARRAY) {
        return set_strings_json(row, base, value, key, fault);
    }
    if (row->kind == ROW_BOOL && kind == JSON_BOOL) {
        *(bool *)row_at(row, base) = json_bool(value);
        return 0;
    }
    // A duration has a unit, and only nothing is nothing in every unit.
    bool is_number =
        kind == JSON_NUMBER && (row->kind == ROW_INTEGER || row->kind == ROW_SIZE ||
                                (row->kind == ROW_DURATION && json_number(value) == 0));
    if (is_number && set_number(row, base, json_number(value)) == 0) {
        return 0;
    }
    return setting_refuse_kind(row, value, key, fault);
}

int setting_refuse_count(const struct row *row, size_t count, const char *key, struct fault *fault)
{
    char got[32];
    snprintf(got, sizeof got, "%zu", count);
    return refuse(row, key, got, "", fault);
}

int setting_refuse_missing(const struct row *row, const char *key, struct fault *fault)
{
    return refuse(row, key, "nothing", "", fault);
}
