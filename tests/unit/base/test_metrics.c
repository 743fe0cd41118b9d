// Metrics: counting into one's own block, summing, and the text Prometheus reads.
#include "../../support/leaks.h"

#include "tidegate/base/metrics.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct metrics *blocks[2];
static struct buf page;

static void setup(void)
{
    blocks[0] = metrics_create();
    blocks[1] = metrics_create();
    buf_init(&page, 1 << 20);
}

static void teardown(void)
{
    metrics_attach(NULL);
    metrics_destroy(blocks[0]);
    metrics_destroy(blocks[1]);
    buf_finish(&page);
    leaks_check();
}

TestSuite(metrics, .init = setup, .fini = teardown);

static const char *print(void)
{
    buf_clear(&page);
    cr_assert_eq(metrics_print(blocks, 2, &page), 0);
    cr_assert_eq(buf_append(&page, bytes_make("", 1)), 0);
    page.len--;
    return page.at;
}

static void expect_line(const char *line)
{
    char wanted[256];
    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    cr_assert_not_null(strstr(print(), wanted), "%s", line);
}

Test(metrics, a_thread_without_a_block_counts_into_the_common_one)
{
    cr_assert_not_null(metrics_here);
    metric_add(METRIC_ACCEPTED, 3);
    metrics_attach(blocks[0]);
    metric_add(METRIC_ACCEPTED, 4);
    metrics_attach(NULL);
    metric_add(METRIC_ACCEPTED, 1);
    cr_assert_eq(metrics_sum(blocks, 2, METRIC_ACCEPTED), 8);
    cr_assert_eq(metrics_sum(NULL, 0, METRIC_ACCEPTED), 4);
    expect_line("tidegate_connections_accepted_total 8");
}

Test(metrics, the_common_block_is_not_counted_twice)
{
    struct metrics *common = metrics_here;
    metric_add(METRIC_ACCEPTED, 3);
    cr_assert_eq(metrics_sum(&common, 1, METRIC_ACCEPTED), 3);
}

Test(metrics, gauges_go_up_and_down_and_may_be_set)
{
    metrics_attach(blocks[0]);
    metric_add(METRIC_QUEUE_BYTES, 100);
    metric_add(METRIC_QUEUE_BYTES, -30);
    metrics_attach(blocks[1]);
    metric_set(METRIC_QUEUE_BYTES, 5);
    metric_add(METRIC_QUEUE_BYTES, -7);
    cr_assert_eq(metrics_sum(blocks, 2, METRIC_QUEUE_BYTES), 68);
    expect_line("tidegate_queue_bytes 68");
}

Test(metrics, rows_of_one_name_differ_in_the_label_under_one_head)
{
    metrics_attach(blocks[1]);
    metric_add(METRIC_CONNECTIONS_SSE, 2);
    expect_line("tidegate_connections{transport=\"all\"} 0");
    expect_line("tidegate_connections{transport=\"sse\"} 2");
    const char *head = strstr(print(), "# TYPE tidegate_connections gauge\n");
    cr_assert_not_null(head);
    cr_assert_null(strstr(head + 1, "# TYPE tidegate_connections gauge\n"));
}

Test(metrics, worker_scope_prints_a_series_for_each_worker)
{
    metrics_attach(blocks[1]);
    metric_add(METRIC_TURNS, 9);
    expect_line("tidegate_turns_total{worker=\"0\"} 0");
    expect_line("tidegate_turns_total{worker=\"1\"} 9");
}

Test(metrics, closes_are_counted_by_reason)
{
    metrics_attach(blocks[0]);
    metric_close(CLOSE_SLOW);
    metrics_attach(blocks[1]);
    metric_close(CLOSE_SLOW);
    metrics_attach(NULL);
    metric_close(CLOSE_PEER_CLOSED);
    expect_line("tidegate_closes_total{reason=\"slow\",code=\"3008\"} 2");
    expect_line("tidegate_closes_total{reason=\"peer closed\",code=\"0\"} 1");
    expect_line("tidegate_closes_total{reason=\"shutdown\",code=\"3001\"} 0");
}

Test(metrics, a_histogram_of_all_is_cumulative_in_seconds)
{
    metrics_attach(blocks[0]);
    metric_observe_us(METRIC_PUBLISH_LAG, 10, 2);
    metrics_attach(blocks[1]);
    metric_observe_us(METRIC_PUBLISH_LAG, 11, 3);
    metric_observe_us(METRIC_PUBLISH_LAG, 10000000, 1);
    metric_observe_us(METRIC_PUBLISH_LAG, -5, 1);
    expect_line("# TYPE tidegate_publish_to_write_seconds histogram");
    expect_line("tidegate_publish_to_write_seconds_bucket{le=\"0.00001\"} 3");
    expect_line("tidegate_publish_to_write_seconds_bucket{le=\"0.00002\"} 6");
    expect_line("tidegate_publish_to_write_seconds_bucket{le=\"5.24288\"} 6");
    expect_line("tidegate_publish_to_write_seconds_bucket{le=\"+Inf\"} 7");
    expect_line("tidegate_publish_to_write_seconds_sum 10.000053");
    expect_line("tidegate_publish_to_write_seconds_count 7");
}

Test(metrics, a_histogram_of_each_worker_has_its_label_everywhere)
{
    metrics_attach(blocks[1]);
    metric_observe_us(METRIC_TURN_TIME, 1500000, 1);
    expect_line("tidegate_turn_seconds_bucket{worker=\"0\",le=\"+Inf\"} 0");
    expect_line("tidegate_turn_seconds_bucket{worker=\"1\",le=\"1.31072\"} 0");
    expect_line("tidegate_turn_seconds_bucket{worker=\"1\",le=\"2.62144\"} 1");
    expect_line("tidegate_turn_seconds_sum{worker=\"1\"} 1.500000");
    expect_line("tidegate_turn_seconds_count{worker=\"1\"} 1");
}

Test(metrics, every_bucket_holds_its_upper_bound_and_not_one_microsecond_more)
{
    metrics_attach(blocks[0]);
    for (int i = 0; i < METRIC_BUCKETS - 1; i++) {
        metric_observe_us(METRIC_PUBLISH_LAG, (int64_t)10 << i, 1);
        metric_observe_us(METRIC_PUBLISH_LAG, ((int64_t)10 << i) + 1, 100);
    }
    metric_observe_us(METRIC_PUBLISH_LAG, INT64_MAX, 10000);
    const struct metric_histogram *found = NULL;
    for (int i = 0; i < METRIC_HISTOGRAMS_MAX; i++) {
        if (atomic_load(&blocks[0]->histograms[i].buckets[0]) > 0) {
            found = &blocks[0]->histograms[i];
        }
    }
    cr_assert_not_null(found);
    cr_assert_eq(atomic_load(&found->buckets[0]), 1);
    for (int i = 1; i < METRIC_BUCKETS - 1; i++) {
        cr_assert_eq(atomic_load(&found->buckets[i]), 101, "bucket %d", i);
    }
    cr_assert_eq(atomic_load(&found->buckets[METRIC_BUCKETS - 1]), 10100);
}

Test(metrics, observing_a_counter_aborts, .signal = SIGABRT)
{
    metric_observe_us(METRIC_ACCEPTED, 1, 1);
}

// A reader of the text format, as strict as it must be: every line is a head, or a sample of the
// name whose head came last.
Test(metrics, the_page_is_well_formed_and_each_name_has_one_head)
{
    const char *text = print();
    char name[128] = "";
    char names[100][128];
    size_t name_count = 0;
    struct bytes rest = bytes_str(text);
    struct bytes line;
    int samples = 0;
    while (bytes_next_part(&rest, '\n', &line) && (line.len > 0 || rest.at != NULL)) {
        char row[512];
        cr_assert_lt(line.len, sizeof(row));
        snprintf(row, sizeof(row), "%.*s", (int)line.len, line.at);
        if (strncmp(row, "# HELP ", 7) == 0) {
            cr_assert_eq(sscanf(row, "# HELP %127s", name), 1);
            cr_assert_eq(strncmp(name, "tidegate_", 9), 0);
            for (size_t i = 0; i < name_count; i++) {
                cr_assert_str_neq(names[i], name);
            }
            strcpy(names[name_count++], name);
            continue;
        }
        if (strncmp(row, "# TYPE ", 7) == 0) {
            char again[128];
            cr_assert_eq(sscanf(row, "# TYPE %127s", again), 1);
            cr_assert_str_eq(again, name);
            continue;
        }
        cr_assert_eq(strncmp(row, name, strlen(name)), 0, "%s under %s", row, name);
        const char *value = strrchr(row, ' ');
        cr_assert_not_null(value);
        char *end;
        (void)strtod(value, &end);
        cr_assert(*end == '\0' && end > value + 1, "%s", row);
        samples++;
    }
    cr_assert_gt(samples, METRICS);
}

Test(metrics, a_page_that_does_not_fit_is_an_error)
{
    print();
    size_t whole = page.len;
    for (size_t max = 0; max < whole; max += 97) {
        struct buf small;
        buf_init(&small, max);
        cr_assert_eq(metrics_print(blocks, 2, &small), -EMSGSIZE);
        buf_finish(&small);
    }
}

static void *count_in_common(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10000; i++) {
        metric_add(METRIC_API_CALLS, 1);
    }
    return NULL;
}

Test(metrics, counting_in_the_common_block_from_two_threads_never_counts_too_much)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, count_in_common, NULL), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    int64_t sum = metrics_sum(NULL, 0, METRIC_API_CALLS);
    cr_assert(sum > 0 && sum <= 20000);
}
