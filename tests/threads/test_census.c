// The census under racing workers: limits hold over all of them, and who left is counted out. A
// plain program for ThreadSanitizer. Prints `ok - sentence` or `not ok - sentence`.
// Owner: the census is shared; each thread counts what it let in.
#include "tidegate/net/census.h"

#include <pthread.h>
#include <stdio.h>

#define THREADS 4
#define ROUNDS 4000
#define TOTAL_MAX 20
#define ADDRESS_MAX 6
#define ADDRESSES 8

static struct census *census;
static _Atomic int inside;
static _Atomic int inside_of[ADDRESSES];
static _Atomic int too_many;
static _Atomic int let_in;
static _Atomic int refusals;
static int failed;

static void check(bool condition, const char *sentence)
{
    printf("%s - %s\n", condition ? "ok" : "not ok", sentence);
    failed += condition ? 0 : 1;
}

static struct addr address(unsigned i)
{
    struct addr addr = {.family = ADDR_IPV4, .ip = {10, 0, 0, (uint8_t)i}};
    return addr;
}

// Counted after the census let in and before it is told of the leaving: never more than the truth.
static bool enter(unsigned i)
{
    struct addr addr = address(i);
    if (census_enter(census, &addr) != CENSUS_OK) {
        atomic_fetch_add(&refusals, 1);
        return false;
    }
    int now = atomic_fetch_add(&inside, 1) + 1;
    int now_of = atomic_fetch_add(&inside_of[i], 1) + 1;
    if (now > TOTAL_MAX || now_of > ADDRESS_MAX) {
        atomic_fetch_add(&too_many, 1);
    }
    atomic_fetch_add(&let_in, 1);
    return true;
}

static void leave(unsigned i)
{
    struct addr addr = address(i);
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_sub(&inside_of[i], 1);
    census_leave(census, &addr);
}

static void *come_and_go(void *argument)
{
    unsigned id = (unsigned)(uintptr_t)argument;
    unsigned held[8];
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned count = 0;
        for (unsigned i = 0; i < 8; i++) {
            unsigned which = (round * 5 + i * i + id) % ADDRESSES;
            if (enter(which)) {
                held[count++] = which;
            }
        }
        if (round % 16 == 0) {
            census_sweep(census, id, THREADS);
        }
        while (count > 0) {
            leave(held[--count]);
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    struct census_limits limits = {.total_max = TOTAL_MAX, .address_max = ADDRESS_MAX};
    census = census_create();
    census_configure(census, &limits);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, come_and_go, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    check(atomic_load(&too_many) == 0, "no limit is passed, in total and by address");
    check(atomic_load(&refusals) > 0 && atomic_load(&let_in) > 0, "some got in and some did not");
    check(census_total(census) == 0, "who left is counted out of the total");
    bool is_free = true;
    for (unsigned i = 0; i < ADDRESSES; i++) {
        limits.total_max = 0;
        census_configure(census, &limits);
        for (int n = 0; n < ADDRESS_MAX; n++) {
            is_free = is_free && enter(i);
        }
        is_free = is_free && !enter(i);
    }
    check(is_free, "and each address has all its places again, and no more");
    census_destroy(census);
    return failed > 0;
}
