// Connections of the load generator; see client.h. Each readable connection costs one recv: a
// read shorter than the buffer proves the socket empty. Frames are parsed where they lie; only an
// incomplete one at the end is copied aside.

#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 1024, READ_LEN = 1 << 17, REST_MAX = 1 << 17, STUCK_SECONDS = 10 };

static uint8_t buffer[REST_MAX + READ_LEN];

static int connect_from(const struct load *load, const struct client *client)
{
    unsigned source = (unsigned)(client - load->clients) % load->options.sources;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load->options.port)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct timeval limit = {.tv_sec = STUCK_SECONDS};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        probe_fail("socket: %s", strerror(errno));
    }
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (source != 0 && bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0) {
        probe_fail("bind: %s", strerror(errno));
    }
    // Blocking: on loopback it takes microseconds and needs nothing of the server but a backlog.
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        probe_fail("connect: %s", strerror(errno));
    }
    return fd;
}

void client_begin(struct load *load, struct client *client, enum client_role role)
{
    const char *path = role == CLIENT_PLAIN ? load->options.path : load->options.publish_path;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = client};
    char request[1024];
    int len = wire_put_upgrade(request, sizeof(request), path);

    if (len < 0) {
        probe_fail("the path is too long");
    }
    *client = (struct client){
        .fd = connect_from(load, client),
        .state = CLIENT_SHAKING,
        .role = role,
        .since_ns = probe_now_ns(),
    };
    client->secure = load->options.tls ? secure_begin(client->fd) : NULL;
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    if (role == CLIENT_HTTP_PUBLISHER) {
        client->state = CLIENT_OPEN;
        load->open_count++;
    } else {
        client_send(client, (const uint8_t *)request, (size_t)len);
    }
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0) {
        probe_fail("epoll_ctl: %s", strerror(errno));
    }
}

void client_end(struct load *load, struct client *client)
{
    if (client->state == CLIENT_OPEN || client->state == CLIENT_CLOSING) {
        load->open_count--;
    }
    secure_end(client->secure);
    close(client->fd);
    free(client->rest);
    *client = (struct client){.fd = -1, .state = CLIENT_CLOSED};
}

void client_send(struct client *client, const uint8_t *bytes, size_t len)
{
    ssize_t sent = client->secure != NULL ? secure_write(client->secure, bytes, len)
                                          : send(client->fd, bytes, len, MSG_NOSIGNAL);

    if (sent != (ssize_t)len && client->state != CLIENT_CLOSING) {
        probe_fail("send: %s", sent < 0 ? strerror(errno) : "the socket is full");
    }
}

void client_send_frame(struct client *client, unsigned opcode, const uint8_t *payload, size_t len)
{
    static uint8_t frame[WIRE_MESSAGE_MAX + WIRE_CLIENT_HEAD_MAX];

    if (len > WIRE_MESSAGE_MAX) {
        probe_fail("a message is too long");
    }
    client_send(client, frame, wire_put_client_frame(frame, opcode, payload, len));
}

static void on_gone(struct load *load, struct client *client, const char *why)
{
    if (load->mode->on_gone == NULL) {
        probe_fail("the server closed connection %zu: %s", (size_t)(client - load->clients), why);
    }
    load->mode->on_gone(load, client);
}

static void on_frame(struct load *load, struct client *client, const struct wire_frame *frame)
{
    switch (frame->opcode) {
    case WIRE_TEXT:
    case WIRE_BINARY:
        // What a server tells a publisher about its publications is not part of the work.
        if (client->role == CLIENT_PLAIN) {
            load->mode->on_message(load, client, frame);
        }
        break;
    case WIRE_PING:
        load->ping_count++;
        client_send_frame(client, WIRE_PONG, frame->payload, frame->len);
        break;
    case WIRE_PONG:
        load->pong_count++;
        break;
    case WIRE_CLOSE:
        on_gone(load, client, "close frame");
        break;
    default:
        probe_fail("a frame with opcode %u", frame->opcode);
    }
}

// Serves one frame or answer. Returns the bytes it took, 0 when more are needed.
static size_t take_one(struct load *load, struct client *client, const uint8_t *at, size_t len)
{
    struct wire_frame frame = {0};
    int taken;

    if (client->role == CLIENT_HTTP_PUBLISHER) {
        taken = wire_get_http_answer(at, len);
    } else if (client->state == CLIENT_SHAKING) {
        taken = wire_get_upgrade_answer(at, len);
        if (taken > 0) {
            client->state = CLIENT_OPEN;
            load->open_count++;
            load->mode->on_open(load, client);
        }
    } else {
        taken = wire_get_server_frame(at, len, &frame);
        if (taken > 0) {
            taken = (int)frame.total_len;
            on_frame(load, client, &frame);
        }
    }
    if (taken < 0) {
        probe_fail("connection %zu got bytes it cannot accept: %.*s",
                   (size_t)(client - load->clients), (int)(len < 300 ? len : 300), at);
    }
    return (size_t)taken;
}

static void keep_rest(struct client *client, const uint8_t *at, size_t len)
{
    if (len > REST_MAX) {
        probe_fail("a frame or an answer is too long");
    }
    free(client->rest);
    client->rest = NULL;
    client->rest_len = (uint32_t)len;
    if (len > 0) {
        client->rest = malloc(len);
        if (client->rest == NULL) {
            probe_fail("out of memory");
        }
        memcpy(client->rest, at, len);
    }
}

static void take_all(struct load *load, struct client *client, size_t len)
{
    size_t at = 0;

    while (at < len && client->state != CLIENT_CLOSED) {
        size_t taken = take_one(load, client, buffer + at, len - at);
        if (taken == 0) {
            break;
        }
        at += taken;
    }
    if (client->state != CLIENT_CLOSED && (at < len || client->rest_len > 0)) {
        keep_rest(client, buffer + at, len - at);
    }
}

static void on_readable(struct load *load, struct client *client)
{
    ssize_t got = READ_LEN;

    while (got == READ_LEN && client->state != CLIENT_CLOSED) {
        size_t before = client->rest_len;
        if (before > 0) {
            memcpy(buffer, client->rest, before);
        }
        got = client->secure != NULL ? secure_read(client->secure, buffer + before, READ_LEN)
                                     : recv(client->fd, buffer + before, READ_LEN, 0);
        if (got > 0) {
            load->now_ns = probe_now_ns();
            take_all(load, client, before + (size_t)got);
        } else if (got == 0) {
            on_gone(load, client, "end of stream");
        } else if (errno != EAGAIN && errno != EINTR) {
            on_gone(load, client, strerror(errno));
        }
    }
}

void load_turn(struct load *load, int wait_ms)
{
    static struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, wait_ms);

    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;
        if (client->state != CLIENT_CLOSED) {
            on_readable(load, client);
        }
    }
}

void load_open(struct load *load, size_t first, size_t last)
{
    size_t begun = first;
    size_t open_before = load->open_count;
    uint64_t moved_ns = probe_now_ns();
    size_t moved_count = 0;

    while (load->open_count - open_before < last - first) {
        size_t done = load->open_count - open_before;
        while (begun < last && begun - first - done < load->options.parallel) {
            client_begin(load, &load->clients[begun++], CLIENT_PLAIN);
        }
        load_turn(load, 100);
        if (load->open_count != moved_count) {
            moved_count = load->open_count;
            moved_ns = probe_now_ns();
        } else if (probe_now_ns() - moved_ns > STUCK_SECONDS * 1000000000ull) {
            probe_fail("%zu of %zu connections opened, then none", done, last - first);
        }
    }
}

void load_run_for(struct load *load, double seconds)
{
    uint64_t end_ns = probe_now_ns() + (uint64_t)(seconds * 1e9);
    uint64_t now_ns;

    while ((now_ns = probe_now_ns()) < end_ns) {
        uint64_t left_ms = (end_ns - now_ns) / 1000000 + 1;
        load_turn(load, left_ms < 100 ? (int)left_ms : 100);
    }
}

void load_measure_begin(struct load *load)
{
    load->message_count = 0;
    memset(&load->latency, 0, sizeof(load->latency));
    probe_read(&load->probe, &load->from);
}

void load_measure_end(struct load *load)
{
    probe_read(&load->probe, &load->to);
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
           "\"p50_us\":%.1f,\"p99_us\":%.1f,\"server_pings\":%llu,\"resident_bytes\":%llu",
           load->mode->name, unit, load->options.connections, load->options.in_flight, seconds,
           count, count / seconds, median_slice(load), count > 0 ? cpu / count : 0,
           cpu / 1e9 / seconds,
           (double)(load->to.cpu_wait_ns - load->from.cpu_wait_ns) / 1e9 / seconds,
           (double)(load->to.own_cpu_ns - load->from.own_cpu_ns) / 1e9 / seconds,
           (double)histogram_quantile(&load->latency, 0.50) / 1e3,
           (double)histogram_quantile(&load->latency, 0.99) / 1e3,
           (unsigned long long)load->ping_count,
           (unsigned long long)probe_resident_bytes(&load->probe));
}
