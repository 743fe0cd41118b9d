// The hub: publishing, interest, limits, listing.
// Owner: Criterion, a process a test.
#include "support.h"

#define MANY 1000

static int publish_plain(struct stage *stage, const char *channel, const char *data,
                         struct position *ret_position)
{
    struct hub_publish_request request = {.publication = publication_of(channel, data),
                                          .settings = &stage->plain};
    return hub_publish(stage->hub, &request, ret_position);
}

Test(hub, publication_reaches_each_interested_worker_once)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    stage_join(&stage, "news", 1);
    stage_join(&stage, "other", 1);
    cr_assert_eq(stage_publish(&stage, "news", "hello", &position), 1);
    cr_assert_eq(position.offset, 1);
    for (unsigned worker = 0; worker < 2; worker++) {
        stage_expect_publication(&stage, worker, 1, "hello");
        stage_expect_nothing(&stage, worker);
    }
    cr_assert_eq(metric_value(METRIC_PUBLICATIONS), 1);
    stage_end(&stage);
}

Test(hub, a_worker_without_interest_gets_nothing)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 1);
    stage_publish_many(&stage, "news", 1);
    stage_expect_nothing(&stage, 0);
    hub_unsubscribe(stage.hub, BYTES_OF("news"), 1);
    stage_publish_many(&stage, "news", 1);
    stage_expect_publication(&stage, 1, 1, "1");
    stage_expect_nothing(&stage, 1);
    stage_end(&stage);
}

Test(hub, one_publication_is_shared_by_all_workers)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    stage_join(&stage, "news", 1);
    stage_publish(&stage, "news", "hello", &position);
    struct message *a = stage_take(&stage, 0);
    struct message *b = stage_take(&stage, 1);
    struct publication *publication = container_of(a, struct hub_message, message)->publication;
    cr_assert_eq(publication, container_of(b, struct hub_message, message)->publication);
    cr_assert_eq(atomic_load(&publication->refs), 3); // two messages and the history
    a->destroy(a);
    b->destroy(b);
    stage_end(&stage);
}

Test(hub, without_history_there_is_no_position)
{
    struct stage stage;
    struct position position = {.offset = 9};
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    cr_assert_eq(publish_plain(&stage, "news", "hello", &position), 1);
    cr_assert_eq(position.offset, 0);
    cr_assert_str_eq(position.epoch, "");
    stage_expect_publication(&stage, 0, 0, "hello");
    stage_end(&stage);
}

Test(hub, a_size_without_a_ttl_is_no_history)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    stage.plain.history_size = 5;
    cr_assert_eq(publish_plain(&stage, "news", "hello", &position), 1);
    cr_assert_eq(position.offset, 0);
    cr_assert_eq(hub_channels(stage.hub), 0);
    stage_end(&stage);
}

Test(hub, skipping_history_gives_no_offset_and_keeps_nothing)
{
    struct stage stage;
    struct position position;
    struct history_result result;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    stage_publish_many(&stage, "news", 1);
    struct hub_publish_request request = {
        .publication = publication_of("news", "passing"),
        .settings = &stage.history,
        .skip_history = true,
    };
    cr_assert_eq(hub_publish(stage.hub, &request, &position), 1);
    cr_assert_eq(position.offset, 0);
    cr_assert_str_eq(position.epoch, "");
    stage_expect_publication(&stage, 0, 1, "1");
    stage_expect_publication(&stage, 0, 0, "passing");
    cr_assert_eq(hub_history(stage.hub, BYTES_OF("news"), &stage.history,
                             &(struct history_query){.limit = -1}, &result),
                 0);
    expect_items(&result, "1");
    history_result_finish(&result);
    stage_end(&stage);
}

Test(hub, publishing_to_nobody_without_history_leaves_no_record)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    cr_assert_eq(publish_plain(&stage, "news", "hello", &position), 1);
    cr_assert_eq(hub_channels(stage.hub), 0);
    cr_assert_eq(metric_value(METRIC_PUBLICATIONS), 1);
    stage_end(&stage);
}

Test(hub, channels_have_offsets_and_epochs_of_their_own)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct position a = stage_publish_many(&stage, "a", 3);
    struct position b = stage_publish_many(&stage, "b", 2);
    cr_assert_eq(a.offset, 3);
    cr_assert_eq(b.offset, 2);
    cr_assert_str_neq(a.epoch, b.epoch);
    stage_end(&stage);
}

Test(hub, a_full_mailbox_loses_the_publication_with_a_count_and_others_get_it)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    stage_join(&stage, "news", 1);
    stage.boxes[0].bytes_max = 1;
    struct position position = stage_publish_many(&stage, "news", 1);
    cr_assert_eq(position.offset, 1);
    cr_assert_eq(metric_value(METRIC_DROPS_MAILBOX), 1);
    stage_expect_publication(&stage, 1, 1, "1");
    stage_expect_lost(&stage, 0, "news");
    stage_end(&stage);
}

Test(hub, a_message_is_charged_with_its_data)
{
    struct stage stage;
    struct position position;
    size_t messages;
    size_t bytes;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    stage_publish(&stage, "news", "0123456789", &position);
    mailbox_depth(&stage.boxes[0], &messages, &bytes);
    cr_assert_eq(messages, 1);
    cr_assert_eq(bytes, sizeof(struct hub_message) + 10);
    stage_end(&stage);
}

Test(hub, past_the_limit_a_new_channel_with_history_is_refused)
{
    struct stage stage;
    struct position position = {.offset = 77};
    struct history_result result;
    stage_begin(&stage, 2, 10);
    stage_publish_many(&stage, "a", 1);
    stage_publish_many(&stage, "b", 1);
    cr_assert_eq(stage_publish(&stage, "c", "x", &position), -ENOSPC);
    cr_assert_eq(position.offset, 77); // untouched
    cr_assert_eq(hub_history(stage.hub, BYTES_OF("d"), &stage.history,
                             &(struct history_query){.limit = -1}, &result),
                 -ENOSPC);
    cr_assert_eq(metric_value(METRIC_CHANNELS_REFUSED), 2);
    cr_assert_eq(hub_channels(stage.hub), 2);
    cr_assert_eq(stage_publish(&stage, "a", "y", &position), 1); // the known ones go on
    cr_assert_eq(publish_plain(&stage, "c", "z", &position), 1); // and what needs no record
    stage_end(&stage);
}

Test(hub, past_the_limit_a_subscriber_is_told_and_gets_nothing)
{
    struct stage stage;
    stage_begin(&stage, 1, 10);
    stage_publish_many(&stage, "a", 1);
    struct hub_subscribed *subscribed =
        stage_subscribe(&stage, &(struct hub_subscribe_request){.channel = BYTES_OF("b"),
                                                                .settings = &stage.plain});
    cr_assert_eq(subscribed->error, -ENOSPC);
    cr_assert_eq(subscribed->result.count, 0);
    hub_subscribed_destroy(&subscribed->reply.message);
    stage_publish_many(&stage, "a", 1);
    stage_expect_nothing(&stage, 0);
    hub_unsubscribe(stage.hub, BYTES_OF("b"), 0); // harmless
    stage_end(&stage);
}

Test(hub, room_is_free_again_when_a_channel_goes)
{
    struct stage stage;
    stage_begin(&stage, 1, 10);
    stage.history = stage.plain;
    stage_join(&stage, "a", 0);
    hub_unsubscribe(stage.hub, BYTES_OF("a"), 0);
    cr_assert_eq(hub_channels(stage.hub), 0);
    stage_join(&stage, "b", 0);
    cr_assert_eq(metric_value(METRIC_CHANNELS), 1);
    stage_end(&stage);
    cr_assert_eq(metric_value(METRIC_CHANNELS), 0);
}

struct listing {
    unsigned channels;
    uint32_t subscribers;
    char last[32];
};

static void list_channel(void *context, struct bytes channel, uint32_t subscribers)
{
    struct listing *listing = context;
    listing->channels++;
    listing->subscribers += subscribers;
    snprintf(listing->last, sizeof(listing->last), "%.*s", (int)channel.len, channel.at);
}

Test(hub, lists_the_channels_somebody_is_interested_in_with_their_subscribers)
{
    struct stage stage;
    struct listing listing = {0};
    stage_begin(&stage, 100, 10);
    stage_publish_many(&stage, "kept", 1); // history alone is not listed
    stage_join(&stage, "news", 0);
    hub_count(stage.hub, BYTES_OF("news"), 2);
    hub_count(stage.hub, BYTES_OF("news"), -1);
    hub_count(stage.hub, BYTES_OF("news"), 4);
    hub_count(stage.hub, BYTES_OF("nobody"), 3); // unknown: ignored
    hub_each_channel(stage.hub, list_channel, &listing);
    cr_assert_eq(listing.channels, 1);
    cr_assert_eq(listing.subscribers, 5);
    cr_assert_str_eq(listing.last, "news");
    stage_end(&stage);
}

Test(hub, a_count_never_goes_below_zero)
{
    struct stage stage;
    struct listing listing = {0};
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    hub_count(stage.hub, BYTES_OF("news"), -3);
    hub_count(stage.hub, BYTES_OF("news"), 1);
    hub_each_channel(stage.hub, list_channel, &listing);
    cr_assert_eq(listing.subscribers, 1);
    stage_end(&stage);
}

Test(hub, the_record_goes_whichever_of_count_and_interest_ends_last)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage.history = stage.plain;
    for (int order = 0; order < 2; order++) {
        stage_join(&stage, "news", 0);
        hub_count(stage.hub, BYTES_OF("news"), 1);
        if (order == 0) {
            hub_count(stage.hub, BYTES_OF("news"), -1);
            hub_unsubscribe(stage.hub, BYTES_OF("news"), 0);
        } else {
            hub_unsubscribe(stage.hub, BYTES_OF("news"), 0);
            hub_count(stage.hub, BYTES_OF("news"), -1);
        }
        cr_assert_eq(hub_channels(stage.hub), 0);
    }
    stage_end(&stage);
}

Test(hub, holds_many_channels_in_all_shards)
{
    struct stage stage;
    struct listing listing = {0};
    stage_begin(&stage, MANY, 10);
    for (int i = 0; i < MANY; i++) {
        char name[24];
        snprintf(name, sizeof(name), "channel%d", i);
        stage_join(&stage, name, 0);
        stage_publish_many(&stage, name, 1);
        stage_expect_publication(&stage, 0, 1, "1");
    }
    hub_each_channel(stage.hub, list_channel, &listing);
    cr_assert_eq(listing.channels, MANY);
    stage_end(&stage);
}
