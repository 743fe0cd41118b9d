// Chunked bodies: what is taken, what is refused, however the bytes arrive.
#include "chunked.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#define BODY_MAX 64

static const struct http_limits limits = {
    .request_line_max = 40, .header_bytes_max = 80, .header_count_max = 2};

struct outcome {
    int result;
    int status;
    size_t used;
    char body[BODY_MAX + 1];
};

static struct outcome feed(struct bytes in, size_t cut, size_t step)
{
    struct outcome outcome = {0};
    struct chunked chunked;
    struct buf body;
    struct http_fault fault = {0, ""};
    chunked_begin(&chunked);
    buf_init(&body, BODY_MAX);
    for (size_t at = 0; at < in.len && outcome.result == 0;) {
        size_t len = at == 0 && cut > 0 ? cut : step;
        len = len < in.len - at ? len : in.len - at;
        size_t used = 0;
        outcome.result =
            chunked_feed(&chunked, &limits, bytes_make(in.at + at, len), &body, &used, &fault);
        at += used;
        outcome.used = at;
    }
    if (body.len > 0) {
        memcpy(outcome.body, body.at, body.len);
    }
    outcome.status = outcome.result < 0 ? fault.status : 0;
    buf_finish(&body);
    return outcome;
}

static void expect(const char *text, int result, int status, const char *body)
{
    struct bytes in = bytes_str(text);
    struct outcome whole = feed(in, 0, in.len);
    cr_expect_eq(whole.result, result, "%s: %d", text, whole.result);
    cr_expect_eq(whole.status, status, "%s: %d", text, whole.status);
    if (body != NULL) {
        cr_expect_str_eq(whole.body, body);
    }
    for (size_t cut = 0; cut < in.len; cut++) {
        struct outcome split = feed(in, cut, cut > 0 ? in.len : 1);
        cr_expect_eq(split.result, whole.result);
        cr_expect_eq(split.status, whole.status);
        cr_expect_eq(split.used, whole.used);
        cr_expect_str_eq(split.body, whole.body);
    }
}

#define END "0\r\n\r\n"

Test(chunked, chunks_are_joined)
{
    expect(END, 1, 0, "");
    expect("5\r\nhello\r\n" END, 1, 0, "hello");
    expect("5\r\nhello\r\n1\r\n,\r\n00a\r\n world 123\r\n" END, 1, 0, "hello, world 123");
    expect("A\r\n0123456789\r\n" END, 1, 0, "0123456789");
    expect("2\r\n\r\n\r\n" END, 1, 0, "\r\n");
}

Test(chunked, bytes_behind_the_body_stay)
{
    struct outcome outcome = feed(BYTES_OF("1\r\na\r\n" END "GET"), 0, 100);
    cr_assert_eq(outcome.result, 1);
    cr_assert_eq(outcome.used, sizeof("1\r\na\r\n" END) - 1);
}

Test(chunked, an_incomplete_body_asks_for_more)
{
    expect("5\r\nhello", 0, 0, "hello");
    expect("5\r\nhello\r\n0\r\n", 0, 0, "hello");
    expect("5\r\nhello\r\n0\r\n\r", 0, 0, "hello");
}

Test(chunked, extensions_are_dropped)
{
    expect("5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", 1, 0, "hello");
}

Test(chunked, trailers_are_checked_and_dropped)
{
    expect("1\r\na\r\n0\r\nX: y\r\nZ: z\r\n\r\n", 1, 0, "a");
    expect("1\r\na\r\n0\r\nX:\ry: z\r\n\r\n", -EBADMSG, 400, "a");
    expect("1\r\na\r\n0\r\nX: y\n\r\n", -EBADMSG, 400, "a");
    expect("1\r\na\r\n0\r\n X: y\r\n\r\n", -EBADMSG, 400, "a");
    expect("1\r\na\r\n0\r\nA:1\r\nB:2\r\nC:3\r\n\r\n", -EBADMSG, 431, "a");
}

Test(chunked, lines_end_with_cr_lf_and_nothing_else)
{
    expect("5\nhello\r\n" END, -EBADMSG, 400, "");
    expect("5\rXhello\r\n" END, -EBADMSG, 400, "");
    expect("5;a\nhello\r\n" END, -EBADMSG, 400, "");
    expect("5;a\rXhello\r\n" END, -EBADMSG, 400, "");
    expect("5;a=\"b\nc\"\r\nhello\r\n" END, -EBADMSG, 400, "");
    expect("5\r\nhello\n" END, -EBADMSG, 400, "hello");
    expect("5\r\nhelloXX" END, -EBADMSG, 400, "hello");
    expect("5\r\nhello\rX" END, -EBADMSG, 400, "hello");
    expect("5\r\nhello\r\n0\n\n", -EBADMSG, 400, "hello");
    expect("5\r\nhello\r\n0\r\n\n", -EBADMSG, 400, "hello");
    expect("5\r\nhello\r\n0\r\n\rX", -EBADMSG, 400, "hello");
}

Test(chunked, sizes_are_hex_digits_alone)
{
    expect("\r\n", -EBADMSG, 400, "");
    expect(";a\r\n", -EBADMSG, 400, "");
    expect("-5\r\n", -EBADMSG, 400, "");
    expect("+5\r\n", -EBADMSG, 400, "");
    expect("0x5\r\n", -EBADMSG, 400, "");
    expect("5 \r\n", -EBADMSG, 400, "");
    expect(" 5\r\n", -EBADMSG, 400, "");
    expect("5_0\r\n", -EBADMSG, 400, "");
}

Test(chunked, sizes_past_the_limit_are_413_before_any_data)
{
    expect("41\r\n", -EBADMSG, 413, "");
    expect("FFFFFFFF\r\n", -EBADMSG, 413, "");
    expect("FFFFFFFFFFFFFFFF\r\n", -EBADMSG, 413, "");
    expect("10000000000000005\r\n", -EBADMSG, 413, "");
    expect("000000005\r\n", -EBADMSG, 413, "");
}

Test(chunked, the_limit_holds_over_all_chunks)
{
    expect(
        "20\r\n0123456789abcdef0123456789abcdef\r\n20\r\n0123456789abcdef0123456789abcdef\r\n" END,
        1, 0, NULL);
    expect("20\r\n0123456789abcdef0123456789abcdef\r\n21\r\n", -EBADMSG, 413, NULL);
}

Test(chunked, extensions_are_bounded_over_the_whole_body)
{
    struct chunked chunked;
    struct buf body;
    struct http_fault fault;
    char ext[3000];
    size_t used;
    memset(ext, 'x', sizeof(ext));
    chunked_begin(&chunked);
    buf_init(&body, BODY_MAX);
    cr_assert_eq(chunked_feed(&chunked, &limits, BYTES_OF("1;"), &body, &used, &fault), 0);
    cr_assert_eq(chunked_feed(&chunked, &limits, bytes_make(ext, 3000), &body, &used, &fault), 0);
    cr_assert_eq(chunked_feed(&chunked, &limits, BYTES_OF("\r\na\r\n1;"), &body, &used, &fault), 0);
    cr_assert_eq(chunked_feed(&chunked, &limits, bytes_make(ext, 3000), &body, &used, &fault),
                 -EBADMSG);
    cr_assert_eq(fault.status, 400);
    buf_finish(&body);
}
