// The hub: what goes with time, and when. The clock stands still but for stage_pass().
// Owner: Criterion, a process a test.
#include "support.h"

static struct history_result read_all(struct stage *stage)
{
    struct history_result result;
    struct history_query query = {.limit = -1};
    cr_assert_eq(hub_history(stage->hub, BYTES_OF("news"), &stage->history, &query, &result), 0);
    return result;
}

Test(hub_expiry, entries_go_a_ttl_after_the_last_publication)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct position top = stage_publish_many(&stage, "news", 1);
    stage_pass(&stage, STAGE_TTL_MS - 1);
    stage_publish_many(&stage, "news", 1);
    stage_pass(&stage, STAGE_TTL_MS - 1);
    struct history_result result = read_all(&stage);
    expect_items(&result, "1 1");
    history_result_finish(&result);
    stage_pass(&stage, 1);
    result = read_all(&stage);
    cr_assert_eq(result.count, 0);
    cr_assert_eq(result.top.offset, 2);
    cr_assert_str_eq(result.top.epoch, top.epoch);
    stage_end(&stage);
}

Test(hub_expiry, what_expired_is_not_recovered)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct position since = stage_publish_many(&stage, "news", 1);
    stage_publish_many(&stage, "news", 1);
    stage_pass(&stage, STAGE_TTL_MS);
    struct hub_subscribe_request request = {.channel = BYTES_OF("news"),
                                            .settings = &stage.history,
                                            .recover = true,
                                            .since = since,
                                            .recover_max = 300};
    struct hub_subscribed *subscribed = stage_subscribe(&stage, &request);
    cr_assert_not(subscribed->recovered);
    cr_assert_eq(subscribed->result.top.offset, 2);
    hub_subscribed_destroy(&subscribed->reply.message);
    request.since.offset = 2; // nothing is missing from the top
    subscribed = stage_subscribe(&stage, &request);
    cr_assert(subscribed->recovered);
    hub_subscribed_destroy(&subscribed->reply.message);
    stage_end(&stage);
}

Test(hub_expiry, the_position_goes_a_meta_ttl_after_the_last_use)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct position first = stage_publish_many(&stage, "news", 3);
    stage_pass(&stage, STAGE_META_TTL_MS - 1);
    struct position second = stage_publish_many(&stage, "news", 1);
    cr_assert_eq(second.offset, 4);
    cr_assert_str_eq(second.epoch, first.epoch);
    stage_pass(&stage, STAGE_META_TTL_MS);
    struct position third = stage_publish_many(&stage, "news", 1); // no sweep came by
    cr_assert_eq(third.offset, 1);
    cr_assert_str_neq(third.epoch, first.epoch);
    stage_end(&stage);
}

Test(hub_expiry, versions_go_with_the_position)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    for (int i = 0; i < 2; i++) {
        struct hub_publish_request request = {
            .publication = publication_of("news", "x"),
            .settings = &stage.history,
            .version = 5,
            .version_epoch = BYTES_OF("epoch"),
        };
        cr_assert_eq(hub_publish(stage.hub, &request, &position), 1);
        stage_pass(&stage, STAGE_META_TTL_MS);
    }
    stage_end(&stage);
}

Test(hub_expiry, a_position_in_use_does_not_go)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    struct position first = stage_publish_many(&stage, "news", 1);
    stage_pass(&stage, 10 * STAGE_META_TTL_MS);
    hub_sweep(stage.hub, 0, 1);
    hub_unsubscribe(stage.hub, BYTES_OF("news"), 0); // leaving is a use, too
    stage_pass(&stage, STAGE_META_TTL_MS - 1);
    hub_sweep(stage.hub, 0, 1);
    struct position second = stage_publish_many(&stage, "news", 1);
    cr_assert_eq(second.offset, 2);
    cr_assert_str_eq(second.epoch, first.epoch);
    stage_end(&stage);
}

// Else whoever may subscribe could fill the table for as long as positions are remembered.
Test(hub_expiry, a_channel_that_was_only_looked_at_goes_soon)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage.history.history_meta_ttl_ms = 30LL * 24 * 3600 * 1000;
    stage_join(&stage, "news", 0);
    stage_pass(&stage, 60000);
    hub_sweep(stage.hub, 0, 1);
    cr_assert_eq(hub_channels(stage.hub), 1, "it is in use");
    hub_unsubscribe(stage.hub, BYTES_OF("news"), 0);
    stage_pass(&stage, 29999);
    hub_sweep(stage.hub, 0, 1);
    cr_assert_eq(hub_channels(stage.hub), 1, "who comes back soon finds its position");
    stage_pass(&stage, 1);
    hub_sweep(stage.hub, 0, 1);
    cr_assert_eq(hub_channels(stage.hub), 0);
    stage_end(&stage);
}

Test(hub_expiry, a_sweep_drops_entries_first_and_the_channel_later)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage_publish_many(&stage, "news", 3);
    cr_assert_gt(metric_value(METRIC_HISTORY_BYTES), 0);
    stage_pass(&stage, STAGE_TTL_MS);
    hub_sweep(stage.hub, 0, 1);
    cr_assert_eq(metric_value(METRIC_HISTORY_BYTES), 0);
    cr_assert_eq(hub_channels(stage.hub), 1);
    stage_pass(&stage, STAGE_META_TTL_MS - STAGE_TTL_MS);
    hub_sweep(stage.hub, 0, 1);
    cr_assert_eq(hub_channels(stage.hub), 0);
    cr_assert_eq(metric_value(METRIC_CHANNELS), 0);
    stage_end(&stage);
}

Test(hub_expiry, the_parts_of_a_sweep_cover_every_channel_once)
{
    enum { CHANNELS = 500, PARTS = 3 };
    struct stage stage;
    stage_begin(&stage, CHANNELS, 10);
    for (int i = 0; i < CHANNELS; i++) {
        char name[24];
        snprintf(name, sizeof(name), "channel%d", i);
        stage_publish_many(&stage, name, 1);
    }
    stage_pass(&stage, STAGE_META_TTL_MS);
    uint32_t left = CHANNELS;
    for (unsigned part = 0; part < PARTS; part++) {
        hub_sweep(stage.hub, part, PARTS);
        cr_assert_lt(hub_channels(stage.hub), left);
        left = hub_channels(stage.hub);
    }
    cr_assert_eq(left, 0);
    stage_end(&stage);
}

Test(hub_expiry, entries_outlive_a_meta_ttl_that_is_shorter)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage.history.history_meta_ttl_ms = 0;
    struct position top = stage_publish_many(&stage, "news", 2);
    stage_pass(&stage, STAGE_TTL_MS - 1);
    hub_sweep(stage.hub, 0, 1);
    struct history_result result = read_all(&stage);
    expect_items(&result, "1 2");
    cr_assert_str_eq(result.top.epoch, top.epoch);
    history_result_finish(&result);
    stage_pass(&stage, 1);
    hub_sweep(stage.hub, 0, 1);
    cr_assert_eq(hub_channels(stage.hub), 0);
    stage_end(&stage);
}

Test(hub_expiry, history_switched_off_by_a_reload_fades_out)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    stage_publish_many(&stage, "news", 2);
    struct hub_publish_request request = {.publication = publication_of("news", "x"),
                                          .settings = &stage.plain};
    cr_assert_eq(hub_publish(stage.hub, &request, &position), 1);
    cr_assert_eq(position.offset, 0);
    stage_pass(&stage, STAGE_META_TTL_MS);
    hub_sweep(stage.hub, 0, 1);
    cr_assert_eq(hub_channels(stage.hub), 0);
    stage_end(&stage);
}
