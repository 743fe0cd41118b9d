// The hub: how a subscriber starts, what it recovers, and history queries.
// Owner: Criterion, a process a test.
#include "support.h"

static struct hub_subscribed *recover(struct stage *stage, struct position since, uint32_t max)
{
    return stage_subscribe(stage, &(struct hub_subscribe_request){
                                      .channel = BYTES_OF("news"),
                                      .settings = &stage->history,
                                      .recover = true,
                                      .since = since,
                                      .recover_max = max,
                                  });
}

static void expect_start(struct hub_subscribed *subscribed, bool recovered, const char *texts,
                         struct position top)
{
    cr_assert_eq(subscribed->error, 0);
    cr_assert_eq(subscribed->recovered, recovered);
    expect_items(&subscribed->result, texts);
    cr_assert_eq(subscribed->result.top.offset, top.offset);
    cr_assert_str_eq(subscribed->result.top.epoch, top.epoch);
    hub_subscribed_destroy(&subscribed->reply.message);
}

Test(hub_subscribe, without_recovery_it_starts_at_the_top)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct position top = stage_publish_many(&stage, "news", 3);
    struct hub_subscribed *subscribed =
        stage_subscribe(&stage, &(struct hub_subscribe_request){.channel = BYTES_OF("news"),
                                                                .settings = &stage.history});
    expect_start(subscribed, false, "", top);
    cr_assert_eq(metric_value(METRIC_RECOVERED) + metric_value(METRIC_NOT_RECOVERED), 0);
    stage_end(&stage);
}

Test(hub_subscribe, subscribing_to_a_new_channel_makes_its_epoch)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct hub_subscribed *subscribed = recover(&stage, (struct position){.offset = 0}, 300);
    struct position top = subscribed->result.top;
    cr_assert_eq(top.offset, 0);
    cr_assert_eq(strlen(top.epoch), EPOCH_LEN);
    expect_start(subscribed, true, "", top); // nothing was missed
    struct position next = stage_publish_many(&stage, "news", 1);
    cr_assert_str_eq(next.epoch, top.epoch);
    stage_end(&stage);
}

Test(hub_subscribe, initial_delivers_the_newest_in_ascending_order)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct position top = stage_publish_many(&stage, "news", 8);
    struct hub_subscribe_request request = {
        .channel = BYTES_OF("news"), .settings = &stage.history, .initial = 3};
    expect_start(stage_subscribe(&stage, &request), false, "6 7 8", top);
    request.initial = 100;
    expect_start(stage_subscribe(&stage, &request), false, "4 5 6 7 8", top);
    stage_end(&stage);
}

Test(hub_subscribe, recovers_exactly_what_was_missed)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct position seen = stage_publish_many(&stage, "news", 2);
    struct position top = stage_publish_many(&stage, "news", 3);
    expect_start(recover(&stage, seen, 300), true, "1 2 3", top);
    expect_start(recover(&stage, top, 300), true, "", top);
    seen.epoch[0] = '\0';
    expect_start(recover(&stage, seen, 300), true, "1 2 3", top);
    cr_assert_eq(metric_value(METRIC_RECOVERED), 3);
    cr_assert_eq(metric_value(METRIC_NOT_RECOVERED), 0);
    stage_end(&stage);
}

Test(hub_subscribe, never_recovers_a_part)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct position top = stage_publish_many(&stage, "news", 8);
    struct position since = top;
    since.offset = 2; // 3 was trimmed
    expect_start(recover(&stage, since, 300), false, "", top);
    since.offset = 4;
    expect_start(recover(&stage, since, 3), false, "", top); // four are missing
    since.offset = 9;
    expect_start(recover(&stage, since, 300), false, "", top); // above the top
    strcpy(since.epoch, "nonesuch");
    since.offset = 8;
    expect_start(recover(&stage, since, 300), false, "", top);
    cr_assert_eq(metric_value(METRIC_NOT_RECOVERED), 4);
    stage_end(&stage);
}

Test(hub_subscribe, one_that_did_not_recover_is_live_anyway)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    struct position top = stage_publish_many(&stage, "news", 1);
    expect_start(recover(&stage, (struct position){.offset = 40}, 300), false, "", top);
    stage_publish_many(&stage, "news", 1);
    stage_expect_publication(&stage, 0, 2, "1");
    stage_end(&stage);
}

Test(hub_subscribe, without_history_nothing_is_recovered_and_there_is_no_position)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage.history = stage.plain;
    expect_start(recover(&stage, (struct position){.offset = 0}, 300), false, "",
                 (struct position){.offset = 0});
    cr_assert_eq(metric_value(METRIC_NOT_RECOVERED), 1);
    stage_end(&stage);
}

Test(hub_subscribe, the_reply_stands_between_what_it_covers_and_what_it_does_not)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    struct position seen = stage_publish_many(&stage, "news", 1);
    struct hub_subscribed *second = mem_zalloc(sizeof(*second));
    hub_subscribe(stage.hub,
                  &(struct hub_subscribe_request){.channel = BYTES_OF("news"),
                                                  .settings = &stage.history,
                                                  .recover = true,
                                                  .since = seen,
                                                  .recover_max = 300},
                  second);
    stage_publish_many(&stage, "news", 1);
    stage_expect_publication(&stage, 0, 1, "1");
    cr_assert_eq(stage_take(&stage, 0), &second->reply.message);
    cr_assert_eq(second->result.top.offset, 1);
    hub_subscribed_destroy(&second->reply.message);
    stage_expect_publication(&stage, 0, 2, "1");
    stage_end(&stage);
}

Test(hub_subscribe, a_reply_passes_a_full_mailbox)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage.boxes[0].bytes_max = 0;
    stage_join(&stage, "news", 0);
    stage_end(&stage);
}

Test(hub_subscribe, a_reply_nobody_takes_is_freed_with_its_entries)
{
    struct stage stage;
    stage_begin(&stage, 100, 10);
    stage_publish_many(&stage, "news", 3);
    struct hub_subscribed *subscribed = mem_zalloc(sizeof(*subscribed));
    hub_subscribe(stage.hub,
                  &(struct hub_subscribe_request){
                      .channel = BYTES_OF("news"), .settings = &stage.history, .initial = 3},
                  subscribed);
    stage_end(&stage); // the leak checker looks
}

static int query(struct stage *stage, struct history_query query, struct history_result *ret_result)
{
    return hub_history(stage->hub, BYTES_OF("news"), &stage->history, &query, ret_result);
}

Test(hub_history, a_mere_read_makes_the_epoch)
{
    struct stage stage;
    struct history_result result;
    stage_begin(&stage, 100, 10);
    cr_assert_eq(query(&stage, (struct history_query){.limit = 0}, &result), 0);
    cr_assert_eq(strlen(result.top.epoch), EPOCH_LEN);
    cr_assert_eq(hub_channels(stage.hub), 1);
    struct position position = stage_publish_many(&stage, "news", 1);
    cr_assert_str_eq(position.epoch, result.top.epoch);
    stage_end(&stage);
}

Test(hub_history, reads_in_both_directions_with_limits)
{
    struct stage stage;
    struct history_result result;
    stage_begin(&stage, 100, 10);
    struct position top = stage_publish_many(&stage, "news", 7);
    cr_assert_eq(query(&stage, (struct history_query){.limit = 2}, &result), 0);
    expect_items(&result, "3 4");
    cr_assert_eq(result.top.offset, top.offset);
    history_result_finish(&result);
    cr_assert_eq(
        query(&stage,
              (struct history_query){.has_since = true, .since = top, .reverse = true, .limit = 2},
              &result),
        0);
    expect_items(&result, "6 5");
    history_result_finish(&result);
    stage_end(&stage);
}

Test(hub_history, another_epoch_is_stale_and_reverse_from_zero_invalid)
{
    struct stage stage;
    struct history_result result;
    stage_begin(&stage, 100, 10);
    stage_publish_many(&stage, "news", 1);
    struct history_query asked = {.has_since = true, .limit = -1};
    strcpy(asked.since.epoch, "nonesuch");
    cr_assert_eq(query(&stage, asked, &result), -ESTALE);
    asked = (struct history_query){.has_since = true, .reverse = true, .limit = -1};
    cr_assert_eq(query(&stage, asked, &result), -EINVAL);
    stage_end(&stage);
}

Test(hub_history, without_history_there_is_nothing_and_no_record)
{
    struct stage stage;
    struct history_result result;
    stage_begin(&stage, 100, 10);
    stage.history = stage.plain;
    cr_assert_eq(query(&stage, (struct history_query){.limit = -1}, &result), 0);
    cr_assert_eq(result.count, 0);
    cr_assert_eq(result.top.offset, 0);
    cr_assert_str_eq(result.top.epoch, "");
    cr_assert_eq(hub_channels(stage.hub), 0);
    stage_end(&stage);
}

Test(hub_history, removing_drops_the_entries_and_keeps_the_position)
{
    struct stage stage;
    struct history_result result;
    stage_begin(&stage, 100, 10);
    struct position top = stage_publish_many(&stage, "news", 3);
    hub_history_remove(stage.hub, BYTES_OF("news"));
    hub_history_remove(stage.hub, BYTES_OF("nobody"));
    cr_assert_eq(query(&stage, (struct history_query){.limit = -1}, &result), 0);
    cr_assert_eq(result.count, 0);
    cr_assert_eq(result.top.offset, 3);
    cr_assert_str_eq(result.top.epoch, top.epoch);
    cr_assert_eq(metric_value(METRIC_HISTORY_BYTES), 0);
    top = stage_publish_many(&stage, "news", 1);
    cr_assert_eq(top.offset, 4);
    stage_end(&stage);
}
