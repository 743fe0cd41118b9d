// The PROXY header: the grammar of both versions whole and split, and a connection that waits for
// it. Owner: the test.
#include "rig.h"

#include "tidegate/net/cidr.h"
#include "tidegate/net/proxy_protocol.h"

#include <stdio.h>

TestSuite(proxy_protocol, .fini = leaks_check);

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4_BLOCK "\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x67\x00\x50" // 192.0.2.7:4711, 10.0.0.1:80

static int parse(struct bytes in, struct proxy_header *header)
{
    const char *problem = NULL;
    int r = proxy_protocol_parse(in, header, &problem);
    cr_assert_eq(r < 0, problem != NULL);
    return r;
}

// The verdict on `in`, which no split may change: every shorter piece needs more or is refused
// already, and what stands behind a whole header is not looked at.
static int verdict(struct bytes in, struct proxy_header *header)
{
    struct proxy_header other;
    int r = parse(in, header);
    for (size_t len = 0; len < in.len; len++) {
        int part = parse(bytes_make(in.at, len), &other);
        cr_assert(r < 0 ? part <= 0 : part == (r > 0 && len >= header->len), "%zu bytes: %d", len,
                  part);
    }
    if (r > 0) {
        char longer[PROXY_HEADER_MAX + 64];
        memcpy(longer, in.at, header->len);
        memset(longer + header->len, '\n', 40);
        cr_assert_eq(parse(bytes_make(longer, header->len + 40), &other), 1);
        cr_assert_eq(other.len, header->len);
        cr_assert_eq(memcmp(&other.source, &header->source, sizeof(other.source)), 0);
    }
    return r;
}

static void expect_source(struct bytes in, const char *source)
{
    struct proxy_header header;
    char text[ADDR_TEXT_MAX];
    cr_assert_eq(verdict(in, &header), 1, "%.*s", (int)in.len, in.at);
    cr_assert_eq(header.len, in.len);
    cr_assert_eq(header.has_source, source != NULL);
    if (source != NULL) {
        cr_assert_str_eq(addr_print(&header.source, text), source);
    }
}

static void expect_refused(struct bytes in)
{
    struct proxy_header header;
    cr_assert_eq(verdict(in, &header), -EBADMSG, "%.*s", (int)in.len, in.at);
}

// --- version 1 ---

Test(proxy_protocol, a_line_tells_the_source)
{
    expect_source(BYTES_OF("PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n"), "192.0.2.7:4711");
    expect_source(BYTES_OF("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
                  "255.255.255.255:65535");
    expect_source(BYTES_OF("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0");
    expect_source(BYTES_OF("PROXY TCP6 2001:db8::7 ::1 4711 443\r\n"), "[2001:db8::7]:4711");
    expect_source(BYTES_OF("PROXY TCP6 ::ffff:192.0.2.7 ::1 4711 443\r\n"), "192.0.2.7:4711");
    expect_source(BYTES_OF("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
                  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

Test(proxy_protocol, an_unknown_line_leaves_the_address_alone)
{
    expect_source(BYTES_OF("PROXY UNKNOWN\r\n"), NULL);
    expect_source(BYTES_OF("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
                  NULL);
}

Test(proxy_protocol, a_line_that_is_not_the_grammars_is_refused)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY\tTCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
        "PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n",
        "PROXY TCP4 ::1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 ::1 1 2\r\n",
        "PROXY TCP4 ::ffff:1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP6 ::g ::1 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 02\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\r\n",
        "PROXY TCP4 1.1.1.1\r2.2.2.2 1 2\r\n",
        "PROXY UNKNOWN \x01\r\n",
        "PROXY UNKNOWN \xc3\xa4\r\n",
        "\n",
        "\r\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect_refused(bytes_str(bad[i]));
    }
    expect_refused(BYTES_OF("PROXY TCP4 1.1.1.1\0 2.2.2.2 1 2\r\n"));
    expect_refused(BYTES_OF("\0"));
}

Test(proxy_protocol, a_line_is_107_bytes_at_most)
{
    char line[PROXY_V1_MAX + 8];
    struct proxy_header header;
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + PROXY_V1_MAX - 2, "\r\n", 2);
    cr_assert_eq(verdict(bytes_make(line, PROXY_V1_MAX), &header), 1);
    cr_assert_eq(header.len, PROXY_V1_MAX);
    line[PROXY_V1_MAX - 2] = 'x';
    line[PROXY_V1_MAX - 1] = '\r';
    line[PROXY_V1_MAX] = '\n';
    cr_assert_eq(parse(bytes_make(line, PROXY_V1_MAX - 1), &header), 0);
    expect_refused(bytes_make(line, PROXY_V1_MAX + 1));
}

// --- version 2 ---

// A header with `block` behind the 16 bytes.
static struct bytes build(char *room, int command, int family, struct bytes block)
{
    memcpy(room, SIGNATURE, 12);
    room[12] = (char)command;
    room[13] = (char)family;
    room[14] = (char)(block.len >> 8);
    room[15] = (char)block.len;
    memcpy(room + 16, block.at, block.len);
    return bytes_make(room, 16 + block.len);
}

static char room[PROXY_HEADER_MAX + 16];

Test(proxy_protocol, a_block_tells_the_source)
{
    static const char six[] = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07" // 2001:db8::7
                              "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
                              "\x12\x67\x00\x50";
    static const char mapped[] = "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07"
                                 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
                                 "\x12\x67\x00\x50";
    expect_source(build(room, 0x21, 0x11, BYTES_OF(TCP4_BLOCK)), "192.0.2.7:4711");
    expect_source(build(room, 0x21, 0x21, bytes_make(six, 36)), "[2001:db8::7]:4711");
    expect_source(build(room, 0x21, 0x21, bytes_make(mapped, 36)), "192.0.2.7:4711");
}

Test(proxy_protocol, a_block_that_speaks_for_nobody_leaves_the_address_alone)
{
    char paths[216] = "/run/a.sock";
    // LOCAL, whatever stands behind it.
    expect_source(build(room, 0x20, 0x00, BYTES_OF("")), NULL);
    expect_source(build(room, 0x20, 0x11, BYTES_OF(TCP4_BLOCK)), NULL);
    expect_source(build(room, 0x20, 0x11, BYTES_OF("")), NULL);
    expect_source(build(room, 0x20, 0xff, BYTES_OF("xyz")), NULL);
    // UNSPEC, UDP, Unix sockets.
    expect_source(build(room, 0x21, 0x00, BYTES_OF("")), NULL);
    expect_source(build(room, 0x21, 0x00, BYTES_OF("xyz")), NULL);
    expect_source(build(room, 0x21, 0x12, BYTES_OF(TCP4_BLOCK)), NULL);
    expect_source(build(room, 0x21, 0x10, BYTES_OF(TCP4_BLOCK)), NULL);
    expect_source(build(room, 0x21, 0x31, bytes_make(paths, sizeof(paths))), NULL);
}

Test(proxy_protocol, an_unknown_version_command_or_family_is_refused)
{
    static const struct {
        int command, family;
    } bad[] = {{0x11, 0x11}, {0x01, 0x11}, {0x31, 0x11}, {0x22, 0x11}, {0x2f, 0x11},
               {0x21, 0x41}, {0x21, 0xf1}, {0x21, 0x13}, {0x21, 0x1f}, {0x21, 0x03}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect_refused(build(room, bad[i].command, bad[i].family, BYTES_OF(TCP4_BLOCK)));
    }
}

Test(proxy_protocol, every_byte_of_the_signature_counts)
{
    for (size_t i = 0; i < 12; i++) {
        struct bytes header = build(room, 0x21, 0x11, BYTES_OF(TCP4_BLOCK));
        room[i] ^= 1;
        expect_refused(header);
        expect_refused(bytes_make(header.at, i + 1));
    }
}

Test(proxy_protocol, a_block_shorter_than_its_addresses_is_refused)
{
    static const char zeros[216];
    static const struct {
        int family;
        size_t size;
    } rows[] = {{0x11, 12}, {0x12, 12}, {0x21, 36}, {0x22, 36}, {0x31, 216}, {0x32, 216}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct proxy_header header;
        expect_refused(build(room, 0x21, rows[i].family, bytes_make(zeros, rows[i].size - 1)));
        expect_refused(build(room, 0x21, rows[i].family, bytes_make(zeros, 0)));
        cr_assert_eq(
            verdict(build(room, 0x21, rows[i].family, bytes_make(zeros, rows[i].size)), &header),
            1);
    }
}

Test(proxy_protocol, a_block_is_4096_bytes_at_most)
{
    static char block[PROXY_V2_BLOCK_MAX + 1];
    struct proxy_header header;
    size_t rest = PROXY_V2_BLOCK_MAX - 12 - 3;
    block[12] = 0x04; // one vector of padding fills it
    block[13] = (char)(rest >> 8);
    block[14] = (char)rest;
    cr_assert_eq(parse(build(room, 0x21, 0x11, bytes_make(block, PROXY_V2_BLOCK_MAX)), &header), 1);
    cr_assert_eq(header.len, PROXY_HEADER_MAX);
    build(room, 0x21, 0x11, bytes_make(block, PROXY_V2_BLOCK_MAX + 1));
    // Refused as soon as the length is there, not when the bytes are.
    cr_assert_eq(parse(bytes_make(room, 15), &header), 0);
    cr_assert_eq(parse(bytes_make(room, 16), &header), -EBADMSG);
    room[12] = 0x20;
    cr_assert_eq(parse(bytes_make(room, 16), &header), -EBADMSG);
}

Test(proxy_protocol, unknown_vectors_are_skipped)
{
    expect_source(build(room, 0x21, 0x11, BYTES_OF(TCP4_BLOCK "\x04\x00\x00")), "192.0.2.7:4711");
    expect_source(build(room, 0x21, 0x11,
                        BYTES_OF(TCP4_BLOCK "\x02\x00\x04host"
                                            "\xea\x00\x02\x01x"
                                            "\xff\x00\x00")),
                  "192.0.2.7:4711");
}

Test(proxy_protocol, a_vector_that_is_cut_off_is_refused)
{
    static const struct bytes tails[] = {
        BYTES_OF("\x04"),
        BYTES_OF("\x04\x00"),
        BYTES_OF("\x04\x00\x01"),
        BYTES_OF("\x04\x00\x03xx"),
        BYTES_OF("\x04\xff\xffxx"),
        BYTES_OF("\x04\x00\x00\x04\x00"),
        BYTES_OF("\x03\x00\x04xyz"),
        BYTES_OF("\x04\x00\x01x\x04\x01\x00"),
    };
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        char block[64];
        memcpy(block, TCP4_BLOCK, 12);
        memcpy(block + 12, tails[i].at, tails[i].len);
        expect_refused(build(room, 0x21, 0x11, bytes_make(block, 12 + tails[i].len)));
    }
}

// A header with a checksum: the sum of all its bytes, those of the sum taken as zero.
#define SUMMED(sum) BYTES_OF(TCP4_BLOCK "\x03\x00\x04" sum)
#define GOOD_SUM "\x00\x00\x00\x00"

static uint32_t sum_of(struct bytes data)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < data.len; i++) {
        crc ^= (uint8_t)data.at[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
        }
    }
    return ~crc;
}

// RFC 3720 §B.4: the sums of known data, for the test's own arithmetic.
Test(proxy_protocol, the_tests_own_checksum_is_castagnolis)
{
    char data[32];
    memset(data, 0, sizeof(data));
    cr_assert_eq(sum_of(bytes_make(data, 32)), 0x8a9136aau);
    memset(data, 0xff, sizeof(data));
    cr_assert_eq(sum_of(bytes_make(data, 32)), 0x62a8ab43u);
    cr_assert_eq(sum_of(BYTES_OF("123456789")), 0xe3069283u);
}

static struct bytes build_summed(uint32_t change)
{
    struct bytes header = build(room, 0x21, 0x11, SUMMED(GOOD_SUM));
    uint32_t sum = sum_of(header) ^ change;
    for (int i = 0; i < 4; i++) {
        room[31 + i] = (char)(sum >> (24 - 8 * i));
    }
    return header;
}

Test(proxy_protocol, a_right_checksum_is_taken_and_a_wrong_one_refused)
{
    expect_source(build_summed(0), "192.0.2.7:4711");
    for (int bit = 0; bit < 32; bit++) {
        expect_refused(build_summed(1u << bit));
    }
    struct bytes header = build_summed(0);
    room[18] ^= 1; // an address that was changed under way
    expect_refused(header);
    expect_refused(build(room, 0x21, 0x11, BYTES_OF(TCP4_BLOCK "\x03\x00\x03xyz")));
    expect_refused(build(room, 0x21, 0x11, BYTES_OF(TCP4_BLOCK "\x03\x00\x00")));
}

// --- no input is worse than refused ---

Test(proxy_protocol, random_changes_never_break_the_parser)
{
    uint32_t seed = 12345;
    for (int round = 0; round < 20000; round++) {
        struct proxy_header header;
        struct bytes in = build(room, 0x21, 0x11 + 0x10 * (round % 3),
                                BYTES_OF(TCP4_BLOCK TCP4_BLOCK TCP4_BLOCK "\x03\x00\x04xxxx\x04"));
        for (int change = 0; change < 3; change++) {
            seed = seed * 1664525u + 1013904223u;
            room[12 + (seed >> 8) % (in.len - 12)] = (char)(seed >> 24);
        }
        // From the heap, so that a byte read too far is seen.
        char *copy = mem_alloc(in.len);
        memcpy(copy, in.at, in.len);
        int r = parse(bytes_make(copy, in.len), &header);
        cr_assert(r <= 0 || header.len <= in.len);
        mem_free(copy);
    }
}

// --- a connection that waits for it ---

static const char *const trusted[] = {"10.0.0.0/8"};

struct waiting {
    struct rig rig;
    struct cidr_set *set;
    struct peer *peer;
};

static void waiting_begin(struct waiting *w, const char *from)
{
    struct addr addr;
    rig_begin(&w->rig);
    w->set = cidr_set_create(trusted, ARRAY_LEN(trusted));
    w->rig.listener.name = "main";
    w->rig.listener.proxy_trusted = w->set;
    w->rig.listener.proxy_timeout_ms = 3000;
    cr_assert_eq(addr_parse(from, 99, &addr), 0);
    w->peer = rig_connect_from(&w->rig, &addr);
}

static void waiting_end(struct waiting *w)
{
    rig_end(&w->rig);
    cidr_set_destroy(w->set);
}

static void send_bytes(struct waiting *w, struct bytes data)
{
    cr_assert_eq(send(w->peer->fd, data.at, data.len, MSG_NOSIGNAL), (ssize_t)data.len);
}

static void expect_peer(struct waiting *w, const char *peer, const char *via)
{
    char text[ADDR_TEXT_MAX];
    cr_assert_not_null(w->peer->conn, "it was not accepted");
    cr_assert_str_eq(addr_print(&w->peer->conn->peer, text), peer);
    cr_assert_eq(w->peer->conn->via != NULL, via != NULL);
    if (via != NULL) {
        cr_assert_str_eq(addr_print(w->peer->conn->via, text), via);
    }
}

Test(proxy_protocol, the_client_is_who_is_accepted_and_what_follows_is_its_own)
{
    struct waiting w;
    waiting_begin(&w, "10.0.0.1");
    cr_assert_eq(census_total(w.rig.census), 0);
    peer_send(w.peer, "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\nGET");
    rig_run(&w.rig);
    expect_peer(&w, "192.0.2.7:4711", "10.0.0.1:99");
    peer_expect_in(w.peer, "GET");
    cr_assert_eq(census_total(w.rig.census), 1);
    peer_send(w.peer, " more");
    rig_run(&w.rig);
    peer_expect_in(w.peer, "GET more");
    waiting_end(&w);
}

Test(proxy_protocol, a_header_may_come_byte_by_byte)
{
    struct waiting w;
    waiting_begin(&w, "10.0.0.1");
    struct bytes header = build(room, 0x21, 0x11, BYTES_OF(TCP4_BLOCK "\x04\x00\x02\r\n"));
    for (size_t i = 0; i < header.len; i++) {
        cr_assert_eq(w.rig.accepted, 0);
        send_bytes(&w, bytes_make(header.at + i, 1));
        rig_run(&w.rig);
    }
    expect_peer(&w, "192.0.2.7:4711", "10.0.0.1:99");
    peer_expect_in(w.peer, "");
    peer_send(w.peer, "x");
    rig_run(&w.rig);
    peer_expect_in(w.peer, "x");
    waiting_end(&w);
}

Test(proxy_protocol, the_balancers_own_connection_keeps_its_address)
{
    struct waiting w;
    waiting_begin(&w, "10.0.0.1");
    send_bytes(&w, build(room, 0x20, 0x00, BYTES_OF("")));
    rig_run(&w.rig);
    expect_peer(&w, "10.0.0.1:99", NULL);
    waiting_end(&w);
}

Test(proxy_protocol, a_peer_that_is_not_trusted_is_closed_unheard)
{
    struct waiting w;
    int64_t before = metric_value(METRIC_PROXY_UNTRUSTED);
    waiting_begin(&w, "11.0.0.1");
    rig_run(&w.rig);
    peer_read(w.peer, SIZE_MAX);
    cr_assert(w.peer->is_ended);
    cr_assert_eq(w.rig.accepted, 0);
    cr_assert_eq(metric_value(METRIC_PROXY_UNTRUSTED), before + 1);
    cr_assert_eq(w.rig.net.open, 0);
    waiting_end(&w);
}

Test(proxy_protocol, who_sends_no_header_is_closed)
{
    struct waiting w;
    int64_t before = metric_value(METRIC_PROXY_MALFORMED);
    waiting_begin(&w, "10.0.0.1");
    peer_send(w.peer, "GET / HTTP/1.1\r\n\r\n");
    rig_run(&w.rig);
    peer_read(w.peer, SIZE_MAX);
    cr_assert(w.peer->is_ended);
    cr_assert_eq(w.rig.accepted, 0);
    cr_assert_eq(metric_value(METRIC_PROXY_MALFORMED), before + 1);
    waiting_end(&w);
}

Test(proxy_protocol, who_sends_half_a_header_is_closed_in_time)
{
    struct waiting w;
    int64_t before = metric_value(METRIC_PROXY_TIMEOUT);
    waiting_begin(&w, "10.0.0.1");
    peer_send(w.peer, "PROXY TCP4 ");
    rig_pass(&w.rig, 2999);
    cr_assert_eq(w.rig.net.open, 1);
    peer_send(w.peer, "1");
    rig_pass(&w.rig, 2);
    cr_assert_eq(w.rig.net.open, 0);
    cr_assert_eq(metric_value(METRIC_PROXY_TIMEOUT), before + 1);
    cr_assert_eq(w.rig.accepted, 0);
    waiting_end(&w);
}

Test(proxy_protocol, who_hangs_up_before_or_within_the_header_is_forgotten)
{
    for (int i = 0; i < 2; i++) {
        struct waiting w;
        waiting_begin(&w, "10.0.0.1");
        if (i > 0) {
            peer_send(w.peer, "PROXY TCP4 ");
            rig_run(&w.rig);
        }
        peer_hang_up(w.peer);
        rig_run(&w.rig);
        cr_assert_eq(w.rig.net.open, 0);
        cr_assert_eq(w.rig.accepted, 0);
        waiting_end(&w);
    }
}

Test(proxy_protocol, limits_count_the_client_and_not_the_balancer)
{
    struct waiting w;
    waiting_begin(&w, "10.0.0.1");
    census_configure(w.rig.census, &(struct census_limits){.address_max = 1});
    for (int i = 0; i < 3; i++) {
        char line[64];
        struct addr from;
        snprintf(line, sizeof(line), "PROXY TCP4 192.0.2.%d 10.0.0.1 4711 80\r\n", i < 2 ? 7 : 8);
        cr_assert_eq(addr_parse("10.0.0.1", 99, &from), 0);
        struct peer *peer = i == 0 ? w.peer : rig_connect_from(&w.rig, &from);
        peer_send(peer, line);
        rig_run(&w.rig);
        cr_assert_not_null(peer->conn);
        cr_assert_eq(peer->conn->refusal, i == 1 ? CENSUS_ADDRESS_LIMIT : CENSUS_OK, "%d", i);
    }
    waiting_end(&w);
}
