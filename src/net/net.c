// The worker's connections: adopting, flushing, burying.
//
// Owner: the worker. A connection is in exactly one of conns[] and the graveyard. Output goes out
// here and nowhere else, one write a connection and turn; small messages are gathered in
// one buffer first, since one piece costs the kernel less than sixteen.

#include "tidegate/net/net.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/net/census.h"
#include "tidegate/net/cidr.h"
#include "tidegate/net/listener.h"
#include "tidegate/net/proxy_protocol.h"

#include "listener_private.h"
#include "net_private.h"
#include "secure.h"
#include "transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECEIVE_SIZE (64u << 10)
#define SEND_SIZE (64u << 10)
#define GATHER_MAX 2048u         // pieces up to this are worth copying
#define FLUSH_BYTES (256u << 10) // written to one connection in one turn
#define IOV_MAX_FLUSH 32
#define REFUSING_MAX 256 // connections being told a refusal at once

void net_init(struct net *net, const struct net_options *options)
{
    *net = (struct net){.options = *options, .receive_size = RECEIVE_SIZE};
    for (int i = 0; i < NET_STATES; i++) {
        list_init(&net->conns[i]);
    }
    list_init(&net->dirty);
    list_init(&net->ready);
    list_init(&net->ready_listeners);
    list_init(&net->graveyard);
    list_init(&net->graves);
    net->receive_buffer = mem_alloc(RECEIVE_SIZE);
    net->send_buffer = mem_alloc(SEND_SIZE);
}

void net_finish(struct net *net)
{
    for (int i = 0; i < NET_STATES; i++) {
        while (!list_is_empty(&net->conns[i])) {
            conn_close(list_entry(net->conns[i].next, struct conn, link), CLOSE_HARD_STOP);
        }
    }
    net_bury(net);
    mem_free(net->receive_buffer);
    mem_free(net->send_buffer);
    blob_unref(net->options.refusal_plain);
}

// --- adopting ---

static void net_ignore(struct conn *conn)
{
    conn_consume(conn, conn->in.len);
}

static void net_ignore_end(struct conn *conn, enum close_reason reason)
{
    (void)conn;
    (void)reason;
}

// For a connection that is closed before anybody handles it.
static const struct conn_handler net_nobody = {
    .on_bytes = net_ignore,
    .on_closed = net_ignore_end,
};

static const struct addr *census_address(const struct conn *conn)
{
    static const struct addr none = {.family = ADDR_NONE};

    return conn->by_address ? &conn->peer : &none;
}

void net_count_out(struct conn *conn)
{
    census_leave(conn->net->options.census, census_address(conn));
}

// Counts the connection in; a limit that refuses it is written on it, for whoever reads its request
// to say so. Returns false when so many are being told that this one is closed at once.
bool net_count_in(struct conn *conn)
{
    struct net *net = conn->net;
    // A proxy brings many clients: it is counted as one of all, they are by address.
    conn->by_address = !cidr_set_has(net->proxies, &conn->peer);
    enum census_verdict verdict = census_enter(net->options.census, census_address(conn));

    metric_add(census_refusal(verdict)->metric, 1);
    conn->refusal = (uint8_t)verdict;
    if (verdict == CENSUS_OK) {
        conn->counted = true;
        metric_add(METRIC_CONNECTIONS, 1);
        metric_add(METRIC_WORKER_CONNECTIONS, 1);
        return true;
    }
    net->refusing++;
    return net->refusing <= REFUSING_MAX;
}

void net_begin(struct conn *conn)
{
    if (conn->listener != NULL && conn->listener->tls != NULL) {
        secure_begin(conn);
    } else {
        conn->net->options.on_accepted(conn->net->options.context, conn);
    }
}

void net_let_in(struct conn *conn)
{
    if (!net_count_in(conn)) {
        conn->handler = &net_nobody;
        conn_close(conn, CLOSE_HTTP_REFUSED);
        return;
    }
    net_begin(conn);
}

struct conn *net_adopt(struct net *net, int fd, const struct addr *peer,
                       const struct listener *listener)
{
    struct conn *conn = conn_create(net, fd, peer, listener);
    int error = loop_add(net->options.loop, &conn->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP);

    if (error < 0) {
        // No memory in the kernel for one more: this peer goes, the others stay.
        list_remove(&conn->link);
        conn_free(conn);
        metric_add(METRIC_ACCEPT_REFUSED_LIMIT, 1);
        return NULL;
    }
    net->open++;
    if (peer->family != ADDR_UNIX) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    if (listener != NULL && listener->proxy_trusted != NULL) {
        proxy_protocol_begin(conn);
    } else {
        net_let_in(conn);
    }
    return conn_is_closed(conn) ? NULL : conn;
}

// --- whose it is ---

bool net_set_client(struct conn *conn, const struct addr *client)
{
    struct net *net = conn->net;

    if (!conn->counted) {
        conn_set_peer(conn, client); // a limit refuses it already
        return false;
    }
    enum census_verdict verdict = census_move(net->options.census, census_address(conn), client);
    if (verdict != CENSUS_OK) {
        metric_add(census_refusal(verdict)->metric, 1);
        conn->refusal = (uint8_t)verdict;
        net->refusing++;
        return false;
    }
    conn_set_peer(conn, client);
    conn->by_address = true;
    return true;
}

void net_reset_client(struct conn *conn, const struct addr *proxy)
{
    static const struct addr none = {.family = ADDR_NONE};

    census_move(conn->net->options.census, census_address(conn), &none);
    conn->by_address = false;
    conn->peer = *proxy;
    if (memcmp(conn->via, proxy, sizeof(*proxy)) == 0) {
        mem_free(conn->via);
        conn->via = NULL;
    }
}

// --- step 1: what was left over ---

void net_run_ready(struct net *net)
{
    struct list batch;

    list_init(&batch);
    list_splice(&batch, &net->ready_listeners);
    for (struct list *link = list_pop(&batch); link != NULL; link = list_pop(&batch)) {
        listener_accept(list_entry(link, struct listener, ready));
    }
    // One round each; whoever is not done is put at the end of the list for the next turn.
    list_splice(&batch, &net->ready);
    for (struct list *link = list_pop(&batch); link != NULL; link = list_pop(&batch)) {
        conn_on_ready(list_entry(link, struct conn, ready));
    }
}

bool net_has_ready(const struct net *net)
{
    return !list_is_empty(&net->ready) || !list_is_empty(&net->ready_listeners) ||
           !list_is_empty(&net->dirty);
}

// --- step 4: writing ---

void net_account_queue(struct conn *conn)
{
    if (conn->queued != conn->outbox.bytes) {
        metric_add(METRIC_QUEUE_BYTES, (int64_t)conn->outbox.bytes - conn->queued);
        conn->queued = conn->outbox.bytes;
    }
}

// Copies what is small into the worker's send buffer: one piece instead of many.
static int net_gather(struct net *net, struct iovec *iov, int count)
{
    size_t len = 0;

    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > GATHER_MAX) {
            return count;
        }
        memcpy(net->send_buffer + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    iov[0] = (struct iovec){net->send_buffer, len};
    return 1;
}

_Static_assert(IOV_MAX_FLUSH *GATHER_MAX <= SEND_SIZE, "what is gathered fits the send buffer");

// Writes one round. Returns the bytes written; 0 when the socket is full; negative: closed.
static ssize_t net_write(struct conn *conn, size_t max)
{
    struct iovec iov[IOV_MAX_FLUSH];
    int count = outbox_peek(&conn->outbox, iov, IOV_MAX_FLUSH, max);
    size_t wanted = 0;

    for (int i = 0; i < count; i++) {
        wanted += iov[i].iov_len;
    }
    if (count > 1) {
        count = net_gather(conn->net, iov, count);
    }
    ssize_t n = conn->transport->writev(conn, iov, count);
    if (n < 0) {
        if (n != -EAGAIN) {
            conn_close(conn,
                       n == -EPIPE || n == -ECONNRESET ? CLOSE_PEER_RESET : CLOSE_WRITE_ERROR);
            return -1;
        }
        conn->writable = false;
        return 0;
    }
    // A short write means a full socket; the edge tells when there is room again.
    conn->writable = (size_t)n == wanted;
    outbox_advance(&conn->outbox, (size_t)n, &conn->net->till);
    conn->bytes_out += (uint64_t)n;
    metric_add(METRIC_BYTES_OUT, n);
    return n;
}

static void net_on_empty(struct conn *conn)
{
    if (conn->state == CONN_DRAINING) {
        if (conn->eof) {
            conn_close(conn, CLOSE_PEER_CLOSED);
        } else {
            conn->writable &= conn->transport->shutdown(conn) != -EAGAIN;
        }
    } else if (conn->want_drained) {
        conn->want_drained = false;
        conn->handler->on_drained(conn);
    }
}

static void net_flush_conn(struct conn *conn)
{
    size_t budget = FLUSH_BYTES;

    while (!outbox_is_empty(&conn->outbox) && conn->writable && budget > 0) {
        ssize_t n = net_write(conn, budget);
        if (n < 0) {
            return;
        }
        budget -= (size_t)n;
    }
    net_account_queue(conn);
    if (outbox_is_empty(&conn->outbox)) {
        net_on_empty(conn);
    } else if (conn->writable) {
        // Its share of this turn is used up: next turn goes on.
        list_append(&conn->net->dirty, &conn->dirty);
    }
}

void net_flush(struct net *net)
{
    struct list batch;

    // What becomes dirty while flushing (a handler that goes on when drained) waits for the next
    // turn.
    list_init(&batch);
    list_splice(&batch, &net->dirty);
    for (struct list *link = list_pop(&batch); link != NULL; link = list_pop(&batch)) {
        net_flush_conn(list_entry(link, struct conn, dirty));
    }
    blob_till_finish(&net->till);
}

// --- step 5: burying ---

void net_inter(struct net *net, struct grave *grave)
{
    list_append(&net->graves, &grave->link);
}

void net_bury(struct net *net)
{
    // Handlers' states first: they may look at their connection, never the other way round.
    for (struct list *link = list_pop(&net->graves); link != NULL; link = list_pop(&net->graves)) {
        struct grave *grave = list_entry(link, struct grave, link);
        grave->bury(grave);
    }
    for (struct list *link = list_pop(&net->graveyard); link != NULL;
         link = list_pop(&net->graveyard)) {
        conn_free(list_entry(link, struct conn, link));
    }
}
