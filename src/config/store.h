// Whole structures of settings, row by row: defaults, clearing, comparison, and the lists of
// objects in them. The structure owns its strings and lists. One thread a structure while it is
// built; comparing only reads.
#ifndef TIDEGATE_CONFIG_STORE_H
#define TIDEGATE_CONFIG_STORE_H

#include "table.h"

// Gives all rows of `table` in `base` (zeroed) their defaults, which always parse.
void store_default(const struct table *table, void *base);

// Frees what all rows of `table` own in `base`.
void store_clear(const struct table *table, void *base);

// Whether the row has the same value in both.
bool store_equal(const struct row *row, const void *a, const void *b);

// The same, but rows inside of it that take effect on reload may differ.
bool store_equal_for_restart(const struct row *row, const void *a, const void *b);

// Whether `row`, one of `table`, has its default in `base`.
bool store_is_default(const struct table *table, const struct row *row, const void *base);

// Whether the row is required and was given no value.
bool store_is_missing(const struct row *row, const void *base);

// Objects of a ROW_LIST. store_append() returns the new one, all defaults; pointers to others are
// not valid after it.
size_t store_count(const struct row *row, const void *base);
void *store_item(const struct row *row, void *base, size_t index);
const void *store_item_const(const struct row *row, const void *base, size_t index);
void *store_append(const struct row *row, void *base);
void store_clear_items(const struct row *row, void *base);

#endif
