// What one connection may send, and how long it may stay. Owner: the connection's worker.
#ifndef TIDEGATE_ENDPOINT_WEBSOCKET_LIMITS_H
#define TIDEGATE_ENDPOINT_WEBSOCKET_LIMITS_H

#include "tidegate/endpoint/websocket.h"

// About `lifetime_ms`, 10% more or less; 0 stays 0.
uint32_t limits_spread_lifetime(int64_t lifetime_ms);

// Milliseconds the connection may still stay, at least 1 until it is over and 0 then; INT64_MAX:
// for ever.
int64_t limits_time_left(const struct conn *conn, uint32_t lifetime_ms);

// Counts what came; CLOSE_NONE, or why the connection must end (the metric is counted).
enum close_reason limits_count_bytes(struct websocket *websocket, size_t n);
enum close_reason limits_count_message(struct websocket *websocket);
enum close_reason limits_count_ping(struct websocket *websocket);

// Looks whether a message is incomplete and for how long. After each read.
enum close_reason limits_check_message_time(struct websocket *websocket);

#endif
