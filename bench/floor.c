// The floor: the least a server of one thread can do for the bytes the load generator asks for.
// One edge-triggered epoll, one recv per readable connection, no protocol beyond frame lengths and
// masks, no limits, no timers, no checks of peers. Not a server to use; a line to compare with.
//
// The request's path says what a connection is: /echo gets its messages back, /pub... publishes,
// any other subscribes. `--send each` sends a publication to each subscriber at once; `--send
// coalesce` collects what one wake-up brought and sends it to each subscriber once.

#include "accept_key.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 1024, READ_LEN = 1 << 16, BATCH_LEN = 1 << 20, PEERS_MAX = 1 << 17 };

enum peer_kind { PEER_SHAKING, PEER_ECHO, PEER_PUBLISHER, PEER_SUBSCRIBER };

struct peer {
    int fd;
    uint16_t rest_len;
    uint8_t kind;
    uint32_t subscriber_index;
    uint8_t *rest; // the beginning of a frame or head whose end has not come
};

static int epoll_fd;
static int listen_fd;
static bool is_coalescing;
static struct peer **subscribers;
static uint32_t subscriber_count;
static uint8_t input[2 * READ_LEN];
static uint8_t output[2 * READ_LEN];
static uint8_t batch[BATCH_LEN];
static size_t batch_len;

__attribute__((noreturn)) static void fail(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_all(const struct peer *peer, const uint8_t *bytes, size_t len)
{
    ssize_t sent = send(peer->fd, bytes, len, MSG_NOSIGNAL);

    if (sent >= 0 && sent != (ssize_t)len) {
        fail("a peer does not read");
    }
}

static void peer_close(struct peer *peer)
{
    if (peer->kind == PEER_SUBSCRIBER) {
        struct peer *last = subscribers[--subscriber_count];
        subscribers[peer->subscriber_index] = last;
        last->subscriber_index = peer->subscriber_index;
    }
    close(peer->fd);
    free(peer->rest);
    free(peer);
}

static void send_to_subscribers(const uint8_t *bytes, size_t len)
{
    for (uint32_t i = 0; i < subscriber_count; i++) {
        send_all(subscribers[i], bytes, len);
    }
}

static void publish(const uint8_t *frame, size_t len)
{
    if (!is_coalescing) {
        send_to_subscribers(frame, len);
        return;
    }
    if (batch_len + len > BATCH_LEN) {
        send_to_subscribers(batch, batch_len);
        batch_len = 0;
    }
    memcpy(batch + batch_len, frame, len);
    batch_len += len;
}

static void unmask(uint8_t *to, const uint8_t *from, size_t len, const uint8_t key[4])
{
    uint64_t key_twice;
    size_t i = 0;

    memcpy(&key_twice, key, 4);
    memcpy((uint8_t *)&key_twice + 4, key, 4);
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, sizeof(word));
        word ^= key_twice;
        memcpy(to + i, &word, sizeof(word));
    }
    for (; i < len; i++) {
        to[i] = from[i] ^ key[i % 4];
    }
}

// Turns one client frame into a server frame at `to`. Returns the bytes taken, 0 when cut off.
static size_t turn_frame(const uint8_t *at, size_t len, uint8_t *to, size_t *ret_len)
{
    size_t body;
    size_t head = 2;

    if (len < 6) {
        return 0;
    }
    body = at[1] & 0x7f;
    if (body == 126) {
        body = (size_t)at[2] << 8 | at[3];
        head = 4;
    } else if (body == 127) {
        errno = EMSGSIZE;
        fail("a frame is too long");
    }
    if (len < head + 4 + body) {
        return 0;
    }
    to[0] = (at[0] & 0x0f) == 9 ? 0x8a : at[0];
    to[1] = at[1] & 0x7f;
    to[2] = at[2];
    to[3] = at[3];
    unmask(to + head, at + head + 4, body, at + head);
    *ret_len = head + body;
    return head + 4 + body;
}

// Returns the bytes taken of `len`, or -1 when the peer has said goodbye.
static ssize_t take_frames(struct peer *peer, const uint8_t *at, size_t len)
{
    size_t used = 0;
    size_t out_len = 0;

    for (;;) {
        size_t frame_len = 0;
        size_t taken = turn_frame(at + used, len - used, output + out_len, &frame_len);
        if (taken == 0) {
            break;
        }
        used += taken;
        if (output[out_len] == 0x88) {
            send_all(peer, output, out_len + frame_len);
            return -1;
        }
        if (peer->kind == PEER_PUBLISHER) {
            publish(output, frame_len);
        } else {
            out_len += frame_len;
        }
    }
    if (out_len > 0) {
        send_all(peer, output, out_len);
    }
    return (ssize_t)used;
}

static void subscribe(struct peer *peer)
{
    if (subscriber_count == PEERS_MAX) {
        fail("too many subscribers");
    }
    peer->kind = PEER_SUBSCRIBER;
    peer->subscriber_index = subscriber_count;
    subscribers[subscriber_count++] = peer;
}

static ssize_t take_request(struct peer *peer, const uint8_t *at, size_t len)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    const uint8_t *end = memmem(at, len, "\r\n\r\n", 4);
    const char *key;
    char value[ACCEPT_VALUE_LEN + 1];
    char answer[256];
    int answer_len;

    if (end == NULL) {
        return 0;
    }
    key = memmem(at, len, name, sizeof(name) - 1);
    if (key == NULL || (const char *)end - key < (ptrdiff_t)sizeof(name) - 1 + ACCEPT_KEY_LEN) {
        return -1;
    }
    accept_key_answer(key + sizeof(name) - 1, value);
    answer_len = snprintf(answer, sizeof(answer),
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                          value);
    if (memcmp(at, "GET /echo", 9) == 0) {
        peer->kind = PEER_ECHO;
    } else if (memcmp(at, "GET /pub", 8) == 0) {
        peer->kind = PEER_PUBLISHER;
    } else {
        subscribe(peer);
    }
    send_all(peer, (const uint8_t *)answer, (size_t)answer_len);
    return end + 4 - at;
}

static void keep_rest(struct peer *peer, const uint8_t *at, size_t len)
{
    free(peer->rest);
    peer->rest = NULL;
    peer->rest_len = (uint16_t)len;
    if (len > 0) {
        peer->rest = malloc(len);
        if (peer->rest == NULL) {
            fail("memory");
        }
        memcpy(peer->rest, at, len);
    }
}

static int take_bytes(struct peer *peer, size_t len)
{
    size_t at = 0;

    if (peer->kind == PEER_SHAKING) {
        ssize_t taken = take_request(peer, input, len);
        if (taken < 0) {
            return -1;
        }
        at = (size_t)taken;
    }
    if (peer->kind != PEER_SHAKING && at < len) {
        ssize_t taken = take_frames(peer, input + at, len - at);
        if (taken < 0) {
            return -1;
        }
        at += (size_t)taken;
    }
    if (at < len || peer->rest_len > 0) {
        keep_rest(peer, input + at, len - at);
    }
    return 0;
}

static void on_readable(struct peer *peer)
{
    ssize_t got = READ_LEN;

    // A short read proves the socket empty; only a full one is followed by another.
    while (got == READ_LEN) {
        size_t before = peer->rest_len;
        if (before > 0) {
            memcpy(input, peer->rest, before);
        }
        got = recv(peer->fd, input + before, READ_LEN, 0);
        if (got > 0 ? take_bytes(peer, before + (size_t)got) != 0 : got == 0 || errno != EAGAIN) {
            peer_close(peer);
            return;
        }
    }
}

static void accept_all(void)
{
    int one = 1;
    int fd;

    while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct peer *peer = calloc(1, sizeof(*peer));
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = peer};
        if (peer == NULL) {
            fail("memory");
        }
        peer->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static void turn(void)
{
    static struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL) {
            accept_all();
        } else {
            on_readable(events[i].data.ptr);
        }
    }
    if (batch_len > 0) {
        send_to_subscribers(batch, batch_len);
        batch_len = 0;
    }
}

static void listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listen_fd, SOMAXCONN) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) != 0) {
        fail("cannot listen");
    }
}

int main(int argc, char **argv)
{
    struct rlimit limit;

    if (argc != 5 || strcmp(argv[1], "--port") != 0 || strcmp(argv[3], "--send") != 0) {
        fputs("usage: floor --port PORT --send each|coalesce\n", stderr);
        return 2;
    }
    is_coalescing = strcmp(argv[4], "coalesce") == 0;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    subscribers = calloc(PEERS_MAX, sizeof(struct peer *));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (subscribers == NULL || epoll_fd < 0) {
        fail("cannot begin");
    }
    listen_on((uint16_t)atoi(argv[2]));
    for (;;) {
        turn();
    }
}
