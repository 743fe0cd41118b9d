// docs/configuration.md, from the rows: how settings are given, then one table a section. A test
// compares the file with this, so that neither can be changed alone.
// Constant data in, text out: any thread.
#include "parse.h"
#include "table.h"
#include "tidegate/base/attr.h"
#include "tidegate/config/load.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

// The first failure stops all later output, so that callers need no check each.
struct page {
    struct buf *out;
    int error;
};

static const char *const introduction[] = {
    "# Configuration",
    "",
    "This page is the output of `tidegate config --reference`.",
    "",
    "## How settings are given",
    "",
    "Four sources, each stronger than the one before:",
    "",
    "1. the default;",
    "2. the file of `--config FILE`: one JSON object, nested at each dot of a name;",
    "3. variables: `client.ping_interval` is `TIDEGATE_CLIENT_PING_INTERVAL`;",
    "4. flags: `--set client.ping_interval=10s`.",
    "",
    "In variables and flags a list of texts is written with spaces or commas between its items, or",
    "as a JSON array. A list of objects is a JSON array (`TIDEGATE_ROUTES='[...]'`) and replaces "
    "the",
    "whole list; flags also reach into one: `--set listeners.0.port=8001`. An index one past the "
    "end",
    "adds an object.",
    "",
    "A **duration** is numbers with units, larger ones first: `300ms`, `25s`, `10m`, `1h`, "
    "`1h30m`.",
    "Only `0` may go without a unit. A **size** is a number of bytes, or one with a unit: `64KiB`,",
    "`1MiB`, `1GiB` count in 1024, `512KB`, `1MB`, `1GB` in 1000.",
    "",
    "Unknown settings are errors everywhere, `TIDEGATE_` variables included. A mistake is told in "
    "one",
    "line with its place, and nothing starts; `tidegate check --config FILE` only looks. A "
    "top-level",
    "`\"$schema\"` is ignored; `tidegate config --schema` prints the schema for editors.",
    "",
    "On SIGHUP everything is read again and checked as a whole; a mistake changes nothing. "
    "Settings",
    "marked *restart* keep their value until the next start.",
};

static void put(struct page *page, const char *format, ...) ATTR_PRINTF(2, 3);

static void put(struct page *page, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (page->error == 0) {
        size_t cut = (size_t)len < sizeof line ? (size_t)len : sizeof line - 1;
        page->error = buf_append(page->out, bytes_make(line, cut));
    }
}

static void put_choices(struct page *page, const struct row *row)
{
    for (size_t i = 0; row->choices[i] != NULL; i++) {
        const char *name = row->choices[i];
        put(page, "%s%s%s%s", i > 0 ? ", " : "", *name != '\0' ? "`" : "",
            *name != '\0' ? name : "empty", *name != '\0' ? "`" : "");
    }
}

// What the row accepts.
static void put_values(struct page *page, const struct row *row)
{
    const char *off = (row->flags & ZERO) != 0 ? "0 or " : "";
    switch (row->kind) {
    case ROW_INTEGER:
        put(page, "whole number, %" PRId64 " to %" PRId64, row->min, row->max);
        break;
    case ROW_BOOL:
        put(page, "`true`, `false`");
        break;
    case ROW_DURATION:
        put(page, "duration, %s%s to %s", off, parse_print_duration(row->min).text,
            parse_print_duration(row->max).text);
        break;
    case ROW_SIZE:
        put(page, "size, %s to %s", parse_print_size(row->min).text,
            parse_print_size(row->max).text);
        break;
    case ROW_ENUM:
        put_choices(page, row);
        break;
    case ROW_STRING:
        if (row->min > 0) {
            put(page, "text, %" PRId64 " to %" PRId64 " bytes", row->min, row->max);
        } else {
            put(page, "text, at most %" PRId64 " bytes", row->max);
        }
        break;
    case ROW_STRINGS:
        if (row->choices != NULL) {
            put(page, "list of ");
            put_choices(page, row);
        } else {
            put(page, "list of at most %" PRId64 " texts", row->max);
        }
        break;
    case ROW_GROUP:
    case ROW_LIST:
        put(page, "%" PRId64 " to %" PRId64 " objects", row->min, row->max);
        break;
    }
}

static void put_line(struct page *page, const char *prefix, const struct row *row)
{
    bool restart = (row->flags & RESTART) != 0;
    put(page, "| `%s%s` | ", prefix, row->key);
    put_values(page, row);
    if (row->fallback == NULL) {
        put(page, " | required | ");
    } else if (row->kind == ROW_LIST && row->min > 0) {
        put(page, " | see below | ");
    } else if (*row->fallback == '\0') {
        put(page, " | empty | ");
    } else {
        put(page, " | `%s` | ", row->fallback);
    }
    put(page, "%s | %s%s |\n", restart ? "restart" : "reload", row->help,
        (row->flags & SECRET) != 0 ? " *Secret: never printed.*" : "");
}

static void put_table_head(struct page *page)
{
    put(page, "\n| Setting | Value | Default | Takes effect | Meaning |\n|---|---|---|---|---|\n");
}

// The rows of a table, groups opened.
static void put_rows(struct page *page, const char *prefix, const struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        char inner[KEY_MAX];
        if (row->kind == ROW_GROUP) {
            snprintf(inner, sizeof inner, "%s%s.", prefix, row->key);
            put_rows(page, inner, row->sub);
        } else {
            put_line(page, prefix, row);
        }
    }
}

static void put_list(struct page *page, const char *outer, const struct row *list);

// The lists among the rows of a table, each with a table of its own.
static void put_lists(struct page *page, const char *prefix, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char inner[KEY_MAX];
        if (rows[i].kind == ROW_LIST) {
            put_list(page, prefix, &rows[i]);
        } else if (rows[i].kind == ROW_GROUP) {
            snprintf(inner, sizeof inner, "%s%s.", prefix, rows[i].key);
            put_lists(page, inner, rows[i].sub->rows, rows[i].sub->count);
        }
    }
}

static void put_list(struct page *page, const char *outer, const struct row *list)
{
    char prefix[KEY_MAX];
    snprintf(prefix, sizeof prefix, "%s%s[].", outer, list->key);
    put(page, "\n### %s%s[]\n", outer, list->key);
    if (list->min > 0) {
        put(page, "\nDefault: `%s`\n", list->fallback);
    }
    put_table_head(page);
    put_rows(page, prefix, list->sub);
    put_lists(page, prefix, list->sub->rows, list->sub->count);
}

// Rows [begin, end) are one section.
static void put_section(struct page *page, size_t begin, size_t end, int name_len)
{
    const struct row *at = config_table.rows;
    put(page, "\n## %.*s\n", name_len, at[begin].key);
    put_table_head(page);
    const struct table section = {at + begin, end - begin, 0};
    put_rows(page, "", &section);
    put_lists(page, "", section.rows, section.count);
}

int config_print_reference(struct buf *out)
{
    struct page page = {out, 0};
    for (size_t i = 0; i < ARRAY_LEN(introduction); i++) {
        put(&page, "%s\n", introduction[i]);
    }
    for (size_t begin = 0; begin < config_table.count;) {
        const char *key = config_table.rows[begin].key;
        size_t len = strcspn(key, ".");
        size_t end = begin + 1;
        while (end < config_table.count && strncmp(config_table.rows[end].key, key, len) == 0 &&
               config_table.rows[end].key[len] == '.') {
            end++;
        }
        put_section(&page, begin, end, (int)len);
        begin = end;
    }
    return page.error;
}
