// The hub: every channel this process knows, in 64 shards with a mutex each. It makes the order:
// under one shard lock it assigns the offset, appends history, reads which workers are interested
// and posts to their mailboxes, so every worker sees a channel in offset order. Owner: the process,
// created before the workers and destroyed after them. Any thread may call. Lock order: hub shard
// -> mailbox.
#ifndef TIDEGATE_CHANNEL_HUB_H
#define TIDEGATE_CHANNEL_HUB_H

#include "tidegate/channel/history.h"

#define HUB_SHARDS 64
#define HUB_WORKERS_MAX 64 // interest is a 64-bit set
#define HUB_KEY_MAX 255    // bytes of an idempotency key or a version epoch

struct hub; // opaque

struct hub_options {
    struct mailbox **mailboxes; // borrowed array; workers' mailboxes by worker id
    unsigned worker_count;
    uint32_t channels_max;         // channels held at once, all shards
    int64_t history_bytes_max;     // of all channels' entries together; 0 = any number
    uint32_t idempotency_keys_max; // kept a channel
    int64_t idempotency_ttl_ms;    // 300 s in the contract
};

// A channel's settings, from its namespace; passed with each call that needs them.
struct channel_settings {
    uint32_t history_size; // 0 = no history
    int64_t history_ttl_ms;
    int64_t history_meta_ttl_ms; // how long offset and epoch stay after the last use
};

// A PUBLICATION message as a worker's mailbox gets it; hub_message_destroy() or take `publication`.
struct hub_message {
    struct message message;
    struct publication *publication; // counted
};

// A CONTROL message: a full mailbox refused publications of this channel. One at a time for each
// channel and worker, so that the loss of the last publication is noticed too.
struct hub_lost {
    struct message message;
    uint32_t channel_len;
    char channel[];
};

struct hub_publish_request {
    struct publication *publication; // one reference, taken over in every case
    const struct channel_settings *settings;
    bool skip_history;
    struct bytes idempotency_key; // empty = none
    uint64_t version;             // 0 = none
    struct bytes version_epoch;
};

// How a subscriber starts.
struct hub_subscribe_request {
    struct bytes channel;
    const struct channel_settings *settings;
    unsigned worker;
    bool recover; // wants what it missed since `since`
    struct position since;
    uint32_t recover_max; // at most so many, else not recovered
    uint32_t initial;     // when not recovered: this many of the newest entries
};

// What it starts with. In the REPLY posted under the shard lock.
struct hub_subscribed {
    struct reply reply;           // message first
    uint32_t token;               // the caller's, to tell its requests apart
    int error;                    // 0, or -ENOSPC: channel limit
    bool recovered;               // only if asked to recover
    struct history_result result; // entries to deliver first, and the position
};

// Free a message nobody took: the `destroy` of hub_message and hub_subscribed.
void hub_message_destroy(struct message *message);
void hub_subscribed_destroy(struct message *message);

struct hub *hub_create(const struct hub_options *options);
void hub_destroy(struct hub *hub);

// Publishes. 1: done; 0: suppressed (idempotency key or version seen), *ret_position is the earlier
// result or the top; -ENOSPC: no room for another channel with something to keep; -EINVAL: a key or
// version epoch longer than HUB_KEY_MAX. The position's epoch is "" and the offset 0 without
// history.
int hub_publish(struct hub *hub, struct hub_publish_request *request,
                struct position *ret_position) ATTR_MUST_CHECK;

// Registers the worker's interest, reads the start, fills `subscribed` and posts it to the worker's
// mailbox, all under the shard lock: it stands there before the first publication it does not
// cover. Always posts exactly one message; `subscribed` (mem_alloc'd; the caller sets `reply.to`
// and `token`) is owned by the mailbox from here on and freed by hub_subscribed_destroy().
void hub_subscribe(struct hub *hub, const struct hub_subscribe_request *request,
                   struct hub_subscribed *subscribed);

// Ends the worker's interest (its last subscriber left).
void hub_unsubscribe(struct hub *hub, struct bytes channel, unsigned worker);

// As history_read(); creates the epoch when the channel is new. -ENOSPC past the channel limit.
// Without history in `settings` there is nothing: no entries, offset 0, epoch "".
int hub_history(struct hub *hub, struct bytes channel, const struct channel_settings *settings,
                const struct history_query *query,
                struct history_result *ret_result) ATTR_MUST_CHECK;

// Drops the entries; the position stays.
void hub_history_remove(struct hub *hub, struct bytes channel);

// Calls `visit` for each channel that some worker is interested in, with the number of subscribers
// (hub_count() keeps it), under the shard's lock: it must not call back into the hub.
void hub_each_channel(struct hub *hub,
                      void (*visit)(void *context, struct bytes channel, uint32_t subscribers),
                      void *context);

// Adds `delta` to the number of subscribers of the channel (all workers): for /api/channels. A
// channel that is counted stays, so count up after hub_subscribe(); unknown channels are ignored.
void hub_count(struct hub *hub, struct bytes channel, int delta);

// Drops expired entries, positions and idempotency keys of every shard whose index modulo `parts`
// is `part`. Called by each worker once a second for its share.
void hub_sweep(struct hub *hub, unsigned part, unsigned parts);

// Channels held now.
uint32_t hub_channels(const struct hub *hub);

#endif
