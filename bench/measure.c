// The measured window of a load and what is printed of it; see client.h.

#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void load_measure_begin(struct load *load)
{
    load->message_count = 0;
    load->received_bytes = 0;
    memset(&load->latency, 0, sizeof(load->latency));
    probe_read(&load->probe, &load->from);
}

void load_measure_end(struct load *load)
{
    probe_read(&load->probe, &load->to);
    load->window_bytes = load->received_bytes;
}

void load_measure(struct load *load, void (*run_for)(struct load *load, double seconds))
{
    static const double slice_seconds = 0.5;
    size_t slices = (size_t)(load->options.seconds / slice_seconds);

    slices = slices < 1 ? 1 : slices > SLICES_MAX ? SLICES_MAX : slices;
    load_measure_begin(load);
    for (size_t i = 0; i < slices; i++) {
        uint64_t count_before = load->message_count;
        struct probe_reading before;
        struct probe_reading after;
        probe_read(&load->probe, &before);
        run_for(load, load->options.seconds / (double)slices);
        probe_read(&load->probe, &after);
        if (load->message_count > count_before) {
            load->slice_cpu_ns_each[load->slice_count++] =
                (double)(after.cpu_ns - before.cpu_ns) /
                (double)(load->message_count - count_before);
        }
    }
    load_measure_end(load);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median_slice(const struct load *load)
{
    double sorted[SLICES_MAX];

    if (load->slice_count == 0) {
        return 0;
    }
    memcpy(sorted, load->slice_cpu_ns_each, load->slice_count * sizeof(double));
    qsort(sorted, load->slice_count, sizeof(double), compare_doubles);
    return (sorted[(load->slice_count - 1) / 2] + sorted[load->slice_count / 2]) / 2;
}

void load_print(const struct load *load, const char *unit)
{
    double seconds = (double)(load->to.time_ns - load->from.time_ns) / 1e9;
    double cpu = (double)(load->to.cpu_ns - load->from.cpu_ns);
    double count = (double)load->message_count;

    printf("{\"mode\":\"%s\",\"unit\":\"%s\",\"connections\":%u,\"in_flight\":%u,"
           "\"seconds\":%.3f,\"count\":%.0f,\"per_second\":%.0f,\"server_cpu_ns_each\":%.1f,"
           "\"server_cpu_ns_each_mean\":%.1f,"
           "\"server_cpu_share\":%.3f,\"server_wait_share\":%.3f,\"load_cpu_share\":%.3f,"
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"received_bytes_each\":%.1f,"
           "\"server_pings\":%llu,\"resident_bytes\":%llu",
           load->mode->name, unit, load->options.connections, load->options.in_flight, seconds,
           count, count / seconds, median_slice(load), count > 0 ? cpu / count : 0,
           cpu / 1e9 / seconds,
           (double)(load->to.cpu_wait_ns - load->from.cpu_wait_ns) / 1e9 / seconds,
           (double)(load->to.own_cpu_ns - load->from.own_cpu_ns) / 1e9 / seconds,
           (double)histogram_quantile(&load->latency, 0.50) / 1e3,
           (double)histogram_quantile(&load->latency, 0.99) / 1e3,
           count > 0 ? (double)load->window_bytes / count : 0, (unsigned long long)load->ping_count,
           (unsigned long long)probe_resident_bytes(&load->probe));
}
