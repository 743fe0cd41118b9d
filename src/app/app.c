// Start, reload, stop. Everything that can fail fails here, before a connection was accepted.
// Owner: main thread. Order: hub and broker before the workers, destroyed after all of them were
// joined.

#include "tidegate/app/app.h"

#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/process.h"
#include "tidegate/loop/signals.h"
#include "tidegate/net/census.h"
#include "tidegate/ws/handshake.h"

#include "cpus.h"
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define POLL_MS 20
#define TICK_MS 1000
#define IDEMPOTENCY_TTL_MS 300000

struct app {
    struct config *config; // counted; the snapshot in use
    const struct config_sources *sources;
    struct worker_shared shared;
    struct listeners listeners;
    struct worker *workers; // owned array
    unsigned worker_count;
    unsigned prepared; // workers that were initialized
    struct tls_common *tls;
};

static void app_configure_log(const struct config *config)
{
    log_configure((enum log_level)config->log.level, (enum log_format)config->log.format);
}

static void app_configure_limits(struct app *app)
{
    const struct config *config = app->config;
    struct census_limits limits = {
        .total_max = (uint32_t)config->client.connection_limit,
        .address_max = (uint32_t)config->client.connections_per_address,
        .total_rate = (uint32_t)config->client.connection_rate_limit,
        .address_rate = (uint32_t)config->client.connection_rate_per_address,
    };

    census_configure(app->shared.census, &limits);
}

// Newcomers are refused, and /readyz says so, while the process holds more than the watermark; it
// must fall a twentieth below before they are let in again.
static void app_check_memory(struct app *app)
{
    int64_t max = app->config->client.memory_watermark;
    int64_t rss = max > 0 ? process_rss_bytes() : 0;
    int readiness = atomic_load(&app->shared.readiness);
    bool is_full = readiness == ADMIN_FULL ? rss > max - max / 20 : rss > max;

    if (readiness == ADMIN_DRAINING || is_full == (readiness == ADMIN_FULL)) {
        return;
    }
    census_set_full(app->shared.census, is_full);
    atomic_store(&app->shared.readiness, is_full ? ADMIN_FULL : ADMIN_READY);
    log_at(LOG_WARN,
           is_full ? "memory watermark passed: newcomers are refused"
                   : "memory is back below its watermark",
           log_num("resident_bytes", rss), log_num("watermark", max));
}

// Every connection is a descriptor: takes all the process may have.
static void app_raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        log_at(LOG_INFO, "descriptors", log_num("limit", (int64_t)limit.rlim_cur));
    }
}

static void app_create_shared(struct app *app)
{
    const struct config *config = app->config;
    unsigned n = app->worker_count;
    struct worker_shared *shared = &app->shared;

    shared->worker_count = n;
    shared->listeners = &app->listeners;
    shared->mailboxes = mem_zalloc(n * sizeof(*shared->mailboxes));
    shared->metrics = mem_zalloc(n * sizeof(*shared->metrics));
    shared->heartbeats_ms = mem_zalloc(n * sizeof(*shared->heartbeats_ms));
    for (unsigned i = 0; i < n; i++) {
        shared->metrics[i] = metrics_create();
    }
    shared->census = census_create();
    struct hub_options options = {
        .mailboxes = shared->mailboxes,
        .worker_count = n,
        .channels_max = (uint32_t)config->channel.max_channels,
        .history_bytes_max = config->channel.history_max_size,
        .idempotency_keys_max = (uint32_t)config->channel.idempotency_keys_limit,
        .idempotency_ttl_ms = IDEMPOTENCY_TTL_MS,
    };
    shared->hub = hub_create(&options);
    shared->broker = broker_memory_create(shared->hub, shared->mailboxes);
    api_node_init(&shared->node);
    app_configure_limits(app);
}

static void app_destroy(struct app *app)
{
    struct worker_shared *shared = &app->shared;

    for (unsigned i = 0; i < app->prepared; i++) {
        worker_finish(&app->workers[i]);
    }
    mem_free(app->workers);
    listeners_close(&app->listeners);
    if (shared->hub != NULL) {
        shared->broker->ops->destroy(shared->broker);
        hub_destroy(shared->hub);
        census_destroy(shared->census);
        for (unsigned i = 0; i < app->worker_count; i++) {
            metrics_destroy(shared->metrics[i]);
        }
    }
    mem_free(shared->mailboxes);
    mem_free(shared->metrics);
    mem_free((void *)shared->heartbeats_ms);
    secrets_unref(shared->secrets);
    tls_common_destroy(app->tls);
    config_unref(app->config);
}

// Reads certificates and keys; a mistake is logged.
static int app_read_secrets(struct app *app, const struct config *config,
                            struct secrets **ret_secrets)
{
    struct secrets_error error;
    int result = secrets_create(config, app->tls, ret_secrets, &error);

    if (result < 0) {
        log_at(LOG_ERROR, "TLS cannot be used", log_text("error", error.text));
    }
    return result;
}

int app_check(const struct config *config, struct app_error *ret_error)
{
    struct tls_common *common = tls_common_create();
    struct secrets_error error;
    struct secrets *secrets = NULL;
    int result = secrets_create(config, common, &secrets, &error);

    if (result < 0) {
        memcpy(ret_error->text, error.text, sizeof(error.text));
    }
    secrets_unref(secrets);
    tls_common_destroy(common);
    return result;
}

static int app_prepare(struct app *app)
{
    const struct config *config = app->config;

    app->worker_count = config->workers > 0 ? (unsigned)config->workers : cpus_usable();
    app->worker_count = app->worker_count < HUB_WORKERS_MAX ? app->worker_count : HUB_WORKERS_MAX;
    int error = signals_block();
    if (error == 0 && ws_handshake_setup() < 0) {
        log_at(LOG_ERROR, "OpenSSL has no SHA-1, which WebSocket handshakes need");
        return -ENOTSUP;
    }
    app->tls = tls_common_create();
    error = error < 0 ? error : routes_check(config);
    error = error < 0 ? error : app_read_secrets(app, config, &app->shared.secrets);
    error = error < 0 ? error : listeners_open(&app->listeners, app->config, app->worker_count);
    if (error < 0) {
        return error;
    }
    app_create_shared(app);
    app->workers = mem_zalloc(app->worker_count * sizeof(*app->workers));
    for (unsigned i = 0; i < app->worker_count; i++) {
        error = worker_init(&app->workers[i], i, &app->shared, app->config);
        if (error < 0) {
            log_at(LOG_ERROR, "cannot prepare a worker", log_text("error", strerror(-error)));
            return error;
        }
        app->prepared++;
    }
    return 0;
}

static void app_reload(struct app *app)
{
    struct config_error error;
    struct config *next = NULL;
    struct secrets *secrets = NULL;
    const char *key = NULL;

    if (config_load(app->sources, &next, &error) < 0) {
        log_at(LOG_ERROR, "reload refused", log_text("error", error.text));
        return;
    }
    if (config_needs_restart(app->config, next, &key)) {
        log_at(LOG_ERROR, "reload refused: this setting needs a restart", log_text("key", key));
        config_unref(next);
        return;
    }
    if (routes_check(next) < 0 || app_read_secrets(app, next, &secrets) < 0) {
        log_at(LOG_ERROR, "reload refused");
        config_unref(next);
        return;
    }
    secrets_unref(app->shared.secrets);
    app->shared.secrets = secrets;
    config_unref(app->config);
    app->config = next;
    app_configure_log(next);
    app_configure_limits(app);
    for (unsigned i = 0; i < app->worker_count; i++) {
        worker_post_config(&app->workers[i], next);
    }
    log_at(LOG_INFO, "reloaded");
}

// Waits for the workers to end; another signal ends the process at once.
static void app_wait_stopped(struct app *app, int64_t until_ms)
{
    while (atomic_load(&app->shared.running) > 0 && clock_now_ms() < until_ms) {
        int signal_number = signals_wait(POLL_MS);
        if (signal_number == SIGTERM || signal_number == SIGINT) {
            log_at(LOG_WARN, "stopped at once by a second signal");
            _exit(EXIT_FAILURE);
        }
    }
}

static void app_stop(struct app *app)
{
    const struct config *config = app->config;

    log_at(LOG_INFO, "stopping", log_num("connections", census_total(app->shared.census)),
           log_num("drain_timeout_ms", config->shutdown.drain_timeout_ms));
    atomic_store(&app->shared.readiness, ADMIN_DRAINING);
    // Still accepting: a load balancer sends more until it has seen that this one is not ready.
    app_wait_stopped(app, clock_now_ms() + config->shutdown.delay_ms);
    for (unsigned i = 0; i < app->worker_count; i++) {
        worker_post_stop(&app->workers[i]);
    }
    app_wait_stopped(app, INT64_MAX);
    for (unsigned i = 0; i < app->worker_count; i++) {
        worker_join(&app->workers[i]);
    }
    log_at(LOG_INFO, "stopped");
}

static void app_serve(struct app *app)
{
    atomic_store(&app->shared.readiness, ADMIN_READY);
    log_at(LOG_INFO, "started", log_text("version", TIDEGATE_VERSION),
           log_num("workers", app->worker_count), log_num("pid", getpid()));
    for (;;) {
        int signal_number = signals_wait(TICK_MS);
        app_check_memory(app);
        if (signal_number == SIGHUP) {
            app_reload(app);
        } else if (signal_number == SIGTERM || signal_number == SIGINT) {
            app_stop(app);
            return;
        }
    }
}

int app_run(struct config *config, const struct config_sources *sources)
{
    struct app app = {.config = config, .sources = sources};

    app_configure_log(config);
    app_raise_descriptors();
    int error = app_prepare(&app);
    for (unsigned i = 0; error == 0 && i < app.worker_count; i++) {
        error = worker_start(&app.workers[i]);
        if (error < 0) {
            // Threads that run already hold what would have to be freed: the process ends.
            log_at(LOG_ERROR, "cannot start a worker", log_text("error", strerror(-error)));
            _exit(EXIT_FAILURE);
        }
    }
    if (error == 0) {
        app_serve(&app);
    }
    app_destroy(&app);
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
