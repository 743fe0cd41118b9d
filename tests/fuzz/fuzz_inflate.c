// Inflating: one verdict and one output for the same bytes however they are cut, never more than
// the limit; and what the deflater makes of any input inflates to it again.
#include "fuzz.h"

#include "tidegate/ws/deflate.h"

#include <errno.h>

#define OUT_MAX 30000
#define RATIO_MAX 1100 // deflate's own bound, so that only the size limits

struct outcome {
    int result;
    struct buf out;
};

static struct outcome inflate_cut(struct ws_inflater *inflater, struct bytes input, unsigned plan)
{
    struct outcome outcome = {.result = 0};
    struct fuzz_cut cut = fuzz_cut_begin(input, plan);
    struct bytes piece;
    buf_init(&outcome.out, OUT_MAX);
    ws_inflater_begin(inflater, false);
    while (outcome.result == 0 && fuzz_cut_next(&cut, &piece)) {
        outcome.result = ws_inflater_feed(inflater, piece, false, RATIO_MAX, &outcome.out);
    }
    if (outcome.result == 0) {
        outcome.result = ws_inflater_feed(inflater, BYTES_EMPTY, true, RATIO_MAX, &outcome.out);
    }
    fuzz_cut_stop(&cut);
    return outcome;
}

static void check_cuts(struct ws_inflater *inflater, struct bytes input)
{
    struct outcome whole = inflate_cut(inflater, input, 0);
    FUZZ_REQUIRE(whole.out.len <= OUT_MAX);
    for (unsigned plan = 1; plan < FUZZ_PLANS; plan++) {
        struct outcome cut = inflate_cut(inflater, input, plan);
        FUZZ_REQUIRE(cut.result == whole.result);
        FUZZ_REQUIRE(whole.result < 0 || bytes_equal(buf_bytes(&cut.out), buf_bytes(&whole.out)));
        buf_finish(&cut.out);
    }
    buf_finish(&whole.out);
}

// Twice, since with `keep` the second may refer to the first.
static void check_round_trip(struct ws_inflater *inflater, struct bytes input, bool keep)
{
    uint64_t hash = fuzz_hash(input);
    int bits = WS_WINDOW_BITS_MIN + (int)(hash >> 20) % 8;
    struct ws_deflater *deflater = ws_deflater_try_create(1 + (int)(hash >> 40) % 9, bits);
    for (int i = 0; i < 2; i++) {
        struct blob *frame = ws_deflater_frame(deflater, WS_BINARY, input, keep);
        struct bytes bytes = bytes_make(frame->data, frame->len);
        bool is_compressed = (bytes.at[0] & WS_RSV1) != 0;
        unsigned len = (uint8_t)bytes.at[1];
        bytes = bytes_skip(bytes, len < 126 ? 2 : len == 126 ? 4 : 10);
        FUZZ_REQUIRE(is_compressed ? bytes.len < input.len : bytes_equal(bytes, input));
        if (is_compressed) {
            struct buf out;
            buf_init(&out, input.len);
            ws_inflater_begin(inflater, keep && i > 0);
            FUZZ_REQUIRE(ws_inflater_feed(inflater, bytes, true, RATIO_MAX, &out) == 0);
            FUZZ_REQUIRE(bytes_equal(buf_bytes(&out), input));
            buf_finish(&out);
        }
        blob_unref(frame);
    }
    ws_deflater_destroy(deflater);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    struct ws_inflater *inflater = ws_inflater_try_create(WS_WINDOW_BITS_MAX);
    check_cuts(inflater, input);
    check_round_trip(inflater, input, false);
    check_round_trip(inflater, input, true);
    ws_inflater_destroy(inflater);
    return 0;
}
