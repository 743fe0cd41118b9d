// What operators and their tools ask: /metrics (Prometheus), /livez and /readyz. GET and HEAD.
// One of these a worker; it answers at once, from what all workers have written down.
#ifndef TIDEGATE_ADMIN_ADMIN_H
#define TIDEGATE_ADMIN_ADMIN_H

#include "tidegate/base/metrics.h"
#include "tidegate/http/server.h"

#include <stdatomic.h>

enum admin_readiness { ADMIN_STARTING, ADMIN_READY, ADMIN_DRAINING, ADMIN_FULL };

struct admin_options {
    struct metrics *const *metrics; // borrowed array, a block a worker
    unsigned worker_count;
    const _Atomic int64_t *heartbeats_ms; // borrowed array: monotonic time of each worker's last
                                          // turn; 0 = it has not begun
    const _Atomic int *readiness;         // borrowed; enum admin_readiness
    int64_t started_wall_ms;              // since 1970
};

// Owner: the worker.
struct admin_worker {
    struct http_target metrics;
    struct http_target live;
    struct http_target ready;
    struct admin_options options;
};

void admin_worker_init(struct admin_worker *worker, const struct admin_options *options);

// Adds the routes, answered on listeners that serve one of `serves`. May be called again for
// another router. 0 or router_add()'s errors.
int admin_routes(struct admin_worker *worker, struct router *router,
                 unsigned serves) ATTR_MUST_CHECK;

#endif
