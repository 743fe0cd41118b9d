// HTTP on a connection: the loop that takes request after request off the input, and every way in
// which that ends: the last response, a refusal, a deadline, the peer's end, a take-over.
// Owner: the connection's worker. Lifetime: the link is freed when the connection closes or is
// taken over, but never while http_on_bytes() runs on it. Invariant: one request is answered at a
// time. Pipelined ones wait in the connection's input, which is not read on while an answer is
// awaited or while much output is waiting; so what a peer can make us keep is one head, one body,
// one response and one buffer of input.
#include "link.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"

// Output waiting past this holds the next request back.
#define OUT_HIGH (64u << 10)
// Pipelined requests answered in one turn.
#define BURST_MAX 16
// How long a peer may take for its last response: a moment, and more for much output.
#define FINISH_MS 5000
#define FINISH_BYTES_PER_MS 8
#define SPARE_MAX 1024

static void link_bury(struct grave *grave)
{
    struct http_link *link = container_of(grave, struct http_link, grave);
    struct http_server *server = link->server;

    exchange_destroy(link->exchange);
    // Streams stay where their request was: a link freed between them would leave a hole that
    // nothing else fits. So links go round, and an idle stream costs what it holds.
    if (server->spare_count >= SPARE_MAX) {
        mem_free(link);
        return;
    }
    link->next = server->spare;
    server->spare = link;
    server->spare_count++;
}

static struct http_link *link_create(struct http_server *server)
{
    struct http_link *link = server->spare;

    if (link == NULL) {
        return mem_zalloc(sizeof(*link));
    }
    server->spare = link->next;
    server->spare_count--;
    *link = (struct http_link){0};
    return link;
}

void http_server_finish(struct http_server *server)
{
    while (server->spare != NULL) {
        struct http_link *link = server->spare;
        server->spare = link->next;
        mem_free(link);
    }
    server->spare_count = 0;
}

static void link_drop(struct http_link *link)
{
    link->is_gone = true;
    link->grave.bury = link_bury;
    net_inter(link->conn->net, &link->grave);
}

static void link_finish(struct http_link *link, enum close_reason reason)
{
    struct conn *conn = link->conn;
    link->phase = LINK_DONE;
    conn_finish(conn, reason, FINISH_MS + conn->outbox.bytes / FINISH_BYTES_PER_MS);
}

static enum link_deadline link_deadline_wanted(const struct http_link *link)
{
    if (link->phase == LINK_BODY) {
        return LINK_BODY_DUE;
    }
    if (link->phase != LINK_HEAD) {
        return LINK_NONE;
    }
    bool is_idle = link->had_request && link->scan.at == 0;
    return is_idle || link->is_throttled ? LINK_IDLE : LINK_HEAD_DUE;
}

// Arms the deadline of what is awaited now, once a turn and only when that has changed.
static void link_arm(struct http_link *link)
{
    const struct http_limits *limits = &link->server->limits;
    const int64_t ms[] = {
        [LINK_NONE] = 0,
        [LINK_IDLE] = limits->idle_timeout_ms,
        [LINK_HEAD_DUE] = limits->head_timeout_ms,
        [LINK_BODY_DUE] = limits->body_timeout_ms,
    };
    enum link_deadline wanted = link_deadline_wanted(link);
    if (wanted != link->armed || link->renew) {
        link->armed = (uint8_t)wanted;
        link->renew = false;
        link->sent_seen = link->conn->bytes_out;
        conn_set_deadline(link->conn, ms[wanted]);
    }
}

void link_responded(struct http_link *link, bool is_last, enum close_reason reason)
{
    link->renew = true;
    if (is_last) {
        link_finish(link, reason);
        return;
    }
    link->phase = LINK_HEAD;
    if (link->has_client) {
        link->has_client = false;
        net_reset_client(link->conn, &link->peer);
    }
    if (!link->in_turn) {
        exchange_inter(link->exchange);
        link->exchange = NULL;
        link_arm(link);
        conn_resume(link->conn);
    }
}

// Whether the loop goes on, here and below.
static bool step_head(struct http_link *link)
{
    struct conn *conn = link->conn;
    struct http_fault fault;

    if (conn->in.len == 0) {
        return false;
    }
    // Much output waits, or this peer had its share of the turn: after the flush it goes on.
    bool had_share = link->burst >= BURST_MAX && !outbox_is_empty(&conn->outbox);
    if (conn->outbox.bytes > OUT_HIGH || had_share) {
        link->is_throttled = true;
        conn->want_drained = true;
        conn_pause(conn);
        return false;
    }
    int r = scan_head(&link->scan, &link->server->limits, conn->in, &fault);
    if (r == 0) {
        return false;
    }
    if (r > 0) {
        metric_add(METRIC_HTTP_REQUESTS, 1);
        struct scan scan = link->scan;
        struct bytes head = {conn->in.at + scan.start, scan.at - scan.start};
        link->had_request = true;
        link->burst++;
        link->renew = true;
        scan_begin(&link->scan);
        r = exchange_begin(link, head, scan.count, &fault);
        conn_consume(conn, scan.at);
    }
    if (r < 0) {
        response_refuse_link(link, &fault);
        return true;
    }
    if (conn->state == CONN_ACCEPTED) {
        conn_set_state(conn, CONN_HTTP, 0);
    }
    exchange_open(link->exchange);
    return true;
}

static bool step_body(struct http_link *link)
{
    struct http_fault fault;
    size_t used = 0;

    if (link->conn->in.len == 0) {
        return false;
    }
    int r = exchange_read(link->exchange, link->conn->in, &used, &fault);
    conn_consume(link->conn, used);
    if (r < 0) {
        response_refuse_link(link, &fault);
        return true;
    }
    if (r == 0) {
        return false;
    }
    exchange_run(link->exchange);
    return true;
}

static bool link_step(struct http_link *link)
{
    if (link->exchange != NULL && link->exchange->public.responded) {
        exchange_destroy(link->exchange);
        link->exchange = NULL;
    }
    switch (link->phase) {
    case LINK_HEAD:
        return step_head(link);
    case LINK_BODY:
        return step_body(link);
    case LINK_ANSWER:
        conn_pause(link->conn);
        return false;
    default: // LINK_DONE
        return false;
    }
}

static void http_on_bytes(struct conn *conn)
{
    struct http_link *link = conn->handler_state;

    link->in_turn = true;
    link->burst = 0;
    while (!link->is_gone && link_step(link)) {
    }
    link->in_turn = false;
    if (!link->is_gone && link->phase != LINK_DONE) {
        link_arm(link);
    }
}

static void http_on_drained(struct conn *conn)
{
    struct http_link *link = conn->handler_state;
    if (link->is_throttled) {
        link->is_throttled = false;
        link_arm(link);
        conn_resume(conn);
    }
}

// A peer that half-closes still gets the responses to what it has sent. While an answer is awaited
// nothing is read, so the end is seen only after it.
static void http_on_eof(struct conn *conn)
{
    if (outbox_is_empty(&conn->outbox)) {
        conn_close(conn, CLOSE_PEER_CLOSED);
        return;
    }
    link_finish(conn->handler_state, CLOSE_PEER_CLOSED);
}

static void http_on_deadline(struct conn *conn)
{
    struct http_link *link = conn->handler_state;
    struct http_fault fault = {408, "the request took too long"};

    switch (link->armed) {
    case LINK_HEAD_DUE:
    case LINK_BODY_DUE:
        response_refuse_link(link, &fault);
        break;
    case LINK_IDLE:
        // A peer that still takes its response is not idle.
        if (!outbox_is_empty(&conn->outbox) && conn->bytes_out != link->sent_seen) {
            link->renew = true;
            link_arm(link);
            break;
        }
        conn_close(conn, CLOSE_IDLE_TIMEOUT);
        break;
    default: // LINK_NONE has no deadline
        break;
    }
}

static void http_on_closed(struct conn *conn, enum close_reason reason ATTR_UNUSED)
{
    struct http_link *link = conn->handler_state;
    if (link == NULL) {
        return; // taken over, and closed before a handler was installed
    }
    conn->handler_state = NULL;
    link_drop(link);
    if (link->exchange != NULL) {
        exchange_abandon(link->exchange);
    }
}

// A request that is under way is still answered; is_draining makes its response the last one.
static void http_on_shutdown(struct conn *conn, enum close_reason reason)
{
    struct http_link *link = conn->handler_state;

    if (link->phase == LINK_HEAD && link->scan.at == 0) {
        conn_close(conn, reason);
    }
}

static const struct conn_handler http_handler = {
    .on_bytes = http_on_bytes,
    .on_drained = http_on_drained,
    .on_eof = http_on_eof,
    .on_deadline = http_on_deadline,
    .on_shutdown = http_on_shutdown,
    .on_closed = http_on_closed,
};

void http_begin(struct http_server *server, struct conn *conn)
{
    const struct http_limits *limits = &server->limits;
    struct http_link *link = link_create(server);

    assert_always(limits->header_count_max <= HTTP_HEADERS_MAX);
    link->server = server;
    link->conn = conn;
    link->peer = conn->peer;
    scan_begin(&link->scan);
    // An empty line before the head and the line ends come on top of what the limits count.
    conn->in_max = limits->request_line_max + limits->header_bytes_max + 8;
    conn_set_handler(conn, &http_handler, link);
    link_arm(link);
}

struct conn *http_take_over(struct http_exchange *public)
{
    struct http_link *link = exchange_of(public)->link;
    struct conn *conn = link->conn;

    assert_always(link->phase == LINK_ANSWER && !public->responded && !link->is_gone);
    public->responded = true;
    conn->handler_state = NULL;
    conn_set_state(conn, CONN_STREAMING, 0);
    if (conn->paused) {
        conn_resume(conn);
    }
    link_drop(link);
    return conn;
}
