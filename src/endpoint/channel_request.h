// What a request to a channel route asks for. Owner: the worker, while the request is handled.
#ifndef TIDEGATE_ENDPOINT_CHANNEL_REQUEST_H
#define TIDEGATE_ENDPOINT_CHANNEL_REQUEST_H

#include "tidegate/channel/name.h"
#include "tidegate/endpoint/channel.h"

// The transports' indexes: part of a wire form's number (session/session.h).
enum { SINK_WEBSOCKET, SINK_SSE, SINK_WEBSOCKET_DEFLATED };

_Static_assert(SINK_WEBSOCKET_DEFLATED < SESSION_SINKS, "every transport has its form numbers");

struct channel_request {
    struct session_options options; // `options.channel` is in `name`
    const struct session_protocol *protocol;
    char name[CHANNEL_NAME_MAX];
};

// The channel's name from the route's template and the path: 0, or -EINVAL, -ENAMETOOLONG.
int channel_request_name(const struct channel_target *channel, const struct router_match *match,
                         char *to, size_t *ret_len);

// Everything from path, query and headers. 0, or a status and *ret_problem.
int channel_request_read(const struct channel_target *channel, const struct http_exchange *exchange,
                         struct channel_request *ret_request, const char **ret_problem);

// Opens the stream as SSE. The exchange is answered.
void sse_begin(struct channel_target *channel, struct http_exchange *exchange,
               const struct channel_request *request);

// Publishes the body as it is. Answered when the broker has.
void channel_post(struct channel_target *channel, struct http_exchange *exchange);

// 0, or the status that refuses a POST before its body is read.
int channel_post_check(struct channel_target *channel, const struct http_exchange *exchange);

#endif
