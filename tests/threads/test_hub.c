// The hub under several publishers and several workers that subscribe, leave and come back with
// what they saw last. A plain program for ThreadSanitizer: prints `ok - sentence` or `not ok -
// sentence`. Owner: main() makes the hub and the mailboxes; each worker thread owns its loop and
// its view of the channels. Failures are counted, never printed from the threads. Random choices
// come from a fixed seed a thread; what is checked holds for every interleaving.
#include "tidegate/base/clock.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/channel/hub.h"

#include <sched.h>
#include <stdio.h>

#define WORKERS 3
#define PUBLISHERS 3
#define CHANNELS 6
#define LONG_CHANNELS 3 // the first ones keep everything, so every return recovers
#define PUBLICATIONS 3000
#define PUBLICATIONS_A_TURN 60 // then a publisher waits until each worker had a turn
#define MAILBOX_BYTES ((size_t)256 * 1024 * 1024)
#define DEADLINE_MS 60000

enum view_state { VIEW_AWAY, VIEW_PENDING, VIEW_LIVE };

// What one worker knows of one channel.
struct view {
    enum view_state state;
    struct position seen;
    uint64_t newest;   // of any publication that came, also while not live
    uint64_t received; // recovered or live, each once
    uint32_t token;    // of the latest subscribe
    bool came_before;
};

struct worker {
    pthread_t thread;
    unsigned id;
    struct mailbox mailbox;
    struct metrics *metrics;
    _Atomic unsigned turns;
    struct view views[CHANNELS];
    uint64_t random;
    uint64_t recoveries;
    uint64_t recovered;
    uint64_t gaps;      // a live publication that was not the next one
    uint64_t disorder;  // a publication older than one that came before
    uint64_t bad_start; // a reply that does not fit what was asked
    uint64_t lost;      // a return to a channel that keeps everything, not recovered
};

struct publisher {
    pthread_t thread;
    struct metrics *metrics;
    uint64_t random;
    uint64_t failures;
};

static struct hub *hub;
static struct worker workers[WORKERS];
static struct publisher publishers[PUBLISHERS];
static _Atomic bool is_published; // all publishers are done
static int failed;

static void check(bool condition, const char *sentence)
{
    printf("%s - %s\n", condition ? "ok" : "not ok", sentence);
    failed += condition ? 0 : 1;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static const char *const names[CHANNELS] = {"long0",  "long1",  "long2",
                                            "short0", "short1", "short2"};

static struct bytes channel_name(unsigned channel)
{
    return bytes_str(names[channel]);
}

static unsigned channel_of(struct bytes name)
{
    return (unsigned)(name.at[name.len - 1] - '0') + (name.at[0] == 's' ? LONG_CHANNELS : 0);
}

static const struct channel_settings *settings_of(unsigned channel)
{
    static const struct channel_settings keeps_all = {PUBLISHERS * PUBLICATIONS, 600000, 600000};
    static const struct channel_settings keeps_few = {8, 600000, 600000};
    return channel < LONG_CHANNELS ? &keeps_all : &keeps_few;
}

// Without it, a busy machine could run all publishers before the first worker wakes up.
static void wait_for_turns(int64_t deadline_ms)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        unsigned turns = atomic_load(&workers[i].turns);
        while (atomic_load(&workers[i].turns) == turns && clock_now_ms() < deadline_ms) {
            sched_yield();
        }
    }
}

static void *publisher_run(void *argument)
{
    struct publisher *publisher = argument;
    metrics_attach(publisher->metrics);
    int64_t deadline_ms = clock_now_ms() + DEADLINE_MS / 2;
    for (int i = 0; i < PUBLICATIONS; i++) {
        if (i % PUBLICATIONS_A_TURN == 0) {
            wait_for_turns(deadline_ms);
        }
        unsigned channel = (unsigned)(next_random(&publisher->random) % CHANNELS);
        struct hub_publish_request request = {
            .publication = publication_try_create(&(struct publication_parts){
                .channel = channel_name(channel), .data = BYTES_OF("0123456789")}),
            .settings = settings_of(channel),
        };
        struct position position;
        if (hub_publish(hub, &request, &position) != 1 || position.offset == 0) {
            publisher->failures++;
        }
    }
    metrics_attach(NULL);
    return NULL;
}

static void view_subscribe(struct worker *worker, unsigned channel)
{
    struct view *view = &worker->views[channel];
    struct hub_subscribe_request request = {
        .channel = channel_name(channel),
        .settings = settings_of(channel),
        .worker = worker->id,
        .recover = view->came_before,
        .since = view->seen,
        .recover_max = PUBLISHERS * PUBLICATIONS,
    };
    struct hub_subscribed *subscribed = mem_zalloc(sizeof(*subscribed));
    subscribed->reply.to.slot = channel + 1;
    subscribed->token = ++view->token;
    view->state = VIEW_PENDING;
    hub_subscribe(hub, &request, subscribed);
    hub_count(hub, request.channel, 1);
}

static void view_leave(struct worker *worker, unsigned channel)
{
    worker->views[channel].state = VIEW_AWAY;
    hub_count(hub, channel_name(channel), -1);
    hub_unsubscribe(hub, channel_name(channel), worker->id);
}

// Takes in a list that must go from what was seen to the top without a gap.
static void view_catch_up(struct worker *worker, struct view *view,
                          const struct history_result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        worker->bad_start += result->items[i]->offset != view->seen.offset + 1;
        view->seen.offset = result->items[i]->offset;
        view->received++;
    }
    worker->bad_start += view->seen.offset != result->top.offset;
}

static void worker_on_subscribed(struct worker *worker, struct hub_subscribed *subscribed)
{
    unsigned channel = subscribed->reply.to.slot - 1;
    struct view *view = &worker->views[channel];
    if (view->state != VIEW_PENDING || subscribed->token != view->token) {
        return; // of a subscription that is gone
    }
    worker->bad_start += subscribed->error != 0;
    // Nothing newer than the reply's position may have come before it.
    worker->disorder += subscribed->result.top.offset < view->newest;
    if (view->came_before) {
        worker->recoveries++;
        worker->recovered += subscribed->recovered;
        worker->lost += channel < LONG_CHANNELS && !subscribed->recovered;
    }
    if (subscribed->recovered) {
        view_catch_up(worker, view, &subscribed->result);
    } else {
        worker->bad_start += subscribed->result.count != 0;
    }
    view->seen = subscribed->result.top;
    view->came_before = true;
    view->state = VIEW_LIVE;
}

static void worker_on_publication(struct worker *worker, const struct publication *publication)
{
    unsigned channel = channel_of(publication->channel);
    struct view *view = &worker->views[channel];
    worker->disorder += publication->offset <= view->newest;
    view->newest = publication->offset;
    if (view->state != VIEW_LIVE) {
        return;
    }
    worker->gaps += publication->offset != view->seen.offset + 1;
    view->seen.offset = publication->offset;
    view->received++;
    if (next_random(&worker->random) % 8 == 0) {
        view_leave(worker, channel);
    }
}

static void worker_on_message(void *context, struct message *message)
{
    struct worker *worker = context;
    if (message->kind == MESSAGE_PUBLICATION) {
        worker_on_publication(worker,
                              container_of(message, struct hub_message, message)->publication);
    } else {
        worker_on_subscribed(worker, container_of(message, struct hub_subscribed, reply.message));
    }
    message->destroy(message);
}

// Comes back to some channels; to all when `all`. Returns whether every view is live.
static bool worker_return(struct worker *worker, bool all)
{
    bool is_live = true;
    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        struct view *view = &worker->views[channel];
        is_live = is_live && view->state == VIEW_LIVE;
        if (view->state == VIEW_AWAY && (all || next_random(&worker->random) % 4 == 0)) {
            view_subscribe(worker, channel);
        }
    }
    return is_live;
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    struct loop loop;
    metrics_attach(worker->metrics);
    worker->bad_start += loop_init(&loop) < 0 || mailbox_attach(&worker->mailbox, &loop) < 0;
    int64_t deadline_ms = clock_now_ms() + DEADLINE_MS;
    for (unsigned turn = 0; clock_now_ms() < deadline_ms; turn++) {
        bool is_last = atomic_load(&is_published);
        bool is_live = worker_return(worker, is_last);
        if (is_last && is_live && !mailbox_is_pending(&worker->mailbox)) {
            break;
        }
        loop_poll(&loop, mailbox_is_pending(&worker->mailbox) ? 0 : 1);
        mailbox_drain(&worker->mailbox, worker_on_message, worker,
                      (struct mailbox_budget){64, SIZE_MAX});
        atomic_fetch_add(&worker->turns, 1);
        if (turn % 16 == 0) {
            hub_sweep(hub, worker->id, WORKERS);
        }
    }
    loop_finish(&loop);
    metrics_attach(NULL);
    return NULL;
}

static void run_threads(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].id = i;
        workers[i].random = 88172645463325252u + i;
        workers[i].metrics = metrics_create();
        pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        publishers[i].random = 362436069u + i;
        publishers[i].metrics = metrics_create();
        pthread_create(&publishers[i].thread, NULL, publisher_run, &publishers[i]);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        pthread_join(publishers[i].thread, NULL);
    }
    atomic_store(&is_published, true);
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
    }
}

static uint64_t top_of(unsigned channel)
{
    struct history_query query = {.limit = 0};
    struct history_result result = {.count = 0};
    if (hub_history(hub, channel_name(channel), settings_of(channel), &query, &result) < 0) {
        return 0;
    }
    return result.top.offset;
}

struct listing {
    unsigned channels;
    uint32_t subscribers;
};

static void count_channel(void *context, struct bytes channel, uint32_t subscribers)
{
    struct listing *listing = context;
    listing->channels++;
    listing->subscribers += subscribers;
}

// How many views did not end live at the top, or missed something although all was kept.
static uint64_t count_behind(void)
{
    uint64_t behind = 0;
    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        uint64_t top = top_of(channel);
        for (unsigned i = 0; i < WORKERS; i++) {
            struct view *view = &workers[i].views[channel];
            behind += view->state != VIEW_LIVE || view->seen.offset != top;
        }
    }
    return behind;
}

static void check_workers(void)
{
    struct worker sum = {.gaps = 0};
    for (unsigned i = 0; i < WORKERS; i++) {
        sum.gaps += workers[i].gaps;
        sum.disorder += workers[i].disorder;
        sum.bad_start += workers[i].bad_start;
        sum.lost += workers[i].lost;
        sum.recoveries += workers[i].recoveries;
        sum.recovered += workers[i].recovered;
    }
    check(sum.gaps == 0,
          "after its reply a worker sees each offset of a channel, one after the other");
    check(sum.disorder == 0, "a worker never sees an older publication after a newer one");
    check(sum.bad_start == 0, "a reply carries all from the position asked for up to its own");
    check(sum.lost == 0, "every return to a channel that keeps everything is recovered");
    check(sum.recoveries > 100, "workers left and came back while others published");
    check(sum.recovered < sum.recoveries, "a return after too much was trimmed is not recovered");
    check(count_behind() == 0, "in the end every worker stands at the top of every channel");
}

static void check_totals(void)
{
    uint64_t failures = 0;
    uint64_t offsets = 0;
    struct listing listing = {0};
    struct metrics *blocks[WORKERS + PUBLISHERS];
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        failures += publishers[i].failures;
        blocks[i] = publishers[i].metrics;
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        blocks[PUBLISHERS + i] = workers[i].metrics;
    }
    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        offsets += top_of(channel);
    }
    hub_each_channel(hub, count_channel, &listing);
    const size_t count = WORKERS + PUBLISHERS;
    check(failures == 0, "every publication is accepted");
    check(offsets == PUBLISHERS * PUBLICATIONS, "every publication has an offset of its own");
    check(listing.channels == CHANNELS && listing.subscribers == CHANNELS * WORKERS,
          "subscribers are counted right however they came and left");
    check(metrics_sum(blocks, count, METRIC_PUBLICATIONS) == PUBLISHERS * PUBLICATIONS,
          "the metric counts every publication");
    check(metrics_sum(blocks, count, METRIC_CHANNELS) == (int64_t)hub_channels(hub),
          "the channels gauge, summed over threads, is the number of channels");
    check(metrics_sum(blocks, count, METRIC_DROPS_MAILBOX) == 0,
          "nothing is dropped below the limit");
}

int main(void)
{
    struct mailbox *mailboxes[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        if (mailbox_init(&workers[i].mailbox, MAILBOX_BYTES) < 0) {
            check(false, "mailboxes can be made");
            return 1;
        }
        mailboxes[i] = &workers[i].mailbox;
    }
    hub = hub_create(&(struct hub_options){.mailboxes = mailboxes,
                                           .worker_count = WORKERS,
                                           .channels_max = 100,
                                           .idempotency_keys_max = 10,
                                           .idempotency_ttl_ms = 300000});
    run_threads();
    check_workers();
    check_totals();
    hub_destroy(hub);
    for (unsigned i = 0; i < WORKERS; i++) {
        mailbox_finish(&workers[i].mailbox);
        metrics_destroy(workers[i].metrics);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        metrics_destroy(publishers[i].metrics);
    }
    return failed > 0;
}
