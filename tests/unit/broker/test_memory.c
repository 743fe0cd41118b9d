// The memory broker: every answer arrives as a reply through the asking worker's mailbox.
// Owner: Criterion, a process a test.
#include "../channel/support.h"

#include "tidegate/broker/broker.h"

static const struct broker_caller asker = {{.worker = 1, .slot = 4, .generation = 9}, 21};
static const struct broker_caller nobody = {{0, 0, 0}, 0};

static struct broker *begin(struct stage *stage)
{
    stage_begin(stage, 10, 10);
    return broker_memory_create(stage->hub, stage->mailboxes);
}

static void end(struct stage *stage, struct broker *broker)
{
    broker->ops->destroy(broker);
    stage_end(stage);
}

// Takes the answer out of worker 1's mailbox. The caller destroys it.
static struct broker_reply *take(struct stage *stage, enum broker_reply_kind kind)
{
    struct message *message = stage_take(stage, 1);
    cr_assert_not_null(message);
    cr_assert_eq(message->kind, MESSAGE_REPLY);
    cr_assert_eq(message->destroy, broker_reply_destroy);
    struct broker_reply *reply = container_of(message, struct broker_reply, reply.message);
    cr_assert_eq(reply->kind, kind);
    cr_assert_eq(reply->token, 21);
    cr_assert(slot_ref_equal(reply->reply.to, asker.ref));
    return reply;
}

static void drop(struct broker_reply *reply)
{
    reply->reply.message.destroy(&reply->reply.message);
}

static void publish(struct stage *stage, struct broker *broker, const char *channel,
                    struct broker_caller caller)
{
    struct hub_publish_request request = {.publication = publication_of(channel, "hello"),
                                          .settings = &stage->history};
    broker->ops->publish(broker, &request, caller);
}

static void subscribe(struct stage *stage, struct broker *broker, const char *channel)
{
    broker->ops->subscribe(broker,
                           &(struct hub_subscribe_request){.channel = bytes_str(channel),
                                                           .settings = &stage->history,
                                                           .worker = 1},
                           asker);
}

Test(memory, a_publication_is_answered_with_its_position)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    publish(&stage, broker, "news", asker);
    struct broker_reply *reply = take(&stage, BROKER_PUBLISHED);
    cr_assert_eq(reply->error, 0);
    cr_assert_eq(reply->position.offset, 1);
    cr_assert_eq(strlen(reply->position.epoch), EPOCH_LEN);
    drop(reply);
    stage_expect_nothing(&stage, 0);
    end(&stage, broker);
}

Test(memory, a_repeated_key_is_no_error)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    for (int i = 0; i < 2; i++) {
        struct hub_publish_request request = {
            .publication = publication_of("news", "hello"),
            .settings = &stage.history,
            .idempotency_key = BYTES_OF("key"),
        };
        broker->ops->publish(broker, &request, asker);
        struct broker_reply *reply = take(&stage, BROKER_PUBLISHED);
        cr_assert_eq(reply->error, 0);
        cr_assert_eq(reply->position.offset, 1);
        drop(reply);
    }
    end(&stage, broker);
}

Test(memory, a_limit_is_an_error_in_the_answer)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    for (int i = 0; i < 10; i++) {
        char name[24];
        snprintf(name, sizeof(name), "channel%d", i);
        publish(&stage, broker, name, nobody);
    }
    publish(&stage, broker, "one more", asker);
    struct broker_reply *reply = take(&stage, BROKER_PUBLISHED);
    cr_assert_eq(reply->error, -ENOSPC);
    drop(reply);
    end(&stage, broker);
}

Test(memory, who_does_not_ask_gets_no_answer)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    publish(&stage, broker, "news", nobody);
    broker->ops->history(broker, BYTES_OF("news"), &stage.history,
                         &(struct history_query){.limit = -1}, nobody);
    broker->ops->history_remove(broker, BYTES_OF("news"), nobody);
    broker->ops->channels(broker, BYTES_EMPTY, nobody);
    stage_expect_nothing(&stage, 0);
    stage_expect_nothing(&stage, 1);
    end(&stage, broker);
}

Test(memory, a_subscription_is_answered_for_its_slot_and_token)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    subscribe(&stage, broker, "news");
    publish(&stage, broker, "news", nobody);
    struct message *message = stage_take(&stage, 1);
    struct hub_subscribed *subscribed = container_of(message, struct hub_subscribed, reply.message);
    cr_assert_eq(message->kind, MESSAGE_REPLY);
    cr_assert(slot_ref_equal(subscribed->reply.to, asker.ref));
    cr_assert_eq(subscribed->token, 21);
    cr_assert_eq(subscribed->error, 0);
    cr_assert_eq(subscribed->result.top.offset, 0);
    message->destroy(message);
    stage_expect_publication(&stage, 1, 1, "hello");
    broker->ops->unsubscribe(broker, BYTES_OF("news"), 1);
    publish(&stage, broker, "news", nobody);
    stage_expect_nothing(&stage, 1);
    end(&stage, broker);
}

Test(memory, history_is_answered_with_entries_and_the_position)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    publish(&stage, broker, "news", nobody);
    publish(&stage, broker, "news", nobody);
    broker->ops->history(broker, BYTES_OF("news"), &stage.history,
                         &(struct history_query){.limit = 1}, asker);
    struct broker_reply *reply = take(&stage, BROKER_HISTORY);
    cr_assert_eq(reply->error, 0);
    expect_items(&reply->history, "hello");
    cr_assert_eq(reply->history.items[0]->offset, 1);
    cr_assert_eq(reply->position.offset, 2);
    drop(reply);
    end(&stage, broker);
}

Test(memory, a_bad_history_query_is_an_error_in_the_answer)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    struct history_query query = {.has_since = true, .limit = -1};
    strcpy(query.since.epoch, "nonesuch");
    broker->ops->history(broker, BYTES_OF("news"), &stage.history, &query, asker);
    struct broker_reply *reply = take(&stage, BROKER_HISTORY);
    cr_assert_eq(reply->error, -ESTALE);
    cr_assert_eq(reply->history.count, 0);
    drop(reply);
    query = (struct history_query){.has_since = true, .reverse = true, .limit = -1};
    broker->ops->history(broker, BYTES_OF("news"), &stage.history, &query, asker);
    reply = take(&stage, BROKER_HISTORY);
    cr_assert_eq(reply->error, -EINVAL);
    drop(reply);
    end(&stage, broker);
}

Test(memory, removing_history_is_answered_when_it_is_done)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    publish(&stage, broker, "news", nobody);
    broker->ops->history_remove(broker, BYTES_OF("news"), asker);
    drop(take(&stage, BROKER_HISTORY_REMOVED));
    broker->ops->history(broker, BYTES_OF("news"), &stage.history,
                         &(struct history_query){.limit = -1}, asker);
    struct broker_reply *reply = take(&stage, BROKER_HISTORY);
    cr_assert_eq(reply->history.count, 0);
    cr_assert_eq(reply->position.offset, 1);
    drop(reply);
    end(&stage, broker);
}

// Whether the answer names this channel with so many subscribers.
static bool has_channel(const struct broker_reply *reply, const char *name, uint32_t subscribers)
{
    for (size_t i = 0; i < reply->channel_count; i++) {
        if (bytes_equal(reply->channels[i].name, bytes_str(name))) {
            return reply->channels[i].subscribers == subscribers;
        }
    }
    return false;
}

Test(memory, lists_channels_with_subscribers_by_pattern)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    const char *names[] = {"chat:a", "chat:b", "news"};
    for (int i = 0; i < 3; i++) {
        subscribe(&stage, broker, names[i]);
        hub_count(stage.hub, bytes_str(names[i]), i + 1);
        struct message *message = stage_take(&stage, 1);
        message->destroy(message);
    }
    publish(&stage, broker, "kept", nobody);
    broker->ops->channels(broker, BYTES_EMPTY, asker);
    struct broker_reply *reply = take(&stage, BROKER_CHANNELS);
    cr_assert_eq(reply->channel_count, 3);
    cr_assert(has_channel(reply, "chat:a", 1));
    cr_assert(has_channel(reply, "news", 3));
    drop(reply);
    broker->ops->channels(broker, BYTES_OF("chat:*"), asker);
    reply = take(&stage, BROKER_CHANNELS);
    cr_assert_eq(reply->channel_count, 2);
    cr_assert(has_channel(reply, "chat:b", 2));
    cr_assert_not(has_channel(reply, "news", 3));
    drop(reply);
    end(&stage, broker);
}

Test(memory, lists_more_channels_than_fit_the_first_allocation)
{
    enum { CHANNELS = 200 };
    struct stage stage;
    stage_begin(&stage, CHANNELS, 10);
    struct broker *broker = broker_memory_create(stage.hub, stage.mailboxes);
    for (int i = 0; i < CHANNELS; i++) {
        char name[24];
        snprintf(name, sizeof(name), "channel%d", i);
        stage_join(&stage, name, 0);
    }
    broker->ops->channels(broker, BYTES_EMPTY, asker);
    struct broker_reply *reply = take(&stage, BROKER_CHANNELS);
    cr_assert_eq(reply->channel_count, CHANNELS);
    cr_assert(has_channel(reply, "channel0", 0));
    cr_assert(has_channel(reply, "channel199", 0));
    drop(reply);
    end(&stage, broker);
}

Test(memory, an_answer_nobody_takes_is_freed)
{
    struct stage stage;
    struct broker *broker = begin(&stage);
    publish(&stage, broker, "news", nobody);
    broker->ops->history(broker, BYTES_OF("news"), &stage.history,
                         &(struct history_query){.limit = -1}, asker);
    broker->ops->channels(broker, BYTES_EMPTY, asker);
    end(&stage, broker); // the leak checker looks
}
