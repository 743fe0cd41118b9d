// Clocks: real ones go forward, the fake one stands where it was put.
#include "tidegate/base/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(clock, monotonic_time_never_goes_back)
{
    int64_t before = clock_now_us();
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_now_us();
        cr_assert_geq(now, before);
        before = now;
    }
}

Test(clock, milliseconds_and_microseconds_tell_the_same_time)
{
    int64_t before = clock_now_us() / 1000;
    int64_t ms = clock_now_ms();
    int64_t after = clock_now_us() / 1000;
    cr_assert(before <= ms && ms <= after);
}

Test(clock, a_fake_time_stands_until_it_is_taken_back)
{
    clock_set_fake_us(0);
    cr_assert_eq(clock_now_us(), 0);
    clock_set_fake_us(1234567);
    cr_assert_eq(clock_now_us(), 1234567);
    cr_assert_eq(clock_now_ms(), 1234);
    clock_set_fake_us(-1);
    cr_assert_neq(clock_now_us(), 1234567);
}

Test(clock, wall_time_is_the_systems_and_is_not_faked)
{
    clock_set_fake_us(5);
    int64_t seconds = (int64_t)time(NULL);
    cr_assert_leq(clock_wall_ms() / 1000 - seconds, 2);
    cr_assert_geq(clock_wall_ms() / 1000, seconds);
}
