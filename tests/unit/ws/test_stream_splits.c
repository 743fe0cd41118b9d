// However bytes are cut on their way, the same events come of them. Owner: the test.
#include "support.h"

TestSuite(stream_splits, .fini = leaks_check);

static char expected[TRACE_MAX];
static size_t expected_len;

static void remember(void)
{
    memcpy(expected, trace.at, trace.len);
    expected_len = trace.len;
}

static void expect_same(const char *how, size_t at)
{
    cr_assert(bytes_equal(buf_bytes(&trace), bytes_make(expected, expected_len)),
              "%s %zu: \"%.*s\" instead of \"%.*s\"", how, at, (int)trace.len, trace.at,
              (int)expected_len, expected);
}

// Whole, in pieces of each of some sizes, and cut once at each point.
static void check_splits(const struct bytes in, uint32_t message_max)
{
    static const size_t sizes[] = {1, 2, 3, 5, 13, 4095, 4096, 4097};
    struct feed feed;
    feed_begin(&feed, message_max);
    feed_pieces(&feed, in, in.len);
    remember();
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        ws_stream_finish(&feed.stream);
        feed_restart(&feed, message_max);
        feed_pieces(&feed, in, sizes[i]);
        expect_same("in pieces of", sizes[i]);
    }
    size_t step = in.len > 3000 ? in.len / 500 : 1;
    for (size_t cut = 0; cut <= in.len; cut += cut < 300 || cut + 300 > in.len ? 1 : step) {
        ws_stream_finish(&feed.stream);
        feed_restart(&feed, message_max);
        feed_pieces(&feed, bytes_make(in.at, cut), in.len);
        feed_pieces(&feed, bytes_skip(in, cut), in.len);
        expect_same("cut at", cut);
    }
    feed_end(&feed);
}

static void check_frames(const struct buf *in, const char *must_be)
{
    struct feed feed;
    if (must_be != NULL) {
        feed_begin(&feed, 100000);
        feed_pieces(&feed, buf_bytes(in), in->len);
        expect_trace(must_be);
        feed_end(&feed);
    }
    check_splits(buf_bytes(in), 100000);
}

static void put_str(struct buf *in, unsigned char first, const char *payload)
{
    put_frame_as(in, first, bytes_str(payload), -1, true);
}

Test(stream_splits, a_conversation_is_the_same_however_it_is_cut)
{
    struct buf in;
    buf_init(&in, 100000);
    put_str(&in, 0x81, "caf\xc3\xa9");
    put_str(&in, 0x01, "\xf0\x9f");
    put_str(&in, 0x89, "are you there");
    put_str(&in, 0x80, "\x98\x80 ok");
    put_str(&in, 0x82, "");
    put_str(&in, 0x8a, "");
    put_str(&in, 0x02, "");
    put_str(&in, 0x00, "");
    put_str(&in, 0x80, "\xff");
    put_str(&in, 0x88, "\x03\xe9gone");
    check_frames(&in, "text:caf\xc3\xa9 ping:are you there text:\xf0\x9f\x98\x80 ok binary: pong: "
                      "binary:\xff close:1001:gone ");
    buf_finish(&in);
}

Test(stream_splits, lengths_at_every_border_are_the_same_however_they_are_cut)
{
    static const size_t lengths[] = {0, 1, 125, 126, 127, 128, 4090, 4096, 65535, 65536};
    static char payload[65536];
    for (size_t i = 0; i < sizeof(payload); i++) {
        payload[i] = (char)('a' + i % 23);
    }
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct buf in;
        buf_init(&in, 200000);
        put_frame_as(&in, 0x81, bytes_make(payload, lengths[i]), -1, true);
        put_frame_as(&in, 0x82, BYTES_OF("behind"), -1, true);
        check_frames(&in, NULL);
        cr_assert_not_null(memmem(expected, expected_len, "binary:behind ", 14),
                           "the frame behind %zu bytes is lost", lengths[i]);
        char head[32];
        snprintf(head, sizeof(head), "text:%zu/", lengths[i]);
        cr_assert(lengths[i] <= 60 ||
                  bytes_starts_with(bytes_make(expected, expected_len), bytes_str(head)));
        buf_finish(&in);
    }
}

Test(stream_splits, errors_are_the_same_however_they_are_cut)
{
    struct buf in;
    buf_init(&in, 100000);
    put_str(&in, 0x81, "fine");
    put_str(&in, 0x01, "\xe2\x82");
    put_str(&in, 0x80, "x");
    check_frames(&in, "text:fine error:1007 ");
    buf_clear(&in);
    put_str(&in, 0x02, "fine");
    put_str(&in, 0x89, "x");
    put_str(&in, 0xc0, "x");
    check_frames(&in, "ping:x error:1002 ");
    buf_clear(&in);
    put_str(&in, 0x82, "fine");
    put_str(&in, 0x88, "\x03\xe8\xff\xff");
    put_str(&in, 0x82, "late");
    check_frames(&in, "binary:fine error:1007 ");
    buf_finish(&in);
}

Test(stream_splits, a_message_past_the_limit_is_the_same_however_it_is_cut)
{
    struct buf in;
    buf_init(&in, 100000);
    put_str(&in, 0x81, "0123456789");
    put_str(&in, 0x01, "01234");
    put_str(&in, 0x00, "56789");
    put_str(&in, 0x00, "x");
    check_splits(buf_bytes(&in), 10);
    cr_assert(
        bytes_equal(bytes_make(expected, expected_len), BYTES_OF("text:0123456789 error:1009 ")));
    buf_finish(&in);
}
