// The log's settings, its one write, and the gate that bounds what peers can make it say.
// Owner: the process; any thread at any time. Level and format are atomics read at each line.
// A line is put together on the caller's stack and written with one write(2), so lines of several
// threads do not mix. A line that cannot be written is lost: nothing may wait for the log.
#include "tidegate/base/log.h"

#include "log_line.h"

#include "tidegate/base/clock.h"

#include <unistd.h>

static _Atomic int log_level_now = LOG_INFO;
static _Atomic int log_format_now = LOG_TEXT;

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store_explicit(&log_level_now, level, memory_order_relaxed);
    atomic_store_explicit(&log_format_now, format, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t count)
{
    enum log_format format =
        (enum log_format)atomic_load_explicit(&log_format_now, memory_order_relaxed);
    struct log_line line;
    if (format == LOG_JSON) {
        log_line_json(&line, clock_wall_ms(), level, msg);
    } else {
        log_line_text(&line, clock_wall_ms(), level, msg);
    }
    for (size_t i = 0; i < count; i++) {
        log_line_field(&line, format, &fields[i]);
    }
    log_line_end(&line, format);
    ssize_t written = write(STDERR_FILENO, line.at, line.len);
    (void)written;
}

// A thread that sees the new second before its counter was reset may be refused once too often;
// that is cheaper than a lock, and the refusal is counted.
bool log_gate_pass(struct log_gate *gate, uint32_t per_second, uint32_t *ret_suppressed)
{
    // From 1, so that a zeroed gate has never seen the current second.
    int64_t second = clock_now_us() / 1000000 + 1;
    int64_t seen = atomic_load_explicit(&gate->second, memory_order_relaxed);
    if (seen != second &&
        atomic_compare_exchange_strong_explicit(&gate->second, &seen, second, memory_order_relaxed,
                                                memory_order_relaxed)) {
        atomic_store_explicit(&gate->in_second, 0, memory_order_relaxed);
    }
    if (atomic_fetch_add_explicit(&gate->in_second, 1, memory_order_relaxed) >= per_second) {
        atomic_fetch_add_explicit(&gate->suppressed, 1, memory_order_relaxed);
        return false;
    }
    *ret_suppressed = atomic_exchange_explicit(&gate->suppressed, 0, memory_order_relaxed);
    return true;
}
