// From settings to a router: a table of kinds, one row each.
// Owner: the worker; the snapshot is held until the next one replaces it.

#include "routes.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/log.h"
#include "tidegate/base/mem.h"
#include "tidegate/endpoint/channel.h"
#include "tidegate/endpoint/echo.h"
#include "tidegate/http/files.h"

#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

union route_target {
    struct http_target target; // every kind begins with it
    struct echo_target echo;
    struct channel_target channel;
    struct files_target files;
};

struct routes {
    struct list link;      // worker.retired
    int64_t due_ms;        // when they are freed, once retired
    struct config *config; // counted
    struct router *router;
    union route_target *targets; // owned array, by route
    size_t count;
};

static int route_init_echo(union route_target *target, struct worker *worker,
                           const struct config_route *route)
{
    echo_init(&target->echo, &worker->websocket, route);
    return 0;
}

static int route_init_channel(union route_target *target, struct worker *worker,
                              const struct config_route *route)
{
    channel_init(&target->channel, &worker->websocket, route);
    return 0;
}

static int route_init_files(union route_target *target, struct worker *worker,
                            const struct config_route *route)
{
    (void)worker;
    return files_init(&target->files, route->root, route->index);
}

static void route_finish_files(union route_target *target)
{
    files_finish(&target->files);
}

static const struct route_kind {
    int (*init)(union route_target *target, struct worker *worker,
                const struct config_route *route);
    void (*finish)(union route_target *target); // NULL: nothing to do
} route_kinds[] = {
    [ROUTE_ECHO] = {route_init_echo, NULL},
    [ROUTE_CHANNEL] = {route_init_channel, NULL},
    [ROUTE_FILES] = {route_init_files, route_finish_files},
};

static void routes_add(struct routes *routes, struct worker *worker, size_t index)
{
    const struct config_route *route = &routes->config->routes[index];
    union route_target *target = &routes->targets[index];
    int error = route_kinds[route->kind].init(target, worker, route);

    if (error < 0) {
        // It was there when the settings were checked; the other routes are served all the same.
        log_at(LOG_ERROR, "route not served", log_text("path", route->path),
               log_text("error", strerror(-error)));
        target->target.on_request = NULL;
        return;
    }
    target->target.serves = LISTENER_PUBLIC;
    const char *host = route->host[0] != '\0' ? route->host : NULL;
    error = router_add(routes->router, host, route->path, target);
    assert_always(error == 0);
}

struct routes *routes_create(struct worker *worker)
{
    struct routes *routes = mem_zalloc(sizeof(*routes));
    struct config *config = worker->session.config;
    unsigned internal = worker->shared->listeners->internal_bits;

    routes->config = config_ref(config);
    routes->count = config->route_count;
    routes->targets = mem_zalloc((config->route_count + 1) * sizeof(*routes->targets));
    routes->router = router_create();
    int error = api_routes(&worker->api, routes->router, internal);
    error = error < 0 ? error : admin_routes(&worker->admin, routes->router, internal);
    assert_always(error == 0);
    for (size_t i = 0; i < routes->count; i++) {
        routes_add(routes, worker, i);
    }
    return routes;
}

static void routes_destroy(struct routes *routes)
{
    router_destroy(routes->router);
    for (size_t i = 0; i < routes->count; i++) {
        const struct route_kind *kind = &route_kinds[routes->config->routes[i].kind];
        if (kind->finish != NULL && routes->targets[i].target.on_request != NULL) {
            kind->finish(&routes->targets[i]);
        }
    }
    mem_free(routes->targets);
    config_unref(routes->config);
    mem_free(routes);
}

void routes_retire(struct routes *routes, struct list *retired, int64_t due_ms)
{
    if (routes != NULL) {
        routes->due_ms = due_ms;
        list_append(retired, &routes->link);
    }
}

void routes_bury(struct list *retired, int64_t now_ms)
{
    list_for_each_safe(link, retired)
    {
        struct routes *routes = list_entry(link, struct routes, link);
        if (routes->due_ms <= now_ms) {
            list_remove(link);
            routes_destroy(routes);
        }
    }
}

const struct router *routes_router(const struct routes *routes)
{
    return routes->router;
}

int routes_check(const struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        if (route->kind != ROUTE_FILES) {
            continue;
        }
        int fd = open(route->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
            int error = -errno;
            log_at(LOG_ERROR, "cannot open the folder of a route", log_text("path", route->path),
                   log_text("root", route->root), log_text("error", strerror(-error)));
            return error;
        }
        close(fd);
    }
    return 0;
}
