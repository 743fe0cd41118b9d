// What is measured: time, a histogram of latencies, and the server's CPU time and resident memory
// as the kernel accounts them. Processes are named by number; those of other users cannot be read.
#ifndef TIDEGATE_BENCH_PROBE_H
#define TIDEGATE_BENCH_PROBE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROBE_PIDS_MAX = 16, HISTOGRAM_SUB = 64, HISTOGRAM_SLOTS = 64 * HISTOGRAM_SUB };

// Log-linear: 64 steps in each power of two, so a value read back is within 1.6 % of the true one.
struct histogram {
    uint64_t counts[HISTOGRAM_SLOTS];
    uint64_t total;
};

struct probe {
    pid_t pids[PROBE_PIDS_MAX];
    size_t pid_count;
};

struct probe_reading {
    uint64_t time_ns;
    uint64_t cpu_ns;      // of all threads of all processes
    uint64_t cpu_wait_ns; // ready to run but not running: somebody else had the CPU
    uint64_t own_cpu_ns;  // of the load generator
};

uint64_t probe_now_ns(void);

// Takes a reading; exits with a message when a process is gone.
void probe_read(const struct probe *probe, struct probe_reading *ret_reading);

// Resident bytes; shared pages are divided when there are several processes.
uint64_t probe_resident_bytes(const struct probe *probe);

void histogram_add(struct histogram *histogram, uint64_t value);
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

// Prints to standard error and exits with status 1: a benchmark with an error has no result.
__attribute__((noreturn, format(printf, 1, 2))) void probe_fail(const char *format, ...);

#endif
