// One worker's subscribers, by channel: the last step of a publication before it meets sessions.
// Owner: the worker thread; no locks. Subscribers are embedded in their sessions' subscriptions and
// must be removed before those go.
// Invariant: a channel is in the table exactly while it has a subscriber, so the hub's interest of
// this worker and this table say the same.
#include "tidegate/channel/fanout.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/channel/name.h"

static bool fanout_channel_equal(const struct map_node *node, struct bytes key)
{
    return bytes_equal(fanout_channel_name(container_of(node, struct fanout_channel, node)), key);
}

static struct fanout_channel *fanout_find(const struct fanout *fanout, uint64_t hash,
                                          struct bytes name)
{
    struct map_node *node = map_find(&fanout->channels, hash, name);
    return node != NULL ? container_of(node, struct fanout_channel, node) : NULL;
}

void fanout_init(struct fanout *fanout,
                 void (*on_publication)(struct fanout_subscriber *, struct publication *))
{
    map_init(&fanout->channels, fanout_channel_equal);
    fanout->subscribers = 0;
    fanout->on_publication = on_publication;
}

void fanout_finish(struct fanout *fanout)
{
    assert_always(fanout->subscribers == 0 && fanout->channels.count == 0);
    map_finish(&fanout->channels);
}

bool fanout_add(struct fanout *fanout, struct bytes name, struct fanout_subscriber *subscriber)
{
    assert_always(name.len > 0 && name.len <= CHANNEL_NAME_MAX);
    uint64_t hash = map_hash(name);
    struct fanout_channel *channel = fanout_find(fanout, hash, name);
    bool is_first = channel == NULL;
    if (is_first) {
        channel = mem_alloc(sizeof(*channel) + name.len);
        list_init(&channel->subscribers);
        channel->count = 0;
        channel->name_len = (uint32_t)name.len;
        memcpy(channel->name, name.at, name.len);
        map_add(&fanout->channels, &channel->node, hash);
    }
    list_append(&channel->subscribers, &subscriber->link);
    subscriber->channel = channel;
    channel->count++;
    fanout->subscribers++;
    return is_first;
}

bool fanout_remove(struct fanout *fanout, struct fanout_subscriber *subscriber, char *ret_channel,
                   size_t *ret_len)
{
    struct fanout_channel *channel = subscriber->channel;
    if (channel == NULL) {
        return false;
    }
    list_remove(&subscriber->link);
    subscriber->channel = NULL;
    fanout->subscribers--;
    channel->count--;
    if (channel->count > 0) {
        return false;
    }
    memcpy(ret_channel, channel->name, channel->name_len);
    *ret_len = channel->name_len;
    map_remove(&fanout->channels, &channel->node);
    mem_free(channel);
    return true;
}

void fanout_each(struct fanout *fanout, struct bytes name,
                 void (*visit)(struct fanout_subscriber *subscriber))
{
    struct fanout_channel *channel = fanout_find(fanout, map_hash(name), name);
    const struct list *head = channel != NULL ? &channel->subscribers : NULL;
    struct list *link = channel != NULL ? head->next : NULL;

    // As below: the visit may remove the last subscriber and with it the channel.
    while (link != head) {
        struct list *next = link->next;
        visit(list_entry(link, struct fanout_subscriber, link));
        link = next;
    }
}

size_t fanout_deliver(struct fanout *fanout, struct publication *publication)
{
    struct fanout_channel *channel =
        fanout_find(fanout, publication->channel_hash, publication->channel);
    if (channel == NULL) {
        return 0;
    }
    // The call may remove the last subscriber and with it `channel`: from then on `head` is only
    // compared with, never read. That is why this is not list_for_each_safe(), which reads it.
    const struct list *head = &channel->subscribers;
    struct list *link = head->next;
    size_t delivered = 0;
    while (link != head) {
        struct list *next = link->next;
        __builtin_prefetch(next);
        fanout->on_publication(list_entry(link, struct fanout_subscriber, link), publication);
        delivered++;
        link = next;
    }
    return delivered;
}
