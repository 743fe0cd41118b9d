// What is wrong with a setting, before it is known where the value came from: the key, and a text
// "expected ..., got ...". config_load() puts the place in front.
// A value; the thread that loads.
#ifndef TIDEGATE_CONFIG_FAULT_H
#define TIDEGATE_CONFIG_FAULT_H

#include "table.h"
#include "tidegate/base/attr.h"

struct fault {
    char key[KEY_MAX];
    char other[KEY_MAX]; // a second key to look for when `key` itself was set nowhere; or ""
    char text[300];
};

// Fills `fault` (cutting what is too long) and returns -EINVAL.
int fault_set(struct fault *fault, const char *key, const char *format, ...) ATTR_PRINTF(3, 4);

// A dotted key that grows and shrinks while values are walked.
struct key {
    char text[KEY_MAX];
    size_t len;
};

// Appends ".name" (or "name" at the start). False when there is no room; the key is unchanged then.
bool key_push(struct key *key, struct bytes name);
bool key_push_index(struct key *key, size_t index);
void key_cut(struct key *key, size_t len);

// Bytes for a message: quoted, one line, cut at a sensible length.
struct quoted {
    char text[96];
};
struct quoted fault_quote(struct bytes text);

// The best of several names for a name that is not known.
struct hint {
    struct bytes wanted; // borrowed
    size_t distance;
    char best[KEY_MAX]; // "" when nothing is near
};
void hint_begin(struct hint *hint, struct bytes wanted);
void hint_offer(struct hint *hint, const char *name);
// ` (did you mean "name")`, or empty.
struct suggestion {
    char text[2 * KEY_MAX];
};
struct suggestion hint_text(const struct hint *hint, const char *prefix);

#endif
