// The hash map: chains in a table of a power of two, hashed by SipHash-1-3 under a seed that is
// drawn once a process, before main().
// Owner: the thread (or lock) that owns the map. The table is the map's; nodes are the caller's.
// Invariant: the bucket is the hash's top bits, and each chain ascends by hash. So a walk visits
// nodes in ascending hash order whatever the table's size is, and a table that shrinks under a walk
// (because the visitor removes nodes) neither hides nor repeats one.
#include "tidegate/base/map.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/rand.h"

#include <stdlib.h>

#define MAP_BUCKETS_MIN 4u

static uint64_t map_seed[2];

__attribute__((constructor)) static void map_draw_seed(void)
{
    rand_bytes(map_seed, sizeof(map_seed));
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

uint64_t map_hash(struct bytes key)
{
    uint64_t v[4] = {
        map_seed[0] ^ 0x736f6d6570736575u,
        map_seed[1] ^ 0x646f72616e646f6du,
        map_seed[0] ^ 0x6c7967656e657261u,
        map_seed[1] ^ 0x7465646279746573u,
    };
    size_t whole = key.len / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word;
        memcpy(&word, key.at + i, sizeof(word));
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)key.len << 56;
    for (size_t i = whole; i < key.len; i++) {
        last |= (uint64_t)(unsigned char)key.at[i] << (8 * (i - whole));
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static size_t bucket_of(size_t bucket_count, uint64_t hash)
{
    return (size_t)(hash >> (64 - __builtin_ctzll(bucket_count)));
}

void map_init(struct map *map, map_equal_fn *equal)
{
    *map = (struct map){.equal = equal};
}

void map_finish(struct map *map)
{
    mem_free(map->buckets);
    map->buckets = NULL;
    map->bucket_count = 0;
    map->count = 0;
}

// Moves all chains to a table of `bucket_count`. False when there is no memory: the old one works
// on with longer chains.
static bool map_resize(struct map *map, size_t bucket_count)
{
    struct map_node **buckets = calloc(bucket_count, sizeof(struct map_node *));
    if (buckets == NULL) {
        return false;
    }
    // Old order is ascending hash order, so appending behind the last one keeps each chain sorted.
    struct map_node **tail = NULL;
    size_t tail_bucket = 0;
    for (size_t i = 0; i < map->bucket_count; i++) {
        for (struct map_node *node = map->buckets[i]; node != NULL; node = node->next) {
            size_t bucket = bucket_of(bucket_count, node->hash);
            if (tail == NULL || bucket != tail_bucket) {
                if (tail != NULL) {
                    *tail = NULL; // it pointed on to `node` when both shared a chain
                }
                tail = &buckets[bucket];
                tail_bucket = bucket;
            }
            *tail = node;
            tail = &node->next;
        }
    }
    mem_free(map->buckets);
    map->buckets = buckets;
    map->bucket_count = bucket_count;
    return true;
}

struct map_node *map_find(const struct map *map, uint64_t hash, struct bytes key)
{
    if (map->count == 0) {
        return NULL;
    }
    struct map_node *node = map->buckets[bucket_of(map->bucket_count, hash)];
    while (node != NULL && node->hash <= hash) {
        if (node->hash == hash && map->equal(node, key)) {
            return node;
        }
        node = node->next;
    }
    return NULL;
}

void map_add(struct map *map, struct map_node *node, uint64_t hash)
{
    if (map->count >= map->bucket_count) {
        size_t bucket_count = map->bucket_count > 0 ? map->bucket_count * 2 : MAP_BUCKETS_MIN;
        bool grown = map_resize(map, bucket_count);
        assert_always(grown || map->bucket_count > 0);
    }
    struct map_node **link = &map->buckets[bucket_of(map->bucket_count, hash)];
    while (*link != NULL && (*link)->hash <= hash) {
        link = &(*link)->next;
    }
    node->hash = hash;
    node->next = *link;
    *link = node;
    map->count++;
}

void map_remove(struct map *map, struct map_node *node)
{
    assert_always(map->count > 0);
    struct map_node **link = &map->buckets[bucket_of(map->bucket_count, node->hash)];
    while (*link != node) {
        assert_always(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
    if (map->count == 0) {
        map_finish(map);
    } else if (map->bucket_count > MAP_BUCKETS_MIN && map->count < map->bucket_count / 4) {
        // Half full after it: adding and removing one node in turn does not resize each time.
        (void)map_resize(map, map->bucket_count / 2);
    }
}

struct map_node *map_next(const struct map *map, const struct map_node *node)
{
    size_t bucket = 0;
    if (node != NULL) {
        if (node->next != NULL) {
            return node->next;
        }
        bucket = bucket_of(map->bucket_count, node->hash) + 1;
    }
    while (bucket < map->bucket_count) {
        if (map->buckets[bucket] != NULL) {
            return map->buckets[bucket];
        }
        bucket++;
    }
    return NULL;
}
