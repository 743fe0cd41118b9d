// What websocket_begin.c and websocket.c share. Owner: the connection's worker.
#ifndef TIDEGATE_ENDPOINT_WEBSOCKET_BEGIN_H
#define TIDEGATE_ENDPOINT_WEBSOCKET_BEGIN_H

#include "tidegate/endpoint/websocket.h"

// Makes `websocket` the handler of a connection that was taken over from HTTP.
void websocket_install(struct websocket *websocket, struct websocket_worker *worker,
                       const struct websocket_user *user, struct conn *conn,
                       const struct ws_deflate *deflate);

#endif
