// Prefix matching over a short list. A set is asked once a connection or request, and lists of
// trusted proxies have a handful of items, so it is walked from end to end.
//
// Owner: whoever made it. Invariant: `ip` of an item has no bit behind `bits`, and no item is an
// IPv4-mapped network: those are IPv4 by the time they are here, as addresses are.

#include "tidegate/net/cidr.h"

#include "tidegate/base/mem.h"

#include <errno.h>

#define MAPPED_BITS 96 // of ::ffff:0:0/96, RFC 4291 §2.5.5.2

struct cidr_set {
    size_t count;
    struct cidr items[];
};

static void cidr_clear_host(struct cidr *cidr)
{
    for (unsigned i = 0; i < sizeof(cidr->ip); i++) {
        unsigned kept = cidr->bits > i * 8 ? cidr->bits - i * 8 : 0;
        if (kept < 8) {
            cidr->ip[i] &= (uint8_t)(0xff00u >> kept);
        }
    }
}

int cidr_parse(struct bytes text, struct cidr *ret_cidr)
{
    if (text.len == 0) {
        return -EINVAL;
    }
    ptrdiff_t slash = bytes_find(text, '/');
    struct bytes ip = slash < 0 ? text : bytes_make(text.at, (size_t)slash);
    char room[ADDR_TEXT_MAX];
    struct addr addr;
    uint64_t bits;

    if (bytes_equal(text, BYTES_OF("unix"))) {
        *ret_cidr = (struct cidr){.family = ADDR_UNIX};
        return 0;
    }
    if (ip.len == 0 || ip.len >= sizeof(room) || memchr(ip.at, '\0', ip.len) != NULL) {
        return -EINVAL;
    }
    memcpy(room, ip.at, ip.len);
    room[ip.len] = '\0';
    if (addr_parse(room, 0, &addr) < 0) {
        return -EINVAL;
    }
    // The prefix of a mapped network is counted over all 128 bits.
    bool is_wide = bytes_find(ip, ':') >= 0;
    unsigned hidden = is_wide && addr.family == ADDR_IPV4 ? MAPPED_BITS : 0;
    unsigned max = is_wide ? 128 : 32;
    bits = max;
    if (slash >= 0) {
        struct bytes tail = bytes_skip(text, (size_t)slash + 1);
        if (tail.len == 0 || tail.len > 3 || bytes_to_u64(tail, max, &bits) < 0) {
            return -EINVAL;
        }
    }
    if (bits < hidden) {
        return -EINVAL; // of both families at once
    }
    *ret_cidr = (struct cidr){.family = addr.family, .bits = (uint8_t)(bits - hidden)};
    memcpy(ret_cidr->ip, addr.ip, sizeof(addr.ip));
    cidr_clear_host(ret_cidr);
    return 0;
}

bool cidr_has(const struct cidr *cidr, const struct addr *addr)
{
    struct cidr other = {.bits = cidr->bits, .family = addr->family};

    if (cidr->family != addr->family) {
        return false;
    }
    memcpy(other.ip, addr->ip, sizeof(other.ip));
    cidr_clear_host(&other);
    return memcmp(other.ip, cidr->ip, sizeof(other.ip)) == 0;
}

struct cidr_set *cidr_set_create(const char *const *items, size_t count)
{
    struct cidr_set *set = mem_zalloc(sizeof(*set) + count * sizeof(struct cidr));

    for (size_t i = 0; i < count; i++) {
        if (cidr_parse(bytes_str(items[i]), &set->items[i]) < 0) {
            mem_free(set);
            return NULL;
        }
    }
    set->count = count;
    return set;
}

void cidr_set_destroy(struct cidr_set *set)
{
    mem_free(set);
}

bool cidr_set_has(const struct cidr_set *set, const struct addr *addr)
{
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        if (cidr_has(&set->items[i], addr)) {
            return true;
        }
    }
    return false;
}
