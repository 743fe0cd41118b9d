// Addresses in 20 bytes. Pure functions; any thread.

#include "tidegate/net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

struct addr addr_from_ip(const void *ip, size_t len, uint16_t port)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; // RFC 4291 §2.5.5.2
    struct addr addr = {.port = port};

    if (len == 4 || memcmp(ip, mapped, sizeof(mapped)) == 0) {
        addr.family = ADDR_IPV4;
        memcpy(addr.ip, (const char *)ip + len - 4, 4);
    } else {
        addr.family = ADDR_IPV6;
        memcpy(addr.ip, ip, 16);
    }
    return addr;
}

struct addr addr_from_sockaddr(const struct sockaddr *from)
{
    struct addr addr = {.family = ADDR_NONE};

    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)from;
        addr = addr_from_ip(&in->sin_addr, 4, ntohs(in->sin_port));
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)from;
        addr = addr_from_ip(&in6->sin6_addr, 16, ntohs(in6->sin6_port));
    } else if (from->sa_family == AF_UNIX) {
        addr.family = ADDR_UNIX;
    }
    return addr;
}

int addr_parse(const char *ip, uint16_t port, struct addr *ret_addr)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, ip, bytes) == 1) {
        *ret_addr = addr_from_ip(bytes, 4, port);
        return 0;
    }
    if (inet_pton(AF_INET6, ip, bytes) == 1) {
        *ret_addr = addr_from_ip(bytes, 16, port);
        return 0;
    }
    return -EINVAL;
}

socklen_t addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof(*to));
    if (addr->family == ADDR_IPV6) {
        struct sockaddr_in6 *in6 = (void *)to;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(addr->port);
        memcpy(in6->sin6_addr.s6_addr, addr->ip, 16);
        return sizeof(*in6);
    }
    struct sockaddr_in *in = (void *)to;
    in->sin_family = AF_INET;
    in->sin_port = htons(addr->port);
    memcpy(&in->sin_addr, addr->ip, 4);
    return sizeof(*in);
}

const char *addr_print_ip(const struct addr *addr, char *to)
{
    if (addr->family == ADDR_IPV4 || addr->family == ADDR_IPV6) {
        int family = addr->family == ADDR_IPV4 ? AF_INET : AF_INET6;
        if (inet_ntop(family, addr->ip, to, ADDR_TEXT_MAX) != NULL) {
            return to;
        }
    }
    snprintf(to, ADDR_TEXT_MAX, "%s", addr->family == ADDR_UNIX ? "unix" : "none");
    return to;
}

const char *addr_print(const struct addr *addr, char *to)
{
    char ip[ADDR_TEXT_MAX];

    addr_print_ip(addr, ip);
    if (addr->family == ADDR_IPV4) {
        snprintf(to, ADDR_TEXT_MAX, "%.15s:%u", ip, addr->port);
    } else if (addr->family == ADDR_IPV6) {
        snprintf(to, ADDR_TEXT_MAX, "[%.45s]:%u", ip, addr->port);
    } else {
        memcpy(to, ip, ADDR_TEXT_MAX);
    }
    return to;
}

struct bytes addr_limit_key(const struct addr *addr)
{
    if (addr->family == ADDR_IPV4) {
        return bytes_make(addr->ip, 4);
    }
    // A host is usually given a whole /64 (RFC 4291 §2.5.1), so that is what counts as one address.
    return addr->family == ADDR_IPV6 ? bytes_make(addr->ip, 8) : BYTES_EMPTY;
}
