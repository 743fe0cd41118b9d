// Sec-WebSocket-Extensions: the same is agreed whether the offers stand in one line or in several;
// what is agreed is always an answer to what was offered (RFC 7692 §7.1). An input is the value.
#include "fuzz.h"

#include "tidegate/ws/deflate.h"

#define OFFERS_MAX 100

static void print(const struct ws_deflate *deflate, struct buf *out)
{
    buf_init(out, 512);
    if (deflate->is_on) {
        FUZZ_REQUIRE(ws_deflate_print(deflate, out) == 0);
    }
}

static void check(struct bytes value, bool may_take_over)
{
    static struct http_header lines[OFFERS_MAX];
    const struct bytes name = BYTES_OF("sec-websocket-extensions");
    struct http_header whole = {name, bytes_trim(value)};
    struct http_request request = {.headers = &whole, .header_count = 1};
    struct ws_deflate agreed = ws_deflate_negotiate(&request, may_take_over);
    struct bytes part;
    struct buf a;
    struct buf b;
    size_t count = 0;
    while (count < OFFERS_MAX && bytes_next_part(&value, ',', &part)) {
        lines[count++] = (struct http_header){name, bytes_trim(part)};
    }
    if (value.at != NULL) {
        return;
    }
    request = (struct http_request){.headers = lines, .header_count = count};
    struct ws_deflate again = ws_deflate_negotiate(&request, may_take_over);
    print(&agreed, &a);
    print(&again, &b);
    FUZZ_REQUIRE(agreed.is_on == again.is_on && bytes_equal(buf_bytes(&a), buf_bytes(&b)));
    if (agreed.is_on) {
        FUZZ_REQUIRE(agreed.server_bits >= WS_WINDOW_BITS_MIN);
        FUZZ_REQUIRE(agreed.server_bits <= WS_WINDOW_BITS_MAX);
        FUZZ_REQUIRE(agreed.client_bits >= WS_WINDOW_BITS_MIN);
        FUZZ_REQUIRE(agreed.client_bits <= WS_WINDOW_BITS_MAX);
        FUZZ_REQUIRE(may_take_over || (!agreed.server_takeover && !agreed.client_takeover));
    }
    buf_finish(&a);
    buf_finish(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(bytes_make(data, size), false);
    check(bytes_make(data, size), true);
    return 0;
}
