// The bytes both ends of the benchmark speak: RFC 6455 frames as a client sends and receives them,
// the upgrade request, and the 64-byte (or other) message that carries its own number and time.
// Pure functions over caller's memory; no state, no allocation.
#ifndef TIDEGATE_BENCH_WIRE_H
#define TIDEGATE_BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_TEXT = 1,
    WIRE_BINARY = 2,
    WIRE_CLOSE = 8,
    WIRE_PING = 9,
    WIRE_PONG = 10,
    WIRE_CLIENT_HEAD_MAX = 14,
    WIRE_MESSAGE_MIN = 34,
    WIRE_MESSAGE_MAX = 1 << 16,
};

struct wire_frame {
    unsigned opcode;
    const uint8_t *payload;
    size_t len;
    size_t total_len;
};

// Writes one masked frame; `to` has room for len + WIRE_CLIENT_HEAD_MAX. Returns its length.
size_t wire_put_client_frame(uint8_t *to, unsigned opcode, const uint8_t *payload, size_t len);

// 1 with a whole frame, 0 when bytes are missing, -EPROTO when a server must not send this.
int wire_get_server_frame(const uint8_t *from, size_t len, struct wire_frame *ret_frame);

// Writes a GET with Upgrade headers. Returns its length, or -ENOSPC.
int wire_put_upgrade(char *to, size_t room, const char *path);

// Length of a whole 101 answer at `from`, 0 when its end has not come, -EPROTO when it is another.
int wire_get_upgrade_answer(const uint8_t *from, size_t len);

// Length of a whole HTTP answer with Content-Length, 0 when not all there, -EPROTO unless 2xx.
int wire_get_http_answer(const uint8_t *from, size_t len);

// Fills `to` with a message of `len` bytes (at least WIRE_MESSAGE_MIN), all of it ASCII.
void wire_put_message(uint8_t *to, size_t len, uint64_t number, uint64_t time_ns);

// Checks every byte of the message; 0, or -EPROTO when it is not what wire_put_message wrote.
int wire_get_message(const uint8_t *from, size_t len, uint64_t *ret_number, uint64_t *ret_time_ns);

#endif
