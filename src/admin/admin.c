// The operators' targets: each answers at once with a page built from what is shared.
// Owner: the worker. Lifetime: as long as the worker; routers come and go with the settings.
// Invariant: nothing here waits for another worker, so health is told even when one hangs.
#include "tidegate/admin/admin.h"

#include "health.h"
#include "page.h"
#include "tidegate/base/clock.h"

#define PAGE_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define HEALTH_BYTES_MAX 256

// Sends what is in `body`, or says that it could not be made; frees it.
static void respond(struct http_exchange *exchange, int status, const char *content_type,
                    struct buf *body)
{
    if (status < 0) {
        http_refuse(exchange, 500, "the page could not be made", BYTES_EMPTY);
    } else {
        http_respond(exchange,
                     &(struct http_response){.status = status,
                                             .content_type = content_type,
                                             .headers = BYTES_OF("Cache-Control: no-store\r\n"),
                                             .body = buf_bytes(body)});
    }
    buf_finish(body);
}

static void metrics_on_request(struct http_target *target, struct http_exchange *exchange)
{
    struct admin_worker *worker = container_of(target, struct admin_worker, metrics);
    struct buf body;
    buf_init(&body, PAGE_BYTES_MAX);
    int r = page_print(&worker->options, &body);
    respond(exchange, r < 0 ? r : 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static void live_on_request(struct http_target *target, struct http_exchange *exchange)
{
    struct admin_worker *worker = container_of(target, struct admin_worker, live);
    struct buf body;
    buf_init(&body, HEALTH_BYTES_MAX);
    int status = health_live(&worker->options, clock_now_ms(), &body);
    respond(exchange, status, "application/json", &body);
}

static void ready_on_request(struct http_target *target, struct http_exchange *exchange)
{
    struct admin_worker *worker = container_of(target, struct admin_worker, ready);
    struct buf body;
    buf_init(&body, HEALTH_BYTES_MAX);
    int status = health_ready(&worker->options, clock_now_ms(), &body);
    respond(exchange, status, "application/json", &body);
}

static struct http_target target_of(void (*on_request)(struct http_target *,
                                                       struct http_exchange *))
{
    return (struct http_target){.methods = 1u << HTTP_GET | 1u << HTTP_HEAD,
                                .sees_refusals = true, // who looks after it must see it when full

                                .on_request = on_request};
}

void admin_worker_init(struct admin_worker *worker, const struct admin_options *options)
{
    *worker = (struct admin_worker){
        .metrics = target_of(metrics_on_request),
        .live = target_of(live_on_request),
        .ready = target_of(ready_on_request),
        .options = *options,
    };
}

int admin_routes(struct admin_worker *worker, struct router *router, unsigned serves)
{
    const struct {
        const char *path;
        struct http_target *target;
    } rows[] = {
        {"/metrics", &worker->metrics},
        {"/livez", &worker->live},
        {"/readyz", &worker->ready},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rows[i].target->serves = serves;
        int r = router_add(router, NULL, rows[i].path, rows[i].target);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
