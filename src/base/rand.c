// Random numbers: the kernel's, and a fast generator a thread (a 64-bit counter through a mixing
// function, SplitMix64), seeded from the kernel at its first use.
// Owner: the generator's state is thread-local; any thread may call anything here.
// Invariant: secrets come from rand_bytes() only; what rand_u64() gives can be predicted.
#include "tidegate/base/rand.h"

#include "tidegate/base/assert.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>

static _Thread_local uint64_t rand_state;
static _Thread_local bool rand_is_seeded;

void rand_bytes(void *to, size_t len)
{
    char *at = to;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        assert_always(got > 0);
        at += got;
        len -= (size_t)got;
    }
}

uint64_t rand_u64(void)
{
    if (!rand_is_seeded) {
        rand_bytes(&rand_state, sizeof(rand_state));
        rand_is_seeded = true;
    }
    rand_state += 0x9e3779b97f4a7c15u;
    uint64_t mixed = rand_state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

uint64_t rand_below(uint64_t bound)
{
    if (bound == 0) {
        return 0;
    }
    // The lowest 2^64 mod bound numbers are refused, so that every remainder is equally likely.
    uint64_t refused = (0 - bound) % bound;
    uint64_t number = rand_u64();
    while (number < refused) {
        number = rand_u64();
    }
    return number % bound;
}

void rand_letters(char *to, size_t len)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (size_t i = 0; i < len; i++) {
        to[i] = letters[rand_below(sizeof(letters) - 1)];
    }
    to[len] = '\0';
}
