// Open connections by address, sharded like the hub. The total is one atomic number: it may pass
// the limit for an instant between adding and looking, and then takes the addition back.
//
// Owner: the process; any thread. Order: a shard's lock is never held with another lock.

#include "tidegate/net/census.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/map.h"
#include "tidegate/base/mem.h"

#include <pthread.h>
#include <stdatomic.h>

#define CENSUS_SHARDS 64

struct census_entry {
    struct map_node node; // census_shard.addresses
    uint32_t count;
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

void census_configure(struct census *census, uint32_t total_max, uint32_t address_max)
{
    atomic_store(&census->total_max, total_max);
    atomic_store(&census->address_max, address_max);
}

static bool census_enter_address(struct census *census, struct bytes key)
{
    uint64_t hash = map_hash(key);
    struct census_shard *shard = &census->shards[hash % CENSUS_SHARDS];
    uint32_t max = atomic_load_explicit(&census->address_max, memory_order_relaxed);

    pthread_mutex_lock(&shard->lock);
    struct map_node *node = map_find(&shard->addresses, hash, key);
    struct census_entry *entry;
    if (node != NULL) {
        entry = container_of(node, struct census_entry, node);
    } else {
        entry = mem_zalloc(sizeof(*entry));
        entry->key_len = (uint8_t)key.len;
        memcpy(entry->key, key.at, key.len);
        map_add(&shard->addresses, &entry->node, hash);
    }
    // An entry that exists has at least one connection, so a refusal never leaves an empty one.
    bool may_enter = max == 0 || entry->count < max;
    entry->count += may_enter;
    pthread_mutex_unlock(&shard->lock);
    return may_enter;
}

enum census_verdict census_enter(struct census *census, const struct addr *peer)
{
    uint32_t max = atomic_load_explicit(&census->total_max, memory_order_relaxed);
    uint32_t total = atomic_fetch_add(&census->total, 1) + 1;
    struct bytes key = addr_limit_key(peer);

    if (max != 0 && total > max) {
        atomic_fetch_sub(&census->total, 1);
        return CENSUS_TOTAL_LIMIT;
    }
    if (key.len > 0 && !census_enter_address(census, key)) {
        atomic_fetch_sub(&census->total, 1);
        return CENSUS_ADDRESS_LIMIT;
    }
    return CENSUS_OK;
}

void census_leave(struct census *census, const struct addr *peer)
{
    struct bytes key = addr_limit_key(peer);

    atomic_fetch_sub(&census->total, 1);
    if (key.len == 0) {
        return;
    }
    uint64_t hash = map_hash(key);
    struct census_shard *shard = &census->shards[hash % CENSUS_SHARDS];
    pthread_mutex_lock(&shard->lock);
    struct map_node *node = map_find(&shard->addresses, hash, key);
    assert_always(node != NULL);
    struct census_entry *entry = container_of(node, struct census_entry, node);
    entry->count--;
    if (entry->count == 0) {
        map_remove(&shard->addresses, node);
        mem_free(entry);
    }
    pthread_mutex_unlock(&shard->lock);
}

uint32_t census_total(const struct census *census)
{
    return atomic_load_explicit(&census->total, memory_order_relaxed);
}
