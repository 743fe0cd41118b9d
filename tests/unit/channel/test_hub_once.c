// The hub: what is published once only, by idempotency key and by version.
// Owner: Criterion, a process a test.
#include "support.h"

// Publishes with these, on the channel "news".
static int publish(struct stage *stage, const char *data, const char *key, uint64_t version,
                   const char *version_epoch, struct position *ret_position)
{
    struct hub_publish_request request = {
        .publication = publication_of("news", data),
        .settings = &stage->history,
        .idempotency_key = bytes_str(key),
        .version = version,
        .version_epoch = bytes_str(version_epoch),
    };
    return hub_publish(stage->hub, &request, ret_position);
}

Test(hub_once, a_repeated_key_gets_the_first_answer_and_publishes_nothing)
{
    struct stage stage;
    struct position first;
    struct position again;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    cr_assert_eq(publish(&stage, "a", "k1", 0, NULL, &first), 1);
    stage_publish_many(&stage, "news", 1);
    cr_assert_eq(publish(&stage, "b", "k1", 0, NULL, &again), 0);
    cr_assert_eq(again.offset, first.offset);
    cr_assert_str_eq(again.epoch, first.epoch);
    cr_assert_eq(metric_value(METRIC_PUBLISH_DUPLICATES), 1);
    cr_assert_eq(metric_value(METRIC_PUBLICATIONS), 2);
    stage_expect_publication(&stage, 0, 1, "a");
    stage_expect_publication(&stage, 0, 2, "1");
    stage_expect_nothing(&stage, 0);
    stage_end(&stage);
}

Test(hub_once, another_key_or_channel_is_another_publication)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    cr_assert_eq(publish(&stage, "a", "k1", 0, NULL, &position), 1);
    cr_assert_eq(publish(&stage, "a", "k2", 0, NULL, &position), 1);
    struct hub_publish_request request = {
        .publication = publication_of("other", "a"),
        .settings = &stage.history,
        .idempotency_key = BYTES_OF("k1"),
    };
    cr_assert_eq(hub_publish(stage.hub, &request, &position), 1);
    stage_end(&stage);
}

Test(hub_once, a_key_is_remembered_without_history_too)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    stage.history = stage.plain;
    cr_assert_eq(publish(&stage, "a", "k", 0, NULL, &position), 1);
    cr_assert_eq(hub_channels(stage.hub), 1);
    cr_assert_eq(publish(&stage, "a", "k", 0, NULL, &position), 0);
    cr_assert_eq(position.offset, 0);
    stage_pass(&stage, STAGE_KEY_TTL_MS);
    hub_sweep(stage.hub, 0, 1);
    cr_assert_eq(hub_channels(stage.hub), 0);
    stage_end(&stage);
}

Test(hub_once, a_key_is_forgotten_after_its_time)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    cr_assert_eq(publish(&stage, "a", "k", 0, NULL, &position), 1);
    stage_pass(&stage, STAGE_KEY_TTL_MS - 1);
    cr_assert_eq(publish(&stage, "a", "k", 0, NULL, &position), 0);
    stage_pass(&stage, 1);
    cr_assert_eq(publish(&stage, "a", "k", 0, NULL, &position), 1);
    stage_end(&stage);
}

Test(hub_once, past_the_limit_the_oldest_key_goes_with_a_count)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 2);
    cr_assert_eq(publish(&stage, "a", "k1", 0, NULL, &position), 1);
    cr_assert_eq(publish(&stage, "a", "k2", 0, NULL, &position), 1);
    cr_assert_eq(publish(&stage, "a", "k3", 0, NULL, &position), 1);
    cr_assert_eq(metric_value(METRIC_IDEMPOTENCY_EVICTED), 1);
    cr_assert_eq(publish(&stage, "a", "k3", 0, NULL, &position), 0);
    cr_assert_eq(publish(&stage, "a", "k2", 0, NULL, &position), 0);
    cr_assert_eq(publish(&stage, "a", "k1", 0, NULL, &position), 1);
    stage_end(&stage);
}

Test(hub_once, with_no_keys_allowed_none_is_kept)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 0);
    stage.history = stage.plain;
    cr_assert_eq(publish(&stage, "a", "k", 0, NULL, &position), 1);
    cr_assert_eq(publish(&stage, "a", "k", 0, NULL, &position), 1);
    cr_assert_eq(hub_channels(stage.hub), 0);
    stage_end(&stage);
}

Test(hub_once, a_key_past_the_longest_is_refused)
{
    struct stage stage;
    struct position position;
    char key[HUB_KEY_MAX + 2];
    memset(key, 'k', sizeof(key));
    key[HUB_KEY_MAX + 1] = '\0';
    stage_begin(&stage, 100, 10);
    cr_assert_eq(publish(&stage, "a", key, 0, NULL, &position), -EINVAL);
    cr_assert_eq(publish(&stage, "a", NULL, 1, key, &position), -EINVAL);
    key[HUB_KEY_MAX] = '\0';
    cr_assert_eq(publish(&stage, "a", key, 1, key, &position), 1);
    cr_assert_eq(metric_value(METRIC_PUBLICATIONS), 1);
    stage_end(&stage);
}

Test(hub_once, a_version_not_newer_is_answered_with_the_top)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    stage_join(&stage, "news", 0);
    cr_assert_eq(publish(&stage, "v5", NULL, 5, NULL, &position), 1);
    stage_publish_many(&stage, "news", 1); // without a version: not compared
    cr_assert_eq(publish(&stage, "v5 again", NULL, 5, NULL, &position), 0);
    cr_assert_eq(position.offset, 2);
    cr_assert_eq(publish(&stage, "v4", NULL, 4, NULL, &position), 0);
    cr_assert_eq(publish(&stage, "v6", NULL, 6, NULL, &position), 1);
    cr_assert_eq(position.offset, 3);
    stage_expect_publication(&stage, 0, 1, "v5");
    stage_expect_publication(&stage, 0, 2, "1");
    stage_expect_publication(&stage, 0, 3, "v6");
    stage_expect_nothing(&stage, 0);
    stage_end(&stage);
}

Test(hub_once, another_version_epoch_starts_versions_anew)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    cr_assert_eq(publish(&stage, "a", NULL, 5, "one", &position), 1);
    cr_assert_eq(publish(&stage, "b", NULL, 5, "one", &position), 0);
    cr_assert_eq(publish(&stage, "c", NULL, 5, NULL, &position), 0); // no epoch: the same
    cr_assert_eq(publish(&stage, "d", NULL, 2, "two", &position), 1);
    cr_assert_eq(publish(&stage, "e", NULL, 2, "two", &position), 0);
    cr_assert_eq(publish(&stage, "f", NULL, 3, "two", &position), 1);
    cr_assert_eq(position.offset, 3);
    stage_end(&stage);
}

Test(hub_once, versions_mean_nothing_without_history)
{
    struct stage stage;
    struct position position;
    stage_begin(&stage, 100, 10);
    stage.history = stage.plain;
    stage_join(&stage, "news", 0);
    cr_assert_eq(publish(&stage, "a", NULL, 5, NULL, &position), 1);
    cr_assert_eq(publish(&stage, "b", NULL, 5, NULL, &position), 1);
    stage_expect_publication(&stage, 0, 0, "a");
    stage_expect_publication(&stage, 0, 0, "b");
    stage_end(&stage);
}
