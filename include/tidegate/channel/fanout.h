// One worker's subscribers, by channel: no lock, no other thread. The hub tells the worker what was
// published; this table knows who here wants it.
// Owner: the worker. Subscribers are embedded in their sessions' subscriptions and removed first.
#ifndef TIDEGATE_CHANNEL_FANOUT_H
#define TIDEGATE_CHANNEL_FANOUT_H

#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/channel/publication.h"

struct fanout_channel {
    struct map_node node;    // fanout.channels
    struct list subscribers; // fanout_subscriber.link
    uint32_t count;
    uint32_t name_len;
    char name[];
};

struct fanout_subscriber {
    struct list link;               // fanout_channel.subscribers
    struct fanout_channel *channel; // borrowed while subscribed; NULL otherwise
};

struct fanout {
    struct map channels;
    size_t subscribers;
    // Called for each subscriber of a publication; may remove that subscriber, and no other.
    void (*on_publication)(struct fanout_subscriber *subscriber, struct publication *publication);
};

void fanout_init(struct fanout *fanout,
                 void (*on_publication)(struct fanout_subscriber *, struct publication *));
// No subscriber may be left.
void fanout_finish(struct fanout *fanout);

// Adds a subscriber of `channel`. Returns true when it is the first here (tell the hub).
bool fanout_add(struct fanout *fanout, struct bytes channel, struct fanout_subscriber *subscriber);

// Removes it. Returns true when it was the last here; *ret_channel (room for CHANNEL_NAME_MAX
// bytes) gets the name, *ret_len its length.
bool fanout_remove(struct fanout *fanout, struct fanout_subscriber *subscriber, char *ret_channel,
                   size_t *ret_len);

// Hands `publication` to each local subscriber of its channel. Returns how many.
size_t fanout_deliver(struct fanout *fanout, struct publication *publication);

// Calls `visit` for each local subscriber of `channel`; it may remove that subscriber, and no
// other.
void fanout_each(struct fanout *fanout, struct bytes channel,
                 void (*visit)(struct fanout_subscriber *subscriber));

static inline struct bytes fanout_channel_name(const struct fanout_channel *channel)
{
    return bytes_make(channel->name, channel->name_len);
}

#endif
