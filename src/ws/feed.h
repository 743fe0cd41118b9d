// A lent wslay context and how bytes get into it. Private to stream.c and feed.c. Owner: the
// worker.
#ifndef TIDEGATE_WS_FEED_H
#define TIDEGATE_WS_FEED_H

#include "tidegate/codec/utf8.h"
#include "tidegate/ws/stream.h"

#include <wslay/wslay.h>

struct ws_lease {
    wslay_event_context_ptr wslay; // owned
    struct ws_lease *next;         // ws_pool.idle
    struct ws_stream *stream;      // whose it is now
    struct bytes in;               // not fed yet
    size_t given;                  // bytes of messages that came of this call
    uint8_t head[14];              // the next frame's header so far
    uint8_t head_len;              // of it
    bool is_close;                 // the frame being read is one
    uint64_t payload_left;         // bytes of it that wslay has not had
    struct buf message;            // fragments and pieces so far
    struct bytes whole;            // a message that came in one piece; inside wslay's buffer
    struct ws_inflater *inflater;  // lent while a compressed message is read; or the stream's
    uint64_t compressed_len;       // payload bytes of the compressed message so far
    uint32_t fragments;            // frames of the data message so far
    struct utf8_state utf8;        // of the inflated text so far
    bool is_compressed;            // RSV1 on the message's first frame
    bool in_message;               // a data message began and has not ended
    uint8_t opcode;                // of the data message
    bool is_control;               // the frame being read is one
    bool is_final;                 // the frame being read ends its message
    uint64_t payload_len;          // of the frame being read
    bool sending_close;            // the next piece wslay sends is a close frame's payload
    uint16_t close_code;           // wslay's, from the close frame it queued
};

// The stream's end for `reason`, told once.
void stream_fail(struct ws_lease *lease, enum close_reason reason);

// wslay's callbacks: bytes of `lease->in` for it to read, and what it wants to send thrown away.
ssize_t feed_on_recv(wslay_event_context_ptr wslay, uint8_t *to, size_t len, int flags,
                     void *user_data);
ssize_t feed_on_send(wslay_event_context_ptr wslay, const uint8_t *data, size_t len, int flags,
                     void *user_data);

#endif
