// What the receive side takes and what it refuses (RFC 6455 §5, §7.4, §8.1). Owner: the test.
#include "support.h"

TestSuite(stream, .fini = leaks_check);

Test(stream, messages_come_whole_with_their_kind)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x81, "hello");
    put_text(&feed, 0x82, "bytes");
    put_text(&feed, 0x81, "");
    put_text(&feed, 0x89, "p");
    put_text(&feed, 0x8a, "q");
    feed_all(&feed);
    expect_trace("text:hello binary:bytes text: ping:p pong:q ");
    feed_end(&feed);
}

Test(stream, fragments_make_one_message_with_control_frames_between_told_at_once)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x01, "He");
    put_text(&feed, 0x89, "1");
    put_text(&feed, 0x00, "");
    put_text(&feed, 0x8a, "2");
    put_text(&feed, 0x00, "ll");
    put_text(&feed, 0x80, "o");
    put_text(&feed, 0x02, "");
    put_text(&feed, 0x80, "");
    put_text(&feed, 0x02, "");
    put_text(&feed, 0x80, "end");
    feed_all(&feed);
    expect_trace("ping:1 pong:2 text:Hello binary: binary:end ");
    feed_end(&feed);
}

Test(stream, a_control_frame_is_told_before_its_message_is_complete)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x01, "He");
    put_text(&feed, 0x89, "now");
    feed_all(&feed);
    expect_trace("ping:now ");
    feed_end(&feed);
}

static void expect_frame_error(unsigned char first, const char *payload, const char *expected)
{
    struct buf in;
    buf_init(&in, 1000);
    put_frame_as(&in, first, bytes_str(payload), -1, true);
    expect_input(buf_bytes(&in), expected);
    buf_finish(&in);
}

Test(stream, reserved_bits_are_refused)
{
    for (unsigned bits = 0x10; bits <= 0x70; bits += 0x10) {
        expect_frame_error((unsigned char)(0x81 | bits), "x", "error:1002 ");
        expect_frame_error((unsigned char)(0x89 | bits), "x", "error:1002 ");
    }
}

Test(stream, reserved_opcodes_are_refused)
{
    static const unsigned char opcodes[] = {3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf};
    for (size_t i = 0; i < ARRAY_LEN(opcodes); i++) {
        expect_frame_error(0x80 | opcodes[i], "x", "error:1002 ");
    }
}

Test(stream, an_unmasked_frame_is_refused)
{
    expect_input(BYTES_OF("\x81\x05Hello"), "error:1002 ");
    expect_input(BYTES_OF("\x89\x00"), "error:1002 ");
    expect_input(BYTES_OF("\x88\x02\x03\xe8"), "error:1002 ");
}

Test(stream, a_continuation_of_nothing_is_refused)
{
    expect_frame_error(0x80, "x", "error:1002 ");
    expect_frame_error(0x00, "x", "error:1002 ");
}

Test(stream, a_message_within_a_message_is_refused)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x01, "a");
    put_text(&feed, 0x81, "b");
    feed_all(&feed);
    expect_trace("error:1002 ");
    feed_end(&feed);
}

Test(stream, control_frames_are_neither_fragmented_nor_long)
{
    char payload[127];
    memset(payload, 'x', sizeof(payload));
    payload[126] = 0;
    expect_frame_error(0x09, "x", "error:1002 ");
    expect_frame_error(0x08, "\x03\xe8", "error:1002 ");
    expect_frame_error(0x89, payload, "error:1002 ");
    payload[125] = 0;
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x89, payload);
    feed_all(&feed);
    cr_assert_eq(events_count, 1);
    cr_assert_eq(trace.at[0], 'p');
    feed_end(&feed);
}

// A context counts as clean by the bytes of its frames, which supposes this.
Test(stream, lengths_that_are_not_minimal_are_refused)
{
    static const unsigned char firsts[] = {0x81, 0x82, 0x01, 0x89, 0x8a, 0x88};
    static char payload[65536];
    static const struct {
        size_t len;
        int len_bytes;
    } lengths[] = {{0, 2}, {1, 2}, {125, 2}, {0, 8}, {125, 8}, {126, 8}, {65535, 8}};
    memset(payload, 'x', sizeof(payload));
    for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
        for (size_t j = 0; j < ARRAY_LEN(lengths); j++) {
            struct buf in;
            buf_init(&in, 100000);
            put_frame_as(&in, firsts[i], bytes_make(payload, lengths[j].len), lengths[j].len_bytes,
                         true);
            expect_input(buf_bytes(&in), "error:1002 ");
            buf_finish(&in);
        }
    }
}

Test(stream, a_length_with_the_top_bit_is_refused)
{
    expect_input(BYTES_OF("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01"
                          "maskdata"),
                 "error:1002 ");
    expect_input(BYTES_OF("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                          "maskdata"),
                 "error:1002 ");
}

// --- text ---

static const char *const bad_texts[] = {
    "\x80",             // a continuation alone
    "\xc0\xaf",         // overlong
    "\xe0\x80\xaf",     // overlong
    "\xed\xa0\x80",     // a surrogate
    "\xf4\x90\x80\x80", // past U+10FFFF
    "ok\xff",           // no UTF-8 at all
    "\xce\xba\xe1\xbd\xb9\xed\xa0\x80",
};

Test(stream, text_that_is_not_utf8_is_refused_whole_and_over_fragments)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_texts); i++) {
        struct bytes text = bytes_str(bad_texts[i]);
        for (size_t cut = 0; cut <= text.len; cut++) {
            struct feed feed;
            feed_begin(&feed, 1000);
            put(&feed, 0x01, bytes_make(text.at, cut));
            put(&feed, 0x80, bytes_skip(text, cut));
            feed_all(&feed);
            expect_trace("error:1007 ");
            feed_end(&feed);
        }
        expect_frame_error(0x81, bad_texts[i], "error:1007 ");
        char as_binary[32];
        snprintf(as_binary, sizeof(as_binary), "binary:%s ", bad_texts[i]);
        expect_frame_error(0x82, bad_texts[i], as_binary);
    }
}

Test(stream, text_that_ends_within_a_character_is_refused)
{
    expect_frame_error(0x81, "a\xe2\x82", "error:1007 ");
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x01, "a\xe2");
    put_text(&feed, 0x80, "\x82");
    feed_all(&feed);
    expect_trace("error:1007 ");
    feed_end(&feed);
}

Test(stream, characters_may_be_split_over_fragments_around_control_frames)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x01, "\xe2");
    put_text(&feed, 0x89, "\xff"); // a ping carries any bytes
    put_text(&feed, 0x00, "\x82");
    put_text(&feed, 0x80, "\xac!");
    feed_all(&feed);
    expect_trace("ping:\xff text:\xe2\x82\xac! ");
    feed_end(&feed);
}

Test(stream, invalid_text_is_refused_before_its_message_has_ended)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x01, "good");
    put_text(&feed, 0x00, "\xc0\xaf");
    feed_all(&feed);
    expect_trace("error:1007 ");
    // Within one frame, too: the rest of it never comes.
    feed_restart(&feed, 1000);
    put_text(&feed, 0x81, "\xf8more that is not given");
    feed_pieces(&feed, bytes_make(feed.in.at, 8), 8);
    expect_trace("error:1007 ");
    feed_end(&feed);
}

// --- close ---

static void expect_close(struct bytes payload, const char *expected)
{
    struct buf in;
    buf_init(&in, 1000);
    put_frame_as(&in, 0x88, payload, -1, true);
    expect_input(buf_bytes(&in), expected);
    // Also when its payload arrives byte by byte.
    struct feed feed;
    feed_begin(&feed, 1000);
    feed_pieces(&feed, buf_bytes(&in), 1);
    expect_trace(expected);
    feed_end(&feed);
    buf_finish(&in);
}

static void expect_code(unsigned code, bool is_valid)
{
    char payload[4] = {(char)(code >> 8), (char)code, 'o', 'k'};
    char expected[32];
    snprintf(expected, sizeof(expected), is_valid ? "close:%u:ok " : "error:1002 ", code);
    expect_close(bytes_make(payload, 4), expected);
}

Test(stream, a_close_frame_tells_code_and_reason)
{
    expect_close(BYTES_EMPTY, "close:1005: ");
    expect_close(BYTES_OF("\x03\xe8"), "close:1000: ");
    expect_close(BYTES_OF("\x03\xe8"
                          "bye \xe2\x82\xac"),
                 "close:1000:bye \xe2\x82\xac ");
}

Test(stream, close_codes_that_may_be_sent_are_taken)
{
    static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009,
                                    1010, 1011, 3000, 3999, 4000, 4999};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        expect_code(good[i], true);
    }
}

Test(stream, close_codes_that_may_not_be_sent_are_refused)
{
    static const unsigned bad[] = {0,    1,    999,  1004, 1005, 1006, 1015,
                                   1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect_code(bad[i], false);
    }
}

Test(stream, half_a_close_code_is_refused)
{
    expect_close(BYTES_OF("\x03"), "error:1002 ");
}

Test(stream, a_close_reason_that_is_not_utf8_is_refused_wherever_it_is_split)
{
    static const char payload[] = "\x03\xe8ok\xed\xa0\x80";
    struct buf in;
    buf_init(&in, 1000);
    put_frame_as(&in, 0x88, bytes_make(payload, sizeof(payload) - 1), -1, true);
    for (size_t cut = 0; cut <= in.len; cut++) {
        struct feed feed;
        feed_begin(&feed, 1000);
        feed_pieces(&feed, bytes_make(in.at, cut), cut);
        feed_pieces(&feed, bytes_skip(buf_bytes(&in), cut), in.len);
        expect_trace("error:1007 ");
        feed_end(&feed);
    }
    // The reason in a piece of its own, right behind the code.
    expect_close(BYTES_OF("\x03\xe8\xff"), "error:1007 ");
    expect_close(BYTES_OF("\x03\xe8\xe2\x82"), "error:1007 ");
    buf_finish(&in);
}

Test(stream, nothing_is_told_after_a_close_frame)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x88, "\x03\xe8");
    put_text(&feed, 0x81, "late");
    put_text(&feed, 0xff, "broken");
    feed_all(&feed);
    put_text(&feed, 0x81, "later");
    feed_all(&feed);
    expect_trace("close:1000: ");
    feed_end(&feed);
}

Test(stream, nothing_is_told_after_an_error)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    put_text(&feed, 0x81, "first");
    put_text(&feed, 0x83, "bad");
    put_text(&feed, 0x81, "late");
    feed_all(&feed);
    put_text(&feed, 0x81, "later");
    feed_all(&feed);
    expect_trace("text:first error:1002 ");
    feed_end(&feed);
}

Test(stream, the_receiver_of_a_message_may_stop_the_stream)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    stop_at = 2;
    put_text(&feed, 0x81, "one");
    put_text(&feed, 0x81, "two");
    put_text(&feed, 0x81, "three");
    put_text(&feed, 0x83, "broken");
    feed_all(&feed);
    put_text(&feed, 0x81, "four");
    feed_all(&feed);
    expect_trace("text:one text:two ");
    cr_assert(feed.stream.stopped);
    feed_end(&feed);
}

Test(stream, the_receiver_of_a_ping_within_a_message_may_stop_the_stream)
{
    struct feed feed;
    feed_begin(&feed, 1000);
    stop_at = 1;
    put_text(&feed, 0x01, "one");
    put_text(&feed, 0x89, "two");
    put_text(&feed, 0x80, "three");
    feed_all(&feed);
    expect_trace("ping:two ");
    feed_end(&feed);
}
