// One channel in the hub. Everything about time is lazy: each access drops what is over first, and
// the sweep does the same for channels nobody asks for.
// Owner: a hub shard, under its lock; nothing here locks.
// Invariant: a position (offset, epoch) lives while the channel is used or has entries, and
// meta_ttl_ms after the last use, or UNUSED_TTL_MS if nothing was ever published; versions live and
// die with it.
#include "record.h"

#include "tidegate/base/mem.h"

#define UNUSED_TTL_MS 30000

struct record *record_create(struct bytes name)
{
    struct record *record = mem_zalloc(sizeof(*record) + name.len);
    record->name_len = (uint32_t)name.len;
    memcpy(record->name, name.at, name.len);
    return record;
}

// Forgets the position and all that hangs on it.
static void record_end_history(struct record *record)
{
    history_finish(&record->history);
    record->has_history = false;
    record->version = 0;
    mem_free((char *)record->version_epoch.at);
    record->version_epoch = BYTES_EMPTY;
}

void record_destroy(struct record *record)
{
    if (record == NULL) {
        return;
    }
    record_end_history(record);
    idempotency_destroy(record->keys);
    mem_free(record);
}

bool record_equal(const struct map_node *node, struct bytes name)
{
    return bytes_equal(record_name(container_of(node, struct record, node)), name);
}

void record_expire(struct record *record, int64_t now_ms)
{
    if (record->keys != NULL && idempotency_expire(record->keys, now_ms)) {
        idempotency_destroy(record->keys);
        record->keys = NULL;
    }
    if (!record->has_history) {
        return;
    }
    history_expire(&record->history, now_ms);
    if (record_is_used(record) || record->history.count > 0) {
        return;
    }
    // Nothing was ever published: there is no position worth keeping for long, and anybody who may
    // subscribe could fill the table with such channels.
    int64_t ttl_ms = record->meta_ttl_ms;
    if (record->history.top == 0 && ttl_ms > UNUSED_TTL_MS) {
        ttl_ms = UNUSED_TTL_MS;
    }
    if (now_ms - record->used_ms >= ttl_ms) {
        record_end_history(record);
    }
}

bool record_is_idle(const struct record *record)
{
    return !record_is_used(record) && !record->has_history && record->keys == NULL;
}

void record_use_history(struct record *record, const struct channel_settings *settings,
                        int64_t now_ms)
{
    if (!record->has_history) {
        history_init(&record->history);
        record->has_history = true;
    }
    record->used_ms = now_ms;
    record->meta_ttl_ms = settings->history_meta_ttl_ms;
}

bool record_is_old_version(const struct record *record, uint64_t version, struct bytes epoch)
{
    if (version == 0 || version > record->version) {
        return false;
    }
    return epoch.len == 0 || bytes_equal(epoch, record->version_epoch);
}

void record_set_version(struct record *record, uint64_t version, struct bytes epoch)
{
    if (version == 0) {
        return;
    }
    record->version = version;
    if (bytes_equal(epoch, record->version_epoch)) {
        return;
    }
    mem_free((char *)record->version_epoch.at);
    record->version_epoch = BYTES_EMPTY;
    if (epoch.len > 0) {
        char *copy = mem_alloc(epoch.len);
        memcpy(copy, epoch.at, epoch.len);
        record->version_epoch = bytes_make(copy, epoch.len);
    }
}

struct position record_position(const struct record *record)
{
    struct position position = {.offset = 0};
    if (record->has_history) {
        position.offset = record->history.top;
        memcpy(position.epoch, record->history.epoch, sizeof(position.epoch));
    }
    return position;
}
