// A peer's or listener's address, compact: 20 bytes, IPv4, IPv6 or Unix. A value; any thread.
#ifndef TIDEGATE_NET_ADDR_H
#define TIDEGATE_NET_ADDR_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

#include <sys/socket.h>

enum addr_family { ADDR_NONE, ADDR_IPV4, ADDR_IPV6, ADDR_UNIX };

struct addr {
    uint8_t ip[16];  // network order; IPv4 in the first 4 bytes
    uint16_t port;   // host order
    uint16_t family; // enum addr_family
};

#define ADDR_TEXT_MAX 56 // "[ipv6]:port" and a zero byte

// From an accepted socket's address. IPv4-mapped IPv6 becomes IPv4.
struct addr addr_from_sockaddr(const struct sockaddr *from);

// From the 4 bytes of an IPv4 or the 16 of an IPv6 address, in network order. IPv4-mapped IPv6
// becomes IPv4.
struct addr addr_from_ip(const void *ip, size_t len, uint16_t port);

// From literal text: 0 or -EINVAL. IPv4-mapped IPv6 becomes IPv4.
int addr_parse(const char *ip, uint16_t port, struct addr *ret_addr) ATTR_MUST_CHECK;

// Fills `to` for bind or connect; returns its length (IPv4, IPv6 only).
socklen_t addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *to);

// "1.2.3.4:80", "[::1]:80" or "unix"; `to` has ADDR_TEXT_MAX bytes. Returns `to`.
const char *addr_print(const struct addr *addr, char *to);

// The same without the port.
const char *addr_print_ip(const struct addr *addr, char *to);

// What limits count by: the IPv4 address, the IPv6 /64, nothing for Unix sockets.
struct bytes addr_limit_key(const struct addr *addr);

#endif
