// Bytes on their way into wslay. Each frame's header is looked at, so that it is known when a
// context is clean, and so that a close can be judged by us and not by wslay.
//
// Owner: the worker. Invariant: wslay is never given a byte past the end of a frame; between frames
// `head_len` and `payload_left` are zero.

#include "feed.h"

// The header of the next frame, or what of it is there. A close is shown to wslay as a ping: its
// own check of a reason fails where a read ends inside one, and it knows no code past 1011.
static size_t feed_head(struct ws_lease *lease, uint8_t *to, size_t room)
{
    size_t need = 2;

    if (lease->head_len >= 2) {
        uint8_t len = lease->head[1] & 0x7f;
        need += (len == 126 ? 2 : len == 127 ? 8 : 0) + 4;
    }
    size_t n = need - lease->head_len;
    n = n < lease->in.len ? n : lease->in.len;
    n = n < room ? n : room;
    memcpy(lease->head + lease->head_len, lease->in.at, n);
    memcpy(to, lease->in.at, n);
    if (lease->head_len == 0) {
        lease->is_close = (to[0] & 0x0f) == WS_CLOSE;
        to[0] = lease->is_close ? (uint8_t)((to[0] & 0xf0) | WS_PING) : to[0];
    }
    lease->head_len = (uint8_t)(lease->head_len + n);
    if (lease->head_len >= 2 && (lease->head[1] & 0x80) == 0) {
        stream_fail(lease, CLOSE_PROTOCOL_ERROR); // not masked (§5.1)
    } else if (lease->head_len == need && need > 2) {
        uint8_t len = lease->head[1] & 0x7f;
        uint64_t long_len = 0;
        for (size_t i = 0; i < (len == 126 ? 2u : len == 127 ? 8u : 0u); i++) {
            long_len = long_len << 8 | lease->head[2 + i];
        }
        lease->payload_left = len < 126 ? len : long_len;
        lease->head_len = 0;
    }
    return n;
}

// Never past the end of a frame, so that what is known of the header is of the frame being read.
ssize_t feed_on_recv(wslay_event_context_ptr wslay, uint8_t *to, size_t len, int flags,
                     void *user_data)
{
    struct ws_lease *lease = user_data;
    size_t n = lease->in.len < len ? lease->in.len : len;

    (void)flags;
    if (n == 0 || lease->stream->stopped || lease->given >= WS_TURN_BYTES) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (lease->payload_left > 0) {
        n = n < lease->payload_left ? n : (size_t)lease->payload_left;
        memcpy(to, lease->in.at, n);
        lease->payload_left -= n;
    } else {
        n = feed_head(lease, to, len);
    }
    lease->in = bytes_skip(lease->in, n);
    return (ssize_t)n;
}

ssize_t feed_on_send(wslay_event_context_ptr wslay, const uint8_t *data, size_t len, int flags,
                     void *user_data)
{
    struct ws_lease *lease = user_data;

    // wslay passes header and payload of a control frame in two calls.
    (void)wslay;
    (void)flags;
    if (lease->sending_close && len >= 2) {
        lease->close_code = (uint16_t)(data[0] << 8 | data[1]);
    }
    lease->sending_close = len == 2 && data[0] == (0x80 | WS_CLOSE);
    return (ssize_t)len;
}
