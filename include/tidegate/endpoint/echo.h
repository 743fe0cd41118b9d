// Route kind "echo": every message back as it came, text and binary. Owner: the worker.
#ifndef TIDEGATE_ENDPOINT_ECHO_H
#define TIDEGATE_ENDPOINT_ECHO_H

#include "tidegate/endpoint/websocket.h"

struct echo_target {
    struct http_target target;
    struct websocket_worker *worker;  // borrowed
    const struct config_route *route; // borrowed from the snapshot the router was built of
};

void echo_init(struct echo_target *echo, struct websocket_worker *worker,
               const struct config_route *route);

#endif
