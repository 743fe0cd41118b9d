// The value of one row in a structure: set from text or JSON, and what it accepts in words. Strings
// are owned by the structure; setting a value frees the one before.
// One thread a structure; the thread that loads.
#ifndef TIDEGATE_CONFIG_SETTING_H
#define TIDEGATE_CONFIG_SETTING_H

#include "fault.h"
#include "table.h"
#include "tidegate/base/buf.h"
#include "tidegate/codec/json_read.h"
#include "tidegate/config/config.h"

// Sets a row that is no group and no list of objects from what a user wrote in a variable or flag:
// 0, or -EINVAL with *fault about `key`.
int setting_set_text(const struct row *row, void *base, struct bytes text, const char *key,
                     struct fault *fault) ATTR_MUST_CHECK;

// The same from a value of the file.
int setting_set_json(const struct row *row, void *base, const struct json *value, const char *key,
                     struct fault *fault) ATTR_MUST_CHECK;

// Appends what the row accepts in words: `a duration from 1s to 1h, such as "25s"`.
int setting_print_expected(const struct row *row, struct buf *out) ATTR_MUST_CHECK;

// Faults about a group or list of objects that is another kind of value, is missing, or has
// `count` elements: -EINVAL with *fault.
int setting_refuse_kind(const struct row *row, const struct json *value, const char *key,
                        struct fault *fault);
int setting_refuse_missing(const struct row *row, const char *key, struct fault *fault);
int setting_refuse_count(const struct row *row, size_t count, const char *key, struct fault *fault);

// Frees the strings of a list and empties it.
void setting_strings_clear(struct config_strings *strings);

#endif
