// Timers of one worker: a hierarchical wheel with a tick of 8 ms. Arming, moving and cancelling are
// constant time; an armed timer is a link, so an idle connection's ping costs nothing but memory.
// Owner: the worker. A timer is embedded in its owner's structure and must be cancelled before that
// goes. Timers never fire early; late by at most a tick plus the turn.
#ifndef TIDEGATE_LOOP_TIMER_H
#define TIDEGATE_LOOP_TIMER_H

#include "tidegate/base/list.h"

#include <stdint.h>

#define TIMER_TICK_MS 8
#define TIMER_LEVELS 5
#define TIMER_SLOTS 64

struct timer {
    struct list link; // timers.slots[level][slot], or the batch being run; unlinked = not armed
    int64_t expires_ms;
    void (*on_fire)(struct timer *timer); // disarmed before it is called
};

struct timers {
    struct list slots[TIMER_LEVELS][TIMER_SLOTS];
    uint64_t occupied[TIMER_LEVELS]; // bit set: the slot may hold timers
    uint64_t now_tick;
    struct list due; // expired, not run yet (bounded work left over)
};

void timers_init(struct timers *timers, int64_t now_ms);

// Prepares a timer; `on_fire` stays for its life.
void timer_init(struct timer *timer, void (*on_fire)(struct timer *timer));

// Arms (or moves) the timer to fire at `expires_ms` of the monotonic clock; the past fires next.
void timer_arm(struct timers *timers, struct timer *timer, int64_t expires_ms);

// Disarms; harmless when not armed.
void timer_cancel(struct timer *timer);

static inline bool timer_is_armed(const struct timer *timer)
{
    return list_is_linked(&timer->link);
}

// Milliseconds until something may have to run (0: now), at most `max_ms`.
int timers_until_next(const struct timers *timers, int64_t now_ms, int max_ms);

// Runs at most `max` due timers. Returns true when some were left over.
bool timers_run(struct timers *timers, int64_t now_ms, int max);

#endif
