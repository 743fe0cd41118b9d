// The load generator: bounded in time and count, loopback only, one thread. Prints one line of
// JSON on standard output, or a reason on standard error and status 1. See README.md.

#include "client.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 100000, SECONDS_MAX = 600, OPENING_SECONDS_MAX = 120 };

static const struct load_mode *const modes[] = {&mode_echo, &mode_fanout, &mode_idle, &mode_accept};

static const struct option option_table[] = {
    {"mode", required_argument, NULL, 'm'},       {"port", required_argument, NULL, 'p'},
    {"path", required_argument, NULL, 'u'},       {"publish-path", required_argument, NULL, 'U'},
    {"http-key", required_argument, NULL, 'k'},   {"connections", required_argument, NULL, 'c'},
    {"in-flight", required_argument, NULL, 'f'},  {"length", required_argument, NULL, 'l'},
    {"payload", required_argument, NULL, 'j'},    {"binary", no_argument, NULL, 'b'},
    {"deflate", no_argument, NULL, 'd'},          {"tls", no_argument, NULL, 't'},
    {"parallel", required_argument, NULL, 'P'},   {"sources", required_argument, NULL, 'a'},
    {"warm", required_argument, NULL, 'w'},       {"seconds", required_argument, NULL, 's'},
    {"server-pid", required_argument, NULL, 'S'}, {NULL, 0, NULL, 0},
};

static unsigned get_number(const char *text, unsigned min, unsigned max)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < min || value > max) {
        probe_fail("'%s' is not a number from %u to %u", text, min, max);
    }
    return (unsigned)value;
}

static double get_seconds(const char *text)
{
    char *end = NULL;
    double value = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || !(value >= 0 && value <= SECONDS_MAX)) {
        probe_fail("'%s' is not a number of seconds up to %d", text, SECONDS_MAX);
    }
    return value;
}

static void add_pid(struct probe *probe, const char *text)
{
    if (probe->pid_count == PROBE_PIDS_MAX) {
        probe_fail("more than %d --server-pid", PROBE_PIDS_MAX);
    }
    probe->pids[probe->pid_count++] = (pid_t)get_number(text, 1, 1u << 30);
}

static void take_payload(struct client_options *options, const char *text)
{
    static const char kind[] = "json:";

    if (strncmp(text, kind, sizeof(kind) - 1) != 0) {
        probe_fail("--payload is json:BYTES");
    }
    options->message_kind = MESSAGE_JSON;
    options->message_len = get_number(text + sizeof(kind) - 1, MESSAGE_JSON_MIN, MESSAGE_MAX);
}

static void take_flag(struct client_options *options, int name)
{
    switch (name) {
    case 'b':
        options->opcode = WIRE_BINARY;
        break;
    case 'd':
        options->offers_deflate = true;
        break;
    case 't':
        options->is_tls = true;
        break;
    default:
        probe_fail("see bench/README.md for the options");
    }
}

static void take_option(struct load *load, int name)
{
    struct client_options *options = &load->options;

    switch (name) {
    case 'm':
        options->mode = optarg;
        break;
    case 'p':
        options->port = (uint16_t)get_number(optarg, 1, UINT16_MAX);
        break;
    case 'u':
        options->path = optarg;
        break;
    case 'U':
        options->publish_path = optarg;
        break;
    case 'k':
        options->http_key = optarg;
        break;
    case 'c':
        options->connections = get_number(optarg, 1, CONNECTIONS_MAX);
        break;
    case 'f':
        options->in_flight = get_number(optarg, 1, 1024);
        break;
    case 'l':
        options->message_kind = MESSAGE_FILLER;
        options->message_len = get_number(optarg, MESSAGE_FILLER_MIN, MESSAGE_MAX);
        break;
    case 'j':
        take_payload(options, optarg);
        break;
    case 'P':
        options->parallel = get_number(optarg, 1, 4096);
        break;
    case 'a':
        options->sources = get_number(optarg, 1, 200);
        break;
    case 'w':
        options->warm_seconds = get_seconds(optarg);
        break;
    case 's':
        options->seconds = get_seconds(optarg);
        break;
    case 'S':
        add_pid(&load->probe, optarg);
        break;
    default:
        take_flag(options, name);
    }
}

static void raise_descriptor_limit(const struct load *load)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < load->options.connections + 16ul) {
        probe_fail("%u connections need more than %llu descriptors", load->options.connections,
                   (unsigned long long)limit.rlim_cur);
    }
}

static void find_mode(struct load *load)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (load->options.mode != NULL && strcmp(load->options.mode, modes[i]->name) == 0) {
            load->mode = modes[i];
        }
    }
    if (load->mode == NULL || load->options.port == 0) {
        probe_fail("--port and --mode echo, fanout, idle or accept are needed");
    }
}

int main(int argc, char **argv)
{
    static struct load load = {
        .options =
            {
                .path = "/echo",
                .publish_path = "/pub/bench",
                .connections = 100,
                .in_flight = 1,
                .message_len = 64,
                .opcode = WIRE_TEXT,
                .parallel = 64,
                .sources = 1,
                .warm_seconds = 1,
                .seconds = 5,
            },
    };
    int name;

    while ((name = getopt_long(argc, argv, "", option_table, NULL)) != -1) {
        take_option(&load, name);
    }
    find_mode(&load);
    raise_descriptor_limit(&load);
    // Whatever goes wrong, this process ends.
    alarm((unsigned)(load.options.warm_seconds + load.options.seconds) + OPENING_SECONDS_MAX);
    load.clients =
        calloc(load.options.connections + load.options.parallel + 1, sizeof(struct client));
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (load.clients == NULL || load.epoll_fd < 0) {
        probe_fail("cannot begin: %s", strerror(errno));
    }
    load.mode->run(&load);
    return 0;
}
