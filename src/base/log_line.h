// One line of the log while it is being put together: a fixed array on the stack of the thread that
// logs. Private to base; log.c writes the finished line.
// Invariant: len <= LOG_LINE_MAX, and nothing a peer sent can end the line or a value early: in it
// are no control bytes but the one newline at the end.
#ifndef TIDEGATE_SRC_BASE_LOG_LINE_H
#define TIDEGATE_SRC_BASE_LOG_LINE_H

#include "tidegate/base/log.h"

#define LOG_LINE_MAX 4096u
// What one value may take, escapes included; the rest is cut and marked with "...".
#define LOG_VALUE_MAX 1024u

struct log_line {
    size_t len;
    bool is_full; // something did not fit and was left out
    char at[LOG_LINE_MAX];
};

// Begins a line with time, level and message. `wall_ms` is milliseconds since 1970 UTC.
void log_line_text(struct log_line *line, int64_t wall_ms, enum log_level level, const char *msg);
void log_line_json(struct log_line *line, int64_t wall_ms, enum log_level level, const char *msg);

// Adds one field; left out as a whole, with a mark at the end of the line, when it does not fit.
void log_line_field(struct log_line *line, enum log_format format, const struct log_field *field);

// Ends the line.
void log_line_end(struct log_line *line, enum log_format format);

#endif
