// Sec-WebSocket-Accept for the floor (RFC 6455 §4.2.2), so that it needs no library. It is part of
// the handshake and never of what is measured per message.
#ifndef TIDEGATE_BENCH_ACCEPT_KEY_H
#define TIDEGATE_BENCH_ACCEPT_KEY_H

enum { ACCEPT_KEY_LEN = 24, ACCEPT_VALUE_LEN = 28 };

// `key` has ACCEPT_KEY_LEN characters; `to` gets ACCEPT_VALUE_LEN of them and a NUL.
void accept_key_answer(const char *key, char to[ACCEPT_VALUE_LEN + 1]);

#endif
