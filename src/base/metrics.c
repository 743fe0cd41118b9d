// Counting and printing metrics, from metrics.def and close.def.
// Owner: a block is written by the one thread attached to it; the common block by all others. Any
// thread may read any block: everything in it is a relaxed atomic.
// Lifetime: blocks are created before their threads start and destroyed after those have ended.
// Invariant: metrics_here is never NULL. Writing is a load and a store, no locked instruction; in
// the common block two threads may so lose a count, which is accepted.
#include "tidegate/base/metrics.h"

#include "tidegate/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64u

enum metric_kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };
enum metric_scope { SCOPE_SUM, SCOPE_WORKER };

// Numbers the histograms among the rows.
#define HISTOGRAM_ID_COUNTER(id)
#define HISTOGRAM_ID_GAUGE(id)
#define HISTOGRAM_ID_HISTOGRAM(id) HISTOGRAM_##id,
enum histogram_id {
#define METRIC(id, kind, name, label, value, scope, help) HISTOGRAM_ID_##kind(id)
#include "tidegate/base/metrics.def"
#undef METRIC
    HISTOGRAMS
};
_Static_assert(HISTOGRAMS <= METRIC_HISTOGRAMS_MAX, "raise METRIC_HISTOGRAMS_MAX");

#define HISTOGRAM_INDEX_COUNTER(id) -1
#define HISTOGRAM_INDEX_GAUGE(id) -1
#define HISTOGRAM_INDEX_HISTOGRAM(id) HISTOGRAM_##id

struct metric_row {
    const char *name;
    const char *label; // NULL: none
    const char *value;
    const char *help;
    enum metric_kind kind;
    enum metric_scope scope;
    int histogram; // index in metrics.histograms, or -1
};

static const struct metric_row metric_rows[METRICS] = {
#define METRIC(id, kind, name, label, value, scope, help) \
    [METRIC_## \
        id] = {name, label, value, help, KIND_##kind, SCOPE_##scope, HISTOGRAM_INDEX_##kind(id)},
#include "tidegate/base/metrics.def"
#undef METRIC
};

static struct metrics metrics_common;
_Thread_local struct metrics *metrics_here = &metrics_common;

// What is being printed: where from and where to.
struct metrics_printer {
    struct metrics *const *blocks;
    size_t count;
    struct buf *out;
};

struct metrics *metrics_create(void)
{
    // Whole cache lines, so that no two workers share one.
    size_t size = (sizeof(struct metrics) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct metrics *metrics = aligned_alloc(CACHE_LINE, size);
    assert_always(metrics != NULL);
    memset(metrics, 0, size);
    return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
    free(metrics);
}

void metrics_attach(struct metrics *metrics)
{
    metrics_here = metrics != NULL ? metrics : &metrics_common;
}

static void add_u64(_Atomic uint64_t *to, uint64_t n)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

// The first bucket whose bound, 10 us * 2^i, is not below `us`.
static size_t bucket_of(uint64_t us)
{
    if (us <= 10) {
        return 0;
    }
    size_t bucket = 64 - (size_t)__builtin_clzll((us - 1) / 10);
    return bucket < METRIC_BUCKETS - 1 ? bucket : METRIC_BUCKETS - 1;
}

void metric_observe_us(enum metric_id id, int64_t us, uint64_t weight)
{
    int index = metric_rows[id].histogram;
    assert_always(index >= 0);
    struct metric_histogram *histogram = &metrics_here->histograms[index];
    uint64_t spent = us > 0 ? (uint64_t)us : 0;
    add_u64(&histogram->buckets[bucket_of(spent)], weight);
    add_u64(&histogram->sum_us, spent * weight);
}

void metric_close(enum close_reason reason)
{
    assert_always((unsigned)reason < CLOSE_REASONS);
    add_u64(&metrics_here->closes[reason], 1);
}

// Block `i` of the given ones, then the common block, then NULL. The common block is passed over
// where it is among the given ones, not to be counted twice.
static struct metrics *block_at(struct metrics *const *blocks, size_t count, size_t i)
{
    if (i < count) {
        return blocks[i];
    }
    if (i > count) {
        return NULL;
    }
    for (size_t k = 0; k < count; k++) {
        if (blocks[k] == &metrics_common) {
            return NULL;
        }
    }
    return &metrics_common;
}

int64_t metrics_sum(struct metrics *const *blocks, size_t count, enum metric_id id)
{
    int64_t sum = 0;
    struct metrics *block;
    for (size_t i = 0; (block = block_at(blocks, count, i)) != NULL; i++) {
        sum += atomic_load_explicit(&block->values[id], memory_order_relaxed);
    }
    return sum;
}

static uint64_t sum_closes(const struct metrics_printer *printer, enum close_reason reason)
{
    uint64_t sum = 0;
    struct metrics *block;
    for (size_t i = 0; (block = block_at(printer->blocks, printer->count, i)) != NULL; i++) {
        sum += atomic_load_explicit(&block->closes[reason], memory_order_relaxed);
    }
    return sum;
}

// Adds what `block` has seen to `to`, which is nobody else's.
static void add_histogram(struct metric_histogram *to, struct metrics *block, int index)
{
    struct metric_histogram *from = &block->histograms[index];
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        add_u64(&to->buckets[i], atomic_load_explicit(&from->buckets[i], memory_order_relaxed));
    }
    add_u64(&to->sum_us, atomic_load_explicit(&from->sum_us, memory_order_relaxed));
}

// `labels` is empty or ends with a comma, to stand before `le`.
static int print_buckets(struct buf *out, const char *name, const char *labels,
                         struct metric_histogram *histogram)
{
    uint64_t total = 0;
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        total += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        char bound[32] = "+Inf";
        if (i < METRIC_BUCKETS - 1) {
            unsigned ten_us = 1u << i;
            snprintf(bound, sizeof(bound), "%u.%05u", ten_us / 100000, ten_us % 100000);
        }
        int error = buf_printf(out, "tidegate_%s_bucket{%sle=\"%s\"} %llu\n", name, labels, bound,
                               (unsigned long long)total);
        if (error < 0) {
            return error;
        }
    }
    char braces[64] = "";
    size_t len = strlen(labels);
    if (len > 0) {
        snprintf(braces, sizeof(braces), "{%.*s}", (int)(len - 1), labels);
    }
    uint64_t sum_us = atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
    return buf_printf(out, "tidegate_%s_sum%s %llu.%06llu\ntidegate_%s_count%s %llu\n", name,
                      braces, (unsigned long long)(sum_us / 1000000),
                      (unsigned long long)(sum_us % 1000000), name, braces,
                      (unsigned long long)total);
}

static int print_histogram(const struct metrics_printer *printer, const struct metric_row *row)
{
    if (row->scope == SCOPE_SUM) {
        struct metric_histogram sum = {0};
        struct metrics *block;
        for (size_t i = 0; (block = block_at(printer->blocks, printer->count, i)) != NULL; i++) {
            add_histogram(&sum, block, row->histogram);
        }
        return print_buckets(printer->out, row->name, "", &sum);
    }
    for (size_t i = 0; i < printer->count; i++) {
        char labels[40];
        snprintf(labels, sizeof(labels), "worker=\"%zu\",", i);
        struct metric_histogram one = {0};
        add_histogram(&one, printer->blocks[i], row->histogram);
        int error = print_buckets(printer->out, row->name, labels, &one);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

static int print_value(const struct metrics_printer *printer, enum metric_id id)
{
    const struct metric_row *row = &metric_rows[id];
    char label[96] = "";
    if (row->label != NULL) {
        snprintf(label, sizeof(label), "%s=\"%s\"", row->label, row->value);
    }
    if (row->scope == SCOPE_SUM) {
        bool has_label = row->label != NULL;
        return buf_printf(printer->out, "tidegate_%s%s%s%s %lld\n", row->name, has_label ? "{" : "",
                          label, has_label ? "}" : "",
                          (long long)metrics_sum(printer->blocks, printer->count, id));
    }
    for (size_t i = 0; i < printer->count; i++) {
        int64_t value = atomic_load_explicit(&printer->blocks[i]->values[id], memory_order_relaxed);
        int error = buf_printf(printer->out, "tidegate_%s{worker=\"%zu\"%s%s} %lld\n", row->name, i,
                               row->label != NULL ? "," : "", label, (long long)value);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

static int print_head(struct buf *out, const struct metric_row *row)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    return buf_printf(out, "# HELP tidegate_%s %s\n# TYPE tidegate_%s %s\n", row->name, row->help,
                      row->name, kinds[row->kind]);
}

static int print_closes(const struct metrics_printer *printer)
{
    int error = buf_append(printer->out,
                           BYTES_OF("# HELP tidegate_closes_total Connections closed, by reason\n"
                                    "# TYPE tidegate_closes_total counter\n"));
    for (unsigned i = CLOSE_NONE + 1; error >= 0 && i < CLOSE_REASONS; i++) {
        const struct close_row *row = close_row((enum close_reason)i);
        error = buf_printf(printer->out, "tidegate_closes_total{reason=\"%s\",code=\"%u\"} %llu\n",
                           row->text, row->code,
                           (unsigned long long)sum_closes(printer, (enum close_reason)i));
    }
    return error;
}

int metrics_print(struct metrics *const *blocks, size_t count, struct buf *out)
{
    const struct metrics_printer printer = {blocks, count, out};
    const char *name = "";
    for (unsigned i = 0; i < METRICS; i++) {
        const struct metric_row *row = &metric_rows[i];
        int error = 0;
        if (strcmp(name, row->name) != 0) {
            name = row->name;
            error = print_head(out, row);
        }
        if (error >= 0) {
            error = row->kind == KIND_HISTOGRAM ? print_histogram(&printer, row)
                                                : print_value(&printer, (enum metric_id)i);
        }
        if (error < 0) {
            return error;
        }
    }
    return print_closes(&printer);
}
