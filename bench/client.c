// Connections of the load generator; see client.h. Each readable connection costs one recv: a
// read shorter than the buffer proves the socket empty. Frames are parsed where they lie; only an
// incomplete one at the end is copied aside.

#include "client.h"

#include "deflated.h"
#include "secure.h"

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
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static bool offers_deflate(const struct load *load, const struct client *client)
{
    return load->options.offers_deflate && client->role == CLIENT_PLAIN;
}

static void shake(struct load *load, struct client *client)
{
    const char *path =
        client->role == CLIENT_PLAIN ? load->options.path : load->options.publish_path;
    char request[1024];
    int len = wire_put_upgrade(request, sizeof(request), path, offers_deflate(load, client));

    if (len < 0) {
        probe_fail("the path is too long");
    }
    if (client->role == CLIENT_HTTP_PUBLISHER) {
        client->state = CLIENT_OPEN;
        load->open_count++;
    } else {
        client->state = CLIENT_SHAKING;
        client_send(client, (const uint8_t *)request, (size_t)len);
    }
}

// Returns whether the connection may speak on: the TLS handshake, if it has one, is done.
static bool secure(struct load *load, struct client *client)
{
    if (secure_shake(client->ssl) == 0) {
        return false;
    }
    shake(load, client);
    return true;
}

void client_begin(struct load *load, struct client *client, enum client_role role)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = client};

    *client = (struct client){
        .fd = connect_from(load, client),
        .role = role,
        .since_ns = probe_now_ns(),
    };
    if (load->options.is_tls) {
        client->ssl = secure_begin(client->fd);
        client->state = CLIENT_SECURING;
        secure(load, client);
    } else {
        shake(load, client);
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
    if (client->ssl != NULL) {
        secure_end(client->ssl);
    }
    close(client->fd);
    free(client->rest);
    *client = (struct client){.fd = -1, .state = CLIENT_CLOSED};
}

void client_send(struct client *client, const uint8_t *bytes, size_t len)
{
    ssize_t sent = client->ssl != NULL ? secure_send(client->ssl, bytes, len)
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

static void on_message(struct load *load, struct client *client, struct wire_frame *frame)
{
    if (frame->is_deflated) {
        deflated_open(load, client, frame);
    } else if (load->options.offers_deflate) {
        // A row about compression must not come to stand on messages that are sent as they are.
        probe_fail("connection %zu got a message of %zu bytes that is not compressed",
                   (size_t)(client - load->clients), frame->len);
    }
    load->mode->on_message(load, client, frame);
}

static void on_frame(struct load *load, struct client *client, struct wire_frame *frame)
{
    switch (frame->opcode) {
    case WIRE_TEXT:
    case WIRE_BINARY:
        // What a server tells a publisher about its publications is not part of the work.
        if (client->role == CLIENT_PLAIN) {
            on_message(load, client, frame);
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
        taken = wire_get_upgrade_answer(at, len, offers_deflate(load, client));
        if (taken > 0) {
            client->state = CLIENT_OPEN;
            load->open_count++;
            load->mode->on_open(load, client);
        }
    } else {
        taken = wire_get_server_frame(at, len, offers_deflate(load, client), &frame);
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

static ssize_t receive(struct load *load, struct client *client, uint8_t *to)
{
    ssize_t got;

    if (client->ssl != NULL) {
        return secure_recv(client->ssl, to, READ_LEN, &load->received_bytes);
    }
    got = recv(client->fd, to, READ_LEN, 0);
    load->received_bytes += got > 0 ? (uint64_t)got : 0;
    return got;
}

static void on_readable(struct load *load, struct client *client)
{
    bool is_more = client->state != CLIENT_SECURING || secure(load, client);

    while (is_more && client->state != CLIENT_CLOSED) {
        size_t before = client->rest_len;
        ssize_t got;
        if (before > 0) {
            memcpy(buffer, client->rest, before);
        }
        got = receive(load, client, buffer + before);
        // Of TLS a receive gives one record, however much lies in the socket.
        is_more = got == READ_LEN || (got > 0 && client->ssl != NULL);
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
