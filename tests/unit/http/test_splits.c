// The same bytes give the same responses and the same end, however they are cut: whole, in two
// pieces at every place, and one by one; and nothing that is sent makes the server fail.
#include "rig.h"

#include <stdlib.h>

static struct rig rig;

#define HOST "Host: a\r\n"
#define GET "GET /echo HTTP/1.1\r\n" HOST
#define POST "POST /echo HTTP/1.1\r\n" HOST

struct outcome {
    struct buf out; // without the dates
    bool is_closed;
};

static void put_without_dates(struct buf *to, struct bytes out)
{
    while (out.len > 0) {
        if (bytes_starts_with(out, BYTES_OF("Date: "))) {
            out = bytes_skip(out, (size_t)bytes_find(out, '\n') + 1);
            continue;
        }
        cr_assert_eq(buf_append(to, bytes_make(out.at, 1)), 0);
        out = bytes_skip(out, 1);
    }
}

static struct outcome run(struct bytes input, size_t cut, size_t step)
{
    struct outcome outcome = {.is_closed = false};
    buf_init(&outcome.out, 1u << 20);
    for (size_t at = 0; at < input.len;) {
        size_t len = at == 0 && cut > 0 ? cut : step;
        len = len < input.len - at ? len : input.len - at;
        rig_send(&rig, bytes_make(input.at + at, len));
        at += len;
    }
    put_without_dates(&outcome.out, buf_bytes(&rig.out));
    outcome.is_closed = rig.is_closed;
    rig_hang_up(&rig);
    rig_connect(&rig);
    return outcome;
}

static void expect_same(const char *text, int status, int responses)
{
    struct bytes input = bytes_str(text);
    struct outcome whole = run(input, 0, input.len);
    char first[32];
    int found = 0;
    snprintf(first, sizeof(first), "HTTP/1.1 %d ", status);
    cr_expect(status == 0 || bytes_starts_with(buf_bytes(&whole.out), bytes_str(first)), "%s\n%.*s",
              text, (int)whole.out.len, whole.out.at);
    for (size_t i = 0; i + 9 < whole.out.len; i++) {
        char c = whole.out.at[i + 9];
        found += memcmp(whole.out.at + i, "HTTP/1.1 ", 9) == 0 && c >= '0' && c <= '9';
    }
    cr_expect_eq(found, responses, "%s\n%.*s", text, (int)whole.out.len, whole.out.at);
    for (size_t cut = 0; cut < input.len; cut++) {
        struct outcome split = run(input, cut, cut > 0 ? input.len : 1);
        cr_expect(bytes_equal(buf_bytes(&split.out), buf_bytes(&whole.out)), "%s at %zu\n%.*s",
                  text, cut, (int)split.out.len, split.out.at);
        cr_expect_eq(split.is_closed, whole.is_closed, "%s at %zu", text, cut);
        buf_finish(&split.out);
    }
    buf_finish(&whole.out);
}

static void begin(void)
{
    rig_begin(&rig);
    rig.server.limits.request_line_max = 60;
    rig.server.limits.header_bytes_max = 120;
    rig.server.limits.header_count_max = 4;
    rig.server.limits.body_max = 16;
}

static void end(void)
{
    rig_end(&rig);
}

TestSuite(splits, .init = begin, .fini = end, .timeout = 60);

Test(splits, good_requests)
{
    expect_same(GET "\r\n", 200, 1);
    expect_same("\r\n" GET "\r\n", 200, 1);
    expect_same(GET "\r\n" GET "\r\n", 200, 2);
    expect_same(GET "\r\n\r\n" GET "\r\n", 200, 2);
    expect_same(POST "Content-Length: 3\r\n\r\nabc" GET "\r\n", 200, 2);
    expect_same(POST "Content-Length: 0\r\n\r\n" GET "\r\n", 200, 2);
    expect_same(POST "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n" GET "\r\n",
                200, 2);
    expect_same(POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\na" GET "\r\n", 100, 3);
    expect_same("HEAD /echo HTTP/1.1\r\n" HOST "\r\n" GET "\r\n", 200, 2);
    expect_same("GET /echo HTTP/1.0\r\n\r\n", 200, 1);
    expect_same(GET "Connection: close\r\n\r\n" GET "\r\n", 200, 1);
    expect_same("GET /echo", 0, 0);
}

Test(splits, refusals_of_the_target)
{
    expect_same("GET /x HTTP/1.1\r\n" HOST "\r\n" GET "\r\n", 404, 2);
    expect_same("PUT /echo HTTP/1.1\r\n" HOST "\r\n" GET "\r\n", 405, 2);
    expect_same("PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab" GET "\r\n", 405, 1);
    expect_same("POST /guard HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab" GET "\r\n", 401, 1);
    expect_same(POST "Content-Length: 17\r\n\r\nab", 413, 1);
    expect_same(POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na", 417, 1);
}

Test(splits, refusals_of_the_head)
{
    expect_same("GET / HTTP/1.1\r\n\r\n" GET "\r\n", 400, 1);
    expect_same(GET "\r\nGET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" GET "\r\n", 200, 2);
    expect_same(GET "X: a\rY: b\r\n\r\n", 400, 1);
    expect_same(GET "X: a\nY: b\r\n\r\n", 400, 1);
    expect_same(GET "X: a\r\n b\r\n\r\n", 400, 1);
    expect_same(GET ": a\r\n\r\n", 400, 1);
    expect_same(GET "X : a\r\n\r\n", 400, 1);
    expect_same(GET "\r\rX\r\n", 400, 1);
    expect_same("GET /echo HTTP/3.0\r\n\r\n", 505, 1);
    expect_same("BREW /echo HTTP/1.1\r\n" HOST "\r\n", 501, 1);
    expect_same("GET /0123456789012345678901234567890123456789012345678901234567890123456789", 414,
                1);
    expect_same(GET "A:1\r\nB:2\r\nC:3\r\nD:4\r\n\r\n", 431, 1);
    expect_same(GET "A: 01234567890123456789012345678901234567890123456789012345678901234567890"
                    "123456789012345678901234567890123456789012345678901234567890\r\n\r\n",
                431, 1);
}

Test(splits, refusals_of_the_framing)
{
    expect_same(POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400, 1);
    expect_same(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 1);
    expect_same(POST "Transfer-Encoding: gzip\r\n\r\n", 501, 1);
    expect_same(POST "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400, 1);
    expect_same(POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n", 400, 1);
    expect_same(POST "Transfer-Encoding: chunked\r\n\r\n11\r\n", 413, 1);
    expect_same(POST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX:\ry: z\r\n\r\n", 400, 1);
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

Test(splits, mutated_streams_never_fail_the_server)
{
    static const char base[] =
        POST "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n" //
        GET "Connection: keep-alive\r\n\r\n" POST "Content-Length: 3\r\n\r\nabc" GET "\r\n";
    static const char spice[] = "\r\n\t :,;\0\x7f\xff"
                                "09azAZ/?#*";
    uint32_t seed = 11;
    for (int round = 0; round < 1500; round++) {
        char input[sizeof(base)];
        memcpy(input, base, sizeof(base));
        for (uint32_t i = next(&seed) % 4; i > 0; i--) {
            input[next(&seed) % (sizeof(base) - 1)] = spice[next(&seed) % (sizeof(spice) - 1)];
        }
        struct bytes bytes = bytes_make(input, sizeof(base) - 1);
        struct outcome whole = run(bytes, 0, bytes.len);
        struct outcome split = run(bytes, 1 + next(&seed) % (bytes.len - 1), bytes.len);
        cr_assert(bytes_equal(buf_bytes(&split.out), buf_bytes(&whole.out)), "round %d", round);
        cr_assert_eq(split.is_closed, whole.is_closed, "round %d", round);
        buf_finish(&split.out);
        buf_finish(&whole.out);
    }
}
