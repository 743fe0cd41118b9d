// An orderly stop, seen by one worker: no more connections, answers end theirs, streams are asked
// to close one after the other so that they do not all come back in one instant.
//
//   RUNNING --STOP--> DRAINING --nobody left, or time is up--> STOPPED
//
// Owner: the worker's thread.

#include "drain.h"

#define STEP_MS 20
#define FLUSH_MS 1000 // after the last close: for close frames and answers to go out

static void worker_shut(struct conn *conn)
{
    if (conn->handler->on_shutdown != NULL) {
        conn->handler->on_shutdown(conn, CLOSE_SHUTDOWN);
    } else {
        conn_close(conn, CLOSE_SHUTDOWN);
    }
}

// Streams not yet asked to close stand at the front of their list; those that were go to its end.
static void worker_drain_some(struct worker *worker, size_t count)
{
    struct list *streams = &worker->net.conns[CONN_STREAMING];

    while (count-- > 0 && !list_is_empty(streams)) {
        struct conn *conn = list_entry(streams->next, struct conn, link);
        list_remove(&conn->link);
        list_append(streams, &conn->link);
        worker_shut(conn);
    }
}

static void worker_drain_http(struct worker *worker)
{
    list_for_each_safe(link, &worker->net.conns[CONN_HTTP])
    {
        worker_shut(list_entry(link, struct conn, link));
    }
    list_for_each_safe(link, &worker->net.conns[CONN_ACCEPTED])
    {
        worker_shut(list_entry(link, struct conn, link));
    }
}

// Closes at a constant rate so that the last stream is asked when the drain time ends; after that
// there is a moment for what is queued, and then the end.
void worker_on_drain(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, drain);
    int64_t left_ms = worker->drain_ends_ms - worker->loop.now_ms;

    worker_drain_http(worker);
    if (worker->drain_left > 0) {
        int64_t steps = left_ms > 0 ? left_ms / STEP_MS + 1 : 1;
        size_t count = (worker->drain_left + (size_t)steps - 1) / (size_t)steps;
        worker_drain_some(worker, count);
        worker->drain_left -= count;
        worker->flush_ends_ms = worker->loop.now_ms + FLUSH_MS;
    }
    // Requests and responses under way have the whole drain time.
    bool is_http_over = worker->loop.now_ms >= worker->drain_ends_ms ||
                        (list_is_empty(&worker->net.conns[CONN_HTTP]) &&
                         list_is_empty(&worker->net.conns[CONN_DRAINING]));
    if (worker->net.open == 0 ||
        (worker->drain_left == 0 && is_http_over && worker->loop.now_ms >= worker->flush_ends_ms)) {
        worker->stage = WORKER_STOPPED;
        return;
    }
    timer_arm(&worker->timers, timer, worker->loop.now_ms + STEP_MS);
}

void worker_drain(struct worker *worker)
{
    const struct config *config = worker->session.config;

    if (worker->stage != WORKER_RUNNING) {
        return;
    }
    worker->stage = WORKER_DRAINING;
    worker->http.is_draining = true;
    worker->drain_ends_ms = worker->loop.now_ms + config->shutdown.drain_timeout_ms;
    worker->flush_ends_ms = worker->loop.now_ms + FLUSH_MS;
    list_for_each(link, &worker->net.conns[CONN_STREAMING])
    {
        worker->drain_left++;
    }
    for (size_t i = 0; i < worker->shared->listeners->count; i++) {
        listener_stop(&worker->listeners[i]);
    }
    // Not in this turn: those just accepted are to be read first, and answered.
    timer_arm(&worker->timers, &worker->drain, worker->loop.now_ms + STEP_MS);
}
