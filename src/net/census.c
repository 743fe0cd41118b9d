// Open connections by address, sharded like the hub. The total is one atomic number: it may pass
// the limit for an instant between adding and looking, and then takes the addition back.
//
// Owner: the process; any thread. Order: a shard's lock is never held with another lock.

#include "tidegate/net/census.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/map.h"
#include "tidegate/base/mem.h"

#include <pthread.h>
#include <stdatomic.h>

#define CENSUS_SHARDS 64

struct census_entry {
    struct map_node node; // census_shard.addresses
    uint32_t count;       // open now; 0: kept for its rate until the next sweep
    uint32_t second;      // the clock's, in which `came` was counted
    uint32_t came;
    uint8_t key_len;
    char key[8];
};

struct census_shard {
    pthread_mutex_t lock;
    struct map addresses; // under lock
};

struct census {
    _Atomic uint32_t total;
    _Atomic uint32_t total_max;
    _Atomic uint32_t address_max;
    _Atomic uint32_t total_rate;
    _Atomic uint32_t address_rate;
    _Atomic uint64_t came; // the second in the high half, how many came in it in the low
    _Atomic bool is_full;
    struct census_shard shards[CENSUS_SHARDS];
};

static bool census_equal(const struct map_node *node, struct bytes key)
{
    const struct census_entry *entry = container_of(node, const struct census_entry, node);

    return bytes_equal(bytes_make(entry->key, entry->key_len), key);
}

struct census *census_create(void)
{
    struct census *census = mem_zalloc(sizeof(*census));

    for (int i = 0; i < CENSUS_SHARDS; i++) {
        pthread_mutex_init(&census->shards[i].lock, NULL);
        map_init(&census->shards[i].addresses, census_equal);
    }
    return census;
}

void census_destroy(struct census *census)
{
    for (int i = 0; i < CENSUS_SHARDS; i++) {
        struct map *map = &census->shards[i].addresses;
        struct map_node *node = map_next(map, NULL);
        while (node != NULL) {
            struct map_node *next = map_next(map, node);
            map_remove(map, node);
            mem_free(container_of(node, struct census_entry, node));
            node = next;
        }
        map_finish(map);
        pthread_mutex_destroy(&census->shards[i].lock);
    }
    mem_free(census);
}

static const struct census_refusal census_refusals[] = {
#define X(name, status, metric, message) [CENSUS_##name] = {status, METRIC_##metric, message},
    CENSUS_VERDICTS(X)
#undef X
};

const struct census_refusal *census_refusal(enum census_verdict verdict)
{
    return &census_refusals[verdict];
}

void census_configure(struct census *census, const struct census_limits *limits)
{
    atomic_store(&census->total_max, limits->total_max);
    atomic_store(&census->address_max, limits->address_max);
    atomic_store(&census->total_rate, limits->total_rate);
    atomic_store(&census->address_rate, limits->address_rate);
}

void census_set_full(struct census *census, bool is_full)
{
    atomic_store(&census->is_full, is_full);
}

static uint32_t census_second(void)
{
    return (uint32_t)(clock_now_ms() / 1000);
}

// Counts a newcomer of this second.
static bool census_is_too_fast(struct census *census)
{
    uint64_t max = atomic_load_explicit(&census->total_rate, memory_order_relaxed);
    uint64_t second = (uint64_t)census_second() << 32;
    uint64_t old = atomic_load(&census->came);
    uint64_t new;

    if (max == 0) {
        return false;
    }
    do {
        bool is_same = (old & ~(uint64_t)UINT32_MAX) == second;
        new = is_same ? old + 1 : second | 1;
    } while (!atomic_compare_exchange_weak(&census->came, &old, new));
    return (new &UINT32_MAX) > max;
}

static struct census_entry *census_open_locked(struct census_shard *shard, uint64_t hash,
                                               struct bytes key)
{
    struct map_node *node = map_find(&shard->addresses, hash, key);

    if (node != NULL) {
        return container_of(node, struct census_entry, node);
    }
    struct census_entry *entry = mem_zalloc(sizeof(*entry));
    entry->key_len = (uint8_t)key.len;
    memcpy(entry->key, key.at, key.len);
    map_add(&shard->addresses, &entry->node, hash);
    return entry;
}

static enum census_verdict census_enter_address(struct census *census, struct bytes key)
{
    uint64_t hash = map_hash(key);
    struct census_shard *shard = &census->shards[hash % CENSUS_SHARDS];
    uint32_t max = atomic_load_explicit(&census->address_max, memory_order_relaxed);
    uint32_t rate = atomic_load_explicit(&census->address_rate, memory_order_relaxed);
    uint32_t second = census_second();
    enum census_verdict verdict = CENSUS_OK;

    pthread_mutex_lock(&shard->lock);
    struct census_entry *entry = census_open_locked(shard, hash, key);
    entry->came = entry->second == second ? entry->came + 1 : 1;
    entry->second = second;
    if (rate != 0 && entry->came > rate) {
        verdict = CENSUS_ADDRESS_RATE;
    } else if (max != 0 && entry->count >= max) {
        verdict = CENSUS_ADDRESS_LIMIT;
    } else {
        entry->count++;
    }
    pthread_mutex_unlock(&shard->lock);
    return verdict;
}

enum census_verdict census_enter(struct census *census, const struct addr *peer)
{
    uint32_t max = atomic_load_explicit(&census->total_max, memory_order_relaxed);
    struct bytes key = addr_limit_key(peer);
    enum census_verdict verdict = CENSUS_OK;
    uint32_t total = atomic_fetch_add(&census->total, 1) + 1;

    if (atomic_load_explicit(&census->is_full, memory_order_relaxed)) {
        verdict = CENSUS_MEMORY;
    } else if (census_is_too_fast(census)) {
        verdict = CENSUS_TOTAL_RATE;
    } else if (max != 0 && total > max) {
        verdict = CENSUS_TOTAL_LIMIT;
    } else if (key.len > 0) {
        verdict = census_enter_address(census, key);
    }
    if (verdict != CENSUS_OK) {
        atomic_fetch_sub(&census->total, 1);
    }
    return verdict;
}

static void census_leave_address(struct census *census, struct bytes key)
{
    uint64_t hash = map_hash(key);
    struct census_shard *shard = &census->shards[hash % CENSUS_SHARDS];
    pthread_mutex_lock(&shard->lock);
    struct map_node *node = map_find(&shard->addresses, hash, key);
    assert_always(node != NULL);
    struct census_entry *entry = container_of(node, struct census_entry, node);
    assert_always(entry->count > 0);
    entry->count--;
    pthread_mutex_unlock(&shard->lock);
}

void census_leave(struct census *census, const struct addr *peer)
{
    struct bytes key = addr_limit_key(peer);

    atomic_fetch_sub(&census->total, 1);
    if (key.len > 0) {
        census_leave_address(census, key);
    }
}

enum census_verdict census_move(struct census *census, const struct addr *from,
                                const struct addr *to)
{
    struct bytes old = addr_limit_key(from);
    struct bytes next = addr_limit_key(to);
    enum census_verdict verdict = CENSUS_OK;

    if (bytes_equal(old, next)) {
        return CENSUS_OK;
    }
    if (next.len > 0) {
        verdict = census_enter_address(census, next);
    }
    if (verdict == CENSUS_OK && old.len > 0) {
        census_leave_address(census, old);
    }
    return verdict;
}

void census_sweep(struct census *census, unsigned part, unsigned parts)
{
    uint32_t second = census_second();

    for (unsigned i = part; i < CENSUS_SHARDS; i += parts) {
        struct census_shard *shard = &census->shards[i];
        pthread_mutex_lock(&shard->lock);
        struct map_node *node = map_next(&shard->addresses, NULL);
        while (node != NULL) {
            struct map_node *next = map_next(&shard->addresses, node);
            struct census_entry *entry = container_of(node, struct census_entry, node);
            if (entry->count == 0 && entry->second != second) {
                map_remove(&shard->addresses, node);
                mem_free(entry);
            }
            node = next;
        }
        pthread_mutex_unlock(&shard->lock);
    }
}

uint32_t census_total(const struct census *census)
{
    return atomic_load_explicit(&census->total, memory_order_relaxed);
}
