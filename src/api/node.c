// This process as a node: its name, and what it holds now. Owner: constant after api_node_init();
// the numbers are read from the workers' metrics when they are asked for, by any worker.
// Invariant: only what is measured is told. There are no users before there is authentication.
#include "node.h"

#include "tidegate/base/clock.h"
#include "tidegate/base/process.h"
#include "tidegate/base/rand.h"

#include <string.h>
#include <unistd.h>

void api_node_init(struct api_node *node)
{
    memset(node, 0, sizeof(*node));
    rand_letters(node->uid, API_NODE_UID_LEN);
    if (gethostname(node->name, API_NODE_NAME_MAX) < 0 || node->name[0] == '\0') {
        strcpy(node->name, "tidegate");
    }
    node->started_ms = clock_now_ms();
}

static int64_t sum(const struct api_options *options, enum metric_id id)
{
    int64_t value = metrics_sum(options->metrics, options->worker_count, id);
    return value > 0 ? value : 0;
}

static void print_process(int64_t uptime_ms, struct json_writer *writer)
{
    json_open_object(writer);
    json_key(writer, "cpu"); // percent of one CPU, over the whole time
    int64_t spent_us = process_cpu_us();
    json_put_real(writer, uptime_ms > 0 ? (double)spent_us / 10.0 / (double)uptime_ms : 0.0);
    json_field_number(writer, "rss", process_rss_bytes());
    json_close_object(writer);
}

void node_print(const struct api_call *call, uint32_t index ATTR_UNUSED, struct json_writer *writer)
{
    const struct api_options *options = &call->worker->options;
    const struct api_node *node = options->node;
    int64_t uptime_ms = clock_now_ms() - node->started_ms;
    json_open_object(writer);
    json_key(writer, "nodes");
    json_open_array(writer);
    json_open_object(writer);
    json_field_string(writer, "uid", bytes_str(node->uid));
    json_field_string(writer, "name", bytes_str(node->name));
    json_field_string(writer, "version", BYTES_OF(TIDEGATE_VERSION));
    json_field_number(writer, "num_clients",
                      sum(options, METRIC_CONNECTIONS_WEBSOCKET) +
                          sum(options, METRIC_CONNECTIONS_SSE));
    json_field_number(writer, "num_users", 0);
    json_field_number(writer, "num_channels", sum(options, METRIC_CHANNELS));
    json_field_number(writer, "num_subs", sum(options, METRIC_SUBSCRIPTIONS));
    json_field_number(writer, "uptime", uptime_ms / 1000);
    json_key(writer, "process");
    print_process(uptime_ms, writer);
    json_close_object(writer);
    json_close_array(writer);
    json_close_object(writer);
}
