// Lists in header fields: tokens and cookies are found the same whether a list stands in one line
// or in several (RFC 9110 §5.3). An input is lines "name: value".
#include "fuzz.h"

#include "tidegate/http/request.h"

#define FIELDS_MAX 200

static struct http_header fields[FIELDS_MAX];

static struct http_request request_of(size_t count)
{
    return (struct http_request){.headers = fields, .header_count = count};
}

// The input's fields, each list as it stands there or cut at every separator.
static size_t read_fields(struct bytes input, bool is_cut)
{
    struct bytes line;
    size_t count = 0;
    while (fuzz_line(&input, &line)) {
        ptrdiff_t colon = bytes_find(line, ':');
        struct bytes name = bytes_make(line.at, colon < 0 ? line.len : (size_t)colon);
        struct bytes value = colon < 0 ? bytes_skip(line, line.len)
                                       : bytes_trim(bytes_skip(line, (size_t)colon + 1));
        char separator = bytes_equal_nocase(name, BYTES_OF("cookie")) ? ';' : ',';
        struct bytes part = value;
        while (count < FIELDS_MAX &&
               (is_cut ? bytes_next_part(&value, separator, &part) : value.at != NULL)) {
            fields[count++] = (struct http_header){name, bytes_trim(part)};
            value = is_cut ? value : BYTES_EMPTY;
        }
    }
    return count;
}

struct answers {
    bool has_upgrade;
    bool has_websocket;
    bool has_empty;
    bool has_cookie;
    struct bytes cookie;
};

static struct answers ask(const struct http_request *request)
{
    struct answers answers = {
        .has_upgrade = http_request_has_token(request, "Connection", "upgrade"),
        .has_websocket = http_request_has_token(request, "upgrade", "WebSocket"),
        .has_empty = http_request_has_token(request, "connection", ""),
    };
    answers.has_cookie = http_request_cookie(request, "id", &answers.cookie);
    return answers;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    char room[HTTP_API_KEY_ROOM];
    size_t count = read_fields(input, true);
    struct http_request request = request_of(count);
    struct answers cut = ask(&request);
    if (count == FIELDS_MAX) {
        return 0;
    }
    request = request_of(read_fields(input, false));
    struct answers whole = ask(&request);
    FUZZ_REQUIRE(whole.has_upgrade == cut.has_upgrade);
    FUZZ_REQUIRE(whole.has_websocket == cut.has_websocket && whole.has_empty == cut.has_empty);
    FUZZ_REQUIRE(whole.has_cookie == cut.has_cookie && bytes_equal(whole.cookie, cut.cookie));
    request.query = input;
    struct bytes key = http_request_api_key(&request, room);
    FUZZ_REQUIRE(key.len <= size);
    return 0;
}
