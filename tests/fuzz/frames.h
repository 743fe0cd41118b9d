// A stream of client frames, told as text (see the unit tests' support), cut in every plan.
// Owner: the target; one thread.
#ifndef TIDEGATE_TESTS_FUZZ_FRAMES_H
#define TIDEGATE_TESTS_FUZZ_FRAMES_H

#include "../unit/ws/support.h"

#define MESSAGE_MAX 20000

static const struct ws_limits frames_limits = {.fragments_max = 32, .ratio_max = 1000};

static inline void frames_run(struct ws_pool *pool, struct bytes input, unsigned plan,
                              const struct ws_deflate *deflate)
{
    struct ws_stream stream;
    struct fuzz_cut cut = fuzz_cut_begin(input, plan);
    struct bytes piece;
    buf_clear(&trace);
    ws_stream_init(&stream, pool, MESSAGE_MAX, deflate);
    while (fuzz_cut_next(&cut, &piece)) {
        stream_feed(&stream, piece);
    }
    ws_stream_finish(&stream);
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
