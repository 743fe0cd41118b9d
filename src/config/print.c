// The effective settings as a document that loads to the same settings, except that secrets are
// masked. Called in the order of the rows, with one JSON writer.
// Reads an immutable snapshot: any thread.
#include "indent.h"
#include "parse.h"
#include "store.h"
#include "table.h"
#include "tidegate/codec/json_write.h"
#include "tidegate/config/load.h"

#define MASK "***"

struct printer {
    struct json_writer writer;
    const void *base; // the structure being printed
};

static void print_table(struct printer *printer, const struct table *table, const void *base);

static void print_strings(struct json_writer *writer, const struct config_strings *strings)
{
    json_open_array(writer);
    for (size_t i = 0; i < strings->count; i++) {
        json_put_string(writer, bytes_str(strings->items[i]));
    }
    json_close_array(writer);
}

static void print_list(struct printer *printer, const struct row *row)
{
    const void *base = printer->base;
    json_open_array(&printer->writer);
    for (size_t i = 0; i < store_count(row, base); i++) {
        print_table(printer, row->sub, store_item_const(row, base, i));
    }
    json_close_array(&printer->writer);
}

static void print_text(struct json_writer *writer, const struct row *row, const char *text)
{
    bool masked = (row->flags & SECRET) != 0 && *text != '\0';
    json_put_string(writer, masked ? BYTES_OF(MASK) : bytes_str(text));
}

static void on_row(void *context, struct bytes name, const struct row *row)
{
    struct printer *printer = context;
    struct json_writer *writer = &printer->writer;
    const void *at = row_at_const(row, printer->base);
    json_key_bytes(writer, name);
    switch (row->kind) {
    case ROW_INTEGER:
        json_put_number(writer, *(const int64_t *)at);
        break;
    case ROW_BOOL:
        json_put_bool(writer, *(const bool *)at);
        break;
    case ROW_DURATION:
        json_put_string(writer, bytes_str(parse_print_duration(*(const int64_t *)at).text));
        break;
    case ROW_SIZE:
        json_put_string(writer, bytes_str(parse_print_size(*(const int64_t *)at).text));
        break;
    case ROW_ENUM:
        json_put_string(writer, bytes_str(row->choices[*(const int64_t *)at]));
        break;
    case ROW_STRING:
        print_text(writer, row, *(char *const *)at);
        break;
    case ROW_STRINGS:
        print_strings(writer, at);
        break;
    case ROW_GROUP:
        print_table(printer, row->sub, at);
        break;
    case ROW_LIST:
        print_list(printer, row);
        break;
    }
}

static void on_open(void *context, struct bytes name)
{
    struct printer *printer = context;
    json_key_bytes(&printer->writer, name);
    json_open_object(&printer->writer);
}

static void on_close(void *context)
{
    struct printer *printer = context;
    json_close_object(&printer->writer);
}

static void print_table(struct printer *printer, const struct table *table, const void *base)
{
    const struct table_walker walker = {on_open, on_row, on_close, printer};
    const void *before = printer->base;
    printer->base = base;
    json_open_object(&printer->writer);
    table_walk(table, &walker);
    json_close_object(&printer->writer);
    printer->base = before;
}

int config_print(const struct config *config, struct buf *out)
{
    struct printer printer = {.base = NULL};
    struct buf compact;
    buf_init(&compact, out->max);
    json_write_begin(&printer.writer, &compact);
    print_table(&printer, &config_table, config);
    int err = json_write_end(&printer.writer);
    err = err == 0 ? indent_json(buf_bytes(&compact), out) : err;
    buf_finish(&compact);
    return err;
}
