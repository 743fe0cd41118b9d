// The timer wheel: level 0 has a slot a tick, each level above 64 times coarser. A timer goes into
// the level whose span covers its distance and moves down when time comes near.
//
// Owner: the worker's thread. Invariant: every linked timer's tick is after now_tick, except in
// `due`. `occupied` may have bits of empty slots (cancelling does not clear them); they cost one
// early wake.

#include "tidegate/loop/timer.h"

#define SLOT_BITS 6
#define SLOT_MASK (TIMER_SLOTS - 1)
#define SPAN_TICKS ((uint64_t)1 << (SLOT_BITS * TIMER_LEVELS))

static uint64_t timer_tick(int64_t expires_ms)
{
    // Rounded up: a timer never fires early.
    return expires_ms <= 0 ? 0 : ((uint64_t)expires_ms + TIMER_TICK_MS - 1) / TIMER_TICK_MS;
}

void timers_init(struct timers *timers, int64_t now_ms)
{
    for (int level = 0; level < TIMER_LEVELS; level++) {
        timers->occupied[level] = 0;
        for (int slot = 0; slot < TIMER_SLOTS; slot++) {
            list_init(&timers->slots[level][slot]);
        }
    }
    timers->now_tick = (uint64_t)now_ms / TIMER_TICK_MS;
    list_init(&timers->due);
}

void timer_init(struct timer *timer, void (*on_fire)(struct timer *timer))
{
    list_init(&timer->link);
    timer->expires_ms = 0;
    timer->on_fire = on_fire;
}

static void timers_place(struct timers *timers, struct timer *timer)
{
    uint64_t tick = timer_tick(timer->expires_ms);
    int level = 0;

    if (tick <= timers->now_tick) {
        list_append(&timers->due, &timer->link);
        return;
    }
    if (tick - timers->now_tick >= SPAN_TICKS) {
        tick = timers->now_tick + SPAN_TICKS - 1; // placed again when that comes
    }
    // The highest group of bits in which the tick differs from now decides the level.
    for (uint64_t differs = (tick ^ timers->now_tick) >> SLOT_BITS; differs != 0;
         differs >>= SLOT_BITS) {
        level++;
    }
    if (level >= TIMER_LEVELS) {
        // The top level wraps: its slot for `tick` is still ahead, since the distance is in its
        // span.
        level = TIMER_LEVELS - 1;
    }
    unsigned slot = (unsigned)(tick >> (SLOT_BITS * level)) & SLOT_MASK;
    list_append(&timers->slots[level][slot], &timer->link);
    timers->occupied[level] |= (uint64_t)1 << slot;
}

void timer_arm(struct timers *timers, struct timer *timer, int64_t expires_ms)
{
    list_remove(&timer->link);
    timer->expires_ms = expires_ms;
    timers_place(timers, timer);
}

void timer_cancel(struct timer *timer)
{
    list_remove(&timer->link);
}

// Ticks until the next occupied slot of a level begins; UINT64_MAX when there is none.
static uint64_t timers_level_distance(const struct timers *timers, int level)
{
    uint64_t bits = timers->occupied[level];
    uint64_t now_slot = timers->now_tick >> (SLOT_BITS * level);
    unsigned current = (unsigned)now_slot & SLOT_MASK;

    if (bits == 0) {
        return UINT64_MAX;
    }
    // Rotated so that bit 0 is the slot after the current one.
    unsigned shift = (current + 1) & SLOT_MASK;
    uint64_t rotated = shift == 0 ? bits : (bits >> shift) | (bits << (TIMER_SLOTS - shift));
    uint64_t next_slot = now_slot + 1 + (uint64_t)__builtin_ctzll(rotated);
    return (next_slot << (SLOT_BITS * level)) - timers->now_tick;
}

int timers_until_next(const struct timers *timers, int64_t now_ms, int max_ms)
{
    uint64_t distance = UINT64_MAX;

    if (!list_is_empty(&timers->due)) {
        return 0;
    }
    for (int level = 0; level < TIMER_LEVELS; level++) {
        uint64_t d = timers_level_distance(timers, level);
        distance = d < distance ? d : distance;
    }
    if (distance > (uint64_t)max_ms) {
        return max_ms;
    }
    int64_t wait = (int64_t)((timers->now_tick + distance) * TIMER_TICK_MS) - now_ms;
    return wait < 0 ? 0 : wait > max_ms ? max_ms : (int)wait;
}

// Moves what a slot holds to where it belongs now.
static void timers_spill(struct timers *timers, int level, unsigned slot)
{
    struct list moved;

    list_init(&moved);
    list_splice(&moved, &timers->slots[level][slot]);
    timers->occupied[level] &= ~((uint64_t)1 << slot);
    for (struct list *link = list_pop(&moved); link != NULL; link = list_pop(&moved)) {
        timers_place(timers, list_entry(link, struct timer, link));
    }
}

static void timers_advance_to(struct timers *timers, uint64_t tick)
{
    while (timers->now_tick < tick) {
        uint64_t distance = UINT64_MAX;
        for (int level = 0; level < TIMER_LEVELS; level++) {
            uint64_t d = timers_level_distance(timers, level);
            distance = d < distance ? d : distance;
        }
        if (distance > tick - timers->now_tick) {
            timers->now_tick = tick;
            return;
        }
        timers->now_tick += distance;
        // From the coarsest down, so that what moves down is seen by its new level.
        for (int level = TIMER_LEVELS - 1; level >= 0; level--) {
            uint64_t below = timers->now_tick & (((uint64_t)1 << (SLOT_BITS * level)) - 1);
            if (below == 0) {
                timers_spill(timers, level,
                             (unsigned)(timers->now_tick >> (SLOT_BITS * level)) & SLOT_MASK);
            }
        }
    }
}

bool timers_run(struct timers *timers, int64_t now_ms, int max)
{
    timers_advance_to(timers, (uint64_t)now_ms / TIMER_TICK_MS);
    while (max-- > 0) {
        struct list *link = list_pop(&timers->due);
        if (link == NULL) {
            return false;
        }
        struct timer *timer = list_entry(link, struct timer, link);
        timer->on_fire(timer);
    }
    return !list_is_empty(&timers->due);
}
