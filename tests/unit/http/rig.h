// One HTTP connection over a socket pair, on a real loop and byte side: what the tests of the
// server and of files stand on. Owner: the test, one thread. Time stands still until rig_pass().
#ifndef TIDEGATE_TESTS_UNIT_HTTP_RIG_H
#define TIDEGATE_TESTS_UNIT_HTTP_RIG_H

#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/http/server.h"
#include "tidegate/net/census.h"
#include "tidegate/net/listener.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct rig {
    struct loop loop;
    struct timers timers;
    struct census *census;
    struct net net;
    struct http_server server;
    struct router *router;
    struct listener listener;
    struct http_target echo;  // "/echo": the body back, or the path without one
    struct http_target late;  // "/late": answered by rig_answer_late()
    struct http_target guard; // "/guard": refuses heads with 401
    struct http_exchange *waiting;
    int abandoned;
    int peer; // the client's end
    struct conn *conn;
    int ended;
    enum close_reason end_reason;
    struct buf out; // what the client has read
    bool is_closed; // the client saw the end
    int64_t now_us;
};

static struct rig *rig_here;

static inline void rig_on_accepted(void *context, struct conn *conn)
{
    struct rig *rig = context;
    rig->conn = conn;
    http_begin(&rig->server, conn);
}

static inline void rig_on_ended(void *context, const struct conn *conn, enum close_reason reason)
{
    struct rig *rig = context;
    (void)conn;
    rig->conn = NULL;
    rig->ended++;
    rig->end_reason = reason;
}

static inline void rig_echo(struct http_target *target, struct http_exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    struct http_response response = {.status = 200,
                                     .content_type = "text/plain",
                                     .body = request->body.len > 0 ? request->body : request->path};
    (void)target;
    http_respond(exchange, &response);
}

static inline void rig_on_abandoned(struct http_exchange *exchange)
{
    rig_here->abandoned++;
    cr_assert_eq(rig_here->waiting, exchange);
    rig_here->waiting = NULL;
}

static inline void rig_late(struct http_target *target, struct http_exchange *exchange)
{
    (void)target;
    exchange->on_abandoned = rig_on_abandoned;
    rig_here->waiting = exchange;
}

static inline int rig_guard(struct http_target *target, struct http_exchange *exchange)
{
    (void)target;
    (void)exchange;
    return 401;
}

static inline void rig_turn(struct rig *rig)
{
    loop_poll(&rig->loop, 0);
    net_run_ready(&rig->net);
    timers_run(&rig->timers, rig->loop.now_ms, 1000);
    net_flush(&rig->net);
    net_bury(&rig->net);
}

// Takes everything that has arrived at the client.
static inline void rig_read(struct rig *rig)
{
    char part[65536];
    ssize_t n;
    while (rig->peer >= 0 && (n = recv(rig->peer, part, sizeof(part), MSG_DONTWAIT)) >= 0) {
        if (n == 0) {
            rig->is_closed = true;
            break;
        }
        cr_assert_eq(buf_append(&rig->out, bytes_make(part, (size_t)n)), 0);
    }
}

static inline void rig_run(struct rig *rig)
{
    for (int i = 0; i < 3; i++) {
        rig_turn(rig);
    }
    rig_read(rig);
}

static inline void rig_pass(struct rig *rig, int64_t ms)
{
    rig->now_us += ms * 1000;
    clock_set_fake_us(rig->now_us);
    rig_run(rig);
}

static inline void rig_send(struct rig *rig, struct bytes data)
{
    while (data.len > 0) {
        ssize_t n = send(rig->peer, data.at, data.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            break; // the server has closed
        }
        data = bytes_skip(data, n > 0 ? (size_t)n : 0);
        rig_run(rig);
    }
    rig_run(rig);
}

static inline void rig_connect(struct rig *rig)
{
    int pair[2];
    struct addr peer = {.family = ADDR_UNIX};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    rig->peer = pair[0];
    rig->is_closed = false;
    buf_clear(&rig->out);
    cr_assert_not_null(net_adopt(&rig->net, pair[1], &peer, &rig->listener));
}

static inline void rig_hang_up(struct rig *rig)
{
    close(rig->peer);
    rig->peer = -1;
    rig_run(rig);
}

static inline struct http_target rig_target(void (*on_request)(struct http_target *,
                                                               struct http_exchange *))
{
    return (struct http_target){.methods = (1u << HTTP_GET) | (1u << HTTP_HEAD) | (1u << HTTP_POST),
                                .serves = 1,
                                .on_request = on_request};
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
    struct net_options options = {.loop = &rig->loop,
                                  .timers = &rig->timers,
                                  .census = rig->census,
                                  .on_accepted = rig_on_accepted,
                                  .on_ended = rig_on_ended,
                                  .context = rig};
    net_init(&rig->net, &options);
    rig->router = router_create();
    rig->server = (struct http_server){.router = rig->router,
                                       .limits = {.head_timeout_ms = 1000,
                                                  .body_timeout_ms = 2000,
                                                  .idle_timeout_ms = 5000,
                                                  .request_line_max = 200,
                                                  .header_bytes_max = 1000,
                                                  .header_count_max = 16,
                                                  .body_max = 1000}};
    rig->listener.serves = 1;
    rig->echo = rig_target(rig_echo);
    rig->late = rig_target(rig_late);
    rig->guard = rig_target(rig_echo);
    rig->guard.on_head = rig_guard;
    cr_assert_eq(router_add(rig->router, NULL, "/echo", &rig->echo), 0);
    cr_assert_eq(router_add(rig->router, NULL, "/late", &rig->late), 0);
    cr_assert_eq(router_add(rig->router, NULL, "/guard", &rig->guard), 0);
    buf_init(&rig->out, 64u << 20);
    rig_turn(rig);
    rig_connect(rig);
}

static inline void rig_end(struct rig *rig)
{
    net_finish(&rig->net);
    http_server_finish(&rig->server);
    if (rig->peer >= 0) {
        close(rig->peer);
    }
    router_destroy(rig->router);
    census_destroy(rig->census);
    loop_finish(&rig->loop);
    buf_finish(&rig->out);
    clock_set_fake_us(-1);
}

static inline void rig_answer_late(struct rig *rig, const char *text)
{
    struct http_response response = {.status = 200, .body = bytes_str(text)};
    struct http_exchange *exchange = rig->waiting;
    cr_assert_not_null(exchange);
    rig->waiting = NULL;
    http_respond(exchange, &response);
    rig_run(rig);
}

// How often `text` stands in what the client has read.
static inline int rig_count(const struct rig *rig, const char *text)
{
    int found = 0;
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= rig->out.len; i++) {
        found += memcmp(rig->out.at + i, text, len) == 0;
    }
    return found;
}

static inline bool rig_saw(const struct rig *rig, const char *text)
{
    return rig_count(rig, text) > 0;
}

// The status of the first response, or 0.
static inline int rig_status(const struct rig *rig)
{
    bool is_there = rig->out.len >= 12 && memcmp(rig->out.at, "HTTP/1.1 ", 9) == 0;
    return is_there ? (rig->out.at[9] - '0') * 100 + (rig->out.at[10] - '0') * 10 +
                          (rig->out.at[11] - '0')
                    : 0;
}

#endif
