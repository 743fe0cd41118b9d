// The JSON Schema (draft 2020-12) of the settings file, from the rows: for editors that complete
// and check while one types. What spans several settings is left to `tidegate check`. Constant data
// in, text out: any thread.
#include "indent.h"
#include "parse.h"
#include "table.h"
#include "tidegate/base/assert.h"
#include "tidegate/codec/json_write.h"
#include "tidegate/config/load.h"

#define DURATION_PATTERN "^(0|([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"
#define SIZE_PATTERN "^[0-9]+([KMG]i?B|B)?$"

static void put_table(struct json_writer *writer, const struct table *table, bool top);

static void field_text(struct json_writer *writer, const char *name, const char *text)
{
    json_field_string(writer, name, bytes_str(text));
}

// {"type":"string","pattern":...} or a whole number.
static void put_with_unit(struct json_writer *writer, const char *pattern, bool is_size)
{
    json_key(writer, "anyOf");
    json_open_array(writer);
    json_open_object(writer);
    field_text(writer, "type", "string");
    field_text(writer, "pattern", pattern);
    json_close_object(writer);
    json_open_object(writer);
    if (is_size) {
        field_text(writer, "type", "integer");
        json_field_number(writer, "minimum", 0);
    } else {
        json_field_number(writer, "const", 0); // nothing is nothing in every unit
    }
    json_close_object(writer);
    json_close_array(writer);
}

static void put_choices(struct json_writer *writer, const struct row *row)
{
    json_key(writer, "enum");
    json_open_array(writer);
    for (size_t i = 0; row->choices[i] != NULL; i++) {
        json_put_string(writer, bytes_str(row->choices[i]));
    }
    json_close_array(writer);
}

static void put_strings(struct json_writer *writer, const struct row *row)
{
    field_text(writer, "type", "array");
    json_field_number(writer, "minItems", row->min);
    json_field_number(writer, "maxItems", row->max);
    json_key(writer, "items");
    json_open_object(writer);
    field_text(writer, "type", "string");
    if (row->choices != NULL) {
        put_choices(writer, row);
    }
    json_close_object(writer);
}

static void put_kind(struct json_writer *writer, const struct row *row)
{
    switch (row->kind) {
    case ROW_INTEGER:
        field_text(writer, "type", "integer");
        json_field_number(writer, "minimum", row->min);
        json_field_number(writer, "maximum", row->max);
        break;
    case ROW_BOOL:
        field_text(writer, "type", "boolean");
        break;
    case ROW_DURATION:
        put_with_unit(writer, DURATION_PATTERN, false);
        break;
    case ROW_SIZE:
        put_with_unit(writer, SIZE_PATTERN, true);
        break;
    case ROW_ENUM:
        put_choices(writer, row);
        break;
    case ROW_STRING:
        field_text(writer, "type", "string");
        json_field_number(writer, "minLength", row->min);
        json_field_number(writer, "maxLength", row->max);
        break;
    case ROW_STRINGS:
        put_strings(writer, row);
        break;
    case ROW_LIST:
        field_text(writer, "type", "array");
        json_field_number(writer, "minItems", row->min);
        json_field_number(writer, "maxItems", row->max);
        json_key(writer, "items");
        put_table(writer, row->sub, false);
        break;
    case ROW_GROUP:
        assert_always(false);
    }
}

static void put_default(struct json_writer *writer, const struct row *row)
{
    struct bytes text = bytes_str(row->fallback);
    json_key(writer, "default");
    switch (row->kind) {
    case ROW_INTEGER:
    case ROW_BOOL:
    case ROW_LIST:
        json_put_raw(writer, text);
        break;
    case ROW_STRINGS:
        json_open_array(writer);
        for (struct bytes item; parse_item(&text, &item);) {
            json_put_string(writer, item);
        }
        json_close_array(writer);
        break;
    case ROW_DURATION:
    case ROW_SIZE:
    case ROW_ENUM:
    case ROW_STRING:
        json_put_string(writer, text);
        break;
    case ROW_GROUP:
        assert_always(false);
    }
}

static void on_row(void *context, struct bytes name, const struct row *row)
{
    struct json_writer *writer = context;
    json_key_bytes(writer, name);
    if (row->kind == ROW_GROUP) {
        put_table(writer, row->sub, false);
        return;
    }
    json_open_object(writer);
    field_text(writer, "description", row->help);
    put_kind(writer, row);
    if (row->fallback != NULL) {
        put_default(writer, row);
    }
    if ((row->flags & SECRET) != 0) {
        json_field_bool(writer, "writeOnly", true);
    }
    json_close_object(writer);
}

static void open_properties(struct json_writer *writer)
{
    field_text(writer, "type", "object");
    json_field_bool(writer, "additionalProperties", false);
    json_key(writer, "properties");
    json_open_object(writer);
}

static void on_open(void *context, struct bytes name)
{
    struct json_writer *writer = context;
    json_key_bytes(writer, name);
    json_open_object(writer);
    open_properties(writer);
}

static void on_close(void *context)
{
    struct json_writer *writer = context;
    json_close_object(writer);
    json_close_object(writer);
}

static void put_required(struct json_writer *writer, const struct table *table)
{
    json_key(writer, "required");
    json_open_array(writer);
    for (size_t i = 0; i < table->count; i++) {
        if ((table->rows[i].flags & REQUIRED) != 0) {
            json_put_string(writer, bytes_str(table->rows[i].key));
        }
    }
    json_close_array(writer);
}

static void put_table(struct json_writer *writer, const struct table *table, bool top)
{
    const struct table_walker walker = {on_open, on_row, on_close, writer};
    json_open_object(writer);
    if (top) {
        field_text(writer, "$schema", "https://json-schema.org/draft/2020-12/schema");
        field_text(writer, "title", "Tidegate settings");
    }
    put_required(writer, table);
    open_properties(writer);
    table_walk(table, &walker);
    json_close_object(writer);
    if (top) {
        // Allowed in the file, but no setting.
        json_key(writer, "patternProperties");
        json_open_object(writer);
        json_key_bytes(writer, BYTES_OF("^\\$schema$"));
        json_open_object(writer);
        field_text(writer, "type", "string");
        json_close_object(writer);
        json_close_object(writer);
    }
    json_close_object(writer);
}

int config_print_schema(struct buf *out)
{
    struct json_writer writer;
    struct buf compact;
    buf_init(&compact, out->max);
    json_write_begin(&writer, &compact);
    put_table(&writer, &config_table, true);
    int err = json_write_end(&writer);
    err = err == 0 ? indent_json(buf_bytes(&compact), out) : err;
    buf_finish(&compact);
    return err;
}
