// A real loop and byte side over socket pairs, with a handler that writes down what it is told.
// Owner: the test, one thread. Time stands still until rig_pass().
#ifndef TIDEGATE_TESTS_UNIT_NET_RIG_H
#define TIDEGATE_TESTS_UNIT_NET_RIG_H

#include "../../support/leaks.h"

#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/net/census.h"
#include "tidegate/net/conn.h"
#include "tidegate/net/listener.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define RIG_PEERS 8

// One connection and its other end.
struct peer {
    struct conn *conn; // NULL once it is closed
    int fd;
    struct buf in;   // what the handler took
    struct buf out;  // what the peer has read
    bool is_ended;   // the peer saw the end of the stream
    bool keeps;      // the handler takes nothing
    bool holds_eof;  // the peer's end of stream does not close
    size_t take_max; // taken at once; 0: everything
    int shows;       // calls of on_bytes
    size_t shown;    // bytes shown last
    int eofs;
    int drained;
    int deadlines;
    int closed;
    enum close_reason reason;
};

struct rig {
    struct loop loop;
    struct timers timers;
    struct census *census;
    struct net net;
    struct listener listener;
    struct peer peers[RIG_PEERS];
    int accepted;
    int ended;
    int64_t now_us;
};

static struct rig *rig_here;

static inline void peer_on_bytes(struct conn *conn)
{
    struct peer *peer = conn->handler_state;
    size_t n = conn->in.len;
    peer->shows++;
    peer->shown = n;
    if (peer->keeps) {
        return;
    }
    n = peer->take_max != 0 && n > peer->take_max ? peer->take_max : n;
    cr_assert_eq(buf_append(&peer->in, bytes_make(conn->in.at, n)), 0);
    conn_consume(conn, n);
}

static inline void peer_on_eof(struct conn *conn)
{
    struct peer *peer = conn->handler_state;
    peer->eofs++;
    if (!peer->holds_eof) {
        conn_close(conn, CLOSE_PEER_CLOSED);
    }
}

static inline void peer_on_drained(struct conn *conn)
{
    ((struct peer *)conn->handler_state)->drained++;
}

static inline void peer_on_deadline(struct conn *conn)
{
    ((struct peer *)conn->handler_state)->deadlines++;
}

static inline void peer_on_closed(struct conn *conn, enum close_reason reason)
{
    struct peer *peer = conn->handler_state;
    peer->closed++;
    peer->reason = reason;
    peer->conn = NULL;
}

static const struct conn_handler peer_handler = {
    .on_bytes = peer_on_bytes,
    .on_drained = peer_on_drained,
    .on_eof = peer_on_eof,
    .on_deadline = peer_on_deadline,
    .on_closed = peer_on_closed,
};

// Nothing but what must be there.
static const struct conn_handler bare_handler = {
    .on_bytes = peer_on_bytes,
    .on_closed = peer_on_closed,
};

static inline void rig_on_accepted(void *context, struct conn *conn)
{
    struct rig *rig = context;
    struct peer *peer = &rig->peers[rig->accepted++ % RIG_PEERS];
    peer->conn = conn;
    conn_set_handler(conn, &peer_handler, peer);
    conn->in_max = 1000;
}

static inline void rig_on_ended(void *context, const struct conn *conn, enum close_reason reason)
{
    struct rig *rig = context;
    (void)conn;
    (void)reason;
    rig->ended++;
}

static inline void rig_turn(struct rig *rig)
{
    loop_poll(&rig->loop, 0);
    net_run_ready(&rig->net);
    timers_run(&rig->timers, rig->loop.now_ms, 1000);
    net_flush(&rig->net);
    net_bury(&rig->net);
}

static inline void rig_run(struct rig *rig)
{
    for (int i = 0; i < 3; i++) {
        rig_turn(rig);
    }
}

static inline void rig_pass(struct rig *rig, int64_t ms)
{
    rig->now_us += ms * 1000;
    clock_set_fake_us(rig->now_us);
    rig_run(rig);
}

static inline void rig_begin(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    rig_here = rig;
    rig->now_us = 1000000;
    clock_set_fake_us(rig->now_us);
    cr_assert_eq(loop_init(&rig->loop), 0);
    timers_init(&rig->timers, rig->loop.now_ms);
    rig->census = census_create();
    net_init(&rig->net, &(struct net_options){.loop = &rig->loop,
                                              .timers = &rig->timers,
                                              .census = rig->census,
                                              .on_accepted = rig_on_accepted,
                                              .on_ended = rig_on_ended,
                                              .context = rig});
    for (int i = 0; i < RIG_PEERS; i++) {
        rig->peers[i].fd = -1;
        buf_init(&rig->peers[i].in, 64u << 20);
        buf_init(&rig->peers[i].out, 64u << 20);
    }
}

static inline void rig_end(struct rig *rig)
{
    net_finish(&rig->net);
    for (int i = 0; i < RIG_PEERS; i++) {
        if (rig->peers[i].fd >= 0) {
            close(rig->peers[i].fd);
        }
        buf_finish(&rig->peers[i].in);
        buf_finish(&rig->peers[i].out);
    }
    census_destroy(rig->census);
    loop_finish(&rig->loop);
    clock_set_fake_us(-1);
}

// A connection over a socket pair whose kernel buffers are small.
static inline struct peer *rig_connect_from(struct rig *rig, const struct addr *from)
{
    struct peer *peer = &rig->peers[rig->accepted % RIG_PEERS];
    int pair[2];
    int small = 8192;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    peer->fd = pair[0];
    net_adopt(&rig->net, pair[1], from, &rig->listener);
    return peer;
}

static inline struct peer *rig_connect(struct rig *rig)
{
    static const struct addr local = {.family = ADDR_UNIX};
    struct peer *peer = rig_connect_from(rig, &local);
    cr_assert_not_null(peer->conn);
    return peer;
}

static inline void peer_send(struct peer *peer, const char *text)
{
    cr_assert_eq(send(peer->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

// Takes what has arrived, at most `max` bytes.
static inline void peer_read(struct peer *peer, size_t max)
{
    char part[4096];
    ssize_t n = 1;
    while (n > 0 && max > 0) {
        n = recv(peer->fd, part, max < sizeof(part) ? max : sizeof(part), MSG_DONTWAIT);
        if (n > 0) {
            cr_assert_eq(buf_append(&peer->out, bytes_make(part, (size_t)n)), 0);
            max -= (size_t)n;
        }
        peer->is_ended = peer->is_ended || n == 0;
    }
}

static inline void peer_hang_up(struct peer *peer)
{
    close(peer->fd);
    peer->fd = -1;
}

static inline void peer_expect_in(const struct peer *peer, const char *text)
{
    cr_assert(bytes_equal(buf_bytes(&peer->in), bytes_str(text)), "took \"%.*s\", not \"%s\"",
              (int)peer->in.len, peer->in.at, text);
}

static inline void peer_expect_closed(const struct peer *peer, enum close_reason reason)
{
    cr_assert_eq(peer->closed, 1, "on_closed was called %d times", peer->closed);
    cr_assert_eq(peer->reason, reason, "closed: %s, not %s", close_row(peer->reason)->text,
                 close_row(reason)->text);
}

// A blob of `len` bytes that tell their place.
static inline struct blob *pattern_blob(size_t len, unsigned seed)
{
    struct blob *blob = blob_try_create(len);
    cr_assert_not_null(blob);
    for (size_t i = 0; i < len; i++) {
        blob->data[i] = (char)((i * 7 + i / 251 + seed) & 0xff);
    }
    return blob;
}

static inline void peer_expect_pattern(const struct peer *peer, size_t len, unsigned seed)
{
    cr_assert_eq(peer->out.len, len, "%zu bytes arrived, not %zu", peer->out.len, len);
    for (size_t i = 0; i < len; i++) {
        cr_assert_eq(peer->out.at[i], (char)((i * 7 + i / 251 + seed) & 0xff), "byte %zu", i);
    }
}

// Turns and reads until nothing more comes.
static inline void rig_drain(struct rig *rig, struct peer *peer)
{
    for (size_t before = SIZE_MAX; before != peer->out.len;) {
        before = peer->out.len;
        rig_run(rig);
        peer_read(peer, SIZE_MAX);
    }
}

static inline int64_t metric_value(enum metric_id id)
{
    return atomic_load(&metrics_here->values[id]);
}

#endif
