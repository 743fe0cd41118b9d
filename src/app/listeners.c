// Opening every listener for every worker: TCP once a worker with SO_REUSEPORT, Unix sockets once,
// and duplicated. Port 0 is resolved by the first worker's socket and shared by the others. Owner:
// main thread.

#include "listeners.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/log.h"
#include "tidegate/base/mem.h"
#include "tidegate/net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static unsigned listeners_bits(const struct config_listener *config)
{
    unsigned bits = 0;

    for (size_t i = 0; i < config->serves.count; i++) {
        bool is_internal = strcmp(config->serves.items[i], "internal") == 0;
        bits |= is_internal ? LISTENER_INTERNAL : LISTENER_PUBLIC;
    }
    return bits;
}

static int listening_open_fds(struct listening *item, struct addr *addr, unsigned worker_count)
{
    for (unsigned i = 0; i < worker_count; i++) {
        int fd;
        if (!item->is_unix) {
            fd = listener_open_tcp(addr, (int)item->config->backlog);
        } else if (i == 0) {
            fd = listener_open_unix(item->config->path, (int)item->config->backlog);
        } else {
            fd = fcntl(item->fds[0], F_DUPFD_CLOEXEC, 0);
            fd = fd < 0 ? -errno : fd;
        }
        if (fd < 0) {
            return fd;
        }
        item->fds[i] = fd;
    }
    return 0;
}

static int listening_open(struct listening *item, const struct config_listener *config,
                          unsigned worker_count)
{
    struct addr addr = {.family = ADDR_UNIX};
    int error = 0;

    *item = (struct listening){.config = config,
                               .serves = listeners_bits(config),
                               .is_unix = config->path[0] != '\0',
                               .fds = mem_alloc(worker_count * sizeof(int))};
    if (config->proxy_protocol == PROXY_PROTOCOL_REQUIRED) {
        item->proxy_trusted = cidr_set_create((const char *const *)config->proxy_trusted.items,
                                              config->proxy_trusted.count);
        assert_always(item->proxy_trusted != NULL);
    }
    for (unsigned i = 0; i < worker_count; i++) {
        item->fds[i] = -1;
    }
    if (!item->is_unix) {
        error = addr_parse(config->address, (uint16_t)config->port, &addr);
    }
    error = error < 0 ? error : listening_open_fds(item, &addr, worker_count);
    if (error < 0) {
        log_at(LOG_ERROR, "cannot listen", log_text("name", config->name),
               log_text("address", item->is_unix ? config->path : config->address),
               log_num("port", config->port), log_text("error", strerror(-error)));
        return error;
    }
    log_at(LOG_INFO, "listening", log_text("name", config->name),
           log_text("address", item->is_unix ? config->path : config->address),
           log_num("port", addr.port));
    return 0;
}

int listeners_open(struct listeners *listeners, struct config *config, unsigned worker_count)
{
    *listeners = (struct listeners){
        .config = config_ref(config),
        .items = mem_zalloc(config->listener_count * sizeof(struct listening)),
        .worker_count = worker_count,
    };
    bool has_internal = false;
    for (size_t i = 0; i < config->listener_count; i++) {
        listeners->count = i + 1;
        int error = listening_open(&listeners->items[i], &config->listeners[i], worker_count);
        if (error < 0) {
            listeners_close(listeners);
            return error;
        }
        has_internal |= (listeners->items[i].serves & LISTENER_INTERNAL) != 0;
    }
    listeners->internal_bits = has_internal ? LISTENER_INTERNAL : LISTENER_PUBLIC;
    return 0;
}

void listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct listening *item = &listeners->items[i];
        bool was_open = false;
        for (unsigned w = 0; item->fds != NULL && w < listeners->worker_count; w++) {
            was_open |= item->fds[w] != -1;
            if (item->fds[w] >= 0) {
                close(item->fds[w]);
            }
        }
        if (item->is_unix && was_open) {
            unlink(item->config->path);
        }
        mem_free(item->fds);
        cidr_set_destroy(item->proxy_trusted);
    }
    mem_free(listeners->items);
    config_unref(listeners->config);
    *listeners = (struct listeners){0};
}
