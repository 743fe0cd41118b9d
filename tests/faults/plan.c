// The seeded plan: which call of which thread gets a fault. Owner: read once before main(); then
// each thread has its own counters, and only the counts of what was done are shared.

#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALLOC_MIN 4096 // smaller ones are never refused: the program may rely on those

struct real_calls real;

static const char *const kind_names[] = {
#define X(id, name, is_fatal) name,
    KINDS(X)
#undef X
};

static uint64_t plan_seed;
static unsigned plan_rates[KIND_COUNT]; // thousandths
static bool plan_exists;
static char plan_report[512];
static _Atomic unsigned long plan_done[KIND_COUNT];
static _Atomic unsigned plan_threads;

static _Thread_local bool thread_is_on;
static _Thread_local unsigned thread_number;
static _Thread_local uint64_t thread_draws[KIND_COUNT];

static void plan_find(void *to, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL) {
        fprintf(stderr, "faults: no %s\n", name);
        abort();
    }
    memcpy(to, &found, sizeof(found));
}

static void plan_set_kinds(char *list, unsigned rate, unsigned fatal)
{
    static const bool is_fatal[] = {
#define X(id, name, is_fatal) is_fatal,
        KINDS(X)
#undef X
    };
    char *rest = NULL;

    for (char *word = strtok_r(list, "+", &rest); word; word = strtok_r(NULL, "+", &rest)) {
        int kind = 0;
        while (kind < KIND_COUNT && strcmp(word, kind_names[kind]) != 0) {
            kind++;
        }
        if (kind == KIND_COUNT) {
            fprintf(stderr, "faults: no such kind: %s\n", word);
            abort();
        }
        plan_rates[kind] = is_fatal[kind] ? fatal : rate;
    }
}

static void plan_read(const char *text)
{
    char copy[1024];
    char kinds[512] = "";
    unsigned rate = 50;
    unsigned fatal = 2;
    char *rest = NULL;

    snprintf(copy, sizeof(copy), "%s", text);
    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        if (sscanf(item, "rate=%u", &rate) == 1 || sscanf(item, "fatal=%u", &fatal) == 1 ||
            sscanf(item, "kinds=%511s", kinds) == 1 ||
            sscanf(item, "report=%511s", plan_report) == 1) {
            continue;
        }
        if (strncmp(item, "seed=", 5) == 0) {
            plan_seed = strtoull(item + 5, NULL, 10);
            continue;
        }
        fprintf(stderr, "faults: cannot read %s\n", item);
        abort();
    }
    plan_set_kinds(kinds, rate, fatal);
    plan_exists = true;
}

__attribute__((constructor)) static void plan_begin(void)
{
#define FIND(name) plan_find(&real.name, #name)
    FIND(recv);
    FIND(send);
    FIND(sendmsg);
    FIND(read);
    FIND(write);
    FIND(accept4);
    FIND(close);
    FIND(setsockopt);
    FIND(epoll_ctl);
    FIND(epoll_wait);
    FIND(eventfd);
#undef FIND
    const char *text = getenv("TIDEGATE_FAULTS");
    if (text != NULL) {
        plan_read(text);
        // The program would take it for one of its settings.
        unsetenv("TIDEGATE_FAULTS");
    }
}

__attribute__((destructor)) static void plan_end(void)
{
    FILE *file = plan_report[0] != '\0' ? fopen(plan_report, "w") : NULL;

    if (file == NULL) {
        return;
    }
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        fprintf(file, "%s %lu\n", kind_names[kind], atomic_load(&plan_done[kind]));
    }
    fclose(file);
}

void plan_enter(void)
{
    thread_is_on = plan_exists;
}

bool plan_is_on(void)
{
    return thread_is_on;
}

// SplitMix64's last step: every input bit reaches every output bit.
static uint64_t plan_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t plan_draw(enum kind kind)
{
    uint64_t place = (uint64_t)thread_number << 40 | (uint64_t)kind << 32 | thread_draws[kind]++;

    return plan_mix(plan_mix(plan_seed + 0x9e3779b97f4a7c15u) ^ plan_mix(place + 1));
}

bool plan_roll(enum kind kind)
{
    bool is_due = thread_is_on && plan_draw(kind) % 1000 < plan_rates[kind];

    if (is_due) {
        atomic_fetch_add_explicit(&plan_done[kind], 1, memory_order_relaxed);
    }
    return is_due;
}

size_t plan_pick(enum kind kind, size_t below)
{
    return (size_t)(plan_draw(kind) % below);
}

size_t plan_cut(const struct iovec *from, struct iovec *to, size_t len)
{
    size_t count = 0;

    while (len > 0) {
        to[count] = from[count];
        if (to[count].iov_len > len) {
            to[count].iov_len = len;
        }
        len -= to[count].iov_len;
        count++;
    }
    return count;
}

// --- threads by the order they are created in ---

#define THREADS 64

static struct plan_start {
    void *(*run)(void *);
    void *argument;
} plan_starts[THREADS];

static void *plan_run(void *argument)
{
    const struct plan_start *start = argument;

    thread_number = (unsigned)(start - plan_starts) + 1;
    return start->run(start->argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    unsigned number = atomic_fetch_add(&plan_threads, 1);

    if (create == NULL) {
        plan_find(&create, "pthread_create");
    }
    if (number >= THREADS) {
        return create(thread, attributes, run, argument);
    }
    plan_starts[number] = (struct plan_start){run, argument};
    return create(thread, attributes, plan_run, &plan_starts[number]);
}

// --- memory ---

void *malloc(size_t size)
{
    if (size >= ALLOC_MIN && plan_is_on() && plan_roll(KIND_ALLOC)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(size);
}

void *realloc(void *block, size_t size)
{
    if (size >= ALLOC_MIN && plan_is_on() && plan_roll(KIND_ALLOC)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(block, size);
}
