// Puts a line of the log together: escapes, quotes, and cuts what is too long.
// Owner: the calling thread; the line lives on its stack. No memory, no locks.
// Valid UTF-8 is kept readable, except for the C1 controls (a terminal obeys them); every other
// byte outside printable ASCII is escaped, so that a value stays one value and a line one line.
#include "log_line.h"

#include <stdio.h>
#include <time.h>

// Kept free for the mark, the closing brace and the newline.
#define LOG_LINE_RESERVE 32u

static const char *const level_names[LOG_LEVELS] = {"debug", "info", "warn", "error"};

static void line_put(struct log_line *line, struct bytes text)
{
    if (line->is_full || text.len > LOG_LINE_MAX - LOG_LINE_RESERVE - line->len) {
        line->is_full = true;
        return;
    }
    if (text.len > 0) {
        memcpy(line->at + line->len, text.at, text.len);
        line->len += text.len;
    }
}

static void line_put_time(struct log_line *line, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char text[80] = "";
    if (gmtime_r(&seconds, &parts) != NULL) {
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                 (int)(wall_ms % 1000));
    }
    line_put(line, bytes_str(text));
}

// Whether the valid UTF-8 character at the start of `text` may stand in a line as it is.
static bool is_shown(struct bytes text, size_t len)
{
    unsigned char first = (unsigned char)text.at[0];
    if (len == 1) {
        return first >= 0x20 && first != 0x7f && first != '"' && first != '\\';
    }
    bool is_c1 = first == 0xc2 && (unsigned char)text.at[1] < 0xa0;
    bool is_separator = bytes_starts_with(text, BYTES_OF("\xe2\x80\xa8")) ||
                        bytes_starts_with(text, BYTES_OF("\xe2\x80\xa9"));
    return !is_c1 && !is_separator;
}

// The escape for one byte (`bytes` of a character go one by one). JSON has no escape for a byte, so
// what is no text shows there as the text form would.
static size_t escape_byte(char to[8], enum log_format format, unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        to[0] = '\\';
        to[1] = (char)c;
        return 2;
    case '\n':
        memcpy(to, "\\n", 2);
        return 2;
    case '\r':
        memcpy(to, "\\r", 2);
        return 2;
    case '\t':
        memcpy(to, "\\t", 2);
        return 2;
    default:
        if (format == LOG_JSON && c < 0x80) {
            return (size_t)snprintf(to, 8, "\\u%04x", c);
        }
        return (size_t)snprintf(to, 8, "%s%02x", format == LOG_JSON ? "\\\\x" : "\\x", c);
    }
}

// Puts `text` escaped, cut at LOG_VALUE_MAX.
static void line_put_escaped(struct log_line *line, enum log_format format, struct bytes text)
{
    size_t room = LOG_VALUE_MAX;
    while (text.len > 0 && !line->is_full) {
        char escaped[8];
        size_t used = bytes_utf8_len(text);
        struct bytes put = bytes_make(text.at, used);
        if (used == 0 || !is_shown(text, used)) {
            used = 1;
            put = bytes_make(escaped, escape_byte(escaped, format, (unsigned char)text.at[0]));
        }
        if (put.len > room) {
            line_put(line, BYTES_OF("..."));
            return;
        }
        line_put(line, put);
        room -= put.len;
        text = bytes_skip(text, used);
    }
}

// Whether a value may stand without quotes in the text format.
static bool is_bare(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\') {
            return false;
        }
    }
    return text.len > 0;
}

static void line_put_quoted(struct log_line *line, enum log_format format, struct bytes text)
{
    line_put(line, BYTES_OF("\""));
    line_put_escaped(line, format, text);
    line_put(line, BYTES_OF("\""));
}

void log_line_text(struct log_line *line, int64_t wall_ms, enum log_level level, const char *msg)
{
    line->len = 0;
    line->is_full = false;
    line_put_time(line, wall_ms);
    line_put(line, BYTES_OF(" level="));
    line_put(line, bytes_str(level_names[level]));
    line_put(line, BYTES_OF(" msg="));
    line_put_quoted(line, LOG_TEXT, bytes_str(msg));
}

void log_line_json(struct log_line *line, int64_t wall_ms, enum log_level level, const char *msg)
{
    line->len = 0;
    line->is_full = false;
    line_put(line, BYTES_OF("{\"time\":\""));
    line_put_time(line, wall_ms);
    line_put(line, BYTES_OF("\",\"level\":\""));
    line_put(line, bytes_str(level_names[level]));
    line_put(line, BYTES_OF("\",\"msg\":"));
    line_put_quoted(line, LOG_JSON, bytes_str(msg));
}

void log_line_field(struct log_line *line, enum log_format format, const struct log_field *field)
{
    size_t before = line->len;
    line_put(line, format == LOG_JSON ? BYTES_OF(",\"") : BYTES_OF(" "));
    line_put(line, bytes_str(field->key));
    line_put(line, format == LOG_JSON ? BYTES_OF("\":") : BYTES_OF("="));
    if (field->kind == LOG_FIELD_NUMBER) {
        char number[24];
        int len = snprintf(number, sizeof(number), "%lld", (long long)field->number);
        line_put(line, bytes_make(number, (size_t)len));
    } else if (format == LOG_TEXT && is_bare(field->text)) {
        line_put_escaped(line, format, field->text);
    } else {
        line_put_quoted(line, format, field->text);
    }
    if (line->is_full) {
        line->len = before;
    }
}

void log_line_end(struct log_line *line, enum log_format format)
{
    struct bytes end = format == LOG_JSON ? BYTES_OF("}\n") : BYTES_OF("\n");
    if (line->is_full) {
        end =
            format == LOG_JSON ? BYTES_OF(",\"truncated\":true}\n") : BYTES_OF(" truncated=true\n");
    }
    memcpy(line->at + line->len, end.at, end.len);
    line->len += end.len;
}
