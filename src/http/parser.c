// A whole head becomes a request. llhttp splits it into method, target, version and headers; what
// is checked after it are the rules no tokenizer knows: one Host, one way to frame the body, a
// target of a form that is served here (RFC 9112 §3.2, §6.1, §6.3). This is the only file that sees
// llhttp. Owner: none; pure functions, no state outlives a call. Invariant: llhttp and scan.c agree
// on the number of header lines and on the body's length, or the request is refused: a head that
// two readers understand differently is how smuggling begins.
#include "parser.h"

#include "scan.h"

#include <errno.h>

// llhttp's method constants bear the names of our own.
#define HTTP_GET LLHTTP_METHOD_GET
#define HTTP_HEAD LLHTTP_METHOD_HEAD
#define HTTP_POST LLHTTP_METHOD_POST
#define HTTP_PUT LLHTTP_METHOD_PUT
#define HTTP_DELETE LLHTTP_METHOD_DELETE
#define HTTP_OPTIONS LLHTTP_METHOD_OPTIONS
#define HTTP_PATCH LLHTTP_METHOD_PATCH
#include <llhttp.h>
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_PUT
#undef HTTP_DELETE
#undef HTTP_OPTIONS
#undef HTTP_PATCH

struct parse {
    llhttp_t llhttp;
    struct bytes target;
    struct http_header *headers; // borrowed
    size_t capacity;
    size_t count;
    bool in_value; // the next name begins a new header
};

static int refuse(struct http_fault *ret_fault, int status, const char *message)
{
    *ret_fault = (struct http_fault){status, message};
    return -EBADMSG;
}

// The head is one piece of memory, so pieces of one token follow each other in it.
static void extend(struct bytes *token, const char *at, size_t len)
{
    if (token->at == NULL) {
        token->at = at;
    }
    token->len = (size_t)(at + len - token->at);
}

static int on_target(llhttp_t *llhttp, const char *at, size_t len)
{
    struct parse *parse = container_of(llhttp, struct parse, llhttp);
    extend(&parse->target, at, len);
    return 0;
}

static int on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct parse *parse = container_of(llhttp, struct parse, llhttp);
    if (parse->count == 0 || parse->in_value) {
        if (parse->count == parse->capacity) {
            return HPE_USER;
        }
        parse->headers[parse->count++] = (struct http_header){BYTES_EMPTY, BYTES_EMPTY};
        parse->in_value = false;
    }
    extend(&parse->headers[parse->count - 1].name, at, len);
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct parse *parse = container_of(llhttp, struct parse, llhttp);
    if (parse->count == 0) {
        return HPE_USER;
    }
    parse->in_value = true;
    extend(&parse->headers[parse->count - 1].value, at, len);
    return 0;
}

static int on_value_complete(llhttp_t *llhttp)
{
    struct parse *parse = container_of(llhttp, struct parse, llhttp);
    parse->in_value = true; // also when the value is empty and on_value was not called
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp ATTR_UNUSED)
{
    return HPE_PAUSED; // the body is not llhttp's
}

static int run_llhttp(struct parse *parse, struct bytes head, struct http_fault *ret_fault)
{
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_url = on_target;
    settings.on_header_field = on_field;
    settings.on_header_value = on_value;
    settings.on_header_value_complete = on_value_complete;
    settings.on_headers_complete = on_headers_complete;
    llhttp_init(&parse->llhttp, HTTP_REQUEST, &settings);

    llhttp_errno_t error = llhttp_execute(&parse->llhttp, head.at, head.len);
    switch (error) {
    case HPE_PAUSED:
        return 0;
    case HPE_INVALID_METHOD:
        return refuse(ret_fault, 501, "unknown method");
    case HPE_INVALID_VERSION:
        return refuse(ret_fault, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    case HPE_INVALID_URL:
        return refuse(ret_fault, 400, "malformed request target");
    case HPE_INVALID_CONTENT_LENGTH:
        return refuse(ret_fault, 400, "malformed Content-Length");
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse(ret_fault, 400, "more than one way to frame the body");
    default:
        return refuse(ret_fault, 400, "malformed request head");
    }
}

static enum http_method method_of(struct bytes name)
{
    static const struct {
        struct bytes name;
        enum http_method method;
    } known[] = {
        {{"GET", 3}, HTTP_GET},     {{"HEAD", 4}, HTTP_HEAD},     {{"POST", 4}, HTTP_POST},
        {{"PUT", 3}, HTTP_PUT},     {{"DELETE", 6}, HTTP_DELETE}, {{"OPTIONS", 7}, HTTP_OPTIONS},
        {{"PATCH", 5}, HTTP_PATCH},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (bytes_equal(known[i].name, name)) {
            return known[i].method;
        }
    }
    return HTTP_OTHER;
}

// The one header `name`: its number of occurrences; *ret_value is the first's.
static size_t find_all(const struct http_request *request, const char *name,
                       struct bytes *ret_value)
{
    size_t found = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (bytes_equal_nocase(request->headers[i].name, bytes_str(name)) && found++ == 0) {
            *ret_value = request->headers[i].value;
        }
    }
    return found;
}

// Origin-form, or "*" for OPTIONS (RFC 9112 §3.2). This is no proxy: the other forms are refused.
static int read_target(struct http_request *request, struct http_fault *ret_fault)
{
    struct bytes target = request->target;
    bool is_asterisk = bytes_equal(target, BYTES_OF("*")) && request->method == HTTP_OPTIONS;
    if (target.len == 0 || (target.at[0] != '/' && !is_asterisk) || bytes_find(target, '#') >= 0) {
        return refuse(ret_fault, 400, "the request target must be a path");
    }
    ptrdiff_t mark = bytes_find(target, '?');
    request->path = mark >= 0 ? bytes_make(target.at, (size_t)mark) : target;
    request->query = mark >= 0 ? bytes_skip(target, (size_t)mark + 1) : BYTES_EMPTY;
    return 0;
}

// Host without its port: reg-name, IPv4 or "[IPv6]" (RFC 3986 §3.2.2, §3.2.3).
static bool split_host(struct bytes value, struct bytes *ret_host)
{
    static const char allowed[] = "-._~!$&'()*+,;=%";
    size_t i = 0;
    if (value.len > 0 && value.at[0] == '[') {
        for (i = 1; i < value.len && value.at[i] != ']'; i++) {
            if (strchr("0123456789abcdefABCDEF:.", value.at[i]) == NULL) {
                return false;
            }
        }
        if (i == value.len || i < 3) {
            return false;
        }
        i++;
    } else {
        for (; i < value.len && value.at[i] != ':'; i++) {
            char c = value.at[i];
            bool is_alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
            if (!is_alnum && strchr(allowed, c) == NULL) {
                return false;
            }
        }
    }
    *ret_host = bytes_make(value.at, i);
    uint64_t port = 0;
    struct bytes rest = bytes_skip(value, i);
    return i > 0 && (rest.len <= 1 ? rest.len == 0 || rest.at[0] == ':'
                                   : rest.at[0] == ':' &&
                                         bytes_to_u64(bytes_skip(rest, 1), 65535, &port) == 0);
}

static int read_host(struct http_request *request, struct http_fault *ret_fault)
{
    struct bytes value = BYTES_EMPTY;
    size_t found = find_all(request, "host", &value);
    if (found > 1) {
        return refuse(ret_fault, 400, "more than one Host header");
    }
    if (found == 0) {
        return request->minor == 0 ? 0 : refuse(ret_fault, 400, "missing Host header");
    }
    if (!split_host(value, &request->host)) {
        return refuse(ret_fault, 400, "malformed Host header");
    }
    return 0;
}

// RFC 9112 §6.3, without the choices: one Content-Length, or "chunked" alone, never both.
static int read_framing(struct http_request *request, struct http_fault *ret_fault)
{
    struct bytes length = BYTES_EMPTY;
    struct bytes coding = BYTES_EMPTY;
    size_t lengths = find_all(request, "content-length", &length);
    size_t codings = find_all(request, "transfer-encoding", &coding);
    if (lengths > 0 && codings > 0) {
        return refuse(ret_fault, 400, "both Content-Length and Transfer-Encoding");
    }
    if (lengths > 1) {
        return refuse(ret_fault, 400, "more than one Content-Length");
    }
    if (lengths == 1) {
        int r = bytes_to_u64(length, INT64_MAX, &request->content_length);
        if (r < 0) {
            return refuse(ret_fault, r == -ERANGE ? 413 : 400,
                          r == -ERANGE ? "body too large" : "malformed Content-Length");
        }
    }
    if (codings == 0) {
        return 0;
    }
    if (request->minor == 0) {
        return refuse(ret_fault, 400, "Transfer-Encoding in HTTP/1.0");
    }
    if (codings > 1 || !bytes_equal_nocase(coding, BYTES_OF("chunked"))) {
        return refuse(ret_fault, 501, "the only transfer coding here is chunked");
    }
    request->is_chunked = true;
    return 0;
}

static int read_connection(struct http_request *request, struct http_fault *ret_fault)
{
    struct bytes value = BYTES_EMPTY;
    bool closes = http_request_has_token(request, "connection", "close");
    request->keep_alive = !closes && (request->minor == 1 ||
                                      http_request_has_token(request, "connection", "keep-alive"));
    request->wants_upgrade = request->minor == 1 &&
                             http_request_has_token(request, "connection", "upgrade") &&
                             find_all(request, "upgrade", &value) > 0;
    // RFC 9110 §10.1.1: HTTP/1.0 has no expectations.
    size_t expectations = request->minor == 1 ? find_all(request, "expect", &value) : 0;
    if (expectations > 0) {
        if (expectations > 1 || !bytes_equal_nocase(value, BYTES_OF("100-continue"))) {
            return refuse(ret_fault, 417, "the only expectation met here is 100-continue");
        }
        request->expects_continue = request->is_chunked || request->content_length > 0;
    }
    return 0;
}

// Whether llhttp would frame the body as we do.
static bool agrees(const struct parse *parse, const struct http_request *request, size_t count)
{
    bool is_chunked = (parse->llhttp.flags & F_CHUNKED) != 0;
    return parse->count == count && is_chunked == request->is_chunked &&
           parse->llhttp.content_length == request->content_length &&
           parse->llhttp.http_minor == request->minor;
}

int parser_head(struct bytes head, struct http_header *headers, size_t count,
                struct http_request *ret_request, struct http_fault *ret_fault)
{
    struct parse parse = {.headers = headers, .capacity = count};
    int r = run_llhttp(&parse, head, ret_fault);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < parse.count; i++) {
        headers[i].value = bytes_trim(headers[i].value);
    }
    struct http_request request = {.headers = headers, .header_count = parse.count};
    // scan.c has seen two single spaces and a version of three known letters behind them.
    struct bytes line = bytes_make(head.at, (size_t)bytes_find(head, '\r'));
    request.method_name = bytes_make(line.at, (size_t)bytes_find(line, ' '));
    request.method = method_of(request.method_name);
    request.target = parse.target;
    request.minor = (uint8_t)(line.at[line.len - 1] - '0');

    r = read_target(&request, ret_fault);
    r = r < 0 ? r : read_host(&request, ret_fault);
    r = r < 0 ? r : read_framing(&request, ret_fault);
    r = r < 0 ? r : read_connection(&request, ret_fault);
    if (r == 0 && !agrees(&parse, &request, count)) {
        r = refuse(ret_fault, 400, "malformed request head");
    }
    if (r == 0) {
        *ret_request = request;
    }
    return r;
}
