// A stream whose events are written down as text, and client frames to feed it.
// Owner: the test. A trace reads "text:hi ping:x close:1000:bye error:1002 "; what is long stands
// as its length and a sum.
#ifndef TIDEGATE_TESTS_UNIT_WS_SUPPORT_H
#define TIDEGATE_TESTS_UNIT_WS_SUPPORT_H

#include "../../support/leaks.h"

#include "tidegate/base/mem.h"
#include "tidegate/ws/stream.h"

#include <stdio.h>

#define TRACE_MAX (1u << 20)

static struct buf trace;
static int events_count;
static int stop_at; // the number of the event that stops the stream; 0: none

// All of `data`, in as many turns as the stream wants.
static inline void stream_feed(struct ws_stream *stream, struct bytes data)
{
    while (data.len > 0) {
        data = bytes_skip(data, ws_on_bytes(stream, data));
    }
}

static inline void trace_put(struct ws_stream *stream, const char *name, struct bytes data)
{
    if (data.len <= 60) {
        cr_assert_eq(buf_printf(&trace, "%s:", name), 0);
        cr_assert_eq(buf_append(&trace, data), 0);
    } else {
        unsigned sum = 0;
        for (size_t i = 0; i < data.len; i++) {
            sum = sum * 31 + (unsigned char)data.at[i];
        }
        cr_assert_eq(buf_printf(&trace, "%s:%zu/%x", name, data.len, sum), 0);
    }
    cr_assert_eq(buf_append(&trace, BYTES_OF(" ")), 0);
    if (++events_count == stop_at) {
        ws_stream_stop(stream);
    }
}

static inline void on_message(struct ws_stream *stream, enum ws_opcode opcode, struct bytes data)
{
    trace_put(stream, opcode == WS_TEXT ? "text" : opcode == WS_BINARY ? "binary" : "?", data);
}

static inline void on_ping(struct ws_stream *stream, struct bytes data)
{
    trace_put(stream, "ping", data);
}

static inline void on_pong(struct ws_stream *stream, struct bytes data)
{
    trace_put(stream, "pong", data);
}

static inline void on_close(struct ws_stream *stream, uint16_t code, struct bytes reason)
{
    char name[16];
    snprintf(name, sizeof(name), "close:%u", code);
    trace_put(stream, name, reason);
}

static inline void on_error(struct ws_stream *stream, enum close_reason reason)
{
    char code[16];
    snprintf(code, sizeof(code), "%u", close_row(reason)->code);
    trace_put(stream, "error", bytes_str(code));
}

static const struct ws_stream_events trace_events = {
    .on_message = on_message,
    .on_ping = on_ping,
    .on_pong = on_pong,
    .on_close = on_close,
    .on_error = on_error,
};

static const struct ws_limits trace_limits = {.fragments_max = 100000, .ratio_max = 100};
static const struct ws_deflate no_deflate;

struct feed {
    struct ws_pool pool;
    struct ws_stream stream;
    struct buf in; // frames not given yet
};

static inline void feed_restart(struct feed *feed, uint32_t message_max)
{
    ws_stream_init(&feed->stream, &feed->pool, message_max, &no_deflate);
    buf_clear(&trace);
    events_count = 0;
}

static inline void feed_begin(struct feed *feed, uint32_t message_max)
{
    ws_pool_init(&feed->pool, &trace_events, &trace_limits);
    buf_init(&feed->in, 64u << 20);
    buf_init(&trace, TRACE_MAX);
    feed_restart(feed, message_max);
}

static inline void feed_end(struct feed *feed)
{
    ws_stream_finish(&feed->stream);
    ws_pool_finish(&feed->pool);
    buf_finish(&feed->in);
    buf_finish(&trace);
    stop_at = 0;
}

// A client frame with a length field of `len_bytes` (0, 2, 8; -1: the shortest), masked or not.
static inline void put_frame_as(struct buf *out, unsigned char first, struct bytes payload,
                                int len_bytes, bool is_masked)
{
    static const char mask[4] = {'\x37', '\xfa', '\x21', '\x3d'};
    char head[14];
    size_t n = 2;
    if (len_bytes < 0) {
        len_bytes = payload.len < 126 ? 0 : payload.len < 65536 ? 2 : 8;
    }
    head[0] = (char)first;
    head[1] = (char)((is_masked ? 0x80 : 0) | (len_bytes == 0   ? payload.len
                                               : len_bytes == 2 ? 126u
                                                                : 127u));
    for (int i = len_bytes; i-- > 0;) {
        head[n++] = (char)((uint64_t)payload.len >> (8 * i));
    }
    if (is_masked) {
        memcpy(head + n, mask, 4);
        n += 4;
    }
    cr_assert_eq(buf_append(out, bytes_make(head, n)), 0);
    cr_assert_eq(buf_reserve(out, payload.len), 0);
    for (size_t i = 0; i < payload.len; i++) {
        out->at[out->len++] = (char)(is_masked ? payload.at[i] ^ mask[i & 3] : payload.at[i]);
    }
}

static inline void put(struct feed *feed, unsigned char first, struct bytes payload)
{
    put_frame_as(&feed->in, first, payload, -1, true);
}

static inline void put_text(struct feed *feed, unsigned char first, const char *payload)
{
    put(feed, first, bytes_str(payload));
}

// Gives everything in pieces of `size`, each in a block of its own, so that reading past it is
// seen.
static inline void feed_pieces(struct feed *feed, struct bytes in, size_t size)
{
    while (in.len > 0) {
        size_t n = in.len < size ? in.len : size;
        char *piece = mem_alloc(n);
        memcpy(piece, in.at, n);
        stream_feed(&feed->stream, bytes_make(piece, n));
        mem_free(piece);
        in = bytes_skip(in, n);
    }
}

// Gives what was put at once and forgets it.
static inline void feed_all(struct feed *feed)
{
    feed_pieces(feed, buf_bytes(&feed->in), feed->in.len);
    buf_clear(&feed->in);
}

static inline void expect_trace(const char *expected)
{
    cr_assert(bytes_equal(buf_bytes(&trace), bytes_str(expected)), "got \"%.*s\", not \"%s\"",
              (int)trace.len, trace.at, expected);
}

// What one input leads to, in a stream of its own.
static inline void expect_input(struct bytes in, const char *expected)
{
    struct feed feed;
    feed_begin(&feed, 100000);
    feed_pieces(&feed, in, in.len);
    expect_trace(expected);
    feed_end(&feed);
}

#endif
