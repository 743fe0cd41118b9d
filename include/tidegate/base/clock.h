// Time. Monotonic for deadlines, wall clock for what people and other hosts see. Any thread.
// Tests replace the monotonic clock with clock_set_fake_us().
#ifndef TIDEGATE_BASE_CLOCK_H
#define TIDEGATE_BASE_CLOCK_H

#include <stdint.h>

// Monotonic microseconds since an arbitrary start.
int64_t clock_now_us(void);

// Monotonic milliseconds since the same start.
int64_t clock_now_ms(void);

// Milliseconds since 1970-01-01 UTC.
int64_t clock_wall_ms(void);

// Tests only: makes the monotonic clock stand at `now_us`; negative returns to the real one.
void clock_set_fake_us(int64_t now_us);

#endif
