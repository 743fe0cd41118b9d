// The worker: its birth and its turn. How it ends is in drain.c.
//
// Owner: its own thread from worker_main() on. Everything it owns is created and freed by the main
// thread while the worker's thread does not run. The turn is the only place that orders the steps.

#include "worker.h"
#include "drain.h"
#include "proxies.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/rand.h"
#include "tidegate/channel/hub.h"
#include "tidegate/net/census.h"

#include <errno.h>

#define WAIT_MAX_MS 1000 // the heartbeat of an idle worker
#define MESSAGES_MAX 256 // of the mailbox in one turn
#define TIMERS_MAX 1024  // run in one turn
#define TICK_MS 1000
#define STACK_SIZE (1u << 20)
#define RETIRE_MS 10000

// --- what the net tells ---

static void worker_on_accepted(void *context, struct conn *conn)
{
    struct worker *worker = context;

    http_begin(&worker->http, conn);
}

static struct log_gate worker_gate;

static void worker_on_ended(void *context, const struct conn *conn, enum close_reason reason)
{
    struct worker *worker = context;
    int64_t rate = worker->session.config->log.rate_limit;
    char peer[ADDR_TEXT_MAX];
    char via[ADDR_TEXT_MAX];
    uint32_t suppressed;

    if (!log_is_on(LOG_INFO) || !log_gate_pass(&worker_gate, (uint32_t)rate, &suppressed)) {
        return;
    }
    const struct log_field fields[] = {
        log_text("peer", addr_print(&conn->peer, peer)),
        log_text("listener", conn->listener->name),
        log_text("reason", close_row(reason)->text),
        log_num("code", close_row(reason)->code),
        log_num("age_ms", worker->loop.now_ms - conn->opened_ms),
        log_num("bytes_in", (int64_t)conn->bytes_in),
        log_num("bytes_out", (int64_t)conn->bytes_out),
        log_num("messages_in", conn->messages_in),
        log_num("messages_out", conn->messages_out),
        log_num("worker", worker->id),
        log_num("suppressed", suppressed),
        // The proxy's, where it is not the client's own: last, so that it can be left out.
        log_text("via", conn->via != NULL ? addr_print(conn->via, via) : NULL),
    };
    log_write(LOG_INFO, "connection closed", fields, ARRAY_LEN(fields) - (conn->via == NULL));
}

// --- step 2: messages ---

static void worker_on_publication(struct worker *worker, struct message *message)
{
    struct hub_message *posted = container_of(message, struct hub_message, message);
    size_t deliveries = fanout_deliver(&worker->fanout, posted->publication);

    blob_stock_finish(&worker->session.stock);
    metric_add(METRIC_DELIVERIES, (int64_t)deliveries);
    if (deliveries > 0 && worker->lag_count < ARRAY_LEN(worker->lags)) {
        worker->lags[worker->lag_count].time_us = posted->publication->time_us;
        worker->lags[worker->lag_count].deliveries = (uint32_t)deliveries;
        worker->lag_count++;
    }
    message->destroy(message);
}

static void worker_on_lost(struct worker *worker, struct message *message)
{
    struct hub_lost *lost = container_of(message, struct hub_lost, message);

    fanout_each(&worker->fanout, bytes_make(lost->channel, lost->channel_len), session_on_lost);
    message->destroy(message);
}

static void worker_apply_config(struct worker *worker)
{
    const struct config *config = worker->session.config;
    struct routes *routes = routes_create(worker);
    // Bodies that are arriving have the time that the settings gave them when they began.
    int64_t body_ms = worker->http.limits.body_timeout_ms;

    websocket_worker_configure(&worker->websocket);
    worker->http.limits = (struct http_limits){
        .head_timeout_ms = config->http.head_timeout_ms,
        .body_timeout_ms = config->http.body_timeout_ms,
        .idle_timeout_ms = config->http.idle_timeout_ms,
        .request_line_max = (uint32_t)config->http.request_line_limit,
        .header_bytes_max = (uint32_t)config->http.header_bytes_limit,
        .header_count_max = (uint32_t)config->http.header_count_limit,
        .body_max = (uint32_t)config->http.body_size_limit,
    };
    proxies_apply(worker);
    worker->http.router = routes_router(routes);
    // A request whose body is still arriving points at its target: the old routes outlive it.
    routes_retire(worker->routes, &worker->retired, worker->loop.now_ms + body_ms + RETIRE_MS);
    worker->routes = routes;
}

// Connections that come from now on speak with these; the others keep what they began with.
static void worker_take_secrets(struct worker *worker, struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        worker->listeners[i].tls = secrets->items[i];
    }
    secrets_unref(worker->secrets);
    worker->secrets = secrets_ref(secrets);
}

static void worker_on_config(struct worker *worker, struct message *message)
{
    struct config_message *posted = container_of(message, struct config_message, message);

    config_unref(worker->session.config);
    worker->session.config = config_ref(posted->config);
    worker_take_secrets(worker, posted->secrets);
    worker_apply_config(worker);
    message->destroy(message);
}

static void worker_on_message(void *context, struct message *message)
{
    struct worker *worker = context;

    switch (message->kind) {
    case MESSAGE_PUBLICATION:
        worker_on_publication(worker, message);
        break;
    case MESSAGE_REPLY:
        slots_deliver(&worker->slots, message);
        break;
    case MESSAGE_CONFIG:
        worker_on_config(worker, message);
        break;
    case MESSAGE_STOP:
        worker_drain(worker);
        message->destroy(message);
        break;
    case MESSAGE_CONTROL:
        worker_on_lost(worker, message);
        break;
    }
}

// --- step 3: the worker's own timers ---

static void worker_on_tick(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, tick);
    size_t depth;
    size_t bytes;

    routes_bury(&worker->retired, worker->loop.now_ms);
    census_sweep(worker->shared->census, worker->id, worker->shared->worker_count);
    hub_sweep(worker->shared->hub, worker->id, worker->shared->worker_count);
    mailbox_depth(&worker->mailbox, &depth, &bytes);
    metric_set(METRIC_MAILBOX_DEPTH, (int64_t)depth);
    metric_set(METRIC_MAILBOX_BYTES, (int64_t)bytes);
    timer_arm(&worker->timers, timer, worker->loop.now_ms + TICK_MS);
}

// --- the turn ---

static int worker_wait_ms(struct worker *worker)
{
    if (net_has_ready(&worker->net) || mailbox_is_pending(&worker->mailbox)) {
        return 0;
    }
    return timers_until_next(&worker->timers, worker->loop.now_ms, WAIT_MAX_MS);
}

// Counts the time from each publication's arrival to the write just done.
static void worker_count_lags(struct worker *worker)
{
    int64_t now_us = clock_now_us();

    for (size_t i = 0; i < worker->lag_count; i++) {
        metric_observe_us(METRIC_PUBLISH_LAG, now_us - worker->lags[i].time_us,
                          worker->lags[i].deliveries);
    }
    metric_observe_us(METRIC_TURN_TIME, now_us - worker->loop.now_us, 1);
    worker->lag_count = 0;
}

// Nothing is written before step 4, so what one turn hands out must fit the queue of a client that
// reads well: half of it, and the rest next turn.
static struct mailbox_budget worker_budget(const struct worker *worker)
{
    return (struct mailbox_budget){MESSAGES_MAX,
                                   (size_t)worker->session.config->client.queue_max_size / 2};
}

static void worker_turn(struct worker *worker)
{
    bool left = loop_poll(&worker->loop, worker_wait_ms(worker)); // 1 sockets: read, parse, queue
    net_run_ready(&worker->net);
    // 2 other threads: publications, replies, control
    left |= mailbox_drain(&worker->mailbox, worker_on_message, worker, worker_budget(worker));
    // 3 deadlines and pings
    left |= timers_run(&worker->timers, worker->loop.now_ms, TIMERS_MAX);
    net_flush(&worker->net); // 4 every connection with output: one write
    worker_count_lags(worker);
    net_bury(&worker->net); // 5 free what was closed in this turn
    metric_add(METRIC_TURNS, 1);
    metric_add(METRIC_TURN_LEFTOVERS, left);
    atomic_store_explicit(&worker->shared->heartbeats_ms[worker->id], worker->loop.now_ms,
                          memory_order_relaxed);
}

static void worker_begin(struct worker *worker)
{
    int error = mailbox_attach(&worker->mailbox, &worker->loop);

    assert_always(error == 0);
    for (size_t i = 0; i < worker->shared->listeners->count; i++) {
        struct listening *item = &worker->shared->listeners->items[i];
        struct listener *listener = &worker->listeners[i];
        listener->name = item->config->name;
        listener->serves = item->serves;
        listener->is_unix = item->is_unix;
        listener->proxy_trusted = item->proxy_trusted;
        listener->proxy_timeout_ms = item->config->proxy_timeout_ms;
        error = listener_start(listener, &worker->net, item->fds[worker->id]);
        assert_always(error == 0);
        item->fds[worker->id] = LISTENING_TAKEN;
    }
    timer_init(&worker->tick, worker_on_tick);
    timer_init(&worker->drain, worker_on_drain);
    // Spread, so that the workers do not sweep at the same instant.
    timer_arm(&worker->timers, &worker->tick, worker->loop.now_ms + (int64_t)rand_below(TICK_MS));
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;

    metrics_attach(worker->shared->metrics[worker->id]);
    worker_begin(worker);
    while (worker->stage != WORKER_STOPPED) {
        worker_turn(worker);
    }
    timer_cancel(&worker->tick);
    net_finish(&worker->net);
    atomic_fetch_sub(&worker->shared->running, 1);
    return NULL;
}

// --- made and freed by the main thread ---

// What a peer gets that speaks HTTP where TLS is spoken.
static struct blob *worker_refusal_plain(void)
{
    static const char text[] =
        "HTTP/1.1 400 Bad Request\r\nServer: tidegate\r\nContent-Type: application/json\r\n"
        "Connection: close\r\nContent-Length: 70\r\n\r\n"
        "{\"error\":{\"status\":400,\"message\":\"this port speaks HTTPS, not HTTP\"}}\n";
    struct blob *blob = blob_try_copy(bytes_make(text, sizeof(text) - 1));

    assert_always(blob != NULL);
    return blob;
}

int worker_init(struct worker *worker, unsigned id, struct worker_shared *shared,
                struct config *config)
{
    *worker = (struct worker){.id = id, .shared = shared};
    shared->started_wall_ms = id == 0 ? clock_wall_ms() : shared->started_wall_ms;
    int error = loop_init(&worker->loop);
    if (error < 0) {
        return error;
    }
    error = mailbox_init(&worker->mailbox, (size_t)config->worker.mailbox_max_size);
    if (error < 0) {
        loop_finish(&worker->loop);
        return error;
    }
    timers_init(&worker->timers, worker->loop.now_ms);
    list_init(&worker->retired);
    struct net_options options = {
        .loop = &worker->loop,
        .timers = &worker->timers,
        .census = shared->census,
        .on_accepted = worker_on_accepted,
        .on_ended = worker_on_ended,
        .context = worker,
        .refusal_plain = worker_refusal_plain(),
    };
    net_init(&worker->net, &options);
    slots_init(&worker->slots, (uint16_t)id);
    fanout_init(&worker->fanout, session_on_publication);
    session_worker_init(&worker->session, (uint16_t)id, &worker->slots, &worker->fanout,
                        shared->broker, config);
    websocket_worker_init(&worker->websocket, &worker->session);
    worker->listeners = mem_zalloc(shared->listeners->count * sizeof(*worker->listeners));
    worker_take_secrets(worker, shared->secrets);
    shared->mailboxes[id] = &worker->mailbox;
    atomic_store(&shared->heartbeats_ms[id], worker->loop.now_ms);
    return 0;
}

// A stack of a known size: the default of 8 MiB is large enough for the kernel to back it with huge
// pages, of which a worker would touch a few hundred bytes each.
static int worker_create_thread(struct worker *worker)
{
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    atomic_fetch_add(&worker->shared->running, 1);
    int error = pthread_create(&worker->thread, &attributes, worker_main, worker);
    pthread_attr_destroy(&attributes);
    return -error;
}

int worker_start(struct worker *worker)
{
    struct api_options api = {
        .session = &worker->session,
        .node = &worker->shared->node,
        .metrics = (struct metrics *const *)worker->shared->metrics,
        .worker_count = worker->shared->worker_count,
    };
    struct admin_options admin = {
        .metrics = (struct metrics *const *)worker->shared->metrics,
        .worker_count = worker->shared->worker_count,
        .started_wall_ms = worker->shared->started_wall_ms,
        .heartbeats_ms = worker->shared->heartbeats_ms,
        .readiness = &worker->shared->readiness,
    };
    api_worker_init(&worker->api, &api);
    admin_worker_init(&worker->admin, &admin);
    worker_apply_config(worker);
    return worker_create_thread(worker);
}

static void stop_destroy(struct message *message)
{
    mem_free(message);
}

void worker_post_stop(struct worker *worker)
{
    struct message *message = mem_zalloc(sizeof(*message));

    message->kind = MESSAGE_STOP;
    message->destroy = stop_destroy;
    mailbox_post(&worker->mailbox, message);
}

static void config_message_destroy(struct message *message)
{
    struct config_message *posted = container_of(message, struct config_message, message);

    config_unref(posted->config);
    secrets_unref(posted->secrets);
    mem_free(posted);
}

void worker_post_config(struct worker *worker, struct config *config)
{
    struct config_message *posted = mem_zalloc(sizeof(*posted));

    posted->message.kind = MESSAGE_CONFIG;
    posted->message.destroy = config_message_destroy;
    posted->config = config_ref(config);
    posted->secrets = secrets_ref(worker->shared->secrets);
    mailbox_post(&worker->mailbox, &posted->message);
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
}

void worker_finish(struct worker *worker)
{
    mailbox_finish(&worker->mailbox);
    fanout_finish(&worker->fanout);
    slots_finish(&worker->slots);
    websocket_worker_finish(&worker->websocket);
    http_server_finish(&worker->http);
    routes_retire(worker->routes, &worker->retired, 0);
    routes_bury(&worker->retired, INT64_MAX);
    session_worker_finish(&worker->session);
    cidr_set_destroy(worker->proxies);
    mem_free(worker->listeners);
    secrets_unref(worker->secrets);
    loop_finish(&worker->loop);
}
