// TLS under the load generator's connections. The certificate is not checked: what is measured is
// the server's work. One thread.
#ifndef TIDEGATE_BENCH_SECURE_H
#define TIDEGATE_BENCH_SECURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct secure; // opaque: one connection's

// Shakes hands on a connected socket, which must block.
struct secure *secure_begin(int fd);
void secure_end(struct secure *secure); // NULL is allowed

// As recv() and send() on a socket that does not block. A short read proves it empty.
ssize_t secure_read(struct secure *secure, uint8_t *to, size_t room);
ssize_t secure_write(struct secure *secure, const uint8_t *from, size_t len);

#endif
