// Counters, gauges and histograms, from metrics.def. Each worker counts into its own block (no
// shared cache line); whoever prints adds the blocks up with relaxed loads.
// The block of the running thread is metrics_here; threads without one count into a common block,
// where two that count at the same moment may lose one of the counts.
#ifndef TIDEGATE_BASE_METRICS_H
#define TIDEGATE_BASE_METRICS_H

#include "tidegate/base/buf.h"
#include "tidegate/base/close.h"

#include <stdatomic.h>

enum metric_id {
#define METRIC(id, kind, name, label, value, scope, help) METRIC_##id,
#include "tidegate/base/metrics.def"
#undef METRIC
    METRICS
};

// Upper bounds are 10 us * 2^i for i in [0, 19], then infinity.
#define METRIC_BUCKETS 21
#define METRIC_HISTOGRAMS_MAX 4

struct metric_histogram {
    _Atomic uint64_t buckets[METRIC_BUCKETS]; // not cumulative; made so when printed
    _Atomic uint64_t sum_us;
};

struct metrics {
    _Atomic int64_t values[METRICS]; // a histogram's row stays 0
    _Atomic uint64_t closes[CLOSE_REASONS];
    struct metric_histogram histograms[METRIC_HISTOGRAMS_MAX];
};

extern _Thread_local struct metrics *metrics_here;

// Makes a zeroed block, to be given to one thread; owned by the caller.
struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);

// Lets the calling thread count into `metrics` (borrowed; NULL: the common block).
void metrics_attach(struct metrics *metrics);

// Adds to a counter or gauge of the calling thread.
static inline void metric_add(enum metric_id id, int64_t n)
{
    _Atomic int64_t *value = &metrics_here->values[id];
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

// Sets a gauge of the calling thread.
static inline void metric_set(enum metric_id id, int64_t value)
{
    atomic_store_explicit(&metrics_here->values[id], value, memory_order_relaxed);
}

// Counts `weight` observations of `us` microseconds in a histogram.
void metric_observe_us(enum metric_id id, int64_t us, uint64_t weight);

// Counts one connection closed for `reason`.
void metric_close(enum close_reason reason);

// The sum of one counter or gauge over `blocks` and the common block. Any thread.
int64_t metrics_sum(struct metrics *const *blocks, size_t count, enum metric_id id);

// Appends everything in Prometheus' text format, names prefixed "tidegate_": block i is worker i.
// Sums include the common block. 0 or what buf_append says. Any thread.
int metrics_print(struct metrics *const *blocks, size_t count, struct buf *out) ATTR_MUST_CHECK;

#endif
