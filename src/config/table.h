// The settings as rows. A table describes one structure: the whole snapshot, or one object of a
// list. A row says name, kind, place in that structure, default, bounds and help; file, variables,
// flags, printing, schema, reference and comparison all follow from it. Constant data; any thread.
#ifndef TIDEGATE_CONFIG_TABLE_H
#define TIDEGATE_CONFIG_TABLE_H

#include "tidegate/base/bytes.h"

#define KEY_MAX 200 // bytes of a dotted key, zero included

enum row_kind {
    ROW_INTEGER,
    ROW_BOOL,
    ROW_DURATION, // int64_t, milliseconds
    ROW_SIZE,     // int64_t, bytes
    ROW_ENUM,     // int64_t, index into `choices`
    ROW_STRING,   // char *
    ROW_STRINGS,  // struct config_strings
    ROW_GROUP,    // a structure in place, described by `sub`
    ROW_LIST      // pointer and count of structures, described by `sub`
};

// Flags of a row.
enum {
    RELOAD = 1 << 0,   // takes effect on reload
    RESTART = 1 << 1,  // takes effect on restart only
    SECRET = 1 << 2,   // never printed
    ZERO = 1 << 3,     // 0 is allowed though below `min`: it means off
    REQUIRED = 1 << 4, // an object of a list must have it
};

struct row {
    const char *key; // dotted, within the table
    enum row_kind kind;
    unsigned flags;
    size_t offset;
    size_t count_offset;        // ROW_LIST
    const char *fallback;       // the default, parsed as the user's text is; NULL when REQUIRED
    int64_t min, max;           // value; bytes of a string; elements of a list
    const char *const *choices; // NULL-terminated; ROW_ENUM, and ROW_STRINGS where limited
    const struct table *sub;
    const char *help;
};

struct table {
    const struct row *rows;
    size_t count;
    size_t size; // of the structure
};

extern const struct table config_table; // struct config

// The row named `key` in `table`, or NULL.
const struct row *table_find(const struct table *table, struct bytes key);

// Whether `name` is the first part of some key, as "client" is.
bool table_has_section(const struct table *table, struct bytes name);

// Calls `visit` with the full key of each row, groups opened, lists as one row each, in order,
// until it returns non-zero, which is returned then.
typedef int table_visit_fn(void *context, const char *key, const struct row *row);
int table_each(const struct table *table, const char *prefix, table_visit_fn *visit, void *context);

// How a table is walked as the tree of objects that a file is.
struct table_walker {
    void (*on_open)(void *context, struct bytes name); // an object of settings begins
    void (*on_row)(void *context, struct bytes name, const struct row *row);
    void (*on_close)(void *context);
    void *context;
};
void table_walk(const struct table *table, const struct table_walker *walker);

// The parts of a structure that a row describes.
static inline void *row_at(const struct row *row, void *base)
{
    return (char *)base + row->offset;
}

static inline const void *row_at_const(const struct row *row, const void *base)
{
    return (const char *)base + row->offset;
}

#endif
