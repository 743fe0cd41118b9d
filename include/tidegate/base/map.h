// Intrusive hash map with a per-process random seed (SipHash-1-3), so that a peer who chooses keys
// cannot choose collisions. Nodes are embedded in the caller's structures and owned by them.
// One thread, or under the owner's lock. Invariant: a node is in at most one map.
#ifndef TIDEGATE_BASE_MAP_H
#define TIDEGATE_BASE_MAP_H

#include "tidegate/base/bytes.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

// Whether `node` stands for `key`.
typedef bool map_equal_fn(const struct map_node *node, struct bytes key);

struct map {
    struct map_node **buckets; // owned; NULL while empty
    size_t bucket_count;       // a power of two
    size_t count;
    map_equal_fn *equal;
};

// The seeded hash of `key`: the same for all maps and threads of this process.
uint64_t map_hash(struct bytes key);

void map_init(struct map *map, map_equal_fn *equal);

// Frees the buckets. The nodes are the caller's.
void map_finish(struct map *map);

// The node for `key`, whose map_hash is `hash`, or NULL.
struct map_node *map_find(const struct map *map, uint64_t hash, struct bytes key);

// Adds `node`; its key must not be in the map yet. Grows the table when needed.
void map_add(struct map *map, struct map_node *node, uint64_t hash);

// Removes `node`, which must be in the map. Shrinks the table when it became sparse.
void map_remove(struct map *map, struct map_node *node);

// Walks all nodes: start with NULL, then pass the last one; NULL at the end. The map must not
// change between calls, except that the node returned last may be removed after the next was asked.
struct map_node *map_next(const struct map *map, const struct map_node *node);

#endif
