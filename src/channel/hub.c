// Every channel this process knows: 64 shards of records, a mutex each. The one structure all
// workers share and change. Owner: the process. Functions named *_locked run under their shard's
// lock. Lock order: hub shard -> mailbox; under a shard's lock nothing else is locked. Invariant:
// offset, history and posting of one publication happen under one hold of the lock, and so do a
// subscriber's start and its reply; hence every worker sees a channel in offset order, and a reply
// stands in the mailbox before the first publication it does not cover. Records that go are freed
// after the lock is released.
#include "tidegate/channel/hub.h"

#include "record.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"

#include <errno.h>

struct hub_shard {
    pthread_mutex_t lock;
    struct map records; // record.node
    char padding[48];   // neighbours' locks in other cache lines
};

struct hub {
    struct hub_options options;
    _Atomic uint32_t channels; // records in all shards
    struct hub_shard shards[HUB_SHARDS];
};

struct hub *hub_create(const struct hub_options *options)
{
    assert_always(options->worker_count <= HUB_WORKERS_MAX);
    struct hub *hub = mem_zalloc(sizeof(*hub));
    hub->options = *options;
    atomic_init(&hub->channels, 0);
    for (unsigned i = 0; i < HUB_SHARDS; i++) {
        assert_always(pthread_mutex_init(&hub->shards[i].lock, NULL) == 0);
        map_init(&hub->shards[i].records, record_equal);
    }
    return hub;
}

void hub_destroy(struct hub *hub)
{
    for (unsigned i = 0; i < HUB_SHARDS; i++) {
        struct hub_shard *shard = &hub->shards[i];
        struct map_node *node = map_next(&shard->records, NULL);
        while (node != NULL) {
            struct map_node *next = map_next(&shard->records, node);
            record_destroy(container_of(node, struct record, node));
            node = next;
        }
        map_finish(&shard->records);
        pthread_mutex_destroy(&shard->lock);
    }
    metric_add(METRIC_CHANNELS, -(int64_t)hub_channels(hub));
    mem_free(hub);
}

uint32_t hub_channels(const struct hub *hub)
{
    return atomic_load_explicit(&hub->channels, memory_order_relaxed);
}

// Maps take the high bits of the hash for the bucket, so the shard takes the low ones.
static struct hub_shard *hub_lock(struct hub *hub, uint64_t hash)
{
    struct hub_shard *shard = &hub->shards[hash % HUB_SHARDS];
    pthread_mutex_lock(&shard->lock);
    return shard;
}

static void hub_unlock(struct hub_shard *shard)
{
    pthread_mutex_unlock(&shard->lock);
}

static struct record *hub_find_locked(struct hub_shard *shard, uint64_t hash, struct bytes channel)
{
    struct map_node *node = map_find(&shard->records, hash, channel);
    return node != NULL ? container_of(node, struct record, node) : NULL;
}

// A new record for the channel, which has none; NULL past the limit.
static struct record *hub_add_locked(struct hub *hub, struct hub_shard *shard, uint64_t hash,
                                     struct bytes channel)
{
    uint32_t before = atomic_fetch_add_explicit(&hub->channels, 1, memory_order_relaxed);
    if (before >= hub->options.channels_max) {
        atomic_fetch_sub_explicit(&hub->channels, 1, memory_order_relaxed);
        metric_add(METRIC_CHANNELS_REFUSED, 1);
        return NULL;
    }
    metric_add(METRIC_CHANNELS, 1);
    struct record *record = record_create(channel);
    map_add(&shard->records, &record->node, hash);
    return record;
}

// The channel's record without what is over by now; a new one if there is none; NULL past the
// limit.
static struct record *hub_open_locked(struct hub *hub, struct hub_shard *shard, uint64_t hash,
                                      struct bytes channel, int64_t now_ms)
{
    struct record *record = hub_find_locked(shard, hash, channel);
    if (record == NULL) {
        return hub_add_locked(hub, shard, hash, channel);
    }
    record_expire(record, now_ms);
    return record;
}

// Takes the record out if nothing keeps it: for record_destroy() after unlocking. Else NULL.
static struct record *hub_take_idle_locked(struct hub *hub, struct hub_shard *shard,
                                           struct record *record)
{
    if (!record_is_idle(record)) {
        return NULL;
    }
    map_remove(&shard->records, &record->node);
    atomic_fetch_sub_explicit(&hub->channels, 1, memory_order_relaxed);
    metric_add(METRIC_CHANNELS, -1);
    return record;
}

static bool hub_keeps_history(const struct channel_settings *settings)
{
    return settings->history_size > 0 && settings->history_ttl_ms > 0;
}

void hub_message_destroy(struct message *message)
{
    struct hub_message *publication = container_of(message, struct hub_message, message);
    publication_unref(publication->publication);
    mem_free(publication);
}

static void hub_lost_destroy(struct message *message)
{
    mem_free(container_of(message, struct hub_lost, message));
}

// Tells a worker that its mailbox refused something of this channel, unless it is being told
// already.
static void hub_tell_lost_locked(struct hub *hub, struct record *record, unsigned worker)
{
    uint64_t bit = UINT64_C(1) << worker;

    metric_add(METRIC_DROPS_MAILBOX, 1);
    if ((record->lost & bit) != 0) {
        return;
    }
    record->lost |= bit;
    struct hub_lost *lost = mem_alloc(sizeof(*lost) + record->name_len);
    lost->message = (struct message){.kind = MESSAGE_CONTROL, .destroy = hub_lost_destroy};
    lost->channel_len = record->name_len;
    memcpy(lost->channel, record->name, record->name_len);
    mailbox_post(hub->options.mailboxes[worker], &lost->message);
}

// One message to each interested worker. A full mailbox loses this publication, with a count.
static void hub_post_locked(struct hub *hub, struct record *record, struct publication *publication)
{
    uint64_t interest = record->interest;

    while (interest != 0) {
        unsigned worker = (unsigned)__builtin_ctzll(interest);
        interest &= interest - 1;
        struct hub_message *message = mem_alloc(sizeof(*message));
        message->message = (struct message){
            .kind = MESSAGE_PUBLICATION,
            .bytes = (uint32_t)(sizeof(*message) + publication->data.len + publication->tags.len +
                                publication->info.len),
            .destroy = hub_message_destroy,
        };
        message->publication = publication_ref(publication);
        if (mailbox_post(hub->options.mailboxes[worker], &message->message) < 0) {
            hub_tell_lost_locked(hub, record, worker);
        }
    }
}

// Gives the publication its place in the history: false when its version was seen.
static bool hub_keep_locked(struct hub *hub, struct record *record,
                            const struct hub_publish_request *request, int64_t now_ms)
{
    record_use_history(record, request->settings, now_ms);
    if (record_is_old_version(record, request->version, request->version_epoch)) {
        return false;
    }
    history_append(&record->history, request->publication, request->settings->history_size,
                   request->settings->history_ttl_ms, now_ms);
    // Past the process's limit a channel keeps less of its own: who comes back later is told so.
    if (hub->options.history_bytes_max > 0) {
        history_trim(&record->history, hub->options.history_bytes_max);
    }
    record_set_version(record, request->version, request->version_epoch);
    return true;
}

static int hub_publish_locked(struct hub *hub, struct hub_shard *shard,
                              const struct hub_publish_request *request,
                              struct position *ret_position)
{
    struct publication *publication = request->publication;
    bool is_kept = hub_keeps_history(request->settings) && !request->skip_history;
    bool has_key = request->idempotency_key.len > 0 && hub->options.idempotency_keys_max > 0;
    struct position position = {.offset = 0};
    int64_t now_ms = clock_now_ms();
    uint64_t hash = publication->channel_hash;
    struct record *record = hub_find_locked(shard, hash, publication->channel);
    if (record != NULL) {
        record_expire(record, now_ms);
    } else if (is_kept || has_key) {
        record = hub_add_locked(hub, shard, hash, publication->channel);
        if (record == NULL) {
            return -ENOSPC;
        }
    } else {
        *ret_position = position; // nobody listens and nothing is to be remembered
        return 1;
    }
    if (has_key && record->keys != NULL &&
        idempotency_find(record->keys, request->idempotency_key, now_ms, ret_position)) {
        return 0;
    }
    if (is_kept) {
        bool is_new = hub_keep_locked(hub, record, request, now_ms);
        position = record_position(record);
        if (!is_new) {
            *ret_position = position;
            return 0;
        }
    }
    if (has_key) {
        record->keys = record->keys != NULL ? record->keys : idempotency_create();
        idempotency_add(record->keys, request->idempotency_key, &position,
                        now_ms + hub->options.idempotency_ttl_ms,
                        hub->options.idempotency_keys_max);
    }
    hub_post_locked(hub, record, publication);
    *ret_position = position;
    return 1;
}

int hub_publish(struct hub *hub, struct hub_publish_request *request, struct position *ret_position)
{
    int result = -EINVAL;
    if (request->idempotency_key.len <= HUB_KEY_MAX && request->version_epoch.len <= HUB_KEY_MAX) {
        struct hub_shard *shard = hub_lock(hub, request->publication->channel_hash);
        result = hub_publish_locked(hub, shard, request, ret_position);
        hub_unlock(shard);
    }
    if (result >= 0) {
        metric_add(result > 0 ? METRIC_PUBLICATIONS : METRIC_PUBLISH_DUPLICATES, 1);
    }
    publication_unref(request->publication);
    request->publication = NULL;
    return result;
}

void hub_subscribed_destroy(struct message *message)
{
    struct hub_subscribed *subscribed = container_of(message, struct hub_subscribed, reply.message);
    history_result_finish(&subscribed->result);
    mem_free(subscribed);
}

// Registers the interest and reads where the subscriber starts.
static int hub_start_locked(struct hub *hub, struct hub_shard *shard, uint64_t hash,
                            const struct hub_subscribe_request *request,
                            struct hub_subscribed *subscribed)
{
    int64_t now_ms = clock_now_ms();
    struct record *record = hub_open_locked(hub, shard, hash, request->channel, now_ms);
    if (record == NULL) {
        return -ENOSPC;
    }
    record->interest |= UINT64_C(1) << request->worker;
    // What it lost so far is covered by what it reads now.
    record->lost &= ~(UINT64_C(1) << request->worker);
    if (!hub_keeps_history(request->settings)) {
        return 0;
    }
    record_use_history(record, request->settings, now_ms);
    subscribed->result.top = record_position(record);
    if (request->recover) {
        subscribed->recovered = history_recover(&record->history, request->since,
                                                request->recover_max, &subscribed->result) > 0;
    }
    if (!subscribed->recovered && request->initial > 0) {
        history_read_newest(&record->history, request->initial, &subscribed->result);
    }
    return 0;
}

void hub_subscribe(struct hub *hub, const struct hub_subscribe_request *request,
                   struct hub_subscribed *subscribed)
{
    assert_always(request->worker < hub->options.worker_count);
    uint64_t hash = map_hash(request->channel);
    struct hub_shard *shard = hub_lock(hub, hash);
    subscribed->recovered = false;
    subscribed->result = (struct history_result){.items = NULL};
    subscribed->error = hub_start_locked(hub, shard, hash, request, subscribed);
    bool recovered = subscribed->recovered; // once posted, it is the worker's
    struct message *message = &subscribed->reply.message;
    message->kind = MESSAGE_REPLY;
    message->bytes = sizeof(*subscribed);
    message->destroy = hub_subscribed_destroy;
    mailbox_post(hub->options.mailboxes[request->worker], message);
    hub_unlock(shard);
    if (request->recover) {
        metric_add(recovered ? METRIC_RECOVERED : METRIC_NOT_RECOVERED, 1);
    }
}

void hub_unsubscribe(struct hub *hub, struct bytes channel, unsigned worker)
{
    assert_always(worker < hub->options.worker_count);
    uint64_t hash = map_hash(channel);
    struct record *idle = NULL;
    struct hub_shard *shard = hub_lock(hub, hash);
    struct record *record = hub_find_locked(shard, hash, channel);
    if (record != NULL) {
        int64_t now_ms = clock_now_ms();
        record->interest &= ~(UINT64_C(1) << worker);
        record->lost &= ~(UINT64_C(1) << worker);
        record->used_ms = now_ms; // it was in use until now
        record_expire(record, now_ms);
        idle = hub_take_idle_locked(hub, shard, record);
    }
    hub_unlock(shard);
    record_destroy(idle);
}

int hub_history(struct hub *hub, struct bytes channel, const struct channel_settings *settings,
                const struct history_query *query, struct history_result *ret_result)
{
    if (!hub_keeps_history(settings)) {
        const struct history none = {.epoch = ""};
        return history_read(&none, query, ret_result);
    }
    uint64_t hash = map_hash(channel);
    int64_t now_ms = clock_now_ms();
    int result = -ENOSPC;
    struct hub_shard *shard = hub_lock(hub, hash);
    struct record *record = hub_open_locked(hub, shard, hash, channel, now_ms);
    if (record != NULL) {
        record_use_history(record, settings, now_ms);
        result = history_read(&record->history, query, ret_result);
    }
    hub_unlock(shard);
    return result;
}

void hub_history_remove(struct hub *hub, struct bytes channel)
{
    uint64_t hash = map_hash(channel);
    struct hub_shard *shard = hub_lock(hub, hash);
    struct record *record = hub_find_locked(shard, hash, channel);
    if (record != NULL) {
        history_clear(&record->history);
    }
    hub_unlock(shard);
}

void hub_each_channel(struct hub *hub,
                      void (*visit)(void *context, struct bytes channel, uint32_t subscribers),
                      void *context)
{
    for (unsigned i = 0; i < HUB_SHARDS; i++) {
        struct hub_shard *shard = &hub->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (struct map_node *node = map_next(&shard->records, NULL); node != NULL;
             node = map_next(&shard->records, node)) {
            struct record *record = container_of(node, struct record, node);
            if (record->interest != 0) {
                visit(context, record_name(record), record->subscribers);
            }
        }
        hub_unlock(shard);
    }
}

void hub_count(struct hub *hub, struct bytes channel, int delta)
{
    uint64_t hash = map_hash(channel);
    struct record *idle = NULL;
    struct hub_shard *shard = hub_lock(hub, hash);
    struct record *record = hub_find_locked(shard, hash, channel);
    if (record != NULL) {
        int64_t subscribers = (int64_t)record->subscribers + delta;
        record->subscribers = subscribers > 0 ? (uint32_t)subscribers : 0;
        idle = hub_take_idle_locked(hub, shard, record);
    }
    hub_unlock(shard);
    record_destroy(idle);
}

void hub_sweep(struct hub *hub, unsigned part, unsigned parts)
{
    int64_t now_ms = clock_now_ms();
    for (unsigned i = part; i < HUB_SHARDS; i += parts) {
        struct hub_shard *shard = &hub->shards[i];
        struct map_node *gone = NULL; // chained by node.next, which a removed node does not need
        pthread_mutex_lock(&shard->lock);
        struct map_node *node = map_next(&shard->records, NULL);
        while (node != NULL) {
            struct map_node *next = map_next(&shard->records, node);
            struct record *record = container_of(node, struct record, node);
            record_expire(record, now_ms);
            if (hub_take_idle_locked(hub, shard, record) != NULL) {
                node->next = gone;
                gone = node;
            }
            node = next;
        }
        hub_unlock(shard);
        while (gone != NULL) {
            struct record *record = container_of(gone, struct record, node);
            gone = gone->next;
            record_destroy(record);
        }
    }
}
