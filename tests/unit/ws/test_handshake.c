// The opening handshake (RFC 6455 §4.2): one good request, and every way to spoil it.
// Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/ws/handshake.h"

static void prepare(void)
{
    cr_assert_eq(ws_handshake_setup(), 0);
}

TestSuite(handshake, .init = prepare, .fini = leaks_check);

#define HEADERS_MAX 12

static struct http_header headers[HEADERS_MAX];
static struct http_request request;
static struct ws_handshake_options options;
static struct ws_handshake handshake;

static void add(const char *name, const char *value)
{
    headers[request.header_count++] = (struct http_header){bytes_str(name), bytes_str(value)};
}

// Replaces the header, or takes it out.
static void change(const char *name, const char *value)
{
    for (size_t i = 0; i < request.header_count; i++) {
        if (!bytes_equal_nocase(headers[i].name, bytes_str(name))) {
            continue;
        }
        if (value != NULL) {
            headers[i].value = bytes_str(value);
            return;
        }
        headers[i] = headers[--request.header_count];
        return;
    }
    cr_assert(false, "no header %s", name);
}

static void good_request(void)
{
    request = (struct http_request){.method = HTTP_GET, .minor = 1, .headers = headers};
    options = (struct ws_handshake_options){0};
    add("Host", "example.com");
    add("Upgrade", "websocket");
    add("Connection", "Upgrade");
    add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    add("Sec-WebSocket-Version", "13");
}

static void expect(enum ws_handshake_verdict verdict)
{
    enum ws_handshake_verdict got = ws_handshake_check(&request, &options, &handshake);
    cr_assert_eq(got, verdict, "verdict %d, not %d (%s)", (int)got, (int)verdict,
                 handshake.problem != NULL ? handshake.problem : "no problem");
    cr_assert_eq(handshake.problem == NULL, verdict == WS_HANDSHAKE_OK);
}

Test(handshake, the_example_of_the_rfc_gives_its_accept_value)
{
    good_request();
    expect(WS_HANDSHAKE_OK);
    cr_assert_str_eq(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    cr_assert_null(handshake.subprotocol);
}

Test(handshake, tokens_may_be_lists_and_any_case)
{
    good_request();
    change("Upgrade", "h2c, WebSocket");
    change("Connection", "keep-alive, upGRADE");
    expect(WS_HANDSHAKE_OK);
    cr_assert(ws_handshake_is_asked(&request));
}

Test(handshake, a_request_without_upgrade_does_not_ask)
{
    good_request();
    change("Upgrade", NULL);
    cr_assert(!ws_handshake_is_asked(&request));
    expect(WS_HANDSHAKE_BAD_REQUEST);
    good_request();
    change("Upgrade", "websockets");
    cr_assert(!ws_handshake_is_asked(&request));
    expect(WS_HANDSHAKE_BAD_REQUEST);
}

Test(handshake, only_get_opens)
{
    for (int method = HTTP_GET + 1; method <= HTTP_OTHER; method++) {
        good_request();
        request.method = (enum http_method)method;
        expect(WS_HANDSHAKE_BAD_METHOD);
    }
}

Test(handshake, http_1_0_is_refused)
{
    good_request();
    request.minor = 0;
    expect(WS_HANDSHAKE_BAD_REQUEST);
}

Test(handshake, the_connection_header_must_say_upgrade)
{
    good_request();
    change("Connection", "keep-alive");
    expect(WS_HANDSHAKE_BAD_REQUEST);
    good_request();
    change("Connection", NULL);
    expect(WS_HANDSHAKE_BAD_REQUEST);
}

Test(handshake, only_version_13_once_is_spoken)
{
    static const char *const bad[] = {"8", "0", "14", "13, 8", "013", "13 ", "", NULL};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        good_request();
        change("Sec-WebSocket-Version", bad[i]);
        expect(WS_HANDSHAKE_BAD_VERSION);
    }
    good_request();
    add("Sec-WebSocket-Version", "13");
    expect(WS_HANDSHAKE_BAD_VERSION);
}

Test(handshake, the_key_must_be_16_bytes_in_base64)
{
    static const char *const bad[] = {
        "",
        "short",
        "dGhlIHNhbXBsZSBub25jZQ=",      // a character short
        "dGhlIHNhbXBsZSBub25jZQ===",    // one too many
        "dGhlIHNhbXBsZSBub25jZWU=",     // 17 bytes
        "dGhlIHNhbXBsZSBub25jZWVl",     // 18 bytes
        "dGhlIHNhbXBsZSBub25j====",     // no base64
        "dGhlIHNhbXBsZSBub25j ZQ==",    // a space within
        "dGhlIHNhbXBsZSBub25j*Q==",     // no character of base64
        "dGhlIHNhbXBsZSBub25jZQ======", // far too long
        NULL,
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        good_request();
        change("Sec-WebSocket-Key", bad[i]);
        expect(WS_HANDSHAKE_BAD_REQUEST);
    }
}

Test(handshake, two_keys_are_refused)
{
    good_request();
    add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    expect(WS_HANDSHAKE_BAD_REQUEST);
}

Test(handshake, a_body_is_refused)
{
    good_request();
    request.content_length = 1;
    expect(WS_HANDSHAKE_BAD_REQUEST);
    good_request();
    request.is_chunked = true;
    expect(WS_HANDSHAKE_BAD_REQUEST);
}

Test(handshake, without_an_origin_it_is_no_browser_and_accepted)
{
    char *allowed[] = {(char[]){"https://app.example"}};
    good_request();
    options.allowed_origins = allowed;
    options.allowed_origin_count = 1;
    expect(WS_HANDSHAKE_OK);
}

Test(handshake, an_origin_must_match_a_glob)
{
    char *allowed[] = {(char[]){"https://app.example"}, (char[]){"https://*.inner.example:8443"}};
    static const char *const good[] = {"https://app.example", "HTTPS://App.Example",
                                       "https://a.inner.example:8443"};
    static const char *const bad[] = {"http://app.example",
                                      "https://app.example.evil",
                                      "https://xapp.example",
                                      "https://app.example:444",
                                      "https://a.inner.example",
                                      "null",
                                      ""};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        good_request();
        options =
            (struct ws_handshake_options){.allowed_origins = allowed, .allowed_origin_count = 2};
        add("Origin", good[i]);
        expect(WS_HANDSHAKE_OK);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        good_request();
        options =
            (struct ws_handshake_options){.allowed_origins = allowed, .allowed_origin_count = 2};
        add("Origin", bad[i]);
        expect(WS_HANDSHAKE_BAD_ORIGIN);
    }
}

Test(handshake, without_allowed_origins_no_browser_gets_in_and_a_star_lets_all_in)
{
    char *star[] = {(char[]){"*"}};
    good_request();
    add("Origin", "https://app.example");
    expect(WS_HANDSHAKE_BAD_ORIGIN);
    options.allowed_origins = star;
    options.allowed_origin_count = 1;
    expect(WS_HANDSHAKE_OK);
}

Test(handshake, two_origins_are_refused_and_one_that_is_too_long_too)
{
    char *star[] = {(char[]){"*"}};
    static char long_origin[600];
    good_request();
    options.allowed_origins = star;
    options.allowed_origin_count = 1;
    add("Origin", "https://app.example");
    add("Origin", "https://app.example");
    expect(WS_HANDSHAKE_BAD_ORIGIN);
    memset(long_origin, 'a', sizeof(long_origin) - 1);
    cr_assert(!ws_origin_is_allowed(bytes_str(long_origin), star, 1));
    cr_assert(ws_origin_is_allowed(bytes_make(long_origin, 512), star, 1));
}

Test(handshake, a_star_finds_no_match_behind_another_host)
{
    char *inner[] = {(char[]){"https://*.shop.example:444"}};
    static const char *const evil[] = {
        "https://evil.example/.shop.example:444",  "https://evil.example#.shop.example:444",
        "https://evil.example?.shop.example:444",  "https://u@evil.example/.shop.example:444",
        "https://evil.example,.shop.example:444",  "https://evil.example\\.shop.example:444",
        "https:///evil.example.shop.example:444/",
    };
    cr_assert(ws_origin_is_allowed(BYTES_OF("https://www.shop.example:444"), inner, 1));
    for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
        cr_expect(!ws_origin_is_allowed(bytes_str(evil[i]), inner, 1), "%s", evil[i]);
    }
}

Test(handshake, the_servers_preference_decides_the_subprotocol)
{
    char *spoken[] = {(char[]){"first"}, (char[]){"second"}};
    good_request();
    options.subprotocols = spoken;
    options.subprotocol_count = 2;
    add("Sec-WebSocket-Protocol", "other, second");
    expect(WS_HANDSHAKE_OK);
    cr_assert_str_eq(handshake.subprotocol, "second");
    add("Sec-WebSocket-Protocol", "first");
    expect(WS_HANDSHAKE_OK);
    cr_assert_str_eq(handshake.subprotocol, "first");
    change("Sec-WebSocket-Protocol", "firs, secondary");
    change("Sec-WebSocket-Protocol", NULL);
    change("Sec-WebSocket-Protocol", "firs, secondary");
    expect(WS_HANDSHAKE_OK);
    cr_assert_null(handshake.subprotocol);
}

static void expect_head(const char *expected)
{
    struct buf out;
    buf_init(&out, 1000);
    cr_assert_eq(ws_handshake_print(&handshake, &out), 0);
    cr_assert(bytes_equal(buf_bytes(&out), bytes_str(expected)), "%.*s", (int)out.len, out.at);
    buf_finish(&out);
}

Test(handshake, the_response_names_the_subprotocol_only_when_one_was_agreed)
{
    char *spoken[] = {(char[]){"chat"}};
    good_request();
    expect(WS_HANDSHAKE_OK);
    expect_head("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    options.subprotocols = spoken;
    options.subprotocol_count = 1;
    add("Sec-WebSocket-Protocol", "chat");
    expect(WS_HANDSHAKE_OK);
    expect_head("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                "Sec-WebSocket-Protocol: chat\r\n\r\n");
}

Test(handshake, a_response_that_does_not_fit_is_not_cut)
{
    struct buf out;
    good_request();
    expect(WS_HANDSHAKE_OK);
    buf_init(&out, 50);
    cr_assert_lt(ws_handshake_print(&handshake, &out), 0);
    cr_assert_eq(out.len, 0);
    buf_finish(&out);
}
