// The log: what a line looks like, that nobody can forge one, and the gate.
#include "../../support/leaks.h"

#include "tidegate/base/attr.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(log, .fini = leaks_check);

// What was written to standard error since capture_begin(); tests run in processes of their own.
static int capture_fd;
static char captured[65536];

static void capture_begin(enum log_level level, enum log_format format)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    capture_fd = ends[0];
    log_configure(level, format);
}

// One write(2) is one read of a pipe that was empty before it.
static const char *capture(void)
{
    ssize_t len = read(capture_fd, captured, sizeof(captured) - 1);
    captured[len > 0 ? len : 0] = '\0';
    return captured;
}

// The line behind the time stamp, which is checked here.
static const char *capture_text(void)
{
    int parts[7];
    int used = 0;
    capture();
    cr_assert_eq(sscanf(captured, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &parts[0], &parts[1],
                        &parts[2], &parts[3], &parts[4], &parts[5], &parts[6], &used),
                 7, "%s", captured);
    cr_assert_eq(used, 25, "%s", captured);
    return captured + used;
}

static const char *capture_json(void)
{
    capture();
    cr_assert_eq(strncmp(captured, "{\"time\":\"2", 10), 0, "%s", captured);
    cr_assert_eq(strncmp(captured + 33, "\",", 2), 0, "%s", captured);
    return captured + 35;
}

Test(log, a_text_line_quotes_only_where_needed)
{
    capture_begin(LOG_INFO, LOG_TEXT);
    log_at(LOG_INFO, "listening", log_text("name", "main"), log_num("port", 8000));
    cr_assert_str_eq(capture_text(), "level=info msg=\"listening\" name=main port=8000\n");
    log_at(LOG_ERROR, "no fields");
    cr_assert_str_eq(capture_text(), "level=error msg=\"no fields\"\n");
    log_at(LOG_WARN, "values", log_text("empty", ""), log_text("null", NULL),
           log_text("space", "a b"), log_text("equals", "a=b"), log_text("path", "/a/b?c,d;e"),
           log_num("least", INT64_MIN));
    cr_assert_str_eq(capture_text(), "level=warn msg=\"values\" empty=\"\" null=\"\" space=\"a b\" "
                                     "equals=\"a=b\" path=/a/b?c,d;e least=-9223372036854775808\n");
}

Test(log, a_json_line_is_one_object)
{
    capture_begin(LOG_INFO, LOG_JSON);
    log_at(LOG_INFO, "listening", log_text("name", "main"), log_num("port", 8000));
    cr_assert_str_eq(capture_json(),
                     "\"level\":\"info\",\"msg\":\"listening\",\"name\":\"main\",\"port\":8000}\n");
    log_at(LOG_WARN, "say \"hi\"", log_text("x", "a\tb\\\x01\x7f"));
    cr_assert_str_eq(capture_json(), "\"level\":\"warn\",\"msg\":\"say \\\"hi\\\"\","
                                     "\"x\":\"a\\tb\\\\\\u0001\\u007f\"}\n");
}

Test(log, lines_below_the_level_are_not_written)
{
    for (int level = LOG_DEBUG; level < LOG_LEVELS; level++) {
        capture_begin((enum log_level)level, LOG_TEXT);
        for (int line = LOG_DEBUG; line < LOG_LEVELS; line++) {
            log_at((enum log_level)line, "x");
            cr_assert_eq(capture()[0] != '\0', line >= level);
            cr_assert_eq(log_is_on((enum log_level)line), line >= level);
        }
    }
}

Test(log, debug_is_off_until_configured)
{
    cr_assert_not(log_is_on(LOG_DEBUG));
    cr_assert(log_is_on(LOG_INFO));
}

Test(log, a_peer_cannot_end_the_line_or_the_value)
{
    capture_begin(LOG_INFO, LOG_TEXT);
    log_at(LOG_INFO, "x", log_text("v", "a\n2026-11-24T20:32:09.123Z level=error msg=\"forged\""));
    cr_assert_str_eq(capture_text(),
                     "level=info msg=\"x\" "
                     "v=\"a\\n2026-11-24T20:32:09.123Z level=error msg=\\\"forged\\\"\"\n");
    log_at(LOG_INFO, "x", log_text("v", "\" level=error \\"), log_text("w", "\x1b[2J\r"));
    cr_assert_str_eq(capture_text(),
                     "level=info msg=\"x\" v=\"\\\" level=error \\\\\" w=\"\\x1b[2J\\r\"\n");
}

Test(log, no_byte_gets_raw_into_a_line_but_printable_ascii_and_good_utf8)
{
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        capture_begin(LOG_INFO, (enum log_format)format);
        for (int c = 0; c < 256; c++) {
            char value[2] = {'a', (char)c};
            log_at(LOG_INFO, "x", log_bytes("v", bytes_make(value, 2)));
            const char *line = capture();
            size_t len = strlen(line);
            cr_assert_eq(line[len - 1], '\n');
            for (size_t i = 0; i + 1 < len; i++) {
                cr_assert(line[i] >= ' ' && line[i] <= '~', "byte %d gave %d", c, line[i]);
            }
        }
    }
}

Test(log, utf8_stays_readable_but_c1_controls_and_line_separators_are_escaped)
{
    capture_begin(LOG_INFO, LOG_TEXT);
    log_at(LOG_INFO, "x", log_text("v", "caf\xc3\xa9 \xf0\x9f\x98\x80"));
    cr_assert_str_eq(capture_text(), "level=info msg=\"x\" v=\"caf\xc3\xa9 \xf0\x9f\x98\x80\"\n");
    log_at(LOG_INFO, "x",
           log_text("v", "\xc2\x9b"
                         "2J \xe2\x80\xa8 \xc3"));
    cr_assert_str_eq(capture_text(),
                     "level=info msg=\"x\" v=\"\\xc2\\x9b2J \\xe2\\x80\\xa8 \\xc3\"\n");
    log_configure(LOG_INFO, LOG_JSON);
    log_at(LOG_INFO, "x", log_text("v", "\xc2\x9b \xc3\xa9 \xff"));
    cr_assert_str_eq(capture_json(), "\"level\":\"info\",\"msg\":\"x\","
                                     "\"v\":\"\\\\xc2\\\\x9b \xc3\xa9 \\\\xff\"}\n");
}

Test(log, a_long_value_is_cut_with_a_mark_and_later_fields_stay)
{
    char value[100000];
    memset(value, 'v', sizeof(value));
    capture_begin(LOG_INFO, LOG_TEXT);
    log_at(LOG_INFO, "x", log_bytes("v", bytes_make(value, sizeof(value))), log_num("n", 1));
    const char *line = capture_text();
    cr_assert_lt(strlen(line), 1200);
    cr_assert_not_null(strstr(line, "vvv... n=1\n"));
    log_at(LOG_INFO, "x", log_bytes("v", bytes_make(value, 1024)), log_num("n", 1));
    cr_assert_null(strstr(capture_text(), "..."));
}

Test(log, a_line_with_too_much_is_cut_between_fields_and_says_so)
{
    char value[1000];
    memset(value, '\x01', sizeof(value));
    struct bytes v = bytes_make(value, sizeof(value));
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        capture_begin(LOG_INFO, (enum log_format)format);
        log_at(LOG_INFO, "x", log_bytes("a", v), log_bytes("b", v), log_bytes("c", v),
               log_bytes("d", v), log_bytes("e", v));
        const char *line = capture();
        const char *end = format == LOG_JSON ? "\",\"truncated\":true}\n" : "\" truncated=true\n";
        size_t len = strlen(line);
        cr_assert_leq(len, 4096);
        cr_assert_gt(len, strlen(end));
        cr_assert_str_eq(line + len - strlen(end), end);
        cr_assert_null(strstr(line, "e="));
    }
}

Test(log, a_line_of_every_length_near_the_limit_ends_well)
{
    char value[1024];
    memset(value, 'v', sizeof(value));
    struct bytes v = bytes_make(value, sizeof(value));
    capture_begin(LOG_INFO, LOG_JSON);
    for (size_t len = 700; len < 1024; len++) {
        log_at(LOG_INFO, "x", log_bytes("a", v), log_bytes("b", v), log_bytes("c", v),
               log_bytes("d", bytes_make(value, len)));
        const char *line = capture();
        size_t line_len = strlen(line);
        cr_assert_leq(line_len, 4096);
        cr_assert_str_eq(line + line_len - 2, "}\n");
    }
}

Test(log, the_gate_lets_a_number_a_second_through_and_counts_the_rest)
{
    struct log_gate gate = {0};
    uint32_t suppressed = 99;
    clock_set_fake_us(0);
    for (int i = 0; i < 3; i++) {
        cr_assert(log_gate_pass(&gate, 3, &suppressed));
        cr_assert_eq(suppressed, 0);
    }
    suppressed = 99;
    for (int i = 0; i < 10; i++) {
        cr_assert_not(log_gate_pass(&gate, 3, &suppressed));
    }
    cr_assert_eq(suppressed, 99);
    clock_set_fake_us(999999);
    cr_assert_not(log_gate_pass(&gate, 3, &suppressed));
    clock_set_fake_us(1000000);
    cr_assert(log_gate_pass(&gate, 3, &suppressed));
    cr_assert_eq(suppressed, 11);
    cr_assert(log_gate_pass(&gate, 3, &suppressed));
    cr_assert_eq(suppressed, 0);
}

Test(log, a_gate_of_none_lets_nothing_through)
{
    struct log_gate gate = {0};
    uint32_t suppressed = 0;
    cr_assert_not(log_gate_pass(&gate, 0, &suppressed));
}
