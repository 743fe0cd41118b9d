// A stream of client frames, told as text (see the unit tests' support), cut in every plan.
// Owner: the target; one thread.
#ifndef TIDEGATE_TESTS_FUZZ_FRAMES_H
#define TIDEGATE_TESTS_FUZZ_FRAMES_H

#include "../unit/ws/support.h"

#define MESSAGE_MAX 20000

static const struct ws_limits frames_limits = {.fragments_max = 32, .ratio_max = 1000};

// Where an input is wrong in two ways at once, which is told may depend on how much of it is seen
// together: compressed text that is both invalid and too long, and a close frame whose code and
// reason are both invalid. These, and no others, count as the same.
static inline void frames_blur(bool is_compressed, bool has_close)
{
    static const char *const from[] = {"error:1009 ", "error:1002 "};
    static const char to[] = "error:1007 ";
    size_t len = sizeof(to) - 1;
    for (int i = 0; i < 2; i++) {
        bool may = i == 0 ? is_compressed : has_close;
        if (may && trace.len >= len && memcmp(trace.at + trace.len - len, from[i], len) == 0) {
            memcpy(trace.at + trace.len - len, to, len);
        }
    }
}

// Whether the input's frames, one behind the other, come to a close frame with a code and a reason.
static inline bool frames_has_close(struct bytes in)
{
    while (in.len >= 6) {
        bool is_close = (in.at[0] & 0x0f) == WS_CLOSE;
        size_t len = (uint8_t)in.at[1] & 0x7f;
        size_t head = 6;
        if (len >= 126) {
            size_t more = len == 126 ? 2 : 8;
            if (in.len < head + more) {
                return false;
            }
            len = 0;
            for (size_t i = 0; i < more; i++) {
                len = len << 8 | (uint8_t)in.at[2 + i];
            }
            head += more;
        }
        if (is_close || len > in.len - head) {
            return is_close && len > 2;
        }
        in = bytes_skip(in, head + len);
    }
    return false;
}

static inline void frames_run(struct ws_pool *pool, struct bytes input, unsigned plan,
                              const struct ws_deflate *deflate)
{
    struct ws_stream stream;
    struct fuzz_cut cut = fuzz_cut_begin(input, plan);
    struct bytes piece;
    buf_clear(&trace);
    ws_stream_init(&stream, pool, MESSAGE_MAX, deflate);
    while (fuzz_cut_next(&cut, &piece)) {
        ws_on_bytes(&stream, piece);
    }
    ws_stream_finish(&stream);
    frames_blur(deflate->is_on, frames_has_close(input));
}

// What comes of the input is the same in every plan; a pool that served one stream serves the next.
static inline void frames_check(struct bytes input, const struct ws_deflate *deflate)
{
    struct ws_pool pool;
    struct buf whole;
    ws_pool_init(&pool, &trace_events, &frames_limits);
    buf_init(&trace, TRACE_MAX);
    buf_init(&whole, TRACE_MAX);
    frames_run(&pool, input, 0, deflate);
    FUZZ_REQUIRE(buf_append(&whole, buf_bytes(&trace)) == 0);
    for (unsigned plan = 1; plan < FUZZ_PLANS; plan++) {
        frames_run(&pool, input, plan, deflate);
        if (!bytes_equal(buf_bytes(&trace), buf_bytes(&whole))) {
            fprintf(stderr, "plan %u: \"%.*s\"\nwhole:  \"%.*s\"\n", plan, (int)trace.len, trace.at,
                    (int)whole.len, whole.at);
        }
        FUZZ_REQUIRE(bytes_equal(buf_bytes(&trace), buf_bytes(&whole)));
    }
    ws_pool_finish(&pool);
    buf_finish(&trace);
    buf_finish(&whole);
}

#endif
