// TLS of the load generator's connections: OpenSSL on the socket itself, non-blocking. Nobody's
// certificate is verified and no session is resumed: each handshake is a whole one. Built without
// OpenSSL, secure_begin fails the run.
#ifndef TIDEGATE_BENCH_SECURE_H
#define TIDEGATE_BENCH_SECURE_H

#include <stdint.h>
#include <sys/types.h>

struct ssl_st;

// A client's side on a connected socket, which stays the caller's.
struct ssl_st *secure_begin(int fd);

// Goes on with the handshake. Returns 1 when it is done, 0 when the peer has to answer first.
int secure_shake(struct ssl_st *ssl);

// As recv and send of a non-blocking socket, -1 and errno too; *wire_bytes grows by what was read
// from the socket.
ssize_t secure_recv(struct ssl_st *ssl, uint8_t *to, size_t room, uint64_t *wire_bytes);
ssize_t secure_send(struct ssl_st *ssl, const uint8_t *from, size_t len);

// Says goodbye and frees.
void secure_end(struct ssl_st *ssl);

#endif
