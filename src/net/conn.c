// One connection: what epoll says, what the handler takes, what waits to be written, how it ends.
//
// Owner: its worker. Invariant: `link` is always in net.conns[state] or, when closed, in the
// graveyard; `dirty` and `ready` are linked only while the connection is open. Output is written in
// net_flush() alone; conn_close() frees nothing.

#include "tidegate/net/conn.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/net/census.h"

#include "net_private.h"
#include "secure.h"
#include "transport.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATE_BIT(name) (1u << CONN_##name)

// The legal moves: from a state to a set of states.
static const unsigned conn_moves[] = {
    [CONN_ACCEPTED] = STATE_BIT(HTTP) | STATE_BIT(DRAINING) | STATE_BIT(CLOSED),
    [CONN_HTTP] = STATE_BIT(STREAMING) | STATE_BIT(DRAINING) | STATE_BIT(CLOSED),
    [CONN_STREAMING] = STATE_BIT(DRAINING) | STATE_BIT(CLOSED),
    [CONN_DRAINING] = STATE_BIT(CLOSED),
    [CONN_CLOSED] = 0,
};

static const char *const conn_state_names[] = {
#define X(name, reason) #name,
    CONN_STATES(X)
#undef X
};

static const enum close_reason conn_deadline_reasons[] = {
#define X(name, reason) CLOSE_##reason,
    CONN_STATES(X)
#undef X
};

const char *conn_state_name(enum conn_state state)
{
    return conn_state_names[state];
}

static void conn_on_deadline(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, deadline);

    if (conn->state != CONN_DRAINING && conn->handler->on_deadline != NULL) {
        conn->handler->on_deadline(conn);
        return;
    }
    // A connection that drains already has its reason: the first one wins.
    conn_close(conn, conn_deadline_reasons[conn->state]);
}

void conn_set_deadline(struct conn *conn, int64_t deadline_ms)
{
    if (deadline_ms <= 0) {
        timer_cancel(&conn->deadline);
        return;
    }
    timer_arm(conn->net->options.timers, &conn->deadline,
              conn->net->options.loop->now_ms + deadline_ms);
}

void conn_set_state(struct conn *conn, enum conn_state state, int64_t deadline_ms)
{
    assert_always((conn_moves[conn->state] & (1u << state)) != 0);
    list_remove(&conn->link);
    conn->state = (uint8_t)state;
    list_append(state == CONN_CLOSED ? &conn->net->graveyard : &conn->net->conns[state],
                &conn->link);
    conn_set_deadline(conn, deadline_ms);
}

void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *state)
{
    assert_always(handler->on_bytes != NULL && handler->on_closed != NULL);
    conn->handler = handler;
    conn->handler_state = state;
}

int conn_send(struct conn *conn, struct blob *blob, uint32_t key, uint32_t *ret_dropped)
{
    uint32_t dropped = 0;

    if (UNLIKELY(conn->state >= CONN_DRAINING)) {
        blob_unref(blob);
        return -ENOTCONN;
    }
    int result = outbox_push(&conn->outbox, blob, key, &dropped);
    if (ret_dropped != NULL) {
        *ret_dropped = dropped;
    }
    if (conn->writable && !list_is_linked(&conn->dirty)) {
        list_append(&conn->net->dirty, &conn->dirty);
    }
    return result;
}

int conn_send_bytes(struct conn *conn, struct bytes data)
{
    struct blob *blob = blob_try_copy(data);

    return blob == NULL ? -ENOMEM : conn_send(conn, blob, OUTBOX_KEY_CONTROL, NULL);
}

void conn_set_peer(struct conn *conn, const struct addr *client)
{
    if (conn->via == NULL) {
        conn->via = mem_alloc(sizeof(*conn->via));
        *conn->via = conn->peer;
    }
    conn->peer = *client;
}

void conn_consume(struct conn *conn, size_t n)
{
    assert_always(n <= conn->in.len);
    conn->in = bytes_skip(conn->in, n);
}

void conn_pause(struct conn *conn)
{
    conn->paused = true;
}

void conn_resume(struct conn *conn)
{
    conn->paused = false;
    if (conn->state < CONN_DRAINING && !list_is_linked(&conn->ready)) {
        list_append(&conn->net->ready, &conn->ready);
    }
}

void conn_yield(struct conn *conn)
{
    conn->yielded = true;
    if (conn->state < CONN_DRAINING && !list_is_linked(&conn->ready)) {
        list_append(&conn->net->ready, &conn->ready);
    }
}

void conn_set_reason(struct conn *conn, enum close_reason reason)
{
    if (conn->reason == CLOSE_NONE) {
        conn->reason = (uint8_t)reason;
    }
}

void conn_finish(struct conn *conn, enum close_reason reason, int64_t timeout_ms)
{
    if (conn->state >= CONN_DRAINING) {
        return;
    }
    conn_set_reason(conn, reason);
    conn->paused = false;
    conn_set_state(conn, CONN_DRAINING, timeout_ms);
    // The flush of this turn sends the end of stream when the outbox is empty, also if it is now.
    if (conn->writable && !list_is_linked(&conn->dirty)) {
        list_append(&conn->net->dirty, &conn->dirty);
    }
    // What the peer still sends is read and forgotten, or the kernel would answer it with a reset
    // that destroys the response.
    if (!list_is_linked(&conn->ready)) {
        list_append(&conn->net->ready, &conn->ready);
    }
}

void conn_close(struct conn *conn, enum close_reason reason)
{
    struct net *net = conn->net;

    if (conn->state == CONN_CLOSED) {
        return;
    }
    conn_set_reason(conn, reason);
    conn_set_state(conn, CONN_CLOSED, 0);
    list_remove(&conn->dirty);
    list_remove(&conn->ready);
    loop_remove(net->options.loop, &conn->watch);
    conn->handler->on_closed(conn, conn->reason);
    outbox_finish(&conn->outbox);
    net_account_queue(conn);
    net->open--;
    net->refusing -= conn->refusal != CENSUS_OK;
    metric_close(conn->reason);
    if (conn->counted) {
        net_count_out(conn);
        metric_add(METRIC_CONNECTIONS, -1);
        metric_add(METRIC_WORKER_CONNECTIONS, -1);
        net->options.on_ended(net->options.context, conn, conn->reason);
    }
}

// --- reading ---

static void conn_keep(struct conn *conn, struct bytes rest)
{
    if (rest.len == 0) {
        if (conn->kept != NULL) {
            buf_finish(conn->kept);
            mem_free(conn->kept);
            conn->kept = NULL;
        }
        return;
    }
    if (conn->kept != NULL && conn->kept->len > 0) {
        buf_consume(conn->kept, conn->kept->len - rest.len);
        return;
    }
    if (conn->kept == NULL) {
        conn->kept = mem_zalloc(sizeof(*conn->kept));
    }
    // A handler that waits may have a whole read left over; one that does not keeps at most in_max.
    buf_init(conn->kept, conn->in_max + conn->net->receive_size);
    if (buf_append(conn->kept, rest) < 0) {
        conn_close(conn, CLOSE_POLICY_VIOLATION);
    }
}

// Shows the handler what is there until it takes no more; what is left is kept.
static void conn_show(struct conn *conn, struct bytes in)
{
    const struct conn_handler *handler;

    conn->in = in;
    do {
        handler = conn->handler;
        handler->on_bytes(conn);
        // A handler installed meanwhile gets what its predecessor left.
    } while (conn->handler != handler && conn->in.len > 0 && conn->state < CONN_DRAINING &&
             !conn->paused && !conn->yielded);
    struct bytes rest = conn->in;
    conn->in = BYTES_EMPTY;
    if (conn->state >= CONN_DRAINING) {
        return;
    }
    if (!conn->paused && !conn->yielded && rest.len > conn->in_max) {
        conn_close(conn, CLOSE_POLICY_VIOLATION);
        return;
    }
    conn_keep(conn, rest);
}

static void conn_show_kept(struct conn *conn)
{
    if (conn->kept != NULL && conn->kept->len > 0) {
        conn_show(conn, buf_bytes(conn->kept));
    }
}

static void conn_on_eof(struct conn *conn)
{
    conn->eof = true;
    conn->readable = false;
    if (conn->state < CONN_DRAINING && conn->handler->on_eof != NULL) {
        conn->handler->on_eof(conn);
        return;
    }
    // While draining it is the answer to our end of stream, unless there is output left.
    if (conn->state != CONN_DRAINING || outbox_is_empty(&conn->outbox)) {
        conn_close(conn, CLOSE_PEER_CLOSED);
    }
}

// One read, at most the receive buffer. More may be there: then the connection is on the ready
// list.
static void conn_read(struct conn *conn)
{
    struct net *net = conn->net;
    ssize_t n = conn->transport->read(conn, net->receive_buffer, net->receive_size);

    if (n == 0) {
        conn_on_eof(conn);
        return;
    }
    if (n < 0) {
        conn->readable = false;
        if (n != -EAGAIN) {
            conn_close(conn, n == -EPROTO ? CLOSE_TLS_FAILED : CLOSE_PEER_RESET);
        }
        return;
    }
    // A short read proves the socket empty, unless the end of the stream stands behind it.
    conn->readable = (size_t)n == net->receive_size || conn->eof_seen;
    conn->bytes_in += (uint64_t)n;
    metric_add(METRIC_BYTES_IN, n);
    if (conn->state >= CONN_DRAINING) {
        return;
    }
    if (conn->kept == NULL || conn->kept->len == 0) {
        conn_show(conn, bytes_make(net->receive_buffer, (size_t)n));
    } else if (buf_append(conn->kept, bytes_make(net->receive_buffer, (size_t)n)) < 0) {
        conn_close(conn, CLOSE_POLICY_VIOLATION);
    } else {
        conn_show_kept(conn);
    }
}

void conn_on_readable(struct conn *conn)
{
    // On the ready list it goes on later in this turn, with what is kept first: reading more now
    // could pass what may be kept.
    if (conn->paused || conn->state == CONN_CLOSED || list_is_linked(&conn->ready)) {
        return;
    }
    if (conn->readable) {
        conn_read(conn);
    }
    bool goes_on = conn->state != CONN_CLOSED && !conn->paused && conn->readable;
    if (goes_on && !list_is_linked(&conn->ready)) {
        list_append(&conn->net->ready, &conn->ready);
    }
}

void conn_on_ready(struct conn *conn)
{
    if (conn->handshaking) {
        secure_go_on(conn);
        return;
    }
    conn->yielded = false;
    if (conn->state < CONN_DRAINING && !conn->paused) {
        conn_show_kept(conn);
    }
    conn_on_readable(conn);
}

static void conn_on_writable(struct conn *conn)
{
    conn->writable = true;
    conn->write_waits = false;
    if (conn->state != CONN_CLOSED && !list_is_linked(&conn->dirty)) {
        list_append(&conn->net->dirty, &conn->dirty);
    }
}

void conn_on_event(struct watch *watch, uint32_t events)
{
    struct conn *conn = container_of(watch, struct conn, watch);
    bool has_input = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0;
    bool has_room = (events & EPOLLOUT) != 0 && !conn->writable;

    // TLS may need one direction to go on in the other.
    if (has_room || (has_input && conn->write_waits)) {
        conn_on_writable(conn);
    }
    has_input |= has_room && conn->transport_state != NULL;
    if (conn->handshaking) {
        conn->eof_seen |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
        if (has_input || (events & EPOLLERR) != 0) {
            secure_go_on(conn);
        }
        return;
    }
    if ((events & (EPOLLERR | EPOLLHUP)) == EPOLLERR ||
        ((events & EPOLLHUP) != 0 && (conn->paused || conn->eof))) {
        conn_close(conn, CLOSE_PEER_RESET);
        return;
    }
    if (has_input) {
        // Room to write tells the peer's end again with it: that was read already.
        conn->readable = !conn->eof;
        conn->eof_seen |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
        conn_on_readable(conn);
    }
}

// --- birth ---

struct conn *conn_create(struct net *net, int fd, const struct addr *peer,
                         const struct listener *listener)
{
    struct conn *conn = mem_zalloc(sizeof(*conn));

    conn->watch = (struct watch){.fd = fd, .on_event = conn_on_event};
    conn->transport = &transport_plain;
    conn->net = net;
    conn->listener = listener;
    conn->peer = *peer;
    conn->opened_ms = net->options.loop->now_ms;
    conn->state = CONN_ACCEPTED;
    conn->writable = true;
    list_append(&net->conns[CONN_ACCEPTED], &conn->link);
    list_init(&conn->dirty);
    list_init(&conn->ready);
    timer_init(&conn->deadline, conn_on_deadline);
    outbox_init(&conn->outbox, UINT32_MAX, OUTBOX_DISCONNECT);
    return conn;
}

void conn_free(struct conn *conn)
{
    conn->transport->destroy(conn);
    close(conn->watch.fd);
    if (conn->kept != NULL) {
        buf_finish(conn->kept);
        mem_free(conn->kept);
    }
    mem_free(conn->via);
    mem_free(conn);
}
