// Putting values on a structure by key: whole documents, and single keys with text. Later values
// replace earlier ones, a list of objects as a whole.
// The thread that loads.
#ifndef TIDEGATE_CONFIG_APPLY_H
#define TIDEGATE_CONFIG_APPLY_H

#include "fault.h"
#include "table.h"
#include "tidegate/codec/json_read.h"

// Sets everything in the object `document`: 0, or -EINVAL with *fault.
int apply_document(const struct table *table, void *base, const struct json *document,
                   struct fault *fault) ATTR_MUST_CHECK;

// Sets `key`, e.g. "client.ping_interval", "listeners.0.port", "routes" (a JSON array then). An
// index one past the last adds an object.
int apply_text(const struct table *table, void *base, const char *key, struct bytes text,
               struct fault *fault) ATTR_MUST_CHECK;

#endif
