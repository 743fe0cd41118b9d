// What must hold for every row, so that a new one cannot be added half.
#include "table.h"

#include "../../support/leaks.h"
#include "setting.h"
#include "store.h"
#include "tidegate/base/mem.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>

TestSuite(table, .fini = leaks_check);

// Calls `visit` for each row of each table, those of lists included.
static void each_row(const struct table *table,
                     void (*visit)(const struct table *table, const struct row *row))
{
    for (size_t i = 0; i < table->count; i++) {
        visit(table, &table->rows[i]);
        if (table->rows[i].sub != NULL) {
            each_row(table->rows[i].sub, visit);
        }
    }
}

static void expect_whole(const struct table *table, const struct row *row)
{
    cr_expect_gt(strlen(row->help), 10, "%s", row->key);
    cr_expect_eq(row->help[strlen(row->help) - 1], '.', "%s", row->key);
    cr_expect_null(strpbrk(row->help, "|\n"), "%s would break the reference", row->key);
    bool reload = (row->flags & RELOAD) != 0;
    bool restart = (row->flags & RESTART) != 0;
    cr_expect_neq(reload, restart, "%s says one of RELOAD and RESTART", row->key);
    cr_expect_eq((row->flags & REQUIRED) != 0, row->fallback == NULL, "%s", row->key);
    cr_expect_leq(row->min, row->max, "%s", row->key);
    cr_expect_eq(row->kind == ROW_GROUP || row->kind == ROW_LIST, row->sub != NULL, "%s", row->key);
    cr_expect_lt(row->offset, table->size, "%s", row->key);
    cr_expect(row->kind != ROW_ENUM || row->choices != NULL, "%s", row->key);
}

Test(table, every_row_is_whole)
{
    each_row(&config_table, expect_whole);
}

static void expect_default(const struct table *table, const struct row *row)
{
    if (row->sub != NULL || row->fallback == NULL) {
        return;
    }
    void *base = mem_zalloc(table->size);
    struct fault fault = {.text = ""};
    int err = setting_set_text(row, base, bytes_str(row->fallback), row->key, &fault);
    cr_expect_eq(err, 0, "%s: %s", row->key, fault.text);
    store_clear(table, base);
    mem_free(base);
}

Test(table, every_default_parses)
{
    each_row(&config_table, expect_default);
}

// A number just outside each bound is refused, the bound itself is taken.
static void expect_bounds(const struct table *table, const struct row *row)
{
    bool is_number = row->kind == ROW_INTEGER || row->kind == ROW_DURATION || row->kind == ROW_SIZE;
    if (!is_number) {
        return;
    }
    const char *unit = row->kind == ROW_DURATION ? "ms" : "";
    void *base = mem_zalloc(table->size);
    struct fault fault;
    const int64_t values[] = {row->min, row->max, row->min - 1, row->max + 1};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char text[32];
        snprintf(text, sizeof text, "%lld%s", (long long)values[i], unit);
        bool zero = values[i] == 0 && (row->flags & ZERO) != 0;
        int err = setting_set_text(row, base, bytes_str(text), row->key, &fault);
        cr_expect_eq(err == 0, i < 2 || zero, "%s=%s", row->key, text);
    }
    mem_free(base);
}

Test(table, bounds_of_every_number_hold)
{
    each_row(&config_table, expect_bounds);
}

struct names {
    char seen[256][KEY_MAX];
    size_t count;
};

static int gather(void *context, const char *key, const struct row *row)
{
    struct names *seen = context;
    (void)row;
    char *to = seen->seen[seen->count++];
    for (; *key != '\0'; key++) {
        cr_expect(islower(*key) || isdigit(*key) || *key == '.' || *key == '_');
        *to++ = *key == '.' ? '_' : *key;
    }
    *to = '\0';
    return seen->count == ARRAY_LEN(seen->seen);
}

Test(table, no_two_settings_share_a_variable)
{
    struct names *seen = mem_zalloc(sizeof *seen);
    cr_assert_eq(table_each(&config_table, "", gather, seen), 0);
    cr_expect_gt(seen->count, 30);
    for (size_t i = 0; i < seen->count; i++) {
        for (size_t j = 0; j < i; j++) {
            cr_expect_str_neq(seen->seen[i], seen->seen[j]);
        }
    }
    mem_free(seen);
}

static char opened[64][32];
static size_t opened_count;

static void on_open(void *context, struct bytes name)
{
    (void)context;
    for (size_t i = 0; i < opened_count; i++) {
        cr_expect_not(bytes_equal(bytes_str(opened[i]), name), "%s opens twice", opened[i]);
    }
    memcpy(opened[opened_count++], name.at, name.len);
}

static void on_row(void *context, struct bytes name, const struct row *row)
{
    (void)row;
    cr_expect_eq(bytes_find(name, '.'), -1);
    *(size_t *)context += 1;
}

static void on_close(void *context)
{
    (void)context;
}

Test(table, each_section_stands_together)
{
    size_t count = 0;
    struct table_walker walker = {on_open, on_row, on_close, &count};
    table_walk(&config_table, &walker);
    cr_expect_eq(count, config_table.count);
}

Test(table, sections_are_whole_parts_of_keys)
{
    cr_expect(table_has_section(&config_table, BYTES_OF("client")));
    cr_expect_not(table_has_section(&config_table, BYTES_OF("clien")));
    cr_expect_not(table_has_section(&config_table, BYTES_OF("workers")));
    cr_expect_not_null(table_find(&config_table, BYTES_OF("client.ping_interval")));
    cr_expect_null(table_find(&config_table, BYTES_OF("client.ping_interva")));
    cr_expect_null(table_find(&config_table, BYTES_OF("client")));
}
