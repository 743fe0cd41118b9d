// The idempotency keys one channel has seen lately, each with the position its publication got:
// a service that repeats a publish after a lost answer gets the first answer again.
// Owner: the channel record, under its hub shard's lock. Bounded in number (oldest evicted), key
// length and age.
#ifndef TIDEGATE_CHANNEL_IDEMPOTENCY_H
#define TIDEGATE_CHANNEL_IDEMPOTENCY_H

#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/channel/history.h"

struct idempotency {
    struct map keys;   // idempotency_key.node
    struct list order; // idempotency_key.link, oldest first: the order of expiry, too
};

struct idempotency *idempotency_create(void);
void idempotency_destroy(struct idempotency *idempotency); // NULL is allowed

// Whether `key` was seen and is not over at `now_ms`; then *ret_position is what it got.
bool idempotency_find(struct idempotency *idempotency, struct bytes key, int64_t now_ms,
                      struct position *ret_position);

// Remembers `key` (not in the table) until `expires_ms`, which never goes back from one call to the
// next. At `max` keys the oldest goes, and is counted.
void idempotency_add(struct idempotency *idempotency, struct bytes key,
                     const struct position *position, int64_t expires_ms, uint32_t max);

// Forgets what is over. Returns whether nothing is left.
bool idempotency_expire(struct idempotency *idempotency, int64_t now_ms);

#endif
