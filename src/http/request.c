// Questions to a request's headers. Owner: the exchange; any thread that holds the request.
// Lifetime: answers are views into the head and live as long as it does. Names are compared without
// regard to case (RFC 9110 §5.1); lists may be spread over several lines (§5.3).
#include "tidegate/http/request.h"

#include "tidegate/codec/url.h"

bool http_request_header(const struct http_request *request, const char *name,
                         struct bytes *ret_value)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (bytes_equal_nocase(request->headers[i].name, bytes_str(name))) {
            *ret_value = request->headers[i].value;
            return true;
        }
    }
    return false;
}

static bool list_has(struct bytes list, struct bytes token)
{
    struct bytes part;
    while (bytes_next_part(&list, ',', &part)) {
        if (bytes_equal_nocase(bytes_trim(part), token)) {
            return true;
        }
    }
    return false;
}

bool http_request_has_token(const struct http_request *request, const char *name, const char *token)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (bytes_equal_nocase(header->name, bytes_str(name)) &&
            list_has(header->value, bytes_str(token))) {
            return true;
        }
    }
    return false;
}

// RFC 6265 §4.2.1: pairs separated by semicolons; a value may stand in quotes.
static bool find_cookie(struct bytes pairs, struct bytes name, struct bytes *ret_value)
{
    struct bytes pair;
    while (bytes_next_part(&pairs, ';', &pair)) {
        ptrdiff_t mark = bytes_find(pair, '=');
        if (mark < 0 || !bytes_equal(bytes_trim(bytes_make(pair.at, (size_t)mark)), name)) {
            continue;
        }
        struct bytes value = bytes_trim(bytes_skip(pair, (size_t)mark + 1));
        if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"') {
            value = bytes_make(value.at + 1, value.len - 2);
        }
        *ret_value = value;
        return true;
    }
    return false;
}

bool http_request_cookie(const struct http_request *request, const char *name,
                         struct bytes *ret_value)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (bytes_equal_nocase(header->name, BYTES_OF("cookie")) &&
            find_cookie(header->value, bytes_str(name), ret_value)) {
            return true;
        }
    }
    return false;
}

// The key of "Authorization: apikey KEY"; empty when it is something else.
static struct bytes key_of_authorization(struct bytes value)
{
    struct bytes scheme = BYTES_EMPTY;
    struct bytes rest = value;
    if (!bytes_next_part(&rest, ' ', &scheme) || !bytes_equal_nocase(scheme, BYTES_OF("apikey")) ||
        rest.at == NULL) {
        return BYTES_EMPTY;
    }
    return bytes_trim(rest);
}

struct bytes http_request_api_key(const struct http_request *request, char *room)
{
    struct bytes value;
    if (http_request_header(request, "X-API-Key", &value) && value.len > 0) {
        return value;
    }
    if (http_request_header(request, "Authorization", &value) && value.len > 0) {
        return key_of_authorization(value);
    }
    if (!url_query_get(request->query, "api_key", &value) || value.len > HTTP_API_KEY_ROOM) {
        return BYTES_EMPTY;
    }
    ptrdiff_t len = url_decode(value, true, room);
    return len > 0 ? bytes_make(room, (size_t)len) : BYTES_EMPTY;
}
