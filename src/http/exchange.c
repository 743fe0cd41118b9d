// One request from its head to its answer: find the target, ask it about the head, collect the
// body, hand the whole over. Everything that can refuse a request without its body does so before a
// byte of the body is read. Owner: the connection's worker. Lifetime: one block with the headers
// and a copy of the head, so that a late answer may look at the request while the connection's
// input is long gone. Invariant: after a target was called the exchange may be answered, taken over
// or closed; nothing is done with it then but what the link's state says.
#include "link.h"

#include "parser.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/rand.h"
#include "tidegate/net/census.h"
#include "tidegate/net/listener.h"

#include <errno.h>
#include <stdio.h>

#define RETRY_SPREAD_S 10

int exchange_begin(struct http_link *link, struct bytes head, uint32_t count,
                   struct http_fault *ret_fault)
{
    size_t headers_size = count * sizeof(struct http_header);
    struct exchange *exchange = mem_try_alloc(sizeof(*exchange) + headers_size + head.len);
    if (exchange == NULL) {
        *ret_fault = (struct http_fault){503, "out of memory"};
        return -EBADMSG;
    }
    memset(exchange, 0, sizeof(*exchange));
    char *copy = (char *)exchange->headers + headers_size;
    memcpy(copy, head.at, head.len);
    exchange->link = link;
    exchange->public.conn = link->conn;
    exchange->public.server = link->server;
    buf_init(&exchange->body, link->server->limits.body_max);

    int r = parser_head(bytes_make(copy, head.len), exchange->headers, count,
                        &exchange->public.request, ret_fault);
    if (r < 0) {
        exchange_destroy(exchange);
        return r;
    }
    exchange->left = exchange->public.request.content_length;
    link->exchange = exchange;
    return 0;
}

void exchange_destroy(struct exchange *exchange)
{
    if (exchange != NULL) {
        buf_finish(&exchange->body);
        mem_free(exchange);
    }
}

static void exchange_bury(struct grave *grave)
{
    exchange_destroy(container_of(grave, struct exchange, grave));
}

void exchange_inter(struct exchange *exchange)
{
    exchange->grave.bury = exchange_bury;
    net_inter(exchange->public.conn->net, &exchange->grave);
}

void exchange_abandon(struct exchange *exchange)
{
    struct http_exchange *public = &exchange->public;
    if (!public->responded && public->on_abandoned != NULL) {
        public->responded = true;
        public->on_abandoned(public);
    }
}

static void refuse_method(struct http_exchange *public, unsigned methods)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    char line[96];
    int len = snprintf(line, sizeof(line), "Allow:");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if ((methods & (1u << i)) != 0) {
            const char *comma = line[len - 1] != ':' ? "," : "";
            len += snprintf(line + len, sizeof(line) - (size_t)len, "%s %s", comma, names[i]);
        }
    }
    snprintf(line + len, sizeof(line) - (size_t)len, "\r\n");
    http_refuse(public, 405, "method not allowed here", bytes_str(line));
}

// The target of the request, or NULL: then it is refused.
static struct http_target *find_target(struct http_exchange *public)
{
    const struct listener *listener = public->conn->listener;
    unsigned serves = listener != NULL ? listener->serves : ~0u;
    const struct http_request *request = &public->request;
    struct http_target *target = NULL;

    if (router_find(public->server->router, request->host, request->path, &public->match)) {
        target = public->match.target;
    }
    if (target == NULL || (target->serves & serves) == 0) {
        http_refuse(public, 404, "nothing here", BYTES_EMPTY);
        return NULL;
    }
    if ((target->methods & (1u << request->method)) == 0) {
        refuse_method(public, target->methods);
        return NULL;
    }
    return target;
}

bool http_refuse_limited(struct http_exchange *public)
{
    struct conn *conn = public->conn;
    char line[48];

    if (conn->refusal == CENSUS_OK) {
        return false;
    }
    const struct census_refusal *refusal = census_refusal(conn->refusal);
    snprintf(line, sizeof(line), "Retry-After: %u\r\n", 1 + (unsigned)rand_below(RETRY_SPREAD_S));
    http_refuse(public, refusal->status, refusal->message, bytes_str(line));
    return true;
}

// Whose request it is. Who may get the connection for good is counted under that address before.
static void find_client(struct exchange *exchange, const struct http_target *target)
{
    struct http_exchange *public = &exchange->public;
    struct http_link *link = exchange->link;
    struct conn *conn = link->conn;
    bool is_secure = conn->listener != NULL && conn->listener->tls != NULL;
    const struct addr *client = &public->from.client;

    public->from = forwarded_find(&public->request, &link->server->trust, &link->peer, is_secure);
    bool is_other = memcmp(client, &link->peer, sizeof(*client)) != 0;
    if (target->takes_over && public->request.method == HTTP_GET && is_other) {
        link->has_client = net_set_client(conn, client);
    }
}

void exchange_open(struct exchange *exchange)
{
    struct http_link *link = exchange->link;
    struct http_exchange *public = &exchange->public;
    const struct http_request *request = &public->request;
    bool has_body = request->is_chunked || request->content_length > 0;

    link->phase = has_body ? LINK_BODY : LINK_ANSWER;
    struct http_target *target = find_target(public);
    if (target == NULL) {
        return;
    }
    find_client(exchange, target);
    if (!target->sees_refusals && http_refuse_limited(public)) {
        return;
    }
    int status = target->on_head != NULL ? target->on_head(target, public) : 0;
    if (link->is_gone || public->responded) {
        return;
    }
    if (status != 0) {
        http_refuse(public, status, http_status_text(status), BYTES_EMPTY);
        return;
    }
    if (!has_body) {
        exchange_run(exchange);
        return;
    }
    if (request->content_length > link->server->limits.body_max) {
        http_refuse(public, 413, "body too large", BYTES_EMPTY);
        return;
    }
    chunked_begin(&exchange->chunked);
    if (request->expects_continue) {
        (void)conn_send_bytes(link->conn, BYTES_OF("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

int exchange_read(struct exchange *exchange, struct bytes in, size_t *ret_used,
                  struct http_fault *ret_fault)
{
    if (exchange->public.request.is_chunked) {
        return chunked_feed(&exchange->chunked, &exchange->link->server->limits, in,
                            &exchange->body, ret_used, ret_fault);
    }
    size_t take = in.len < exchange->left ? in.len : (size_t)exchange->left;
    if (buf_append(&exchange->body, bytes_make(in.at, take)) < 0) {
        *ret_used = 0;
        *ret_fault = (struct http_fault){503, "out of memory"};
        return -EBADMSG;
    }
    *ret_used = take;
    exchange->left -= take;
    return exchange->left == 0 ? 1 : 0;
}

void exchange_run(struct exchange *exchange)
{
    struct http_exchange *public = &exchange->public;
    struct http_target *target = public->match.target;

    exchange->link->phase = LINK_ANSWER;
    public->request.body = buf_bytes(&exchange->body);
    target->on_request(target, public);
}
