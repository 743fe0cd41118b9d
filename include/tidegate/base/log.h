// The log: one line an event, key=value text or JSON, to standard error with one write each.
// Any thread. What a peer can trigger goes through a log_gate, so that nobody fills the disk.
// A function either logs or returns an error, never both.
#ifndef TIDEGATE_BASE_LOG_H
#define TIDEGATE_BASE_LOG_H

#include "tidegate/base/bytes.h"

#include <stdatomic.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVELS };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *key; // literal
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER } kind;
    struct bytes text; // escaped by the writer; any bytes
    int64_t number;
};

static inline struct log_field log_text(const char *key, const char *value)
{
    return (struct log_field){key, LOG_FIELD_TEXT, bytes_str(value), 0};
}

static inline struct log_field log_bytes(const char *key, struct bytes value)
{
    return (struct log_field){key, LOG_FIELD_TEXT, value, 0};
}

static inline struct log_field log_num(const char *key, int64_t value)
{
    return (struct log_field){key, LOG_FIELD_NUMBER, BYTES_EMPTY, value};
}

// Sets level and format for the whole process. Any thread, at any time.
void log_configure(enum log_level level, enum log_format format);

// Whether lines of this level are written.
bool log_is_on(enum log_level level);

// Writes one line: time, level, msg, then the fields. Use the macros below.
void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t count);

// log_at(LOG_INFO, "listening", log_text("name", n), log_num("port", p));
#define log_at(level, msg, ...) \
    do { \
        if (log_is_on(level)) { \
            const struct log_field log_fields_[] = {{0} __VA_OPT__(, ) __VA_ARGS__}; \
            log_write(level, msg, log_fields_ + 1, ARRAY_LEN(log_fields_) - 1); \
        } \
    } while (0)

// Lets `per_second` events a second through and counts the rest.
struct log_gate {
    _Atomic int64_t second;
    _Atomic uint32_t in_second;
    _Atomic uint32_t suppressed;
};

// Whether this event may be logged now; *ret_suppressed gets how many were not since the last one.
bool log_gate_pass(struct log_gate *gate, uint32_t per_second, uint32_t *ret_suppressed);

#endif
