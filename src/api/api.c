// The API's door: who may come in, and from a request to a call.
// Owner: the worker. Lifetime: as long as the worker; routers come and go with the settings.
// Invariant: nothing of a body is read before the key was found right, and the settings asked are
// those of this moment, so a new key holds from the next request on.
#include "tidegate/api/api.h"

#include "answer.h"
#include "method.h"
#include "tidegate/session/api_key.h"

#define API_DEPTH_MAX 512

static struct api_worker *worker_of(struct http_target *target)
{
    return container_of(target, struct api_worker, target);
}

static bool wants_transport_errors(const struct api_worker *worker,
                                   const struct http_request *request)
{
    struct bytes value;
    return worker->options.session->config->http_api.error_mode_transport != 0 ||
           (http_request_header(request, "X-Centrifugo-Error-Mode", &value) &&
            bytes_equal(value, BYTES_OF("transport")));
}

static int find_method(const struct http_exchange *exchange, enum api_method *ret_method)
{
    struct bytes name = BYTES_EMPTY;
    (void)router_param(&exchange->match, "method", &name);
    return method_find(name, ret_method);
}

static int api_on_head(struct http_target *target, struct http_exchange *exchange)
{
    struct api_worker *worker = worker_of(target);
    char room[HTTP_API_KEY_ROOM];
    enum api_method method;
    struct bytes key = http_request_api_key(&exchange->request, room);
    if (!api_key_is_valid(worker->options.session->config, key)) {
        metric_add(METRIC_HTTP_REFUSED_401, 1);
        http_respond(exchange, &(struct http_response){.status = 401});
        return 401;
    }
    if (find_method(exchange, &method) < 0) {
        metric_add(METRIC_HTTP_REFUSED_404, 1);
        answer_error(exchange, API_NOT_FOUND, wants_transport_errors(worker, &exchange->request));
        return 404;
    }
    return 0;
}

// Whether a body is one JSON object.
static bool is_object(struct bytes body)
{
    size_t at = 0;
    while (at < body.len && (body.at[at] == ' ' || body.at[at] == '\t' || body.at[at] == '\n' ||
                             body.at[at] == '\r')) {
        at++;
    }
    return at < body.len && body.at[at] == '{' && json_is_valid(body, API_DEPTH_MAX);
}

static void api_on_request(struct http_target *target, struct http_exchange *exchange)
{
    struct api_worker *worker = worker_of(target);
    struct bytes body = exchange->request.body;
    enum api_method method;
    metric_add(METRIC_API_CALLS, 1);
    if (find_method(exchange, &method) < 0 || !is_object(body)) {
        metric_add(METRIC_API_ERRORS, 1);
        metric_add(METRIC_HTTP_REFUSED_400, 1);
        http_respond(exchange, &(struct http_response){.status = 400,
                                                       .content_type = "text/plain; charset=utf-8",
                                                       .body = BYTES_OF("Bad Request\n")});
        return;
    }
    struct api_call *call = call_create(worker, exchange);
    call->has_transport_errors =
        method != API_BATCH && wants_transport_errors(worker, &exchange->request);
    method_start(call, method, body);
    call_settle(call);
}

void api_worker_init(struct api_worker *worker, const struct api_options *options)
{
    *worker = (struct api_worker){
        .target = {.methods = 1u << HTTP_POST,
                   .on_head = api_on_head,
                   .on_request = api_on_request},
        .options = *options,
    };
}

int api_routes(struct api_worker *worker, struct router *router, unsigned serves)
{
    worker->target.serves = serves;
    return router_add(router, NULL, "/api/{method}", &worker->target);
}
