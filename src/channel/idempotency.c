// Idempotency keys of one channel: a map to find them, a list in order of age to forget them.
// Owner: the channel record, under its hub shard's lock; nothing here locks.
// Invariant: every key is in both; all live equally long, so the list is in order of expiry and
// forgetting looks at its front only.
#include "idempotency.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"

struct idempotency_key {
    struct map_node node; // idempotency.keys
    struct list link;     // idempotency.order
    struct position position;
    int64_t expires_ms;
    size_t len;
    char text[];
};

static bool idempotency_key_equal(const struct map_node *node, struct bytes key)
{
    const struct idempotency_key *entry = container_of(node, struct idempotency_key, node);
    return bytes_equal(bytes_make(entry->text, entry->len), key);
}

static void idempotency_drop(struct idempotency *idempotency, struct idempotency_key *entry)
{
    map_remove(&idempotency->keys, &entry->node);
    list_remove(&entry->link);
    mem_free(entry);
}

static struct idempotency_key *idempotency_oldest(struct idempotency *idempotency)
{
    return list_is_empty(&idempotency->order)
               ? NULL
               : list_entry(idempotency->order.next, struct idempotency_key, link);
}

struct idempotency *idempotency_create(void)
{
    struct idempotency *idempotency = mem_alloc(sizeof(*idempotency));
    map_init(&idempotency->keys, idempotency_key_equal);
    list_init(&idempotency->order);
    return idempotency;
}

void idempotency_destroy(struct idempotency *idempotency)
{
    if (idempotency == NULL) {
        return;
    }
    struct idempotency_key *entry;
    while ((entry = idempotency_oldest(idempotency)) != NULL) {
        idempotency_drop(idempotency, entry);
    }
    map_finish(&idempotency->keys);
    mem_free(idempotency);
}

bool idempotency_find(struct idempotency *idempotency, struct bytes key, int64_t now_ms,
                      struct position *ret_position)
{
    idempotency_expire(idempotency, now_ms);
    struct map_node *node = map_find(&idempotency->keys, map_hash(key), key);
    if (node == NULL) {
        return false;
    }
    *ret_position = container_of(node, struct idempotency_key, node)->position;
    return true;
}

void idempotency_add(struct idempotency *idempotency, struct bytes key,
                     const struct position *position, int64_t expires_ms, uint32_t max)
{
    assert_always(max > 0);
    while (idempotency->keys.count >= max) {
        idempotency_drop(idempotency, idempotency_oldest(idempotency));
        metric_add(METRIC_IDEMPOTENCY_EVICTED, 1);
    }
    struct idempotency_key *entry = mem_alloc(sizeof(*entry) + key.len);
    entry->position = *position;
    entry->expires_ms = expires_ms;
    entry->len = key.len;
    memcpy(entry->text, key.at, key.len);
    list_append(&idempotency->order, &entry->link);
    map_add(&idempotency->keys, &entry->node, map_hash(key));
}

bool idempotency_expire(struct idempotency *idempotency, int64_t now_ms)
{
    struct idempotency_key *entry;
    while ((entry = idempotency_oldest(idempotency)) != NULL && now_ms >= entry->expires_ms) {
        idempotency_drop(idempotency, entry);
    }
    return entry == NULL;
}
