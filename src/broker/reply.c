// A broker's answer: what was asked, the result, and the memory the result points into.
// Owner: moves with the message; the receiver frees it with broker_reply_destroy().
// Invariant: until sealed, a listed channel's name has a length only; names lie in `storage` one
// behind the other in the order of `channels`, because growing moves the storage.
#include "reply.h"

#include "tidegate/base/mem.h"

#include <errno.h>

#define CHANNELS_FIRST 16u
#define STORAGE_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct broker_reply *broker_reply_create(enum broker_reply_kind kind, struct broker_caller caller)
{
    struct broker_reply *reply = mem_zalloc(sizeof(*reply));
    reply->reply.message.kind = MESSAGE_REPLY;
    reply->reply.message.destroy = broker_reply_destroy;
    reply->reply.to = caller.ref;
    reply->reply.type = REPLY_BROKER;
    reply->kind = kind;
    reply->token = caller.token;
    buf_init(&reply->storage, STORAGE_BYTES_MAX);
    return reply;
}

void broker_reply_destroy(struct message *message)
{
    struct broker_reply *reply = container_of(message, struct broker_reply, reply.message);
    history_result_finish(&reply->history);
    mem_free(reply->channels);
    buf_finish(&reply->storage);
    mem_free(reply);
}

int broker_reply_add_channel(struct broker_reply *reply, struct bytes name, uint32_t subscribers)
{
    // The array is full whenever the count is the first capacity times a power of two.
    size_t count = reply->channel_count;
    bool is_full = count == 0 || (count >= CHANNELS_FIRST && (count & (count - 1)) == 0);
    if (is_full) {
        size_t capacity = count == 0 ? CHANNELS_FIRST : count * 2;
        struct broker_channel *channels =
            mem_try_realloc(reply->channels, capacity * sizeof(*channels));
        if (channels == NULL) {
            return -ENOMEM;
        }
        reply->channels = channels;
    }
    int result = buf_append(&reply->storage, name);
    if (result < 0) {
        return result;
    }
    reply->channels[count] = (struct broker_channel){{NULL, name.len}, subscribers};
    reply->channel_count++;
    return 0;
}

void broker_reply_seal_channels(struct broker_reply *reply)
{
    const char *at = reply->storage.at;
    for (size_t i = 0; i < reply->channel_count; i++) {
        reply->channels[i].name.at = at;
        at += reply->channels[i].name.len;
    }
}

void broker_reply_post(struct broker_reply *reply, struct mailbox *const *mailboxes)
{
    struct message *message = &reply->reply.message;
    if (reply->reply.to.slot == SLOT_REF_NONE.slot) {
        broker_reply_destroy(message);
        return;
    }
    size_t bytes = sizeof(*reply) + reply->storage.len +
                   reply->channel_count * sizeof(*reply->channels) +
                   reply->history.count * sizeof(*reply->history.items);
    message->bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    mailbox_post(mailboxes[reply->reply.to.worker], message);
}
