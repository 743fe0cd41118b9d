// Responses: status line, the headers every response has, the caller's, the body; and refusals with
// their JSON body. Head and small bodies go out as one blob; a body that is a blob already is not
// copied.
// Owner: the connection's worker. Lifetime: nothing here outlives a call but the thread's date
// text. Invariant: one response an exchange; every response says how long it is and whether it is
// the last.
#include "link.h"

#include "tidegate/net/census.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/codec/json_write.h"

#include <stdio.h>
#include <time.h>

static const struct {
    int status;
    const char *text;
} status_rows[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(status_rows); i++) {
        if (status_rows[i].status == status) {
            return status_rows[i].text;
        }
    }
    return "Unknown";
}

// RFC 9110 §5.6.7, made once a second.
static const char *date_now(void)
{
    static _Thread_local char text[32];
    static _Thread_local time_t made;
    time_t now = (time_t)(clock_wall_ms() / 1000);

    if (now != made) {
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        made = now;
    }
    return text;
}

static bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

struct outgoing {
    const struct http_response *response;
    struct bytes body;
    bool is_head;  // HEAD: the body's length is told, the body is not sent
    bool is_last;  // the connection ends after it
    uint8_t minor; // of the request
};

// Appends "name: value" unless `value` is NULL.
static char *put_field(char *at, const char *name, const char *value)
{
    return value != NULL ? at + sprintf(at, "%s: %s\r\n", name, value) : at;
}

static void copy_to(char **at, struct bytes data)
{
    if (data.len > 0) {
        memcpy(*at, data.at, data.len);
        *at += data.len;
    }
}

// The whole response in one blob, or all but the body when that is a blob itself. NULL: no memory.
static struct blob *response_build(const struct outgoing *out)
{
    const struct http_response *response = out->response;
    char head[512];
    char *at = head + sprintf(head, "HTTP/1.1 %d %s\r\n", response->status,
                              http_status_text(response->status));
    assert_always(response->content_type == NULL || strlen(response->content_type) < 200);
    at = put_field(at, "Server", "tidegate");
    at = put_field(at, "Date", date_now());
    at = put_field(at, "Content-Type", response->content_type);
    if (!has_no_body(response->status)) {
        at += sprintf(at, "Content-Length: %zu\r\n", out->body.len);
    }
    if (out->is_last) {
        at = put_field(at, "Connection", "close");
    } else if (out->minor == 0) {
        at = put_field(at, "Connection", "keep-alive");
    }
    bool copies_body =
        response->body_blob == NULL && !out->is_head && !has_no_body(response->status);
    struct bytes body = copies_body ? out->body : BYTES_EMPTY;
    size_t head_len = (size_t)(at - head);
    struct blob *blob = blob_try_create(head_len + response->headers.len + 2 + body.len);
    if (blob != NULL) {
        char *to = blob->data;
        copy_to(&to, bytes_make(head, head_len));
        copy_to(&to, response->headers);
        copy_to(&to, BYTES_OF("\r\n"));
        copy_to(&to, body);
    }
    return blob;
}

// Queues the response. The reference to its body_blob is taken over in every case. False when the
// connection had to be closed instead: then the link may be gone.
static bool response_send(struct conn *conn, const struct outgoing *out)
{
    struct blob *body = out->response->body_blob;
    struct blob *head = response_build(out);
    if (head == NULL) {
        blob_unref(body);
        conn_close(conn, CLOSE_INTERNAL_ERROR);
        return false;
    }
    (void)conn_send(conn, head, OUTBOX_KEY_CONTROL, NULL);
    if (body != NULL && (out->is_head || has_no_body(out->response->status))) {
        blob_unref(body);
    } else if (body != NULL) {
        (void)conn_send(conn, body, OUTBOX_KEY_CONTROL, NULL);
    }
    return true;
}

static void respond(struct http_exchange *public, const struct http_response *response,
                    enum close_reason reason)
{
    struct exchange *exchange = exchange_of(public);
    struct http_link *link = exchange->link;

    assert_always(!public->responded);
    public->responded = true;
    if (link->is_gone || link->phase == LINK_DONE) {
        blob_unref(response->body_blob);
        return;
    }
    bool is_unread = link->phase == LINK_BODY;
    struct outgoing out = {
        .response = response,
        .body = response->body_blob != NULL ? blob_bytes(response->body_blob) : response->body,
        .is_head = public->request.method == HTTP_HEAD,
        .is_last = is_unread || !public->request.keep_alive || link->server->is_draining ||
                   link->conn->refusal != CENSUS_OK,
        .minor = public->request.minor,
    };
    if (response_send(link->conn, &out)) {
        link_responded(link, out.is_last, reason);
    }
}

void http_respond(struct http_exchange *exchange, const struct http_response *response)
{
    respond(exchange, response, CLOSE_RESPONSE_SENT);
}

static void count_refusal(int status)
{
    static const struct {
        int status;
        enum metric_id metric;
    } rows[] = {
        {400, METRIC_HTTP_REFUSED_400}, {401, METRIC_HTTP_REFUSED_401},
        {403, METRIC_HTTP_REFUSED_403}, {404, METRIC_HTTP_REFUSED_404},
        {405, METRIC_HTTP_REFUSED_405}, {408, METRIC_HTTP_REFUSED_408},
        {413, METRIC_HTTP_REFUSED_413}, {414, METRIC_HTTP_REFUSED_414},
        {426, METRIC_HTTP_REFUSED_426}, {431, METRIC_HTTP_REFUSED_431},
        {503, METRIC_HTTP_REFUSED_503},
    };
    enum metric_id metric = METRIC_HTTP_REFUSED_OTHER;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metric = rows[i].status == status ? rows[i].metric : metric;
    }
    metric_add(metric, 1);
}

#define REFUSAL_MAX 1024

// {"error":{"status":N,"message":"..."}}; a message that does not fit leaves the status alone.
static void refusal_print(struct buf *buf, int status, const char *message)
{
    struct json_writer writer;
    buf_init(buf, REFUSAL_MAX);
    json_write_begin(&writer, buf);
    json_open_object(&writer);
    json_key(&writer, "error");
    json_open_object(&writer);
    json_field_number(&writer, "status", status);
    json_field_string(&writer, "message", bytes_str(message));
    json_close_object(&writer);
    json_close_object(&writer);
    if (json_write_end(&writer) < 0) {
        buf_clear(buf);
    }
}

void http_refuse(struct http_exchange *exchange, int status, const char *message,
                 struct bytes headers)
{
    struct buf body;
    count_refusal(status);
    refusal_print(&body, status, message);
    struct http_response response = {
        .status = status,
        .content_type = "application/json",
        .headers = headers,
        .body = buf_bytes(&body),
    };
    respond(exchange, &response, CLOSE_HTTP_REFUSED);
    buf_finish(&body);
}

void response_refuse_link(struct http_link *link, const struct http_fault *fault)
{
    struct buf body;
    count_refusal(fault->status);
    refusal_print(&body, fault->status, fault->message);
    struct http_response response = {.status = fault->status, .content_type = "application/json"};
    struct outgoing out = {
        .response = &response, .body = buf_bytes(&body), .is_last = true, .minor = 1};
    if (link->exchange != NULL) {
        out.is_head = link->exchange->public.request.method == HTTP_HEAD;
        exchange_abandon(link->exchange);
    }
    if (!link->is_gone && response_send(link->conn, &out)) {
        link_responded(link, true, CLOSE_HTTP_REFUSED);
    }
    buf_finish(&body);
}
