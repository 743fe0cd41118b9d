// Whole structures of settings: defaults, clearing, comparison, and the lists of objects in them.
// Everything is done row by row, so that a new row needs no code here.
// One thread a structure while it is built; comparing only reads.
#include "store.h"

#include "apply.h"
#include "setting.h"
#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"

static size_t *count_at(const struct row *row, void *base)
{
    return (size_t *)((char *)base + row->count_offset);
}

size_t store_count(const struct row *row, const void *base)
{
    return *(const size_t *)((const char *)base + row->count_offset);
}

void *store_item(const struct row *row, void *base, size_t index)
{
    char *items = *(char **)row_at(row, base);
    return items + index * row->sub->size;
}

const void *store_item_const(const struct row *row, const void *base, size_t index)
{
    const char *items = *(char *const *)row_at_const(row, base);
    return items + index * row->sub->size;
}

void *store_append(const struct row *row, void *base)
{
    size_t *count = count_at(row, base);
    char **items = row_at(row, base);
    size_t size = row->sub->size;
    if ((*count & (*count - 1)) == 0) { // a power of two, or none: full
        char *grown = mem_zalloc((*count > 0 ? *count * 2 : 1) * size);
        if (*count > 0) {
            memcpy(grown, *items, *count * size);
        }
        mem_free(*items);
        *items = grown;
    }
    void *item = *items + *count * size;
    *count += 1;
    store_default(row->sub, item);
    return item;
}

void store_clear_items(const struct row *row, void *base)
{
    size_t *count = count_at(row, base);
    char **items = row_at(row, base);
    for (size_t i = 0; i < *count; i++) {
        store_clear(row->sub, store_item(row, base, i));
    }
    mem_free(*items);
    *items = NULL;
    *count = 0;
}

// What a required row holds until the user says something; see store_is_missing().
static void store_nothing(const struct row *row, void *base)
{
    assert_always((row->flags & REQUIRED) != 0);
    if (row->kind == ROW_ENUM) {
        *(int64_t *)row_at(row, base) = -1;
    } else {
        assert_always(row->kind == ROW_STRING);
        *(char **)row_at(row, base) = mem_strdup("");
    }
}

bool store_is_missing(const struct row *row, const void *base)
{
    if ((row->flags & REQUIRED) == 0) {
        return false;
    }
    return row->kind == ROW_ENUM ? *(const int64_t *)row_at_const(row, base) < 0
                                 : **(char *const *)row_at_const(row, base) == '\0';
}

void store_default(const struct table *table, void *base)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        struct fault fault;
        int err = 0;
        if (row->fallback == NULL) {
            store_nothing(row, base);
        } else if (row->kind == ROW_GROUP) {
            store_default(row->sub, row_at(row, base));
        } else if (row->kind == ROW_LIST) {
            err = apply_text(table, base, row->key, bytes_str(row->fallback), &fault);
        } else {
            err = setting_set_text(row, base, bytes_str(row->fallback), row->key, &fault);
        }
        assert_always(err == 0);
    }
}

void store_clear(const struct table *table, void *base)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        switch (row->kind) {
        case ROW_STRING:
            mem_free(*(char **)row_at(row, base));
            *(char **)row_at(row, base) = NULL;
            break;
        case ROW_STRINGS:
            setting_strings_clear(row_at(row, base));
            break;
        case ROW_GROUP:
            store_clear(row->sub, row_at(row, base));
            break;
        case ROW_LIST:
            store_clear_items(row, base);
            break;
        case ROW_INTEGER:
        case ROW_BOOL:
        case ROW_DURATION:
        case ROW_SIZE:
        case ROW_ENUM:
            break;
        }
    }
}

static bool equal_row(const struct row *row, const void *a, const void *b, unsigned skipped);

// Rows with a flag of `skipped` are left out.
static bool equal_all(const struct table *table, const void *a, const void *b, unsigned skipped)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        if ((row->flags & skipped) == 0 && !equal_row(row, a, b, skipped)) {
            return false;
        }
    }
    return true;
}

static bool equal_strings(const struct config_strings *a, const struct config_strings *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return a->count == b->count;
}

static bool equal_lists(const struct row *row, const void *a, const void *b, unsigned skipped)
{
    size_t count = store_count(row, a);
    for (size_t i = 0; count == store_count(row, b) && i < count; i++) {
        if (!equal_all(row->sub, store_item_const(row, a, i), store_item_const(row, b, i),
                       skipped)) {
            return false;
        }
    }
    return count == store_count(row, b);
}

static bool equal_row(const struct row *row, const void *a, const void *b, unsigned skipped)
{
    const void *at_a = row_at_const(row, a);
    const void *at_b = row_at_const(row, b);
    switch (row->kind) {
    case ROW_INTEGER:
    case ROW_DURATION:
    case ROW_SIZE:
    case ROW_ENUM:
        return *(const int64_t *)at_a == *(const int64_t *)at_b;
    case ROW_BOOL:
        return *(const bool *)at_a == *(const bool *)at_b;
    case ROW_STRING:
        return strcmp(*(char *const *)at_a, *(char *const *)at_b) == 0;
    case ROW_STRINGS:
        return equal_strings(at_a, at_b);
    case ROW_GROUP:
        return equal_all(row->sub, at_a, at_b, skipped);
    case ROW_LIST:
        return equal_lists(row, a, b, skipped);
    }
    return false;
}

bool store_equal(const struct row *row, const void *a, const void *b)
{
    return equal_row(row, a, b, 0);
}

bool store_equal_for_restart(const struct row *row, const void *a, const void *b)
{
    return equal_row(row, a, b, RELOAD);
}

bool store_is_default(const struct table *table, const struct row *row, const void *base)
{
    void *fresh = mem_zalloc(table->size);
    store_default(table, fresh);
    bool same = store_equal(row, fresh, base);
    store_clear(table, fresh);
    mem_free(fresh);
    return same;
}
