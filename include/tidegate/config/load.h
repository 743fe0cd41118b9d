// Building a snapshot from defaults, file, environment and flags, in rising strength, and checking
// it. Main thread only.
#ifndef TIDEGATE_CONFIG_LOAD_H
#define TIDEGATE_CONFIG_LOAD_H

#include "tidegate/base/attr.h"
#include "tidegate/base/buf.h"
#include "tidegate/config/config.h"

struct config_sources {
    const char *file;         // path or NULL
    char *const *environment; // NAME=value, NULL-terminated (TIDEGATE_...), or NULL
    const char *const *sets;  // "key=value" flags
    size_t set_count;
};

// One line saying what is wrong and where: "file:line:column: key: expected ... (did you mean
// ...)".
struct config_error {
    char text[512];
};

// Prepares reading; once, before any thread runs.
void config_setup(void);

// A new snapshot, one reference, or -EINVAL (-ENOENT, -EACCES: the file) with *ret_error filled.
int config_load(const struct config_sources *sources, struct config **ret_config,
                struct config_error *ret_error) ATTR_MUST_CHECK;

// Whether `next` differs from `current` in a row that needs a restart; its name in *ret_key.
bool config_needs_restart(const struct config *current, const struct config *next,
                          const char **ret_key);

// Appends the effective settings as JSON, secrets masked: 0 or buf_append's errors.
int config_print(const struct config *config, struct buf *out) ATTR_MUST_CHECK;

// Appends the JSON Schema of the file.
int config_print_schema(struct buf *out) ATTR_MUST_CHECK;

// Appends the reference (docs/configuration.md) as Markdown, from the rows.
int config_print_reference(struct buf *out) ATTR_MUST_CHECK;

#endif
