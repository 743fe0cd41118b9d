// Sizes and what is lent: the limit of a message, contexts between messages, floods.
// Owner: the test.
#include "support.h"

#include <malloc.h>

TestSuite(stream_limits, .fini = leaks_check);

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

// Bytes on the heap now, whoever manages it.
static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return __sanitizer_get_current_allocated_bytes != NULL
               ? __sanitizer_get_current_allocated_bytes()
               : info.uordblks + info.hblkhd;
}

Test(stream_limits, a_message_of_just_the_limit_is_taken_and_one_byte_more_refused)
{
    static char payload[1001];
    struct feed feed;
    memset(payload, 'x', sizeof(payload));
    feed_begin(&feed, 1000);
    put(&feed, 0x82, bytes_make(payload, 1000));
    feed_all(&feed);
    cr_assert_eq(events_count, 1);
    put(&feed, 0x82, bytes_make(payload, 1001));
    feed_all(&feed);
    cr_assert_eq(events_count, 2);
    cr_assert(feed.stream.stopped);
    ws_stream_finish(&feed.stream);
    feed_restart(&feed, 1000);
    put(&feed, 0x82, bytes_make(payload, 1001));
    feed_all(&feed);
    expect_trace("error:1009 ");
    feed_end(&feed);
}

Test(stream_limits, the_limit_holds_over_all_fragments)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x02, "0123456789");
    for (int i = 1; i < 100; i++) {
        put_text(&feed, 0x00, "0123456789");
        put_text(&feed, 0x89, "");
    }
    put_text(&feed, 0x80, "");
    feed_all(&feed);
    cr_assert_eq(events_count, 100);
    cr_assert(!feed.stream.stopped);
    feed_restart(&feed, 999);
    put_text(&feed, 0x02, "0123456789");
    for (int i = 1; i < 100; i++) {
        put_text(&feed, 0x00, "0123456789");
    }
    feed_all(&feed);
    expect_trace("error:1009 ");
    feed_end(&feed);
}

Test(stream_limits, a_declared_length_past_the_limit_is_refused_with_its_first_byte)
{
    static const struct bytes heads[] = {
        BYTES_OF("\x82\xff\x00\x00\x00\x00\x7f\xff\xff\xffmaskx"),
        BYTES_OF("\x82\xff\x00\x00\x00\x00\x00\x10\x00\x00maskx"),
    };
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct feed feed;
        feed_begin(&feed, 65536);
        feed_pieces(&feed, heads[i], 100);
        expect_trace("error:1009 ");
        feed_end(&feed);
    }
}

Test(stream_limits, a_length_past_what_32_bits_count_is_refused_too)
{
    struct feed feed;
    feed_begin(&feed, 65536);
    feed_pieces(&feed, BYTES_OF("\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00maskx"), 100);
    expect_trace("error:1009 ");
    feed_end(&feed);
}

Test(stream_limits, memory_grows_with_what_arrives_and_not_with_what_is_declared)
{
    static const struct bytes head = BYTES_OF("\x82\xff\x00\x00\x00\x00\x03\x00\x00\x00mask");
    struct feed feed;
    feed_begin(&feed, 64u << 20);
    size_t before = heap_bytes();
    feed_pieces(&feed, head, head.len);
    feed_pieces(&feed, BYTES_OF("first bytes"), 11);
    cr_assert_not_null(feed.stream.lease, "a frame is incomplete");
    cr_assert_lt(heap_bytes() - before, 1u << 20, "48 MiB were declared, few bytes came");
    feed_end(&feed);
}

Test(stream_limits, between_messages_a_stream_holds_no_context)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    cr_assert_null(feed.stream.lease);
    for (unsigned round = 0; round < 3; round++) {
        put_text(&feed, 0x81, "hello");
        put_text(&feed, 0x89, "x");
        size_t len = feed.in.len;
        for (size_t i = 0; i < len; i++) {
            stream_feed(&feed.stream, bytes_make(feed.in.at + i, 1));
            bool is_between = i + 1 == 2 + 4 + 5 || i + 1 == len;
            cr_assert_eq(feed.stream.lease == NULL, is_between, "after byte %zu", i + 1);
            cr_assert_eq(feed.pool.idle_count, is_between ? 1 : 0);
        }
        buf_clear(&feed.in);
    }
    feed_end(&feed);
}

Test(stream_limits, one_call_hands_out_no_more_than_a_turn_is_given)
{
    static char text[50001];
    struct feed feed;
    memset(text, 'x', sizeof(text) - 1);
    feed_begin(&feed, 60000);
    for (int i = 0; i < 8; i++) {
        put_text(&feed, 0x81, text);
    }
    size_t frame = 8 + sizeof(text) - 1;
    size_t taken = ws_on_bytes(&feed.stream, buf_bytes(&feed.in));
    cr_assert_eq(taken, 6 * frame); // the sixth message passes 256 KiB
    cr_assert_eq(events_count, 6);
    cr_assert_eq(ws_on_bytes(&feed.stream, bytes_skip(buf_bytes(&feed.in), taken)), 2 * frame);
    cr_assert_eq(events_count, 8);
    feed_end(&feed);
}

Test(stream_limits, within_a_fragmented_message_the_context_is_kept)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x01, "a");
    feed_all(&feed);
    cr_assert_not_null(feed.stream.lease);
    put_text(&feed, 0x89, "ping");
    feed_all(&feed);
    cr_assert_not_null(feed.stream.lease);
    put_text(&feed, 0x80, "b");
    feed_all(&feed);
    cr_assert_null(feed.stream.lease);
    cr_assert_eq(feed.pool.idle_count, 1);
    expect_trace("ping:ping text:ab ");
    feed_end(&feed);
}

Test(stream_limits, a_context_used_again_is_clean)
{
    struct feed feed;
    struct ws_stream other;
    feed_begin(&feed, 1000);
    ws_stream_init(&other, &feed.pool, 1000, &no_deflate);
    put_text(&feed, 0x01, "half \xe2");
    put_text(&feed, 0x80, "\x82\xac");
    feed_all(&feed);
    put_text(&feed, 0x82, "\xff\xfe");
    feed_all(&feed);
    cr_assert_eq(feed.pool.idle_count, 1);
    put_text(&feed, 0x81, "mine");
    stream_feed(&other, buf_bytes(&feed.in));
    cr_assert_eq(feed.pool.idle_count, 1, "one context served both");
    // A continuation belongs to nothing here.
    buf_clear(&feed.in);
    put_text(&feed, 0x80, "more");
    stream_feed(&other, buf_bytes(&feed.in));
    expect_trace("text:half \xe2\x82\xac binary:\xff\xfe text:mine error:1002 ");
    ws_stream_finish(&other);
    feed_end(&feed);
}

Test(stream_limits, a_context_that_saw_an_error_or_a_close_is_not_lent_again)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x83, "bad");
    feed_all(&feed);
    cr_assert_null(feed.stream.lease);
    cr_assert_eq(feed.pool.idle_count, 0);
    feed_restart(&feed, 1000);
    put_text(&feed, 0x88, "");
    feed_all(&feed);
    cr_assert_null(feed.stream.lease);
    cr_assert_eq(feed.pool.idle_count, 0);
    feed_restart(&feed, 1000);
    put_text(&feed, 0x81, "good");
    feed_all(&feed);
    expect_trace("text:good ");
    feed_end(&feed);
}

Test(stream_limits, the_pool_keeps_only_so_many_contexts)
{
    enum { STREAMS = 40 };
    static struct ws_stream streams[STREAMS];
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x81, "hello");
    for (int i = 0; i < STREAMS; i++) {
        ws_stream_init(&streams[i], &feed.pool, 1000, &no_deflate);
        stream_feed(&streams[i], bytes_make(feed.in.at, 3));
        cr_assert_not_null(streams[i].lease);
    }
    for (int i = 0; i < STREAMS; i++) {
        stream_feed(&streams[i], bytes_skip(buf_bytes(&feed.in), 3));
        cr_assert_null(streams[i].lease);
    }
    cr_assert_eq(events_count, STREAMS);
    cr_assert_leq(feed.pool.idle_count, 16);
    cr_assert_gt(feed.pool.idle_count, 0);
    feed_end(&feed);
}

Test(stream_limits, a_stream_that_ends_within_a_message_leaves_nothing)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x01, "a beginning");
    put_text(&feed, 0x00, "and more");
    feed_pieces(&feed, bytes_make(feed.in.at, feed.in.len - 3), 7);
    ws_stream_finish(&feed.stream);
    cr_assert_null(feed.stream.lease);
    feed_end(&feed); // leaks are looked for
}

Test(stream_limits, thousands_of_tiny_fragments_make_one_message)
{
    struct feed feed;
    feed_begin(&feed, 100000);
    put_text(&feed, 0x01, "a");
    for (int i = 0; i < 20000; i++) {
        put_text(&feed, 0x00, i % 3 == 0 ? "" : "b");
    }
    put_text(&feed, 0x80, "c");
    feed_pieces(&feed, buf_bytes(&feed.in), 65536);
    cr_assert_eq(events_count, 1);
    cr_assert(bytes_starts_with(buf_bytes(&trace), BYTES_OF("text:13335/")));
    cr_assert_null(feed.stream.lease);
    feed_end(&feed);
}

Test(stream_limits, a_message_of_too_many_fragments_is_refused)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    feed.pool.limits.fragments_max = 5;
    for (int message = 0; message < 2; message++) {
        put_text(&feed, 0x01, "a");
        for (int i = 0; i < 3; i++) {
            put_text(&feed, 0x00, "b");
            put_text(&feed, 0x8a, ""); // control frames are no fragments
        }
        put_text(&feed, 0x80, "c");
    }
    feed_all(&feed);
    cr_assert(!feed.stream.stopped);
    feed_restart(&feed, 1000);
    put_text(&feed, 0x01, "");
    for (int i = 0; i < 5; i++) {
        put_text(&feed, 0x00, "");
    }
    feed_all(&feed);
    expect_trace("error:1008 ");
    feed_end(&feed);
}

Test(stream_limits, a_flood_of_pings_is_told_and_keeps_nothing)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    for (int i = 0; i < 10000; i++) {
        put_text(&feed, 0x89, "\x88\x02"); // looks like a close frame's head
    }
    feed_pieces(&feed, buf_bytes(&feed.in), 65536);
    cr_assert_eq(events_count, 10000);
    cr_assert(!feed.stream.stopped);
    cr_assert_null(feed.stream.lease);
    buf_clear(&feed.in);
    buf_clear(&trace);
    put_text(&feed, 0x89, "\x88\x02");
    put_text(&feed, 0x81, "\xff");
    feed_all(&feed);
    expect_trace("ping:\x88\x02 error:1007 ");
    feed_end(&feed);
}
