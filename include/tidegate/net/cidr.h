// Networks as sets: whom a listener or a header is believed. An item is an address ("10.1.2.3",
// "fd00::1"), a network ("10.0.0.0/8", "fd00::/8") or "unix", which is every peer of a Unix socket.
// Immutable once made; any thread. An IPv4-mapped IPv6 address counts as IPv4, on both sides.
#ifndef TIDEGATE_NET_CIDR_H
#define TIDEGATE_NET_CIDR_H

#include "tidegate/net/addr.h"

struct cidr {
    uint8_t ip[16];  // host bits are zero
    uint16_t family; // enum addr_family
    uint8_t bits;    // that must be equal
};

struct cidr_set; // opaque

// One item: 0 or -EINVAL. Bits behind the prefix are ignored, as the kernel's tools do.
int cidr_parse(struct bytes text, struct cidr *ret_cidr) ATTR_MUST_CHECK;

bool cidr_has(const struct cidr *cidr, const struct addr *addr);

// A set of the items, or NULL when one of them is none. With no items it has nobody.
struct cidr_set *cidr_set_create(const char *const *items, size_t count);
void cidr_set_destroy(struct cidr_set *set); // NULL is allowed

// Whether it holds `addr`. A NULL set has nobody. Linear in the number of items.
bool cidr_set_has(const struct cidr_set *set, const struct addr *addr);

#endif
