// Making the answers of a broker.
// Owner: whoever made one, until it is posted; then the mailbox.
#ifndef TIDEGATE_BROKER_REPLY_H
#define TIDEGATE_BROKER_REPLY_H

#include "tidegate/broker/broker.h"

// An empty answer to `caller`.
struct broker_reply *broker_reply_create(enum broker_reply_kind kind, struct broker_caller caller);

// Adds a channel to the answer; after the last one call broker_reply_seal_channels().
// 0, -EMSGSIZE past the answer's limit, -ENOMEM.
int broker_reply_add_channel(struct broker_reply *reply, struct bytes name,
                             uint32_t subscribers) ATTR_MUST_CHECK;

// Lets the names point into the storage, which moves no more.
void broker_reply_seal_channels(struct broker_reply *reply);

// Posts it to the caller's worker, or drops it when nobody asked. Any thread.
void broker_reply_post(struct broker_reply *reply, struct mailbox *const *mailboxes);

#endif
