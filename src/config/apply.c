// Putting values on a structure by key. The walk carries the full dotted key for messages and knows
// where in it the part begins that the current table names.
// The thread that loads; recursion is as deep as tables are nested (the document's depth is limited
// by the reader).
#include "apply.h"

#include "setting.h"
#include "store.h"

#include <errno.h>

// Where values go now.
struct place {
    const struct table *table;
    void *base;
    struct key *key; // full, shared by the whole walk
    size_t start;    // of the part of the key that `table` names
    struct fault *fault;
};

static struct bytes own_part(const struct place *place)
{
    return bytes_make(place->key->text + place->start, place->key->len - place->start);
}

static int offer_key(void *hint, const char *key, const struct row *row)
{
    (void)row;
    hint_offer(hint, key);
    // The sections above it are names too.
    char section[KEY_MAX];
    for (const char *dot = strchr(key, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        memcpy(section, key, (size_t)(dot - key));
        section[dot - key] = '\0';
        hint_offer(hint, section);
    }
    return 0;
}

static int refuse_unknown(const struct place *place)
{
    struct hint hint;
    struct key *key = place->key;
    hint_begin(&hint, own_part(place));
    table_each(place->table, "", offer_key, &hint);
    char prefix[KEY_MAX];
    memcpy(prefix, key->text, place->start);
    prefix[place->start] = '\0';
    return fault_set(place->fault, key->text, "expected a known setting, got an unknown one%s",
                     hint_text(&hint, prefix).text);
}

static int apply_members(struct place *place, const struct json *object);

// The place of a structure that `row` of `place` holds; the key names it already.
static struct place place_inside(const struct place *place, const struct row *row, void *base)
{
    return (struct place){row->sub, base, place->key, place->key->len + 1, place->fault};
}

static int apply_list(struct place *place, const struct row *row, const struct json *array)
{
    int err = 0;
    size_t len = place->key->len;
    store_clear_items(row, place->base);
    for (size_t i = 0; err == 0 && i < json_count(array); i++) {
        const struct json *item = json_at(array, i);
        if (!key_push_index(place->key, i)) {
            return refuse_unknown(place);
        }
        if (json_kind(item) != JSON_OBJECT) {
            err = fault_set(place->fault, place->key->text, "expected an object, got another kind");
        } else {
            struct place inside = place_inside(place, row, store_append(row, place->base));
            err = apply_members(&inside, item);
        }
        key_cut(place->key, len);
    }
    return err;
}

static int apply_value(struct place *place, const struct row *row, const struct json *value)
{
    if (row->kind != ROW_GROUP && row->kind != ROW_LIST) {
        return setting_set_json(row, place->base, value, place->key->text, place->fault);
    }
    enum json_kind wanted = row->kind == ROW_GROUP ? JSON_OBJECT : JSON_ARRAY;
    if (json_kind(value) != wanted) {
        return setting_refuse_kind(row, value, place->key->text, place->fault);
    }
    if (row->kind == ROW_GROUP) {
        struct place inside = place_inside(place, row, row_at(row, place->base));
        return apply_members(&inside, value);
    }
    size_t count = json_count(value);
    if ((int64_t)count < row->min || (int64_t)count > row->max) {
        return setting_refuse_count(row, count, place->key->text, place->fault);
    }
    return apply_list(place, row, value);
}

static int apply_member(void *context, const char *name, const struct json *value)
{
    struct place *place = context;
    struct key *key = place->key;
    size_t len = key->len;
    if (*name == '\0' || strchr(name, '.') != NULL) {
        return fault_set(place->fault, key->text,
                         "expected the name of a setting (a dot is a nested object), got %s",
                         fault_quote(bytes_str(name)).text);
    }
    if (!key_push(key, bytes_str(name))) {
        return fault_set(place->fault, key->text, "expected a known setting, got %s",
                         fault_quote(bytes_str(name)).text);
    }
    const struct row *row = table_find(place->table, own_part(place));
    int err = 0;
    if (row != NULL) {
        err = apply_value(place, row, value);
    } else if (!table_has_section(place->table, own_part(place))) {
        err = refuse_unknown(place);
    } else if (json_kind(value) != JSON_OBJECT) {
        err =
            fault_set(place->fault, key->text, "expected an object of settings, got another kind");
    } else {
        err = apply_members(place, value);
    }
    key_cut(key, len);
    return err;
}

static int apply_members(struct place *place, const struct json *object)
{
    return json_each_member(object, apply_member, place);
}

static int apply_top_member(void *context, const char *name, const struct json *value)
{
    // Editors find the schema by this member.
    if (strcmp(name, "$schema") == 0 && json_kind(value) == JSON_STRING) {
        return 0;
    }
    return apply_member(context, name, value);
}

int apply_document(const struct table *table, void *base, const struct json *document,
                   struct fault *fault)
{
    struct key key = {"", 0};
    struct place place = {table, base, &key, 0, fault};
    if (json_kind(document) != JSON_OBJECT) {
        return fault_set(fault, "", "expected an object of settings, got another kind");
    }
    return json_each_member(document, apply_top_member, &place);
}

// A group or list given as JSON text.
static int apply_json_text(struct place *place, const struct row *row, struct bytes text)
{
    struct json *root = NULL;
    struct json_error error;
    if (json_parse(text, text.len, &root, &error) < 0) {
        return fault_set(place->fault, place->key->text, "expected JSON, got %s (%s)",
                         fault_quote(text).text, error.text);
    }
    int err = apply_value(place, row, root);
    json_destroy(root);
    return err;
}

static int apply_named(struct place *place, struct bytes text);

// The key goes on behind the list `row`: an index and a key of its objects.
static int apply_indexed(struct place *place, const struct row *row, struct bytes text)
{
    size_t list_len = strlen(row->key);
    struct bytes rest = bytes_skip(own_part(place), list_len + 1);
    ptrdiff_t dot = bytes_find(rest, '.');
    uint64_t index = 0;
    size_t count = store_count(row, place->base);
    if (dot < 0 || bytes_to_u64(bytes_make(rest.at, (size_t)dot), INT32_MAX, &index) < 0) {
        return fault_set(place->fault, place->key->text,
                         "expected an index and a setting, such as \"%s.0.%s\", got %s", row->key,
                         row->sub->rows[0].key, fault_quote(rest).text);
    }
    size_t last = (int64_t)count < row->max ? count : count - 1;
    if (index > last) {
        return fault_set(place->fault, place->key->text, "expected an index of at most %zu, got %s",
                         last, fault_quote(bytes_make(rest.at, (size_t)dot)).text);
    }
    void *item = index == count ? store_append(row, place->base)
                                : store_item(row, place->base, (size_t)index);
    size_t start = place->start + list_len + 1 + (size_t)dot + 1;
    struct place inside = {row->sub, item, place->key, start, place->fault};
    return apply_named(&inside, text);
}

// The row whose key the wanted one continues, or NULL.
static const struct row *find_container(const struct place *place)
{
    struct bytes wanted = own_part(place);
    for (size_t i = 0; i < place->table->count; i++) {
        const struct row *row = &place->table->rows[i];
        struct bytes key = bytes_str(row->key);
        bool holds = row->kind == ROW_GROUP || row->kind == ROW_LIST;
        if (holds && wanted.len > key.len && wanted.at[key.len] == '.' &&
            bytes_starts_with(wanted, key)) {
            return row;
        }
    }
    return NULL;
}

static int apply_named(struct place *place, struct bytes text)
{
    const struct row *row = table_find(place->table, own_part(place));
    if (row != NULL && (row->kind == ROW_GROUP || row->kind == ROW_LIST)) {
        return apply_json_text(place, row, text);
    }
    if (row != NULL) {
        return setting_set_text(row, place->base, text, place->key->text, place->fault);
    }
    row = find_container(place);
    if (row != NULL && row->kind == ROW_LIST) {
        return apply_indexed(place, row, text);
    }
    if (row != NULL) {
        struct place inside = {row->sub, row_at(row, place->base), place->key,
                               place->start + strlen(row->key) + 1, place->fault};
        return apply_named(&inside, text);
    }
    if (table_has_section(place->table, own_part(place))) {
        return fault_set(place->fault, place->key->text,
                         "expected a setting, got a group of settings");
    }
    return refuse_unknown(place);
}

int apply_text(const struct table *table, void *base, const char *key, struct bytes text,
               struct fault *fault)
{
    struct key full = {"", 0};
    struct place place = {table, base, &full, 0, fault};
    if (!key_push(&full, bytes_str(key))) {
        return fault_set(fault, "", "expected a known setting, got %s",
                         fault_quote(bytes_str(key)).text);
    }
    return apply_named(&place, text);
}
