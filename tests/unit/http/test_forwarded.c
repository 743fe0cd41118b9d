// Whose a request is behind proxies: what is believed of whom, and that nothing else is.
// Owner: the test.
#include "rig.h"

#include "tidegate/http/forwarded.h"

#define ALL (FORWARDED_X_FOR | FORWARDED_RFC7239 | FORWARDED_X_REAL_IP)
#define LINES_MAX 64

static const char *const proxies[] = {"10.0.0.0/8", "2001:db8:aaaa::/48", "unix"};

static struct addr address(const char *ip)
{
    struct addr addr = {.family = ADDR_UNIX};
    if (strcmp(ip, "unix") != 0) {
        cr_assert_eq(addr_parse(ip, 99, &addr), 0, "%s", ip);
    }
    return addr;
}

// What is found from `peer` with the header lines "Name: value", NULL-terminated.
static struct forwarded find(unsigned headers, const char *peer, const char *const *lines)
{
    struct http_header fields[LINES_MAX];
    struct http_request request = {.headers = fields};
    struct cidr_set *set = cidr_set_create(proxies, ARRAY_LEN(proxies));
    struct forwarded_trust trust = {set, headers};
    struct addr from = address(peer);
    for (; *lines != NULL; lines++) {
        struct bytes line = bytes_str(*lines);
        ptrdiff_t colon = bytes_find(line, ':');
        fields[request.header_count].name = bytes_make(line.at, (size_t)colon);
        struct bytes value = bytes_trim(bytes_skip(line, (size_t)colon + 1));
        fields[request.header_count++].value = value.len > 0 ? value : BYTES_EMPTY;
    }
    struct forwarded found = forwarded_find(&request, &trust, &from, false);
    cidr_set_destroy(set);
    return found;
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect(const char *peer, const char *client, const char *const *lines)
{
    char text[ADDR_TEXT_MAX];
    struct forwarded found = find(ALL, peer, lines);
    cr_assert_str_eq(addr_print(&found.client, text), client, "%s: %s, not %s", lines[0], text,
                     client);
}

Test(forwarded, a_peer_that_is_not_trusted_speaks_for_itself)
{
    expect("192.0.2.1", "192.0.2.1:99",
           LINES("X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9",
                 "X-Real-IP: 203.0.113.9", "X-Forwarded-Proto: https"));
    cr_assert_not(find(ALL, "192.0.2.1", LINES("X-Forwarded-Proto: https")).is_secure);
}

Test(forwarded, without_a_header_a_proxy_is_the_client)
{
    expect("10.0.0.1", "10.0.0.1:99", LINES("Host: x"));
}

Test(forwarded, the_first_untrusted_hop_from_the_right_is_the_client)
{
    expect("10.0.0.1", "203.0.113.9:0", LINES("X-Forwarded-For: 203.0.113.9"));
    expect("10.0.0.1", "203.0.113.9:0", LINES("x-forwarded-for: 203.0.113.9, 10.0.0.3,10.0.0.2"));
    expect("10.0.0.1", "203.0.113.9:0", LINES("X-Forwarded-For: 6.6.6.6, 203.0.113.9"));
    expect("10.0.0.1", "203.0.113.9:0", LINES("X-Forwarded-For: 10.0.0.7, 203.0.113.9, 10.0.0.2"));
    expect("unix", "203.0.113.9:0", LINES("X-Forwarded-For: 203.0.113.9"));
    expect("2001:db8:aaaa::1", "[2001:db8::9]:0", LINES("X-Forwarded-For: 2001:db8::9"));
}

Test(forwarded, where_all_hops_are_trusted_the_leftmost_is_the_client)
{
    expect("10.0.0.1", "10.0.0.3:0", LINES("X-Forwarded-For: 10.0.0.3, 10.0.0.2"));
}

Test(forwarded, several_lines_are_one_list)
{
    expect("10.0.0.1", "203.0.113.9:0",
           LINES("X-Forwarded-For: 6.6.6.6", "Host: x", "X-Forwarded-For: 203.0.113.9",
                 "X-Forwarded-For: 10.0.0.2"));
    expect("10.0.0.1", "203.0.113.9:0",
           LINES("Forwarded: for=6.6.6.6", "Forwarded: for=203.0.113.9, for=10.0.0.2"));
}

Test(forwarded, ports_and_brackets_are_understood)
{
    static const char *const rows[][2] = {
        {"203.0.113.9:4711", "203.0.113.9:4711"},
        {"203.0.113.9:0", "203.0.113.9:0"},
        {"203.0.113.9:65535", "203.0.113.9:65535"},
        {"203.0.113.9:_obfuscated", "203.0.113.9:0"},
        {"[2001:db8::9]", "[2001:db8::9]:0"},
        {"[2001:db8::9]:4711", "[2001:db8::9]:4711"},
        {"[::ffff:203.0.113.9]:4711", "203.0.113.9:4711"},
        {"::ffff:203.0.113.9", "203.0.113.9:0"},
        {"1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[128];
        snprintf(line, sizeof(line), "X-Forwarded-For: 6.6.6.6, %s", rows[i][0]);
        expect("10.0.0.1", rows[i][1], LINES(line));
        snprintf(line, sizeof(line), "Forwarded: for=6.6.6.6, for=\"%s\"", rows[i][0]);
        expect("10.0.0.1", rows[i][1], LINES(line));
        snprintf(line, sizeof(line), "X-Real-IP: %s", rows[i][0]);
        expect("10.0.0.1", rows[i][1], LINES(line));
    }
}

Test(forwarded, what_is_no_address_ends_the_walk_at_the_last_trusted_hop)
{
    static const char *const bad[] = {
        "",
        "unknown",
        "_hidden",
        "localhost",
        "203.0.113",
        "203.0.113.999",
        "203.0.113.9:",
        "203.0.113.9:x",
        "203.0.113.9:65536",
        "203.0.113.9:-1",
        "[2001:db8::9",
        "2001:db8::9]",
        "[203.0.113.9]",
        "[]",
        "[]:1",
        "[2001:db8::9]x",
        "[2001:db8::9]:",
        "fe80::1%lo",
        "203.0.113.9 6.6.6.6",
        ":",
        "::g",
        "\"203.0.113.9",
        "203.0.113.9\"",
        ":80",
        "203.0.113.9:123456",
        "[203.0.113.9]:80",
        "203.0.113.9:000080",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff:1111",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char line[256];
        snprintf(line, sizeof(line), "X-Forwarded-For: 6.6.6.6, %s, 10.0.0.2", bad[i]);
        expect("10.0.0.1", "10.0.0.2:0", LINES(line));
        snprintf(line, sizeof(line), "X-Forwarded-For: 6.6.6.6, %s", bad[i]);
        expect("10.0.0.1", "10.0.0.1:99", LINES(line));
        // A header that is there and cannot be read is not made up for by another one.
        expect("10.0.0.1", "10.0.0.1:99",
               LINES(line, "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6"));
        snprintf(line, sizeof(line), "X-Real-IP: %s", bad[i]);
        expect("10.0.0.1", "10.0.0.1:99", LINES(line));
    }
    expect("10.0.0.1", "10.0.0.1:99", LINES("X-Forwarded-For:", "X-Real-IP: 6.6.6.6"));
    expect("10.0.0.1", "10.0.0.1:99", LINES("X-Forwarded-For: 6.6.6.6", "X-Forwarded-For:"));
}

Test(forwarded, rfc_7239_is_read_with_its_quotes)
{
    static const char *const rows[][2] = {
        {"for=203.0.113.9", "203.0.113.9:0"},
        {"For=203.0.113.9", "203.0.113.9:0"},
        {"for=\"203.0.113.9\"", "203.0.113.9:0"},
        {"FOR=\"[2001:db8:cafe::17]:4711\"", "[2001:db8:cafe::17]:4711"},
        {"for=203.0.113.9;proto=http;by=203.0.113.43", "203.0.113.9:0"},
        {"proto=https; for=203.0.113.9 ;host=\"a,b;c\"", "203.0.113.9:0"},
        {"for=6.6.6.6, for=203.0.113.9", "203.0.113.9:0"},
        {"for=6.6.6.6,for=203.0.113.9;host=\"x\\\",for=7.7.7.7\"", "203.0.113.9:0"},
        {"for=203.0.113.9;ext=\"\\\\\"", "203.0.113.9:0"},
        {"for=203.0.113.9;host=\"a,\\\"b\"", "203.0.113.9:0"},
        {"for=unknown", "10.0.0.1:99"},
        {"for=_gazonk", "10.0.0.1:99"},
        {"for=\"_gazonk:80\"", "10.0.0.1:99"},
        {"for=6.6.6.6, for=_gazonk, for=10.0.0.2", "10.0.0.2:0"},
        {"for=6.6.6.6;for=7.7.7.7", "10.0.0.1:99"},
        {"by=6.6.6.6", "10.0.0.1:99"},
        {"for", "10.0.0.1:99"},
        {"for=", "10.0.0.1:99"},
        {"for=\"\"", "10.0.0.1:99"},
        {"=6.6.6.6", "10.0.0.1:99"},
        {"for =6.6.6.6", "10.0.0.1:99"},
        {"for=6.6.6.6,", "10.0.0.1:99"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[256];
        snprintf(line, sizeof(line), "Forwarded: %s", rows[i][0]);
        expect("10.0.0.1", rows[i][1], LINES(line));
    }
}

// What the client wrote stands to the left of what the proxy added, and may not swallow it.
Test(forwarded, an_open_quote_of_the_client_hides_nothing)
{
    expect("10.0.0.1", "203.0.113.9:0", LINES("Forwarded: for=\"6.6.6.6, for=203.0.113.9"));
    expect("10.0.0.1", "203.0.113.9:0", LINES("Forwarded: for=\", for=203.0.113.9"));
    expect("10.0.0.1", "203.0.113.9:0", LINES("Forwarded: \\\\\\\", for=\"203.0.113.9\""));
    expect("10.0.0.1", "203.0.113.9:0", LINES("Forwarded: for=\"", "Forwarded: for=203.0.113.9"));
}

Test(forwarded, of_several_headers_the_first_in_order_counts)
{
    const char *const *lines = LINES("X-Real-IP: 3.3.3.3", "Forwarded: for=2.2.2.2;proto=https",
                                     "X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: http");
    static const struct {
        unsigned headers;
        const char *client;
        bool is_secure;
    } rows[] = {
        {ALL, "1.1.1.1:0", false},
        {FORWARDED_RFC7239 | FORWARDED_X_REAL_IP, "2.2.2.2:0", true},
        {FORWARDED_RFC7239, "2.2.2.2:0", true},
        {FORWARDED_X_REAL_IP, "3.3.3.3:0", false},
        {0, "10.0.0.1:99", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[ADDR_TEXT_MAX];
        struct forwarded found = find(rows[i].headers, "10.0.0.1", lines);
        cr_assert_str_eq(addr_print(&found.client, text), rows[i].client, "row %zu", i);
        cr_assert_eq(found.is_secure, rows[i].is_secure, "row %zu", i);
    }
}

Test(forwarded, x_real_ip_twice_is_believed_neither_time)
{
    expect("10.0.0.1", "10.0.0.1:99", LINES("X-Real-IP: 1.1.1.1", "X-Real-IP: 1.1.1.1"));
}

Test(forwarded, the_scheme_is_what_the_nearest_proxy_says)
{
    static const struct {
        const char *line;
        bool is_secure;
    } rows[] = {
        {"X-Forwarded-Proto: https", true},        {"X-Forwarded-Proto: HTTPS", true},
        {"X-Forwarded-Proto: wss", true},          {"X-Forwarded-Proto: http", false},
        {"X-Forwarded-Proto: https, http", false}, {"X-Forwarded-Proto: http,https", true},
        {"X-Forwarded-Proto: gopher", false},      {"X-Forwarded-Proto:", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert_eq(find(ALL, "10.0.0.1", LINES(rows[i].line)).is_secure, rows[i].is_secure, "%s",
                     rows[i].line);
    }
    cr_assert(find(ALL, "10.0.0.1", LINES("X-Forwarded-Proto: http", "X-Forwarded-Proto: https"))
                  .is_secure);
    // That of the element that names the client.
    cr_assert(find(ALL, "10.0.0.1",
                   LINES("Forwarded: for=6.6.6.6;proto=http, for=1.1.1.1;proto=https, "
                         "for=10.0.0.2;proto=http"))
                  .is_secure);
}

Test(forwarded, the_walk_has_an_end)
{
    char line[2048] = "X-Forwarded-For: 203.0.113.9";
    for (int i = 0; i < 100; i++) {
        char hop[32];
        snprintf(hop, sizeof(hop), ", 10.0.0.%d", i);
        strcat(line, hop);
    }
    // 99 is the nearest, the first of 32.
    expect("10.0.0.1", "10.0.0.68:0", LINES(line));
}

Test(forwarded, random_values_never_break_the_walk)
{
    static const char letters[] = "\"\\,;=[]:. for10_x";
    uint32_t seed = 99;
    for (int round = 0; round < 20000; round++) {
        static const char *const names[] = {"Forwarded: ", "X-Forwarded-For: ", "X-Real-IP: "};
        char line[80];
        size_t len = (size_t)snprintf(line, sizeof(line), "%s", names[round % 3]);
        for (size_t end = len + (size_t)round % 40; len < end; len++) {
            seed = seed * 1664525u + 1013904223u;
            line[len] = letters[(seed >> 16) % (sizeof(letters) - 1)];
        }
        line[len] = '\0';
        // From the heap, so that a byte read too far is seen.
        char *copy = strdup(line);
        cr_assert(find(ALL, "10.0.0.1", LINES(copy)).client.family != ADDR_NONE);
        free(copy);
    }
}

// --- on a connection ---

static struct forwarded seen;

static void on_request(struct http_target *target, struct http_exchange *exchange)
{
    seen = exchange->from;
    rig_echo(target, exchange);
}

struct front {
    struct rig rig;
    struct http_target target;
    struct cidr_set *set;
};

// A target at "/seen" that may take connections over, behind a trusted proxy on a Unix socket.
static void front_begin(struct front *front)
{
    rig_begin(&front->rig);
    front->set = cidr_set_create(proxies, ARRAY_LEN(proxies));
    front->rig.net.proxies = front->set;
    front->rig.server.trust = (struct forwarded_trust){front->set, ALL};
    front->target = rig_target(on_request);
    front->target.takes_over = true;
    cr_assert_eq(router_add(front->rig.router, NULL, "/seen", &front->target), 0);
    // The rig's own connection came before anybody was trusted.
    rig_hang_up(&front->rig);
    rig_connect(&front->rig);
}

static void front_end(struct front *front)
{
    rig_end(&front->rig);
    cidr_set_destroy(front->set);
}

static void expect_seen(const char *client)
{
    char text[ADDR_TEXT_MAX];
    cr_assert_str_eq(addr_print(&seen.client, text), client);
}

#define ASK(ip) BYTES_OF("GET /seen HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " ip "\r\n\r\n")

Test(forwarded, each_request_of_a_connection_has_its_own_client)
{
    struct front front;
    front_begin(&front);
    rig_send(&front.rig, ASK("1.1.1.1"));
    expect_seen("1.1.1.1:0");
    rig_send(&front.rig, ASK("2.2.2.2"));
    expect_seen("2.2.2.2:0");
    rig_send(&front.rig, BYTES_OF("GET /seen HTTP/1.1\r\nHost: x\r\n\r\n"));
    expect_seen("unix");
    cr_assert_eq(front.rig.conn->peer.family, ADDR_UNIX);
    cr_assert_null(front.rig.conn->via);
    front_end(&front);
}

Test(forwarded, a_client_over_its_limit_is_told_so_and_others_are_not)
{
    struct front front;
    struct addr client = address("1.1.1.1");
    front_begin(&front);
    census_configure(front.rig.census, &(struct census_limits){.address_max = 1});
    cr_assert_eq(census_enter(front.rig.census, &client), CENSUS_OK);
    rig_send(&front.rig, ASK("2.2.2.2"));
    cr_assert_eq(rig_status(&front.rig), 200);
    // An answer gives the place back: the same client may ask again.
    rig_send(&front.rig, ASK("2.2.2.2"));
    cr_assert_eq(rig_count(&front.rig, "HTTP/1.1 200"), 2);
    rig_send(&front.rig, ASK("1.1.1.1"));
    cr_assert_eq(rig_count(&front.rig, "HTTP/1.1 503"), 1);
    cr_assert(rig_saw(&front.rig, "too many connections from this address"));
    cr_assert(front.rig.is_closed);
    rig_hang_up(&front.rig);
    cr_assert_eq(front.rig.net.refusing, 0);
    census_leave(front.rig.census, &client);
    front_end(&front);
}

static struct conn *taken;

static void keep_bytes(struct conn *conn)
{
    conn_consume(conn, conn->in.len);
}

static void keep_closed(struct conn *conn, enum close_reason reason)
{
    (void)conn;
    (void)reason;
    taken = NULL;
}

static void on_take(struct http_target *target, struct http_exchange *exchange)
{
    static const struct conn_handler keep = {.on_bytes = keep_bytes, .on_closed = keep_closed};
    (void)target;
    taken = http_take_over(exchange);
    conn_set_handler(taken, &keep, NULL);
}

Test(forwarded, who_takes_the_connection_over_is_its_peer_and_is_counted_until_it_ends)
{
    struct front front;
    struct addr client = address("1.1.1.1");
    char text[ADDR_TEXT_MAX];
    front_begin(&front);
    front.target.on_request = on_take;
    census_configure(front.rig.census, &(struct census_limits){.address_max = 1});
    rig_send(&front.rig, ASK("1.1.1.1"));
    cr_assert_not_null(taken);
    cr_assert_str_eq(addr_print(&taken->peer, text), "1.1.1.1:0");
    cr_assert_eq(taken->via->family, ADDR_UNIX);
    cr_assert_eq(census_enter(front.rig.census, &client), CENSUS_ADDRESS_LIMIT);
    rig_hang_up(&front.rig);
    cr_assert_null(taken);
    cr_assert_eq(census_total(front.rig.census), 0);
    cr_assert_eq(census_enter(front.rig.census, &client), CENSUS_OK);
    census_leave(front.rig.census, &client);
    front_end(&front);
}

Test(forwarded, a_proxy_itself_is_not_limited_by_its_address)
{
    struct front front;
    struct addr proxy = address("10.0.0.1");
    front_begin(&front);
    census_configure(front.rig.census,
                     &(struct census_limits){.address_max = 1, .address_rate = 1});
    for (int i = 0; i < 3; i++) {
        int pair[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        struct conn *conn = net_adopt(&front.rig.net, pair[1], &proxy, &front.rig.listener);
        cr_assert_not_null(conn);
        cr_assert_eq(conn->refusal, CENSUS_OK);
        close(pair[0]);
    }
    rig_run(&front.rig);
    front_end(&front);
}
