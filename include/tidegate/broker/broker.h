// The broker: who makes the order and keeps history. A table of operations, so that another kind is
// another file. Every answer arrives as a REPLY in the asking worker's mailbox, never before the
// call that asked for it has returned. Calls come from worker threads.
#ifndef TIDEGATE_BROKER_BROKER_H
#define TIDEGATE_BROKER_BROKER_H

#include "tidegate/base/buf.h"
#include "tidegate/channel/hub.h"

// Answers to everything but subscribe (which gets a hub_subscribed).
enum broker_reply_kind {
    BROKER_PUBLISHED,
    BROKER_HISTORY,
    BROKER_HISTORY_REMOVED,
    BROKER_CHANNELS
};

struct broker_channel {
    struct bytes name; // in the reply's storage
    uint32_t subscribers;
};

struct broker_reply {
    struct reply reply; // message first
    enum broker_reply_kind kind;
    uint32_t token; // the caller's
    int error;      // 0 or -Exxx: -ENOSPC limit, -ESTALE epoch, -EINVAL
    struct position position;
    struct history_result history;   // BROKER_HISTORY; owned
    struct broker_channel *channels; // BROKER_CHANNELS; owned array
    size_t channel_count;
    struct buf storage; // what `channels` points into; owned
};

// Who wants the answer: its slot and a number of its own. SLOT_REF_NONE: nobody.
struct broker_caller {
    struct slot_ref ref;
    uint32_t token;
};

struct broker; // the implementation's; embeds broker_ops first

struct broker_ops {
    // As hub_publish(). The publication's reference in the request is taken over.
    void (*publish)(struct broker *broker, struct hub_publish_request *request,
                    struct broker_caller caller);
    // As hub_subscribe(): a hub_subscribed is posted to the worker.
    void (*subscribe)(struct broker *broker, const struct hub_subscribe_request *request,
                      struct broker_caller caller);
    void (*unsubscribe)(struct broker *broker, struct bytes channel, unsigned worker);
    // As hub_count(): one subscriber more or less.
    void (*count)(struct broker *broker, struct bytes channel, int delta);
    void (*history)(struct broker *broker, struct bytes channel,
                    const struct channel_settings *settings, const struct history_query *query,
                    struct broker_caller caller);
    void (*history_remove)(struct broker *broker, struct bytes channel,
                           struct broker_caller caller);
    // Channels with subscribers whose name matches glob `pattern` (empty: all).
    void (*channels)(struct broker *broker, struct bytes pattern, struct broker_caller caller);
    void (*destroy)(struct broker *broker);
};

struct broker {
    const struct broker_ops *ops;
};

// Frees a broker_reply. The `destroy` of its message.
void broker_reply_destroy(struct message *message);

// The memory broker: the hub alone. `hub` and `mailboxes` (by worker id) are borrowed and outlive
// it.
struct broker *broker_memory_create(struct hub *hub, struct mailbox **mailboxes);

#endif
