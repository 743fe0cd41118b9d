// Walking the hops. The right end of a list was written by the nearest proxy and the left end by
// whoever wanted to, so everything here reads from the right: what an attacker wrote is met only
// after all that the trusted proxies added, and cannot change how that is read.
//
// Owner: the caller; nothing is kept. Invariant: no result but the peer or an address that a
// trusted proxy vouched for. The headers' sizes are bounded by the head's; the hops here.

#include "tidegate/http/forwarded.h"

#define NODE_MAX 56 // "[ipv6]:port" and quotes' worth of room

struct walk {
    const struct forwarded_trust *trust;
    struct forwarded found;
    unsigned hops;
    bool is_over;
};

// --- one node: an address, perhaps with a port ---

static bool node_port(struct bytes text, uint16_t *ret_port)
{
    uint64_t port = 0;

    // RFC 7239 §6.3: a port may be obfuscated. The address is good all the same.
    if (text.len > 1 && text.at[0] == '_') {
        return true;
    }
    if (text.len == 0 || text.len > 5 || bytes_to_u64(text, UINT16_MAX, &port) < 0) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

static bool node_address(struct bytes text, struct addr *ret_addr)
{
    char room[NODE_MAX];

    if (text.len == 0 || text.len >= sizeof(room) || memchr(text.at, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(room, text.at, text.len);
    room[text.len] = '\0';
    return addr_parse(room, 0, ret_addr) == 0;
}

// "1.2.3.4", "1.2.3.4:80", "[2001:db8::1]", "[2001:db8::1]:80", "2001:db8::1". Anything else
// ("unknown", "_name", a host) is no address.
static bool node_parse(struct bytes text, struct addr *ret_addr)
{
    struct bytes ip = text;
    struct bytes tail = BYTES_EMPTY;
    ptrdiff_t colon = bytes_find(text, ':');
    uint16_t port = 0;

    if (text.len > 0 && text.at[0] == '[') {
        ptrdiff_t end = bytes_find(text, ']');
        if (end < 0 || colon < 0 || colon > end) {
            return false;
        }
        ip = bytes_make(text.at + 1, (size_t)end - 1);
        tail = bytes_skip(text, (size_t)end + 1);
    } else if (colon >= 0 && bytes_find(bytes_skip(text, (size_t)colon + 1), ':') < 0) {
        ip = bytes_make(text.at, (size_t)colon);
        tail = bytes_skip(text, (size_t)colon);
    }
    if (tail.len > 0 && (tail.at[0] != ':' || !node_port(bytes_skip(tail, 1), &port))) {
        return false;
    }
    if (!node_address(ip, ret_addr)) {
        return false;
    }
    ret_addr->port = port;
    return true;
}

// --- lists from the right ---

// Where the quoted string that ends at `end` begins, or -1.
static ptrdiff_t quote_open(struct bytes text, size_t end)
{
    for (size_t i = end; i > 0; i--) {
        size_t escapes = 0;
        if (text.at[i - 1] != '"') {
            continue;
        }
        while (escapes < i - 1 && text.at[i - 2 - escapes] == '\\') {
            escapes++;
        }
        if (escapes % 2 == 0) {
            return (ptrdiff_t)i - 1;
        }
    }
    return -1;
}

// Cuts what stands behind the last `separator` off *rest, that of the last part with it. Separators
// in quoted strings are none where `is_quoted`. False when *rest was used up.
static bool cut_last(struct bytes *rest, char separator, bool is_quoted, struct bytes *ret_part)
{
    struct bytes text = *rest;
    size_t i = text.len;

    if (text.at == NULL) {
        return false;
    }
    while (i > 0 && text.at[i - 1] != separator) {
        ptrdiff_t open = is_quoted && text.at[i - 1] == '"' ? quote_open(text, i - 1) : -1;
        i = open >= 0 ? (size_t)open : i - 1;
    }
    *ret_part = bytes_trim(bytes_skip(text, i));
    *rest = i > 0 ? bytes_make(text.at, i - 1) : BYTES_EMPTY;
    return true;
}

// --- the walk ---

// The next hop, `node`, as told by the one before it, which is trusted. Goes on while this one is
// trusted too.
static void walk_to(struct walk *walk, struct bytes node)
{
    struct addr addr;

    if (!node_parse(node, &addr)) {
        walk->is_over = true;
        return;
    }
    walk->found.client = addr;
    walk->hops++;
    walk->is_over = walk->hops >= FORWARDED_HOPS_MAX || !cidr_set_has(walk->trust->proxies, &addr);
}

static void walk_scheme(struct walk *walk, struct bytes scheme)
{
    if (bytes_equal_nocase(scheme, BYTES_OF("https")) ||
        bytes_equal_nocase(scheme, BYTES_OF("wss"))) {
        walk->found.is_secure = true;
    } else if (bytes_equal_nocase(scheme, BYTES_OF("http")) ||
               bytes_equal_nocase(scheme, BYTES_OF("ws"))) {
        walk->found.is_secure = false;
    }
}

// The value without its quotes. A quoted pair cannot stand in an address or scheme: it stays, and
// is refused there.
static struct bytes unquoted(struct bytes value)
{
    bool is_quoted = value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"';

    return is_quoted ? bytes_make(value.at + 1, value.len - 2) : value;
}

// One element of Forwarded: `for=...;proto=...` (RFC 7239 §4). Each name stands in it once at most.
static void walk_element(struct walk *walk, struct bytes element)
{
    struct bytes node = BYTES_EMPTY;
    struct bytes scheme = BYTES_EMPTY;
    struct bytes pair;

    while (cut_last(&element, ';', true, &pair)) {
        ptrdiff_t mark = bytes_find(pair, '=');
        struct bytes name = mark >= 0 ? bytes_make(pair.at, (size_t)mark) : pair;
        struct bytes value = mark >= 0 ? unquoted(bytes_skip(pair, (size_t)mark + 1)) : BYTES_EMPTY;
        struct bytes *to = bytes_equal_nocase(name, BYTES_OF("for"))     ? &node
                           : bytes_equal_nocase(name, BYTES_OF("proto")) ? &scheme
                                                                         : NULL;
        if (to != NULL && to->len > 0) {
            walk->is_over = true;
            return;
        }
        if (to != NULL) {
            *to = value;
        }
    }
    walk_to(walk, node);
    walk_scheme(walk, scheme);
}

static bool is_named(const struct http_header *header, const char *name)
{
    return bytes_equal_nocase(header->name, bytes_str(name));
}

// All lines of a list header, the last one first (RFC 9110 §5.3). False when there is none.
static bool walk_list(struct walk *walk, const struct http_request *request, const char *name,
                      void (*take)(struct walk *walk, struct bytes part), bool is_quoted)
{
    bool is_there = false;

    for (size_t i = request->header_count; i > 0; i--) {
        struct bytes rest = request->headers[i - 1].value;
        struct bytes part;
        if (!is_named(&request->headers[i - 1], name)) {
            continue;
        }
        is_there = true;
        if (rest.len == 0) {
            walk->is_over = true;
        }
        while (!walk->is_over && cut_last(&rest, ',', is_quoted, &part)) {
            take(walk, part);
        }
    }
    return is_there;
}

static void walk_real_ip(struct walk *walk, const struct http_request *request)
{
    bool is_there = false;

    for (size_t i = 0; i < request->header_count; i++) {
        if (!is_named(&request->headers[i], "X-Real-IP")) {
            continue;
        }
        if (is_there) {
            walk->is_over = true; // twice: one of them is not the proxy's
        }
        is_there = true;
    }
    struct bytes value;
    if (is_there && !walk->is_over && http_request_header(request, "X-Real-IP", &value)) {
        walk_to(walk, value);
    }
}

// The scheme that the nearest proxy tells.
static void walk_x_proto(struct walk *walk, const struct http_request *request)
{
    for (size_t i = request->header_count; i > 0; i--) {
        struct bytes rest = request->headers[i - 1].value;
        struct bytes part;
        if (is_named(&request->headers[i - 1], "X-Forwarded-Proto")) {
            if (cut_last(&rest, ',', false, &part)) {
                walk_scheme(walk, part);
            }
            return;
        }
    }
}

struct forwarded forwarded_find(const struct http_request *request,
                                const struct forwarded_trust *trust, const struct addr *peer,
                                bool is_secure)
{
    struct walk walk = {.trust = trust, .found = {*peer, is_secure}};
    unsigned headers = trust->headers;

    if (!cidr_set_has(trust->proxies, peer)) {
        return walk.found;
    }
    bool is_there = (headers & FORWARDED_X_FOR) != 0 &&
                    walk_list(&walk, request, "X-Forwarded-For", walk_to, false);
    if (!is_there && (headers & FORWARDED_RFC7239) != 0 &&
        walk_list(&walk, request, "Forwarded", walk_element, true)) {
        return walk.found; // and it tells the scheme itself
    }
    if (!is_there && (headers & FORWARDED_X_REAL_IP) != 0) {
        walk_real_ip(&walk, request);
    }
    if ((headers & (FORWARDED_X_FOR | FORWARDED_X_REAL_IP)) != 0) {
        walk_x_proto(&walk, request);
    }
    return walk.found;
}
