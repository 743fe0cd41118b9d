// Readings from /proc. CPU time comes from task/<thread>/schedstat, which counts nanoseconds;
// utime and stime of /proc/<pid>/stat count ticks and are too coarse for a window of seconds.
// The kernel brings a running thread's count up to date at each timer tick (at most 10 ms old).
// Threads that ended before a reading are not counted: none of the servers measured ends threads.

#include "probe.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void probe_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec at;

    clock_gettime(id, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

uint64_t probe_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static void add_thread(pid_t pid, const char *thread, struct probe_reading *reading)
{
    char path[300];
    uint64_t run = 0;
    uint64_t wait = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, thread);
    file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &run, &wait) == 2) {
        reading->cpu_ns += run;
        reading->cpu_wait_ns += wait;
    }
    fclose(file);
}

static void add_process(pid_t pid, struct probe_reading *reading)
{
    char path[64];
    struct dirent *entry;
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    if (tasks == NULL) {
        probe_fail("server process %d is gone", (int)pid);
    }
    while ((entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] != '.') {
            add_thread(pid, entry->d_name, reading);
        }
    }
    closedir(tasks);
}

void probe_read(const struct probe *probe, struct probe_reading *ret_reading)
{
    *ret_reading = (struct probe_reading){0};
    for (size_t i = 0; i < probe->pid_count; i++) {
        add_process(probe->pids[i], ret_reading);
    }
    ret_reading->time_ns = probe_now_ns();
    ret_reading->own_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t probe_resident_bytes(const struct probe *probe)
{
    const char *field = probe->pid_count > 1 ? "Pss:" : "Rss:";
    uint64_t total = 0;

    for (size_t i = 0; i < probe->pid_count; i++) {
        char line[256];
        uint64_t kib = 0;
        FILE *file;

        snprintf(line, sizeof(line), "/proc/%d/smaps_rollup", (int)probe->pids[i]);
        file = fopen(line, "re");
        if (file == NULL) {
            probe_fail("%s cannot be read", line);
        }
        while (fgets(line, sizeof(line), file) != NULL) {
            if (strncmp(line, field, 4) == 0 && sscanf(line + 4, "%" SCNu64, &kib) == 1) {
                total += kib * 1024;
                break;
            }
        }
        fclose(file);
    }
    return total;
}

static size_t slot_of(uint64_t value)
{
    unsigned top;

    if (value < 2 * HISTOGRAM_SUB) {
        return (size_t)value;
    }
    top = 63u - (unsigned)__builtin_clzll(value);
    return (size_t)(top - 5) * HISTOGRAM_SUB + (size_t)(value >> (top - 6)) - HISTOGRAM_SUB;
}

static uint64_t value_of(size_t slot)
{
    size_t group = slot / HISTOGRAM_SUB;

    if (group < 2) {
        return slot;
    }
    return (uint64_t)(slot % HISTOGRAM_SUB + HISTOGRAM_SUB) << (group - 1);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[slot_of(value)]++;
    histogram->total++;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t rank = (uint64_t)((double)histogram->total * quantile);
    uint64_t seen = 0;

    for (size_t i = 0; i < HISTOGRAM_SLOTS; i++) {
        seen += histogram->counts[i];
        if (seen > rank) {
            return value_of(i);
        }
    }
    return 0;
}
