// What the hub knows about one channel: who is interested, its history, the versions and
// idempotency keys it has seen. Owner: a hub shard, under its lock. Times are monotonic
// milliseconds.
#ifndef TIDEGATE_CHANNEL_RECORD_H
#define TIDEGATE_CHANNEL_RECORD_H

#include "idempotency.h"

#include "tidegate/channel/hub.h"

struct record {
    struct map_node node; // hub_shard.records
    uint64_t interest;    // bit i: worker i has a subscriber
    uint64_t lost;        // bit i: worker i is being told that its mailbox refused publications
    uint32_t subscribers; // of all workers, as hub_count() was told
    uint32_t name_len;
    bool has_history; // then the members from here to version_epoch count
    struct history history;
    int64_t used_ms;            // last use of the history
    int64_t meta_ttl_ms;        // how long offset and epoch stay after it
    uint64_t version;           // newest published; 0 = none
    struct bytes version_epoch; // owned text
    struct idempotency *keys;   // owned; NULL while none
    char name[];
};

struct record *record_create(struct bytes name);
void record_destroy(struct record *record); // NULL is allowed

// map_equal_fn for hub_shard.records.
bool record_equal(const struct map_node *node, struct bytes name);

// Drops what is over at `now_ms`: entries, keys, and the position when nobody uses the channel.
void record_expire(struct record *record, int64_t now_ms);

// Whether nothing is left that would be missed. After record_expire().
bool record_is_idle(const struct record *record);

// The channel's history is used with these settings; begins it (a new epoch) if there is none.
void record_use_history(struct record *record, const struct channel_settings *settings,
                        int64_t now_ms);

// Whether `version` (0 = none) is no newer than what was published, within the same version epoch.
bool record_is_old_version(const struct record *record, uint64_t version, struct bytes epoch);

// Remembers what was published.
void record_set_version(struct record *record, uint64_t version, struct bytes epoch);

// The top of its history, or no position.
struct position record_position(const struct record *record);

static inline struct bytes record_name(const struct record *record)
{
    return bytes_make(record->name, record->name_len);
}

static inline bool record_is_used(const struct record *record)
{
    return record->interest != 0 || record->subscribers > 0;
}

#endif
