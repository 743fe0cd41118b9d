// The PROXY header: its grammar, and a connection that waits for it. Both versions are all or
// nothing: until the header is whole it stays in the socket, and then exactly its bytes are taken,
// so that whatever comes behind (HTTP, or a TLS handshake) is read by its own transport.
//
// Owner: the connection's worker. Invariant: nothing is kept for a connection that waits, and it is
// counted with the census only under the address that the header names.

#include "tidegate/net/proxy_protocol.h"

#include "tidegate/base/log.h"
#include "tidegate/base/metrics.h"
#include "tidegate/net/cidr.h"
#include "tidegate/net/conn.h"
#include "tidegate/net/listener.h"

#include "net_private.h"
#include "transport.h"

#include <errno.h>
#include <sys/socket.h>

#define SIGNATURE BYTES_OF("\r\n\r\n\0\r\nQUIT\n")
#define V2_FIXED 16u
#define TLV_CRC32C 0x03
#define REFUSED_LINES 5 // a second
#define TAKE_TRIES 16

// --- version 1: a line ---

static int refuse(const char **ret_problem, const char *problem)
{
    *ret_problem = problem;
    return -EBADMSG;
}

// An address of the family that was announced.
static bool line_address(struct bytes text, bool is_wide, struct addr *ret_addr)
{
    char room[ADDR_TEXT_MAX];

    if (text.len == 0 || text.len >= sizeof(room)) {
        return false;
    }
    memcpy(room, text.at, text.len);
    room[text.len] = '\0';
    return addr_parse(room, 0, ret_addr) == 0 && (bytes_find(text, ':') >= 0) == is_wide;
}

// Decimal without zeros in front.
static bool line_port(struct bytes text, uint16_t *ret_port)
{
    uint64_t port = 0;

    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.at[0] == '0') ||
        bytes_to_u64(text, UINT16_MAX, &port) < 0) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

// What stands between "PROXY " and the line's end.
static bool line_read(struct bytes line, struct proxy_header *header)
{
    struct bytes part[5];
    struct addr destination;
    uint16_t port;
    size_t count = 0;

    if (bytes_starts_with(line, BYTES_OF("UNKNOWN")) && (line.len == 7 || line.at[7] == ' ')) {
        return true; // what follows is to be ignored
    }
    while (count < ARRAY_LEN(part) && bytes_next_part(&line, ' ', &part[count])) {
        count++;
    }
    bool is_wide = count > 0 && bytes_equal(part[0], BYTES_OF("TCP6"));
    bool is_known = is_wide || (count > 0 && bytes_equal(part[0], BYTES_OF("TCP4")));
    if (!is_known || count != ARRAY_LEN(part) || line.at != NULL ||
        !line_address(part[1], is_wide, &header->source) ||
        !line_address(part[2], is_wide, &destination) ||
        !line_port(part[3], &header->source.port) || !line_port(part[4], &port)) {
        return false;
    }
    header->has_source = true;
    return true;
}

static int line_parse(struct bytes in, struct proxy_header *header, const char **ret_problem)
{
    const struct bytes start = BYTES_OF("PROXY ");
    size_t max = in.len < PROXY_V1_MAX ? in.len : PROXY_V1_MAX;
    ptrdiff_t end = bytes_find(bytes_make(in.at, max), '\n');
    size_t len = end < 0 ? max : (size_t)end;

    // A byte that cannot stand in the line refuses it as soon as it is there.
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)in.at[i];
        bool is_end = c == '\r' && i + 1 == len;
        if (!is_end && (c < ' ' || c > '~' || (i < start.len && c != (unsigned char)start.at[i]))) {
            return refuse(ret_problem, "no PROXY header");
        }
    }
    if (end < 0) {
        return max < PROXY_V1_MAX ? 0 : refuse(ret_problem, "the PROXY line is too long");
    }
    if (len < start.len + 1 || in.at[len - 1] != '\r' ||
        !line_read(bytes_make(in.at + start.len, len - 1 - start.len), header)) {
        return refuse(ret_problem, "the PROXY line is malformed");
    }
    header->len = len + 1;
    return 1;
}

// --- version 2: a block ---

// Castagnoli's CRC (RFC 3720 §12.1). `hole`: four bytes that count as zero.
static uint32_t crc32c(struct bytes data, size_t hole)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < data.len; i++) {
        crc ^= i >= hole && i < hole + 4 ? 0 : (uint8_t)data.at[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
        }
    }
    return ~crc;
}

static unsigned block_u16(struct bytes block, size_t at)
{
    return (unsigned)((uint8_t)block.at[at] << 8 | (uint8_t)block.at[at + 1]);
}

static uint32_t block_u32(struct bytes block, size_t at)
{
    return (uint32_t)block_u16(block, at) << 16 | block_u16(block, at + 2);
}

// Walks the vectors from `at` to the header's end; unknown ones are skipped.
static int block_check_vectors(struct bytes header, size_t at, const char **ret_problem)
{
    bool has_crc = false;

    while (at < header.len) {
        size_t left = header.len - at;
        size_t len = left >= 3 ? block_u16(header, at + 1) : left;
        if (left < 3 || len > left - 3) {
            return refuse(ret_problem, "a vector of the PROXY header is cut off");
        }
        if (header.at[at] == TLV_CRC32C) {
            if (has_crc || len != 4 || crc32c(header, at + 3) != block_u32(header, at + 3)) {
                return refuse(ret_problem, "the PROXY header's checksum is wrong");
            }
            has_crc = true;
        }
        at += 3 + len;
    }
    return 1;
}

// A whole header that speaks for somebody. What is not TCP has no address that means anything here.
static int block_read(struct bytes block, struct proxy_header *header, const char **ret_problem)
{
    static const uint8_t sizes[] = {0, 12, 36, 216}; // of both addresses and ports, by family
    unsigned family = (uint8_t)block.at[13] >> 4;
    unsigned kind = (uint8_t)block.at[13] & 0x0f;

    if (family >= ARRAY_LEN(sizes) || kind > 2) {
        return refuse(ret_problem, "the PROXY header's family is unknown");
    }
    if (family == 0) {
        return 1; // what follows is to be ignored
    }
    if (block.len < V2_FIXED + sizes[family]) {
        return refuse(ret_problem, "the PROXY header's addresses are cut off");
    }
    if (kind == 1 && family <= 2) {
        size_t size = family == 1 ? 4 : 16;
        uint16_t port = (uint16_t)block_u16(block, V2_FIXED + 2 * size);
        header->source = addr_from_ip(block.at + V2_FIXED, size, port);
        header->has_source = true;
    }
    return block_check_vectors(block, V2_FIXED + sizes[family], ret_problem);
}

static int block_parse(struct bytes in, struct proxy_header *header, const char **ret_problem)
{
    size_t known = in.len < SIGNATURE.len ? in.len : SIGNATURE.len;

    if (memcmp(in.at, SIGNATURE.at, known) != 0) {
        return refuse(ret_problem, "no PROXY header");
    }
    if (in.len > 12) {
        unsigned version = (uint8_t)in.at[12] >> 4;
        unsigned command = (uint8_t)in.at[12] & 0x0f;
        if (version != 2 || command > 1) {
            return refuse(ret_problem, "the PROXY header's version or command is unknown");
        }
    }
    if (in.len < V2_FIXED) {
        return 0;
    }
    size_t len = block_u16(in, 14);
    if (len > PROXY_V2_BLOCK_MAX) {
        return refuse(ret_problem, "the PROXY header is too long");
    }
    if (in.len < V2_FIXED + len) {
        return 0;
    }
    header->len = V2_FIXED + len;
    if (((uint8_t)in.at[12] & 0x0f) == 0) {
        return 1; // LOCAL: the balancer itself, a health check; the rest is to be ignored
    }
    return block_read(bytes_make(in.at, header->len), header, ret_problem);
}

int proxy_protocol_parse(struct bytes in, struct proxy_header *ret_header, const char **ret_problem)
{
    struct proxy_header header = {0};

    if (in.len == 0) {
        return 0;
    }
    int r = in.at[0] == '\r' ? block_parse(in, &header, ret_problem)
                             : line_parse(in, &header, ret_problem);
    if (r > 0) {
        *ret_header = header;
    }
    return r;
}

// --- a connection that waits for it ---

static struct log_gate refused_gate;

static void proxy_refuse(struct conn *conn, enum metric_id metric, const char *problem)
{
    char peer[ADDR_TEXT_MAX];
    uint32_t suppressed;

    metric_add(metric, 1);
    if (log_gate_pass(&refused_gate, REFUSED_LINES, &suppressed)) {
        log_at(LOG_WARN, "connection refused", log_text("peer", addr_print(&conn->peer, peer)),
               log_text("listener", conn->listener->name), log_text("problem", problem),
               log_num("suppressed", suppressed));
    }
    conn_close(conn, CLOSE_PROXY_REFUSED);
}

// Takes exactly `len` bytes, which are there: it was looked.
static ssize_t proxy_take(int fd, char *to, size_t len)
{
    size_t taken = 0;

    for (int tries = 0; taken < len && tries < TAKE_TRIES; tries++) {
        ssize_t n = recv(fd, to + taken, len - taken, 0);
        taken += n > 0 ? (size_t)n : 0;
    }
    return taken == len ? (ssize_t)len : -ECONNRESET;
}

// The whole header at once, or nothing. What is no header is taken as it is: on_bytes refuses it.
static ssize_t proxy_read(struct conn *conn, void *to, size_t len)
{
    struct proxy_header header;
    const char *problem;
    ssize_t n;

    do {
        n = recv(conn->watch.fd, to, len < PROXY_HEADER_MAX ? len : PROXY_HEADER_MAX, MSG_PEEK);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n < 0 ? -errno : 0;
    }
    int r = proxy_protocol_parse(bytes_make(to, (size_t)n), &header, &problem);
    if (r == 0) {
        return conn->eof_seen ? 0 : -EAGAIN;
    }
    return proxy_take(conn->watch.fd, to, r > 0 ? header.len : (size_t)n);
}

static ssize_t proxy_writev(struct conn *conn, const struct iovec *iov, int count)
{
    return transport_plain.writev(conn, iov, count);
}

static int proxy_shutdown(struct conn *conn)
{
    return transport_plain.shutdown(conn);
}

static void proxy_destroy(struct conn *conn)
{
    (void)conn;
}

static const struct transport transport_proxy = {
    .read = proxy_read,
    .writev = proxy_writev,
    .shutdown = proxy_shutdown,
    .destroy = proxy_destroy,
};

static void proxy_on_bytes(struct conn *conn)
{
    struct proxy_header header;
    const char *problem = "the PROXY header is cut off";
    int r = proxy_protocol_parse(conn->in, &header, &problem);

    conn_consume(conn, conn->in.len);
    if (r <= 0) {
        proxy_refuse(conn, METRIC_PROXY_MALFORMED, problem);
        return;
    }
    metric_add(header.has_source ? METRIC_PROXY_SOURCE : METRIC_PROXY_LOCAL, 1);
    conn->transport = &transport_plain;
    conn_set_deadline(conn, 0);
    // What stands behind the header came with the same edge.
    conn->readable = true;
    if (header.has_source) {
        conn_set_peer(conn, &header.source);
    }
    net_let_in(conn);
}

static void proxy_on_deadline(struct conn *conn)
{
    proxy_refuse(conn, METRIC_PROXY_TIMEOUT, "the PROXY header did not come in time");
}

static void proxy_on_eof(struct conn *conn)
{
    // A balancer that only looks whether the port is open says nothing: that is no fault.
    conn_close(conn, CLOSE_PEER_CLOSED);
}

static void proxy_on_closed(struct conn *conn, enum close_reason reason)
{
    (void)conn;
    (void)reason;
}

static const struct conn_handler proxy_handler = {
    .on_bytes = proxy_on_bytes,
    .on_eof = proxy_on_eof,
    .on_deadline = proxy_on_deadline,
    .on_closed = proxy_on_closed,
};

void proxy_protocol_begin(struct conn *conn)
{
    const struct listener *listener = conn->listener;

    conn_set_handler(conn, &proxy_handler, NULL);
    if (!cidr_set_has(listener->proxy_trusted, &conn->peer)) {
        proxy_refuse(conn, METRIC_PROXY_UNTRUSTED, "not in proxy_trusted of the listener");
        return;
    }
    conn->transport = &transport_proxy;
    conn_set_deadline(conn, listener->proxy_timeout_ms);
}
