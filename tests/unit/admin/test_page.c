// The metrics page. Owner: Criterion, a process a test.
#include "page.h"

#include "../../support/leaks.h"

#include <stdio.h>

TestSuite(page, .fini = leaks_check);

static struct metrics *blocks[2];

// The page as a string, good until the next one.
static const char *page(void)
{
    static char text[256 * 1024];
    struct admin_options options = {
        .metrics = blocks, .worker_count = 2, .started_wall_ms = 1700000000250};
    struct buf out;
    buf_init(&out, sizeof(text) - 1);
    cr_assert_eq(page_print(&options, &out), 0);
    memcpy(text, out.at, out.len);
    text[out.len] = '\0';
    buf_finish(&out);
    return text;
}

static void begin(void)
{
    blocks[0] = metrics_create();
    blocks[1] = metrics_create();
}

static void end(void)
{
    metrics_attach(NULL);
    metrics_destroy(blocks[0]);
    metrics_destroy(blocks[1]);
}

// Value of the sample that begins a line with `name`.
static double value_of(const char *text, const char *name)
{
    char line[128];
    double value = -1;
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(text, line);
    cr_assert_not_null(at, "%s is missing", name);
    cr_assert_eq(sscanf(at + strlen(line), "%lf", &value), 1);
    return value;
}

Test(page, adds_the_workers_up)
{
    begin();
    for (int i = 0; i < 2; i++) {
        metrics_attach(blocks[i]);
        metric_add(METRIC_API_CALLS, i + 2);
    }
    cr_assert_eq(value_of(page(), "tidegate_api_calls_total"), 5);
    end();
}

Test(page, tells_the_build_and_the_process)
{
    begin();
    const char *text = page();
    cr_assert_eq(value_of(text, "tidegate_build_info{version=\"" TIDEGATE_VERSION "\"}"), 1);
    cr_assert_gt(value_of(text, "tidegate_process_resident_memory_bytes"), 100000);
    cr_assert_gt(value_of(text, "tidegate_process_cpu_seconds_total"), 0);
    cr_assert_float_eq(value_of(text, "tidegate_process_start_time_seconds"), 1700000000.25, 0.001);
    cr_assert_not_null(strstr(text, "# TYPE tidegate_process_cpu_seconds_total counter\n"));
    cr_assert_not_null(strstr(text, "# HELP tidegate_build_info "));
    end();
}

Test(page, counts_open_descriptors)
{
    begin();
    double before = value_of(page(), "tidegate_process_open_fds");
    FILE *files[3];
    for (int i = 0; i < 3; i++) {
        files[i] = fopen("/dev/null", "r");
    }
    cr_assert_eq(value_of(page(), "tidegate_process_open_fds"), before + 3);
    for (int i = 0; i < 3; i++) {
        fclose(files[i]);
    }
    end();
}

Test(page, does_not_pass_its_limit)
{
    begin();
    struct admin_options options = {.metrics = blocks, .worker_count = 2};
    struct buf out;
    buf_init(&out, 5000);
    cr_assert_lt(page_print(&options, &out), 0);
    buf_finish(&out);
    end();
}
