// The messages the load generator sends and checks: each carries its own number and the time it was
// sent, and can be told from any other to the last byte. Two kinds: 34 bytes and a filler, or text
// like the JSON of a service, which changes from message to message and compresses as such text
// does.
#ifndef TIDEGATE_BENCH_MESSAGE_H
#define TIDEGATE_BENCH_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

enum message_kind { MESSAGE_FILLER, MESSAGE_JSON };

enum { MESSAGE_FILLER_MIN = 34, MESSAGE_JSON_MIN = 80, MESSAGE_MAX = 1 << 16 };

// Fills `to` with a message of `len` bytes (at least the kind's minimum), all of it ASCII.
void message_put(enum message_kind kind, uint8_t *to, size_t len, uint64_t number,
                 uint64_t time_ns);

// Checks every byte of the message; 0, or -EPROTO when it is not what message_put wrote.
int message_get(enum message_kind kind, const uint8_t *from, size_t len, uint64_t *ret_number,
                uint64_t *ret_time_ns);

#endif
