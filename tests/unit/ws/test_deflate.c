// permessage-deflate: which offers are taken, and what becomes of messages. zlib itself is the peer
// here, used the plain way.

#include "tidegate/ws/deflate.h"

#include "tidegate/base/rand.h"

#include "../../support/leaks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

TestSuite(deflate, .fini = leaks_check);

static struct ws_deflate negotiate(const char *value, bool may_take_over)
{
    struct http_header header = {BYTES_OF("Sec-WebSocket-Extensions"), bytes_str(value)};
    struct http_request request = {.headers = &header, .header_count = 1};

    return ws_deflate_negotiate(&request, may_take_over);
}

static void expect_answer(const char *offer, bool may_take_over, const char *answer)
{
    struct ws_deflate deflate = negotiate(offer, may_take_over);
    struct buf out;

    buf_init(&out, 512);
    cr_assert(deflate.is_on, "%s", offer);
    cr_assert_eq(ws_deflate_print(&deflate, &out), 0);
    cr_expect(bytes_equal(buf_bytes(&out), bytes_str(answer)), "%s: %.*s", offer, (int)out.len,
              out.at);
    buf_finish(&out);
}

#define NONE "; server_no_context_takeover; client_no_context_takeover"

Test(deflate, every_parameter_is_answered)
{
    expect_answer("permessage-deflate", false, "permessage-deflate" NONE);
    expect_answer("permessage-deflate", true, "permessage-deflate");
    expect_answer("permessage-deflate; server_no_context_takeover", true,
                  "permessage-deflate; server_no_context_takeover");
    expect_answer("permessage-deflate; client_no_context_takeover", true,
                  "permessage-deflate; client_no_context_takeover");
    expect_answer("permessage-deflate; server_max_window_bits=9", true,
                  "permessage-deflate; server_max_window_bits=9");
    expect_answer("permessage-deflate;server_max_window_bits=\"10\"", true,
                  "permessage-deflate; server_max_window_bits=10");
    expect_answer("permessage-deflate; client_max_window_bits", true, "permessage-deflate");
    expect_answer("permessage-deflate; client_max_window_bits=8", true,
                  "permessage-deflate; client_max_window_bits=8");
}

Test(deflate, a_malformed_offer_is_passed_over_and_the_next_one_is_taken)
{
    static const char *const bad[] = {
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; unknown",
        "permessage-deflate;",
        "permessage-bzip2",
        "x-webkit-deflate-frame",
        "",
    };
    char offer[256];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect(!negotiate(bad[i], true).is_on, "%s", bad[i]);
        snprintf(offer, sizeof(offer), "%s, permessage-deflate; server_max_window_bits=12", bad[i]);
        cr_expect_eq(negotiate(offer, true).server_bits, 12, "%s", offer);
    }
}

// Inflates a server frame the plain way, with a window of `bits` that goes on from frame to frame.
static void expect_inflates(z_stream *zlib, const struct blob *frame, struct bytes payload)
{
    size_t header = frame->data[1] < 126 ? 2 : frame->data[1] == 126 ? 4 : 10;
    size_t len = frame->len - header;
    unsigned char *in = malloc(len + 4);
    unsigned char *out = malloc(payload.len + 1);

    cr_assert((frame->data[0] & WS_RSV1) != 0);
    memcpy(in, frame->data + header, len);
    memcpy(in + len, "\x00\x00\xff\xff", 4);
    zlib->next_in = in;
    zlib->avail_in = (uInt)len + 4;
    zlib->next_out = out;
    zlib->avail_out = (uInt)payload.len + 1;
    cr_assert_eq(inflate(zlib, Z_SYNC_FLUSH), Z_OK);
    cr_assert_eq(zlib->avail_out, 1);
    cr_assert_eq(memcmp(out, payload.at, payload.len), 0);
    free(in);
    free(out);
}

static char text[100000];

static struct bytes make_text(size_t len)
{
    for (size_t i = 0; i < len; i++) {
        text[i] = "the quick brown fox "[rand_below(20)];
    }
    return bytes_make(text, len);
}

Test(deflate, frames_of_each_window_are_right_for_a_receiver_with_that_window)
{
    for (int bits = WS_WINDOW_BITS_MIN; bits <= WS_WINDOW_BITS_MAX; bits++) {
        for (int keep = 0; keep < 2; keep++) {
            struct ws_deflater *deflater = ws_deflater_try_create(1, bits);
            z_stream zlib = {0};
            cr_assert_eq(inflateInit2(&zlib, -bits), Z_OK);
            for (size_t len = 50; len < sizeof(text); len = len * 3 + 1) {
                struct bytes payload = make_text(len);
                struct blob *frame = ws_deflater_frame(deflater, WS_TEXT, payload, keep != 0);
                expect_inflates(&zlib, frame, payload);
                blob_unref(frame);
            }
            inflateEnd(&zlib);
            ws_deflater_destroy(deflater);
        }
    }
}

Test(deflate, a_frame_that_stands_alone_is_right_whatever_the_receiver_got_before)
{
    struct ws_deflater *shared = ws_deflater_try_create(1, 15);
    struct ws_deflater *own = ws_deflater_try_create(1, 15);
    z_stream zlib = {0};

    cr_assert_eq(inflateInit2(&zlib, -15), Z_OK);
    for (int i = 0; i < 6; i++) {
        // Only the last: what keeps a context cannot go on after a frame it knows nothing of.
        bool keep = i < 5;
        struct bytes payload = make_text(3000);
        struct blob *frame = ws_deflater_frame(keep ? own : shared, WS_TEXT, payload, keep);
        expect_inflates(&zlib, frame, payload);
        blob_unref(frame);
    }
    inflateEnd(&zlib);
    ws_deflater_destroy(shared);
    ws_deflater_destroy(own);
}

Test(deflate, what_does_not_get_shorter_is_sent_as_it_is)
{
    struct ws_deflater *deflater = ws_deflater_try_create(1, 15);
    char noise[500];

    rand_bytes(noise, sizeof(noise));
    struct blob *frame = ws_deflater_frame(deflater, WS_BINARY, bytes_make(noise, 500), true);
    cr_assert_eq((uint8_t)frame->data[0], 0x82);
    cr_assert(bytes_equal(bytes_skip(blob_bytes(frame), 4), bytes_make(noise, 500)));
    blob_unref(frame);
    ws_deflater_destroy(deflater);
}

// Deflates `payload` raw, with the tail removed; into `to`.
static size_t squeeze(struct bytes payload, char *to, size_t room, int flush)
{
    z_stream zlib = {0};

    cr_assert_eq(deflateInit2(&zlib, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_in = (Bytef *)payload.at;
    zlib.avail_in = (uInt)payload.len;
    zlib.next_out = (Bytef *)to;
    zlib.avail_out = (uInt)room;
    int result = deflate(&zlib, flush);
    cr_assert(result == Z_OK || result == Z_STREAM_END);
    size_t len = room - zlib.avail_out;
    deflateEnd(&zlib);
    return flush == Z_SYNC_FLUSH ? len - 4 : len;
}

static int inflate_split(struct bytes data, size_t at, size_t max, uint32_t ratio, struct buf *out)
{
    struct ws_inflater *inflater = ws_inflater_try_create(15);

    buf_init(out, max);
    ws_inflater_begin(inflater, false);
    int error = ws_inflater_feed(inflater, bytes_make(data.at, at), false, ratio, out);
    if (error == 0) {
        error = ws_inflater_feed(inflater, bytes_skip(data, at), true, ratio, out);
    }
    ws_inflater_destroy(inflater);
    return error;
}

Test(deflate, a_message_inflates_the_same_wherever_it_is_cut)
{
    static char squeezed[4000];
    struct bytes payload = make_text(2000);
    size_t len = squeeze(payload, squeezed, sizeof(squeezed), Z_SYNC_FLUSH);

    for (size_t at = 0; at <= len; at++) {
        struct buf out;
        cr_assert_eq(inflate_split(bytes_make(squeezed, len), at, 2000, 200, &out), 0);
        cr_assert(bytes_equal(buf_bytes(&out), payload));
        buf_finish(&out);
    }
}

Test(deflate, a_message_cut_short_is_broken)
{
    static char squeezed[4000];
    struct bytes payload = make_text(500);
    size_t len = squeeze(payload, squeezed, sizeof(squeezed), Z_SYNC_FLUSH);

    for (size_t cut = 1; cut < len - 1; cut++) {
        struct buf out;
        cr_expect_lt(inflate_split(bytes_make(squeezed, cut), 0, 4000, 200, &out), 0, "%zu", cut);
        buf_finish(&out);
    }
}

Test(deflate, a_final_block_ends_the_block_and_not_the_message)
{
    static char squeezed[4000];
    struct bytes payload = make_text(300);
    size_t len = squeeze(payload, squeezed, sizeof(squeezed), Z_FINISH);
    struct buf out;

    squeezed[len] = 0; // the empty stored block that RFC 7692 §7.2.3.4 has the sender append
    cr_assert_eq(inflate_split(bytes_make(squeezed, len + 1), 7, 300, 200, &out), 0);
    cr_assert(bytes_equal(buf_bytes(&out), payload));
    buf_finish(&out);
}

Test(deflate, the_limit_on_a_message_holds_while_it_is_inflated)
{
    static char zeros[60000];
    static char squeezed[1000];
    size_t len =
        squeeze(bytes_make(zeros, sizeof(zeros)), squeezed, sizeof(squeezed), Z_SYNC_FLUSH);
    struct buf out;

    cr_assert_eq(inflate_split(bytes_make(squeezed, len), 10, sizeof(zeros), 200, &out), 0);
    buf_finish(&out);
    cr_assert_eq(inflate_split(bytes_make(squeezed, len), 10, sizeof(zeros) - 1, 200, &out),
                 -EMSGSIZE);
    cr_assert_leq(out.len, sizeof(zeros) - 1);
    buf_finish(&out);
}

Test(deflate, a_bomb_is_stopped_by_its_ratio)
{
    size_t size = 8u << 20;
    char *zeros = calloc(1, size);
    static char squeezed[20000];
    size_t len = squeeze(bytes_make(zeros, size), squeezed, sizeof(squeezed), Z_SYNC_FLUSH);
    struct buf out;

    cr_assert_eq(inflate_split(bytes_make(squeezed, len), 10, size, 200, &out), -EMSGSIZE);
    cr_assert_lt(out.len, 4u << 20);
    buf_finish(&out);
    cr_assert_eq(inflate_split(bytes_make(squeezed, len), 10, size, 2000, &out), 0);
    buf_finish(&out);
    free(zeros);
}

// Each costs a copy of the window, however little it holds.
Test(deflate, final_blocks_without_end_are_stopped_by_the_ratio)
{
    static char zeros[32768];
    static char squeezed[40000];
    size_t begin = squeeze(bytes_make(zeros, sizeof(zeros)), squeezed, 1000, Z_SYNC_FLUSH);
    struct buf out;

    memcpy(squeezed + begin, "\0\0\xff\xff", 4); // the tail that was removed
    begin += 4;
    for (size_t at = begin; at + 1 < sizeof(squeezed); at += 2) {
        memcpy(squeezed + at, "\x03\0", 2);
    }
    squeezed[begin + 16] = 0;
    cr_assert_eq(inflate_split(bytes_make(squeezed, begin + 17), 9, 65536, 200, &out), 0);
    buf_finish(&out);
    memcpy(squeezed + begin + 16, "\x03\0", 2);
    squeezed[sizeof(squeezed) - 1] = 0;
    cr_assert_eq(inflate_split(bytes_make(squeezed, sizeof(squeezed)), 9, 65536, 200, &out),
                 -EMSGSIZE);
    buf_finish(&out);
}

Test(deflate, noise_is_refused_or_inflated_and_never_more)
{
    for (int i = 0; i < 3000; i++) {
        char noise[64];
        struct buf out;
        size_t len = rand_below(sizeof(noise)) + 1;
        rand_bytes(noise, len);
        int error = inflate_split(bytes_make(noise, len), rand_below(len), 4096, 200, &out);
        cr_assert(error == 0 || error == -EBADMSG || error == -EMSGSIZE);
        cr_assert_leq(out.len, 4096);
        buf_finish(&out);
    }
}
