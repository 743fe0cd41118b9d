// A stream of client frames, told as text (see the unit tests' support), cut in every plan.
// Owner: the target; one thread.
#ifndef TIDEGATE_TESTS_FUZZ_FRAMES_H
#define TIDEGATE_TESTS_FUZZ_FRAMES_H

#include "../unit/ws/support.h"

#define MESSAGE_MAX 20000

static const struct ws_limits frames_limits = {.fragments_max = 32, .ratio_max = 1000};

static inline bool frames_ends_with(const char *error)
{
    size_t len = strlen(error);
    return trace.len >= len && memcmp(trace.at + trace.len - len, error, len) == 0;
}

// The last event, when it is the close frame, is gone.
static inline void frames_forget_close(void)
{
    static const char name[] = "close:";
    size_t len = sizeof(name) - 1;
    for (size_t at = trace.len; at-- > 0;) {
        bool is_start = at == 0 || trace.at[at - 1] == ' ';
        if (is_start && trace.len - at >= len && memcmp(trace.at + at, name, len) == 0) {
            trace.len = at;
            return;
        }
    }
}

// Two differences count as none. Of compressed text that is both invalid and too long either may be
// told. And wslay judges the reason of a close frame in the pieces it comes in, so what is told of
// a close frame with a reason is not compared.
static inline void frames_blur(bool is_compressed, bool has_close)
{
    static const char invalid[] = "error:1007 ";
    size_t len = sizeof(invalid) - 1;
    if (is_compressed && frames_ends_with("error:1009 ")) {
        memcpy(trace.at + trace.len - len, invalid, len);
    }
    if (has_close && (frames_ends_with(invalid) || frames_ends_with("error:1002 "))) {
        trace.len -= len;
    } else if (has_close) {
        frames_forget_close();
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
