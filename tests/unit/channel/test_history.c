// One channel's history: the ring, its bounds, reading it, recovering from it.
// Owner: Criterion, a process a test.
#include "support.h"

#define TTL_MS 1000

static void append(struct history *history, const char *data, uint32_t size, int64_t now_ms)
{
    struct publication *publication = publication_of("news", data);
    history_append(history, publication, size, TTL_MS, now_ms);
    publication_unref(publication);
}

// A history that got "1" .. "count", the last `size` kept.
static void fill(struct history *history, int count, uint32_t size)
{
    history_init(history);
    for (int i = 1; i <= count; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        append(history, text, size, 0);
    }
}

static void expect_read(const struct history *history, struct history_query query,
                        const char *texts)
{
    struct history_result result;
    cr_assert_eq(history_read(history, &query, &result), 0);
    expect_items(&result, texts);
    cr_assert_eq(result.top.offset, history->top);
    cr_assert_str_eq(result.top.epoch, history->epoch);
    history_result_finish(&result);
}

static struct position at(const struct history *history, uint64_t offset)
{
    struct position position = {.offset = offset};
    memcpy(position.epoch, history->epoch, sizeof(position.epoch));
    return position;
}

Test(history, an_epoch_is_eight_letters_and_another_each_time)
{
    struct history a;
    struct history b;
    history_init(&a);
    history_init(&b);
    cr_assert_eq(strlen(a.epoch), EPOCH_LEN);
    for (int i = 0; i < EPOCH_LEN; i++) {
        cr_assert((a.epoch[i] >= 'A' && a.epoch[i] <= 'Z') ||
                  (a.epoch[i] >= 'a' && a.epoch[i] <= 'z'));
    }
    cr_assert_str_neq(a.epoch, b.epoch);
}

Test(history, offsets_start_at_one_and_rise_by_one)
{
    struct history history;
    history_init(&history);
    cr_assert_eq(history.top, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        struct publication *publication = publication_of("news", "x");
        history_append(&history, publication, 10, TTL_MS, 0);
        cr_assert_eq(publication->offset, i);
        cr_assert_str_eq(publication->epoch, history.epoch);
        publication_unref(publication);
    }
    history_finish(&history);
}

Test(history, keeps_the_newest_up_to_its_size)
{
    struct history history;
    fill(&history, 12, 5);
    expect_read(&history, (struct history_query){.limit = -1}, "8 9 10 11 12");
    cr_assert_leq(history.capacity, 5);
    history_finish(&history);
}

Test(history, a_size_of_one_keeps_the_last)
{
    struct history history;
    fill(&history, 3, 1);
    expect_read(&history, (struct history_query){.limit = -1}, "3");
    history_finish(&history);
}

Test(history, a_size_of_zero_counts_but_keeps_nothing)
{
    struct history history;
    fill(&history, 3, 5);
    append(&history, "4", 0, 0);
    cr_assert_eq(history.top, 4);
    expect_read(&history, (struct history_query){.limit = -1}, "");
    history_finish(&history);
}

Test(history, a_large_size_costs_nothing_until_it_is_used)
{
    struct history history;
    fill(&history, 3, 1000000);
    cr_assert_leq(history.capacity, 4);
    history_clear(&history);
    cr_assert_null(history.ring);
    cr_assert_eq(history.bytes, 0);
    history_finish(&history);
}

Test(history, grows_while_its_start_is_in_the_middle_of_the_ring)
{
    struct history history;
    fill(&history, 6, 4); // the oldest of four stands at index 2
    append(&history, "7", 8, 0);
    append(&history, "8", 8, 0);
    expect_read(&history, (struct history_query){.limit = -1}, "3 4 5 6 7 8");
    history_finish(&history);
}

Test(history, a_smaller_size_trims_at_the_next_append)
{
    struct history history;
    fill(&history, 10, 10);
    append(&history, "11", 3, 0);
    expect_read(&history, (struct history_query){.limit = -1}, "9 10 11");
    cr_assert_leq(history.capacity, 3);
    append(&history, "12", 3, 0);
    expect_read(&history, (struct history_query){.limit = -1}, "10 11 12");
    history_finish(&history);
}

Test(history, entries_go_when_nothing_was_published_for_the_ttl_and_the_position_stays)
{
    struct history history;
    history_init(&history);
    append(&history, "1", 5, 0);
    append(&history, "2", 5, TTL_MS - 1);
    history_expire(&history, TTL_MS + TTL_MS - 2);
    expect_read(&history, (struct history_query){.limit = -1}, "1 2");
    char epoch[EPOCH_LEN + 1];
    memcpy(epoch, history.epoch, sizeof(epoch));
    history_expire(&history, TTL_MS + TTL_MS - 1);
    expect_read(&history, (struct history_query){.limit = -1}, "");
    cr_assert_eq(history.top, 2);
    cr_assert_str_eq(history.epoch, epoch);
    append(&history, "3", 5, TTL_MS * 3);
    expect_read(&history, (struct history_query){.limit = -1}, "3");
    cr_assert_eq(history.top, 3);
    history_finish(&history);
}

Test(history, counts_the_bytes_it_keeps_in_the_gauge)
{
    struct history history;
    fill(&history, 7, 2);
    struct publication *publication = publication_of("news", "6");
    size_t size = publication_size(publication);
    publication_unref(publication);
    cr_assert_eq(history.bytes, 2 * size);
    cr_assert_eq(metric_value(METRIC_HISTORY_BYTES), (int64_t)(2 * size));
    history_finish(&history);
    cr_assert_eq(metric_value(METRIC_HISTORY_BYTES), 0);
}

Test(history, a_limit_of_zero_reads_the_position_alone)
{
    struct history history;
    fill(&history, 3, 5);
    expect_read(&history, (struct history_query){.limit = 0}, "");
    history_finish(&history);
}

Test(history, reads_from_the_oldest_or_in_reverse_from_the_newest)
{
    struct history history;
    fill(&history, 8, 5);
    expect_read(&history, (struct history_query){.limit = 2}, "4 5");
    expect_read(&history, (struct history_query){.limit = 2, .reverse = true}, "8 7");
    expect_read(&history, (struct history_query){.limit = -1, .reverse = true}, "8 7 6 5 4");
    expect_read(&history, (struct history_query){.limit = 99}, "4 5 6 7 8");
    history_finish(&history);
}

static void expect_since(const struct history *history, uint64_t offset, bool reverse,
                         int64_t limit, const char *texts)
{
    expect_read(
        history,
        (struct history_query){
            .has_since = true, .since = at(history, offset), .reverse = reverse, .limit = limit},
        texts);
}

Test(history, reads_what_came_after_an_offset)
{
    struct history history;
    fill(&history, 8, 5);
    expect_since(&history, 5, false, -1, "6 7 8");
    expect_since(&history, 5, false, 2, "6 7");
    expect_since(&history, 8, false, -1, "");
    expect_since(&history, 80, false, -1, "");
    expect_since(&history, 1, false, -1, "4 5 6 7 8"); // older than the oldest: no error
    expect_since(&history, 0, false, 1, "4");
    history_finish(&history);
}

Test(history, reads_in_reverse_what_came_before_an_offset)
{
    struct history history;
    fill(&history, 8, 5);
    expect_since(&history, 7, true, -1, "6 5 4");
    expect_since(&history, 7, true, 2, "6 5");
    expect_since(&history, 4, true, -1, "");
    expect_since(&history, 2, true, -1, "");
    expect_since(&history, 80, true, 2, "8 7");
    history_finish(&history);
}

Test(history, reverse_from_offset_zero_is_an_error)
{
    struct history history;
    fill(&history, 2, 5);
    struct history_query query = {.has_since = true, .reverse = true, .limit = -1};
    struct history_result result;
    cr_assert_eq(history_read(&history, &query, &result), -EINVAL);
    history_finish(&history);
}

Test(history, another_epoch_is_stale_and_an_empty_one_is_any)
{
    struct history history;
    fill(&history, 2, 5);
    struct history_query query = {.has_since = true, .limit = -1};
    struct history_result result;
    strcpy(query.since.epoch, "nonesuch");
    cr_assert_eq(history_read(&history, &query, &result), -ESTALE);
    query.since.epoch[0] = '\0';
    expect_read(&history, query, "1 2");
    history_finish(&history);
}

static void expect_recovered(const struct history *history, struct position since, size_t max,
                             const char *texts)
{
    struct history_result result;
    cr_assert_eq(history_recover(history, since, max, &result), 1);
    expect_items(&result, texts);
    cr_assert_eq(result.top.offset, history->top);
    history_result_finish(&result);
}

static void expect_lost(const struct history *history, struct position since, size_t max)
{
    struct history_result result;
    cr_assert_eq(history_recover(history, since, max, &result), 0);
    cr_assert_eq(result.count, 0);
    cr_assert_eq(result.top.offset, history->top);
    cr_assert_str_eq(result.top.epoch, history->epoch);
}

Test(history, recovers_all_that_was_missed)
{
    struct history history;
    fill(&history, 8, 5);
    expect_recovered(&history, at(&history, 6), 300, "7 8");
    expect_recovered(&history, at(&history, 8), 300, "");
    expect_recovered(&history, (struct position){.offset = 6}, 300, "7 8"); // any epoch
    history_finish(&history);
}

Test(history, recovers_down_to_the_oldest_kept_and_not_one_further)
{
    struct history history;
    fill(&history, 8, 5);
    expect_recovered(&history, at(&history, 3), 300, "4 5 6 7 8");
    expect_lost(&history, at(&history, 2), 300);
    expect_lost(&history, at(&history, 0), 300);
    history_finish(&history);
}

Test(history, recovers_from_zero_when_all_is_kept)
{
    struct history history;
    fill(&history, 3, 5);
    expect_recovered(&history, (struct position){.offset = 0}, 300, "1 2 3");
    history_finish(&history);
}

Test(history, never_recovers_across_epochs_or_from_the_future)
{
    struct history history;
    fill(&history, 3, 5);
    struct position other = {.offset = 3};
    strcpy(other.epoch, "nonesuch");
    expect_lost(&history, other, 300);
    expect_lost(&history, at(&history, 4), 300);
    history_finish(&history);
}

Test(history, never_recovers_more_than_the_limit)
{
    struct history history;
    fill(&history, 5, 5);
    expect_recovered(&history, at(&history, 2), 3, "3 4 5");
    expect_lost(&history, at(&history, 1), 3);
    history_finish(&history);
}

Test(history, recovers_an_empty_stream_only_at_its_top)
{
    struct history history;
    history_init(&history);
    expect_recovered(&history, at(&history, 0), 300, "");
    expect_lost(&history, at(&history, 1), 300);
    append(&history, "1", 5, 0);
    append(&history, "2", 5, 0);
    history_clear(&history);
    expect_recovered(&history, at(&history, 2), 300, "");
    expect_lost(&history, at(&history, 1), 300);
    history_finish(&history);
}

Test(history, reads_the_newest_with_the_oldest_of_them_first)
{
    struct history history;
    struct history_result result;
    fill(&history, 8, 5);
    history_read_newest(&history, 3, &result);
    expect_items(&result, "6 7 8");
    history_result_finish(&result);
    history_read_newest(&history, 30, &result);
    expect_items(&result, "4 5 6 7 8");
    cr_assert_eq(result.top.offset, 8);
    history_result_finish(&result);
    history_finish(&history);
}
