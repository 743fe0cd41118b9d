// Everything a scraper gets: the workers' counters, the build, and the process as the kernel sees
// it. Owner: none; any worker, reading all workers' blocks.
// Invariant: names begin with "tidegate_", each family has its help and type, and its samples stand
// together.
#include "page.h"

#include "tidegate/base/process.h"

#include <inttypes.h>

static int print_head(struct buf *out, const char *name, const char *type, const char *help)
{
    return buf_printf(out, "# HELP tidegate_%s %s\n# TYPE tidegate_%s %s\n", name, help, name,
                      type);
}

static int print_number(struct buf *out, const char *name, const char *help, int64_t value)
{
    int r = print_head(out, name, "gauge", help);
    return r < 0 ? r : buf_printf(out, "tidegate_%s %" PRId64 "\n", name, value);
}

// A time as decimal seconds, the unit of all times on the page.
static int print_seconds(struct buf *out, const char *name, const char *type, const char *help,
                         int64_t us)
{
    int r = print_head(out, name, type, help);
    return r < 0 ? r
                 : buf_printf(out, "tidegate_%s %" PRId64 ".%06" PRId64 "\n", name, us / 1000000,
                              us % 1000000);
}

static int print_build(struct buf *out)
{
    int r = print_head(out, "build_info", "gauge", "The version that runs; always 1");
    return r < 0 ? r : buf_printf(out, "tidegate_build_info{version=\"%s\"} 1\n", TIDEGATE_VERSION);
}

static int print_process(const struct admin_options *options, struct buf *out)
{
    int r =
        print_number(out, "process_resident_memory_bytes", "Resident memory", process_rss_bytes());
    r = r < 0 ? r : print_number(out, "process_open_fds", "Open descriptors", process_open_fds());
    r = r < 0 ? r
              : print_seconds(out, "process_cpu_seconds_total", "counter",
                              "CPU time of all threads", process_cpu_us());
    return r < 0 ? r
                 : print_seconds(out, "process_start_time_seconds", "gauge",
                                 "When it started, since 1970", options->started_wall_ms * 1000);
}

int page_print(const struct admin_options *options, struct buf *out)
{
    int r = metrics_print(options->metrics, options->worker_count, out);
    r = r < 0 ? r : print_build(out);
    return r < 0 ? r : print_process(options, out);
}
