// Server frames at all borders of the length (RFC 6455 §5.2). Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/base/close.h"
#include "tidegate/ws/frame.h"

TestSuite(frame, .fini = leaks_check);

static void expect_header(uint64_t payload_len, struct bytes expected)
{
    char header[WS_FRAME_HEADER_MAX];
    size_t len = ws_frame_header(WS_BINARY, payload_len, header);
    cr_assert(bytes_equal(bytes_make(header, len), expected), "payload of %llu bytes",
              (unsigned long long)payload_len);
}

Test(frame, lengths_are_written_in_the_shortest_form)
{
    expect_header(0, BYTES_OF("\x82\x00"));
    expect_header(1, BYTES_OF("\x82\x01"));
    expect_header(125, BYTES_OF("\x82\x7d"));
    expect_header(126, BYTES_OF("\x82\x7e\x00\x7e"));
    expect_header(127, BYTES_OF("\x82\x7e\x00\x7f"));
    expect_header(128, BYTES_OF("\x82\x7e\x00\x80"));
    expect_header(65535, BYTES_OF("\x82\x7e\xff\xff"));
    expect_header(65536, BYTES_OF("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"));
    expect_header(0x123456789abcdef0, BYTES_OF("\x82\x7f\x12\x34\x56\x78\x9a\xbc\xde\xf0"));
}

Test(frame, every_opcode_is_written_final_and_unmasked)
{
    static const enum ws_opcode opcodes[] = {WS_TEXT, WS_BINARY, WS_CLOSE, WS_PING, WS_PONG};
    char header[WS_FRAME_HEADER_MAX];
    for (size_t i = 0; i < ARRAY_LEN(opcodes); i++) {
        cr_assert_eq(ws_frame_header(opcodes[i], 5, header), 2);
        cr_assert_eq((uint8_t)header[0], 0x80 | opcodes[i]);
        cr_assert_eq(header[1], 5);
    }
}

static void expect_frame(struct blob *blob, struct bytes expected)
{
    cr_assert_not_null(blob);
    cr_assert(bytes_equal(blob_bytes(blob), expected));
    blob_unref(blob);
}

Test(frame, a_frame_is_its_header_and_its_payload)
{
    expect_frame(ws_frame_try_create(WS_TEXT, BYTES_OF("Hello")), BYTES_OF("\x81\x05Hello"));
    expect_frame(ws_frame_try_create(WS_PING, BYTES_EMPTY), BYTES_OF("\x89\x00"));
    static char large[70000];
    memset(large, 'x', sizeof(large));
    struct blob *blob = ws_frame_try_create(WS_BINARY, bytes_make(large, sizeof(large)));
    cr_assert_eq(blob->len, 10 + sizeof(large));
    cr_assert(bytes_equal(bytes_skip(blob_bytes(blob), 10), bytes_make(large, sizeof(large))));
    blob_unref(blob);
}

static struct blob *close_of(enum close_reason reason)
{
    return ws_frame_try_close(close_row(reason)->code, bytes_str(close_row(reason)->text));
}

Test(frame, a_close_frame_carries_code_and_text_of_its_reason)
{
    expect_frame(close_of(CLOSE_NORMAL), BYTES_OF("\x88\x10\x03\xe8normal closure"));
    expect_frame(close_of(CLOSE_SLOW), BYTES_OF("\x88\x06\x0b\xc0slow"));
    expect_frame(close_of(CLOSE_CHANNEL_LIMIT), BYTES_OF("\x88\x0f\x0d\xb1"
                                                         "channel limit"));
}

Test(frame, a_reason_without_a_code_makes_an_empty_close_frame)
{
    expect_frame(close_of(CLOSE_PEER_CLOSED), BYTES_OF("\x88\x00"));
}

Test(frame, every_reason_fits_a_control_frame)
{
    for (int reason = 0; reason < CLOSE_REASONS; reason++) {
        struct blob *blob = close_of((enum close_reason)reason);
        cr_assert_leq(blob->len, 127);
        cr_assert_eq((uint8_t)blob->data[1], blob->len - 2);
        blob_unref(blob);
    }
}
