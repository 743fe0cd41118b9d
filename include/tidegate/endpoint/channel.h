// Route kind "channel": one channel a connection, named by the path. The same URL is a WebSocket,
// an SSE stream when the request accepts text/event-stream, and a place to POST publications to.
// Owner: the worker.
#ifndef TIDEGATE_ENDPOINT_CHANNEL_H
#define TIDEGATE_ENDPOINT_CHANNEL_H

#include "tidegate/endpoint/websocket.h"

struct channel_target {
    struct http_target target;
    struct websocket_worker *worker;  // borrowed
    const struct config_route *route; // borrowed from the snapshot the router was built of
};

void channel_init(struct channel_target *channel, struct websocket_worker *worker,
                  const struct config_route *route);

#endif
