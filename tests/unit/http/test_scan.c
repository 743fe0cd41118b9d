// What may stand in a head, byte for byte, and that the verdict never depends on where it was cut.
#include "scan.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

static const struct http_limits limits = {
    .request_line_max = 40, .header_bytes_max = 80, .header_count_max = 4};

struct verdict {
    int result;
    int status;
    uint32_t at;
    const char *message;
};

// Shows `head` in growing prefixes: all those that end at a multiple of `step`, cut at `cut` too.
static struct verdict judge(struct bytes head, size_t cut, size_t step)
{
    struct scan scan;
    struct http_fault fault = {0, ""};
    struct verdict verdict = {0, 0, 0, ""};
    scan_begin(&scan);
    for (size_t len = cut > 0 ? cut : step; verdict.result == 0; len += step) {
        len = len < head.len ? len : head.len;
        verdict.result = scan_head(&scan, &limits, bytes_make(head.at, len), &fault);
        if (len == head.len) {
            break;
        }
    }
    verdict.status = verdict.result < 0 ? fault.status : 0;
    verdict.message = verdict.result < 0 ? fault.message : "";
    verdict.at = scan.at;
    return verdict;
}

static void expect_bytes(struct bytes head, int result, int status)
{
    struct verdict whole = judge(head, 0, head.len);
    cr_expect_eq(whole.result, result, "%.*s: %d %s", (int)head.len, head.at, whole.result,
                 whole.message);
    cr_expect_eq(whole.status, status, "%.*s: %d %s", (int)head.len, head.at, whole.status,
                 whole.message);
    for (size_t cut = 0; cut < head.len; cut++) {
        struct verdict split = judge(head, cut, cut > 0 ? head.len : 1);
        cr_expect_eq(split.result, whole.result);
        cr_expect_eq(split.status, whole.status);
        cr_expect_eq(split.at, whole.at);
        cr_expect_str_eq(split.message, whole.message);
    }
}

static void expect(const char *head, int result, int status)
{
    expect_bytes(bytes_str(head), result, status);
}

#define LINE "GET / HTTP/1.1\r\n"

Test(scan, whole_heads_are_taken)
{
    expect(LINE "Host: a\r\n\r\n", 1, 0);
    expect("GET / HTTP/1.0\r\n\r\n", 1, 0);
    expect(LINE "Host:a\r\nX-Empty:\r\nX: \t y\xff \r\n\r\n", 1, 0);
}

Test(scan, bytes_behind_the_head_are_not_judged)
{
    struct verdict verdict = judge(BYTES_OF(LINE "Host: a\r\n\r\n\n\n\0"), 0, 100);
    cr_assert_eq(verdict.result, 1);
    cr_assert_eq(verdict.at, sizeof(LINE "Host: a\r\n\r\n") - 1);
}

Test(scan, a_head_that_has_not_ended_asks_for_more)
{
    expect("", 0, 0);
    expect("GET", 0, 0);
    expect(LINE "Host: a\r\n\r", 0, 0);
}

Test(scan, one_empty_line_before_a_request_is_passed_over)
{
    expect("\r\n" LINE "Host: a\r\n\r\n", 1, 0);
    expect("\r\n\r\n" LINE "Host: a\r\n\r\n", -EBADMSG, 400);
    expect("\n" LINE "Host: a\r\n\r\n", -EBADMSG, 400);
    expect("\rG", -EBADMSG, 400);
}

Test(scan, a_bare_cr_is_refused_wherever_it_stands)
{
    expect("GET /\r HTTP/1.1\r\n\r\n", -EBADMSG, 400);
    expect(LINE "Host: a\rX: y\r\n\r\n", -EBADMSG, 400);
    expect(LINE "X-Abc:\rTransfer-Encoding: chunked\r\n\r\n", -EBADMSG, 400);
    expect(LINE "Ho\rst: a\r\n\r\n", -EBADMSG, 400);
    expect(LINE "Host: a\r\n\rX\r\n\r\n", -EBADMSG, 400);
}

Test(scan, a_bare_lf_is_refused_wherever_it_stands)
{
    expect("GET / HTTP/1.1\nHost: a\r\n\r\n", -EBADMSG, 400);
    expect(LINE "Host: a\nX: y\r\n\r\n", -EBADMSG, 400);
    expect(LINE "Host: a\r\n\n", -EBADMSG, 400);
    expect(LINE "Ho\nst: a\r\n\r\n", -EBADMSG, 400);
}

Test(scan, folded_lines_are_refused)
{
    expect(LINE "Host: a\r\n b\r\n\r\n", -EBADMSG, 400);
    expect(LINE "Host: a\r\n\tb\r\n\r\n", -EBADMSG, 400);
    expect(LINE " Host: a\r\n\r\n", -EBADMSG, 400);
}

Test(scan, header_names_are_tokens_right_before_the_colon)
{
    expect(LINE "Host : a\r\n\r\n", -EBADMSG, 400);
    expect(LINE "Host\t: a\r\n\r\n", -EBADMSG, 400);
    expect(LINE ": a\r\n\r\n", -EBADMSG, 400);
    expect(LINE "Host\r\n\r\n", -EBADMSG, 400);
    expect(LINE "H(st: a\r\n\r\n", -EBADMSG, 400);
    expect(LINE "H\xc3\xb6st: a\r\n\r\n", -EBADMSG, 400);
}

Test(scan, control_bytes_are_refused)
{
    expect_bytes(BYTES_OF(LINE "Host: a\0b\r\n\r\n"), -EBADMSG, 400);
    expect_bytes(BYTES_OF("GET /\0 HTTP/1.1\r\n\r\n"), -EBADMSG, 400);
    expect(LINE "Host: a\x01\r\n\r\n", -EBADMSG, 400);
    expect(LINE "Host: a\x7f\r\n\r\n", -EBADMSG, 400);
    expect("GET /\x7f HTTP/1.1\r\n\r\n", -EBADMSG, 400);
    expect("GET /\t HTTP/1.1\r\n\r\n", -EBADMSG, 400);
    expect("GET /\xc3\xa4 HTTP/1.1\r\n\r\n", -EBADMSG, 400);
    expect("\x16\x03\x01", -EBADMSG, 400);
}

Test(scan, the_request_line_has_two_single_spaces)
{
    expect("GET  / HTTP/1.1\r\n", -EBADMSG, 400);
    expect("GET /  HTTP/1.1\r\n", -EBADMSG, 400);
    expect("GET / HTTP/1.1 \r\n", -EBADMSG, 400);
    expect(" GET / HTTP/1.1\r\n", -EBADMSG, 400);
    expect("GET /\r\n", -EBADMSG, 400);
    expect("GET\r\n", -EBADMSG, 400);
    expect("G(T / HTTP/1.1\r\n", -EBADMSG, 400);
    expect("GET / HTP/1.1\r\n", -EBADMSG, 400);
    expect("GET / http/1.1\r\n", -EBADMSG, 400);
    expect("GET / HTTP/1.10\r\n", -EBADMSG, 400);
    expect("GET / HTTP/1\r\n", -EBADMSG, 400);
}

Test(scan, other_versions_are_told_apart_from_nonsense)
{
    expect("GET / HTTP/2.0\r\n", -EBADMSG, 505);
    expect("GET / HTTP/1.2\r\n", -EBADMSG, 505);
    expect("GET / HTTP/0.9\r\n", -EBADMSG, 505);
    expect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", -EBADMSG, 505);
}

Test(scan, a_request_line_over_the_limit_is_414_before_it_ends)
{
    char line[64] = "GET /";
    memset(line + 5, 'a', 26);
    strcpy(line + 31, " HTTP/1.1"); // 40 bytes: the limit
    char head[80];
    snprintf(head, sizeof(head), "%s\r\nHost: a\r\n\r\n", line);
    expect(head, 1, 0);
    snprintf(head, sizeof(head), "%s1", line);
    expect(head, -EBADMSG, 414);
}

Test(scan, header_bytes_over_the_limit_are_431)
{
    char head[200] = LINE "X: ";
    size_t at = strlen(head);
    memset(head + at, 'a', 73); // with the two line ends 80 bytes
    strcpy(head + at + 73, "\r\n\r\n");
    expect(head, 1, 0);
    strcpy(head + at + 73, "a\r\n\r\n");
    expect(head, -EBADMSG, 431);
}

Test(scan, header_lines_over_the_limit_are_431)
{
    expect(LINE "A:1\r\nB:2\r\nC:3\r\nD:4\r\n\r\n", 1, 0);
    expect(LINE "A:1\r\nB:2\r\nC:3\r\nD:4\r\nE", -EBADMSG, 431);
}
