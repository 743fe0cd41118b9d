// The clocks. Owner: none; any thread.
// The monotonic clock can be made to stand still for tests; the fake time is one atomic, negative
// while the real clock is in use. The wall clock is never faked: nothing is decided by it.
#include "tidegate/base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t clock_fake_us = -1;

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    // Cannot fail: both clocks always exist on Linux.
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    int64_t fake = atomic_load_explicit(&clock_fake_us, memory_order_relaxed);
    return fake >= 0 ? fake : read_us(CLOCK_MONOTONIC);
}

int64_t clock_now_ms(void)
{
    return clock_now_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void clock_set_fake_us(int64_t now_us)
{
    atomic_store_explicit(&clock_fake_us, now_us, memory_order_relaxed);
}
