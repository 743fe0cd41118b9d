// The memory broker: the hub alone makes the order and keeps what is to be kept; all of it ends
// with the process. Owner: the process; any worker calls. It has no state of its own, so it needs
// no lock. Invariant: every call with a caller posts exactly one answer to that caller's mailbox,
// also from the caller's own thread, so no answer overtakes the return of the call.
#include "reply.h"

#include "tidegate/base/mem.h"

struct memory_broker {
    struct broker broker;
    struct hub *hub;            // borrowed
    struct mailbox **mailboxes; // borrowed, by worker id
};

static struct memory_broker *memory_of(struct broker *broker)
{
    return container_of(broker, struct memory_broker, broker);
}

static void memory_publish(struct broker *broker, struct hub_publish_request *request,
                           struct broker_caller caller)
{
    struct memory_broker *memory = memory_of(broker);
    struct position position = {.offset = 0};
    int result = hub_publish(memory->hub, request, &position);
    if (caller.ref.slot == SLOT_REF_NONE.slot) {
        return;
    }
    struct broker_reply *reply = broker_reply_create(BROKER_PUBLISHED, caller);
    reply->error = result < 0 ? result : 0;
    reply->position = position;
    broker_reply_post(reply, memory->mailboxes);
}

static void memory_subscribe(struct broker *broker, const struct hub_subscribe_request *request,
                             struct broker_caller caller)
{
    struct hub_subscribed *subscribed = mem_zalloc(sizeof(*subscribed));
    subscribed->reply.to = caller.ref;
    subscribed->reply.type = REPLY_SUBSCRIBED;
    subscribed->token = caller.token;
    hub_subscribe(memory_of(broker)->hub, request, subscribed);
}

static void memory_unsubscribe(struct broker *broker, struct bytes channel, unsigned worker)
{
    hub_unsubscribe(memory_of(broker)->hub, channel, worker);
}

static void memory_count(struct broker *broker, struct bytes channel, int delta)
{
    hub_count(memory_of(broker)->hub, channel, delta);
}

static void memory_history(struct broker *broker, struct bytes channel,
                           const struct channel_settings *settings,
                           const struct history_query *query, struct broker_caller caller)
{
    struct memory_broker *memory = memory_of(broker);
    struct broker_reply *reply = broker_reply_create(BROKER_HISTORY, caller);
    reply->error = hub_history(memory->hub, channel, settings, query, &reply->history);
    reply->position = reply->history.top;
    broker_reply_post(reply, memory->mailboxes);
}

static void memory_history_remove(struct broker *broker, struct bytes channel,
                                  struct broker_caller caller)
{
    struct memory_broker *memory = memory_of(broker);
    hub_history_remove(memory->hub, channel);
    broker_reply_post(broker_reply_create(BROKER_HISTORY_REMOVED, caller), memory->mailboxes);
}

struct memory_listing {
    struct broker_reply *reply;
    struct bytes pattern;
};

static void memory_list_channel(void *context, struct bytes channel, uint32_t subscribers)
{
    struct memory_listing *listing = context;
    struct broker_reply *reply = listing->reply;
    if (reply->error < 0 || (listing->pattern.len > 0 && !bytes_glob(listing->pattern, channel))) {
        return;
    }
    reply->error = broker_reply_add_channel(reply, channel, subscribers);
}

static void memory_channels(struct broker *broker, struct bytes pattern,
                            struct broker_caller caller)
{
    struct memory_broker *memory = memory_of(broker);
    struct memory_listing listing = {broker_reply_create(BROKER_CHANNELS, caller), pattern};
    hub_each_channel(memory->hub, memory_list_channel, &listing);
    broker_reply_seal_channels(listing.reply);
    broker_reply_post(listing.reply, memory->mailboxes);
}

static void memory_destroy(struct broker *broker)
{
    mem_free(memory_of(broker));
}

static const struct broker_ops memory_ops = {
    .publish = memory_publish,
    .subscribe = memory_subscribe,
    .unsubscribe = memory_unsubscribe,
    .count = memory_count,
    .history = memory_history,
    .history_remove = memory_history_remove,
    .channels = memory_channels,
    .destroy = memory_destroy,
};

struct broker *broker_memory_create(struct hub *hub, struct mailbox **mailboxes)
{
    struct memory_broker *memory = mem_alloc(sizeof(*memory));
    memory->broker.ops = &memory_ops;
    memory->hub = hub;
    memory->mailboxes = mailboxes;
    return &memory->broker;
}
