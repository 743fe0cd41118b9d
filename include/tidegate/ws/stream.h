// The receive side of a WebSocket connection (RFC 6455 §5, §7): bytes in, whole messages out, with
// wslay beneath. wslay's contexts are large, so they are lent: a stream holds one only while a
// frame or a message is incomplete; between messages it holds nothing. Owner: the connection's
// worker; a pool serves all streams of one worker.
#ifndef TIDEGATE_WS_STREAM_H
#define TIDEGATE_WS_STREAM_H

#include "tidegate/base/buf.h"
#include "tidegate/base/close.h"
#include "tidegate/ws/deflate.h"
#include "tidegate/ws/frame.h"

struct ws_stream;
struct ws_lease; // a lent context

// What the stream tells; `data` is valid during the call. Each may end the stream with
// ws_stream_stop(); none may finish it.
struct ws_stream_events {
    // A whole message; text is valid UTF-8.
    void (*on_message)(struct ws_stream *stream, enum ws_opcode opcode, struct bytes data);
    void (*on_ping)(struct ws_stream *stream, struct bytes data);
    void (*on_pong)(struct ws_stream *stream, struct bytes data);
    // The peer's close frame: its code (1005 when it had none) and reason.
    void (*on_close)(struct ws_stream *stream, uint16_t code, struct bytes reason);
    // The peer broke the protocol; nothing more is read. PROTOCOL_ERROR, INVALID_PAYLOAD,
    // MESSAGE_TOO_BIG or INTERNAL_ERROR.
    void (*on_error)(struct ws_stream *stream, enum close_reason reason);
};

// What all streams of a worker are held to.
struct ws_limits {
    uint32_t fragments_max; // of one message
    uint32_t ratio_max;     // inflated bytes for a compressed one, past the first MiB
};

struct ws_pool {
    const struct ws_stream_events *events;
    struct ws_limits limits; // may be changed between turns
    struct ws_lease *idle;   // contexts nobody holds
    unsigned idle_count;
    struct ws_inflater *inflater; // owned; NULL: none yet, or lent
};

struct ws_stream {
    struct ws_pool *pool;         // borrowed
    struct ws_lease *lease;       // NULL between messages
    struct ws_inflater *inflater; // owned; only where the client keeps its context
    uint32_t message_max;         // bytes of one message, inflated
    struct ws_deflate deflate;    // what was agreed in the handshake
    bool stopped;                 // nothing more is delivered
};

void ws_pool_init(struct ws_pool *pool, const struct ws_stream_events *events,
                  const struct ws_limits *limits);
// Every stream must be finished.
void ws_pool_finish(struct ws_pool *pool);

void ws_stream_init(struct ws_stream *stream, struct ws_pool *pool, uint32_t message_max,
                    const struct ws_deflate *deflate);
void ws_stream_finish(struct ws_stream *stream);

// Takes bytes of `data` and calls the events; stops once messages of WS_TURN_BYTES came out of
// them, so that a small read of well compressed messages cannot hold everybody else up. Returns how
// many bytes it took.
#define WS_TURN_BYTES (256u << 10)
size_t ws_on_bytes(struct ws_stream *stream, struct bytes data) ATTR_MUST_CHECK;

// Delivers nothing any more; what still comes is ignored.
void ws_stream_stop(struct ws_stream *stream);

#endif
