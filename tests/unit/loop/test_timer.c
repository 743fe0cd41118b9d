// The timer wheel against a naive table: random arming, moving and cancelling, near and beyond all
// levels. Owner: the test; the clock is a number.
#include "../../support/leaks.h"

#include "tidegate/loop/timer.h"

TestSuite(timer, .fini = leaks_check);

#define MODEL_TIMERS 60
#define START_MS 1234568 // on a tick

struct probe {
    struct timer timer;
    int64_t armed_for; // -1: not armed, by the model
    int64_t armed_at;
    int fired;
};

static struct probe probes[MODEL_TIMERS];
static struct timers timers;
static int64_t now_ms;
static uint64_t random_state;

// A fixed sequence: what fails once fails again.
static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

static void probe_on_fire(struct timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, timer);

    cr_assert(!timer_is_armed(timer), "a timer is disarmed before it fires");
    cr_assert_geq(probe->armed_for, 0, "fired without being armed");
    cr_assert_geq(now_ms, probe->armed_for, "fired %lld ms early",
                  (long long)(probe->armed_for - now_ms));
    probe->armed_for = -1;
    probe->fired++;
}

static void model_begin(uint64_t seed)
{
    random_state = seed;
    now_ms = START_MS;
    timers_init(&timers, now_ms);
    for (int i = 0; i < MODEL_TIMERS; i++) {
        probes[i] = (struct probe){.armed_for = -1};
        timer_init(&probes[i].timer, probe_on_fire);
    }
}

static void model_arm(struct probe *probe, int64_t expires_ms)
{
    timer_arm(&timers, &probe->timer, expires_ms);
    probe->armed_for = expires_ms;
    probe->armed_at = now_ms;
}

static int64_t model_next(void)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < MODEL_TIMERS; i++) {
        if (probes[i].armed_for >= 0 && probes[i].armed_for < next) {
            next = probes[i].armed_for;
        }
    }
    return next;
}

// After a complete run nobody may be left whose tick has come.
static void model_expect_nobody_late(void)
{
    int64_t tick_begin = now_ms / TIMER_TICK_MS * TIMER_TICK_MS;
    for (int i = 0; i < MODEL_TIMERS; i++) {
        cr_assert(probes[i].armed_for < 0 || probes[i].armed_for > tick_begin,
                  "due at %lld, not fired at %lld", (long long)probes[i].armed_for,
                  (long long)now_ms);
        cr_assert_eq(timer_is_armed(&probes[i].timer), probes[i].armed_for >= 0);
    }
}

static int64_t random_distance(void)
{
    // Up to 8 * 2^33 ms: eight times what all five levels span.
    unsigned bits = random_below(36);
    return (int64_t)(((uint64_t)random_below(UINT32_MAX) << 4 | random_below(16)) &
                     (((uint64_t)1 << bits) - 1));
}

static void model_disturb(void)
{
    for (int i = 0; i < 5; i++) {
        struct probe *probe = &probes[random_below(MODEL_TIMERS)];
        switch (random_below(4)) {
        case 0:
            timer_cancel(&probe->timer);
            probe->armed_for = -1;
            break;
        default:
            model_arm(probe, now_ms - 20 + random_distance());
            break;
        }
    }
}

static void model_check_seed(uint64_t seed)
{
    model_begin(seed);
    for (int round = 0; round < 3000; round++) {
        model_disturb();
        int wait = timers_until_next(&timers, now_ms, INT32_MAX);
        int64_t next = model_next();
        if (next != INT64_MAX) {
            // Sleeping so long wakes at the latest in the tick in which the next one is due.
            cr_assert_leq(now_ms + wait, (next > now_ms ? next : now_ms) + TIMER_TICK_MS,
                          "oversleeps %lld by %lld ms", (long long)next,
                          (long long)(now_ms + wait - next));
        }
        // As the worker does, or later than it should, or much later.
        switch (random_below(3)) {
        case 0:
            now_ms += wait;
            break;
        case 1:
            now_ms += random_below(40);
            break;
        default:
            now_ms += random_distance() >> random_below(20);
            break;
        }
        cr_assert(!timers_run(&timers, now_ms, INT32_MAX));
        model_expect_nobody_late();
    }
}

Test(timer, fires_as_a_naive_table_says_over_all_distances)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        model_check_seed(seed);
    }
}

// Follows the wheel's own advice until the timer fires; counts how often it woke.
static int sleep_until_fired(struct probe *probe, int max_ms)
{
    int wakes = 0;
    while (probe->fired == 0) {
        int wait = timers_until_next(&timers, now_ms, max_ms);
        cr_assert(wait > 0, "does not sleep though nothing is due");
        now_ms += wait;
        timers_run(&timers, now_ms, 10);
        wakes++;
        cr_assert_lt(wakes, 100000);
    }
    return wakes;
}

Test(timer, sleeping_as_told_meets_each_distance_within_a_tick)
{
    for (int64_t distance = 1; distance < (int64_t)1 << 36; distance = distance * 2 + 1) {
        for (int64_t near = -1; near <= 1; near++) {
            model_begin(1);
            now_ms += distance % 1000;
            timers_run(&timers, now_ms, 10);
            int64_t expires = now_ms + distance + near;
            if (expires <= now_ms) {
                continue;
            }
            model_arm(&probes[0], expires);
            int wakes = sleep_until_fired(&probes[0], INT32_MAX);
            cr_assert_leq(now_ms - expires, TIMER_TICK_MS);
            cr_assert_leq(wakes, 60, "%d wakes for %lld ms", wakes, (long long)distance);
        }
    }
}

Test(timer, a_wait_never_passes_the_longest_allowed)
{
    model_begin(1);
    cr_assert_eq(timers_until_next(&timers, now_ms, 250), 250);
    model_arm(&probes[0], now_ms + 1000000);
    cr_assert_eq(timers_until_next(&timers, now_ms, 250), 250);
    cr_assert_eq(timers_until_next(&timers, now_ms, 0), 0);
}

Test(timer, a_timer_for_the_past_fires_next_and_allows_no_sleep)
{
    model_begin(1);
    model_arm(&probes[0], now_ms - 100000);
    cr_assert_eq(timers_until_next(&timers, now_ms, 1000), 0);
    timers_run(&timers, now_ms, 10);
    cr_assert_eq(probes[0].fired, 1);
    model_arm(&probes[1], 0);
    model_arm(&probes[2], -5);
    probes[2].armed_for = 0;
    timers_run(&timers, now_ms, 10);
    cr_assert_eq(probes[1].fired + probes[2].fired, 2);
}

Test(timer, a_bounded_run_leaves_the_rest_for_the_next_one)
{
    model_begin(1);
    for (int i = 0; i < 10; i++) {
        model_arm(&probes[i], now_ms + 10 + i * 10);
    }
    now_ms += 1000;
    cr_assert(timers_run(&timers, now_ms, 4));
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(probes[i].fired, i < 4, "timer %d", i);
    }
    cr_assert_eq(timers_until_next(&timers, now_ms, 1000), 0);
    // Those left over can still be cancelled and moved.
    timer_cancel(&probes[4].timer);
    model_arm(&probes[5], now_ms + 500);
    cr_assert(!timers_run(&timers, now_ms, 4));
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(probes[i].fired, i != 4 && i != 5, "timer %d", i);
    }
    now_ms += 508;
    timers_run(&timers, now_ms, 4);
    cr_assert_eq(probes[5].fired, 1);
}

Test(timer, a_run_that_just_fits_reports_nothing_left)
{
    model_begin(1);
    for (int i = 0; i < 4; i++) {
        model_arm(&probes[i], now_ms);
    }
    cr_assert(!timers_run(&timers, now_ms, 4));
    cr_assert_eq(timers_until_next(&timers, now_ms, 77), 77);
}

static void rearm_on_fire(struct timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, timer);
    probe->fired++;
    timer_arm(&timers, timer, now_ms);
}

Test(timer, a_timer_that_rearms_itself_for_now_cannot_hold_the_turn)
{
    model_begin(1);
    timer_init(&probes[0].timer, rearm_on_fire);
    timer_arm(&timers, &probes[0].timer, now_ms);
    cr_assert(timers_run(&timers, now_ms, 5));
    cr_assert_eq(probes[0].fired, 5);
    timer_cancel(&probes[0].timer);
}

static void cancel_other_on_fire(struct timer *timer)
{
    (void)timer;
    timer_cancel(&probes[1].timer);
    probes[0].fired++;
}

Test(timer, a_timer_may_cancel_one_that_is_due_in_the_same_run)
{
    model_begin(1);
    timer_init(&probes[0].timer, cancel_other_on_fire);
    timer_arm(&timers, &probes[0].timer, now_ms);
    model_arm(&probes[1], now_ms);
    timers_run(&timers, now_ms, 10);
    cr_assert_eq(probes[0].fired, 1);
    cr_assert_eq(probes[1].fired, 0);
}

Test(timer, cancelling_one_that_is_not_armed_is_harmless)
{
    model_begin(1);
    timer_cancel(&probes[0].timer);
    timer_cancel(&probes[0].timer);
    cr_assert(!timer_is_armed(&probes[0].timer));
}

Test(timer, timers_of_one_tick_fire_in_the_order_in_which_they_were_armed)
{
    static struct timer *order[3];
    model_begin(1);
    for (int i = 0; i < 3; i++) {
        model_arm(&probes[i], START_MS + 80);
    }
    now_ms += 100;
    for (int i = 0; i < 3; i++) {
        order[i] = &probes[i].timer;
        timers_run(&timers, now_ms, 1);
        cr_assert(!timer_is_armed(order[i]));
        cr_assert_eq(probes[i].fired, 1);
    }
}
