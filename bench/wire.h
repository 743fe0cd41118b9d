// The bytes both ends of the benchmark speak: RFC 6455 frames as a client sends and receives them,
// the upgrade request and what answers it, and answers to POST. Pure functions over caller's
// memory; no state, no allocation.
#ifndef TIDEGATE_BENCH_WIRE_H
#define TIDEGATE_BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_TEXT = 1,
    WIRE_BINARY = 2,
    WIRE_CLOSE = 8,
    WIRE_PING = 9,
    WIRE_PONG = 10,
    WIRE_CLIENT_HEAD_MAX = 14,
    WIRE_MESSAGE_MAX = 1 << 16,
};

struct wire_frame {
    unsigned opcode;
    bool is_deflated; // RSV1: the payload is, RFC 7692
    const uint8_t *payload;
    size_t len;
    size_t total_len;
};

// Writes one masked frame; `to` has room for len + WIRE_CLIENT_HEAD_MAX. Returns its length.
size_t wire_put_client_frame(uint8_t *to, unsigned opcode, const uint8_t *payload, size_t len);

// 1 with a whole frame, 0 when bytes are missing, -EPROTO when a server must not send this.
int wire_get_server_frame(const uint8_t *from, size_t len, bool may_be_deflated,
                          struct wire_frame *ret_frame);

// Writes a GET with Upgrade headers. Returns its length, or -ENOSPC. The offer of compression asks
// for no contexts between messages in either direction.
int wire_put_upgrade(char *to, size_t room, const char *path, bool offers_deflate);

// Length of a whole 101 answer at `from`, 0 when its end has not come, -EPROTO when it is another:
// without compression that was offered, or with an extension that was not.
int wire_get_upgrade_answer(const uint8_t *from, size_t len, bool offers_deflate);

// Length of a whole HTTP answer with Content-Length, 0 when not all there, -EPROTO unless 2xx.
int wire_get_http_answer(const uint8_t *from, size_t len);

#endif
