// One HTTP/1.1 request, whole: views into the connection's kept input, valid while it is handled.
// Owner: the exchange. RFC 9112, RFC 9110.
#ifndef TIDEGATE_HTTP_REQUEST_H
#define TIDEGATE_HTTP_REQUEST_H

#include "tidegate/base/bytes.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_PATCH,
    HTTP_OTHER
};

struct http_header {
    struct bytes name;  // as sent
    struct bytes value; // trimmed
};

#define HTTP_HEADERS_MAX 1000 // the setting's upper bound

struct http_request {
    enum http_method method;
    struct bytes method_name;
    struct bytes target; // as sent
    struct bytes path;   // raw, still percent-encoded
    struct bytes query;  // raw, without '?'
    struct bytes host;   // without the port
    uint8_t minor;       // HTTP/1.minor
    bool keep_alive;
    bool wants_upgrade; // Connection: upgrade, and an Upgrade header
    bool expects_continue;
    bool is_chunked;
    uint64_t content_length; // 0 when there is none
    const struct http_header *headers;
    size_t header_count;
    struct bytes body; // whole; empty until it has arrived
};

// The first header `name` (any case); false when it is not there.
bool http_request_header(const struct http_request *request, const char *name,
                         struct bytes *ret_value);

// Whether one of the comma-separated tokens of all headers `name` equals `token` (any case).
bool http_request_has_token(const struct http_request *request, const char *name,
                            const char *token);

// The value of cookie `name` in any Cookie header; false when it is not there. (RFC 6265 §5.4)
bool http_request_cookie(const struct http_request *request, const char *name,
                         struct bytes *ret_value);

#define HTTP_API_KEY_ROOM 3072

// The API key the request carries: X-API-Key, else "Authorization: apikey KEY", else ?api_key=,
// which is decoded into `room` (HTTP_API_KEY_ROOM bytes). Empty when there is none.
struct bytes http_request_api_key(const struct http_request *request, char *room);

#endif
