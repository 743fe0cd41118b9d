// Forwarded addresses: the same client whether lists stand in one line or in several; from a peer
// that is not trusted, always the peer. An input is lines "name: value".
#include "fuzz.h"

#include "tidegate/http/forwarded.h"

#define FIELDS_MAX 100

static struct http_header fields[FIELDS_MAX];

static size_t read_fields(struct bytes input, bool is_cut)
{
    struct bytes line;
    size_t count = 0;
    while (fuzz_line(&input, &line)) {
        ptrdiff_t colon = bytes_find(line, ':');
        struct bytes name = bytes_make(line.at, colon < 0 ? line.len : (size_t)colon);
        struct bytes value = colon < 0 ? bytes_skip(line, line.len)
                                       : bytes_trim(bytes_skip(line, (size_t)colon + 1));
        struct bytes part = value;
        // A comma in a quoted string separates nothing.
        bool cuts = is_cut && bytes_find(value, '"') < 0;
        while (count < FIELDS_MAX &&
               (cuts ? bytes_next_part(&value, ',', &part) : value.at != NULL)) {
            fields[count++] = (struct http_header){name, bytes_trim(part)};
            value = cuts ? value : BYTES_EMPTY;
        }
    }
    return count;
}

static bool is_same(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, 16) == 0;
}

static void check(struct bytes input, const struct cidr_set *set, unsigned headers)
{
    struct forwarded_trust trust = {.proxies = set, .headers = headers};
    struct addr peer;
    struct addr stranger;
    FUZZ_REQUIRE(addr_parse("10.0.0.1", 1, &peer) == 0);
    FUZZ_REQUIRE(addr_parse("192.0.2.9", 2, &stranger) == 0);
    struct http_request request = {.headers = fields, .header_count = read_fields(input, true)};
    struct forwarded cut = forwarded_find(&request, &trust, &peer, false);
    if (request.header_count == FIELDS_MAX) {
        return;
    }
    request.header_count = read_fields(input, false);
    struct forwarded whole = forwarded_find(&request, &trust, &peer, false);
    FUZZ_REQUIRE(is_same(&whole.client, &cut.client) && whole.is_secure == cut.is_secure);
    struct forwarded own = forwarded_find(&request, &trust, &stranger, true);
    FUZZ_REQUIRE(is_same(&own.client, &stranger) && own.is_secure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const networks[] = {"10.0.0.0/8", "fd00::/8", "unix"};
    struct cidr_set *set = cidr_set_create(networks, 3);
    struct bytes input = bytes_make(data, size);
    FUZZ_REQUIRE(set != NULL);
    check(input, set, FORWARDED_X_FOR);
    check(input, set, FORWARDED_RFC7239);
    check(input, set, FORWARDED_X_FOR | FORWARDED_RFC7239 | FORWARDED_X_REAL_IP);
    cidr_set_destroy(set);
    return 0;
}
