// The HTTP API for services: POST /api/<method> with a JSON object (reference: docs/api.md).
// One of these a worker; it answers on the worker's connections and asks the worker's broker.
#ifndef TIDEGATE_API_API_H
#define TIDEGATE_API_API_H

#include "tidegate/base/metrics.h"
#include "tidegate/http/server.h"
#include "tidegate/session/session.h"

#define API_NODE_UID_LEN 16
#define API_NODE_NAME_MAX 64

// Who this process is to those who ask. Made once by the main thread, then constant.
struct api_node {
    char uid[API_NODE_UID_LEN + 1];   // random letters, new with each start
    char name[API_NODE_NAME_MAX + 1]; // the host's name
    int64_t started_ms;               // monotonic
};

struct api_options {
    struct session_worker *session; // borrowed; the broker, the slots and the settings are its
    const struct api_node *node;    // borrowed
    struct metrics *const *metrics; // borrowed array, a block a worker
    unsigned worker_count;
};

// Owner: the worker. Calls that wait for an answer point here, so it outlives its connections.
struct api_worker {
    struct http_target target;
    struct api_options options;
};

// Gives this process its name and number, and the time of its start: now.
void api_node_init(struct api_node *node);

void api_worker_init(struct api_worker *worker, const struct api_options *options);

// Adds the API's route, answered on listeners that serve one of `serves`. May be called again for
// another router. 0 or router_add()'s errors.
int api_routes(struct api_worker *worker, struct router *router, unsigned serves) ATTR_MUST_CHECK;

#endif
