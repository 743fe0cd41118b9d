// Random numbers. rand_bytes() is the kernel's (secrets, seeds); the others are a fast generator a
// thread, seeded from it (spreading, jitter). Any thread.
#ifndef TIDEGATE_BASE_RAND_H
#define TIDEGATE_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

// Fills `to` with `len` unpredictable bytes. Aborts if the kernel cannot.
void rand_bytes(void *to, size_t len);

// A fast 64-bit number. Not for secrets.
uint64_t rand_u64(void);

// A number in [0, bound); 0 when bound is 0.
uint64_t rand_below(uint64_t bound);

// Fills `to` with `len` letters [A-Za-z] and a zero byte (len + 1 bytes): epochs, names.
void rand_letters(char *to, size_t len);

#endif
