// Addresses: parsing, printing, what limits count by. Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

TestSuite(addr, .fini = leaks_check);

static struct addr parsed(const char *ip, uint16_t port)
{
    struct addr addr;
    cr_assert_eq(addr_parse(ip, port, &addr), 0, "%s", ip);
    return addr;
}

Test(addr, what_is_parsed_prints_the_same)
{
    static const struct {
        const char *ip;
        const char *text;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1:80"},
        {"255.255.255.255", "255.255.255.255:80"},
        {"::1", "[::1]:80"},
        {"2001:db8:1111:2222:3333:4444:5555:6666", "[2001:db8:1111:2222:3333:4444:5555:6666]:80"},
        {"::", "[::]:80"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[ADDR_TEXT_MAX];
        struct addr addr = parsed(rows[i].ip, 80);
        cr_assert_str_eq(addr_print(&addr, text), rows[i].text);
        cr_assert_str_eq(addr_print_ip(&addr, text), rows[i].ip);
    }
}

Test(addr, the_longest_address_with_the_longest_port_fits)
{
    char text[ADDR_TEXT_MAX];
    struct addr addr = parsed("aaaa:bbbb:cccc:dddd:eeee:1111:2222:3333", 65535);
    cr_assert_str_eq(addr_print(&addr, text), "[aaaa:bbbb:cccc:dddd:eeee:1111:2222:3333]:65535");
}

Test(addr, what_is_no_literal_address_is_refused_and_leaves_the_result_alone)
{
    static const char *const bad[] = {
        "",    "localhost", "1.2.3",    "1.2.3.256", "01.2.3.4", "1.2.3.4:5", "[::1]",
        ":::", " 1.2.3.4",  "1.2.3.4 ", "::g",       "*",        "fe80::1%lo"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct addr addr = {.port = 7};
        cr_assert_eq(addr_parse(bad[i], 80, &addr), -EINVAL, "\"%s\"", bad[i]);
        cr_assert_eq(addr.port, 7);
    }
}

Test(addr, a_socket_address_there_and_back_is_the_same)
{
    static const char *const ips[] = {"10.20.30.40", "2001:db8::17"};
    for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
        struct sockaddr_storage storage;
        struct addr addr = parsed(ips[i], 54321);
        socklen_t len = addr_to_sockaddr(&addr, &storage);
        cr_assert_eq(len, i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        struct addr back = addr_from_sockaddr((struct sockaddr *)&storage);
        cr_assert_arr_eq(&back, &addr, sizeof(addr));
    }
}

Test(addr, a_mapped_ipv4_address_is_ipv4)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(99)};
    char text[ADDR_TEXT_MAX];
    cr_assert_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
    struct addr addr = addr_from_sockaddr((struct sockaddr *)&in6);
    struct addr plain = parsed("192.0.2.1", 99);
    cr_assert_eq(addr.family, ADDR_IPV4);
    cr_assert_str_eq(addr_print(&addr, text), "192.0.2.1:99");
    cr_assert(bytes_equal(addr_limit_key(&addr), addr_limit_key(&plain)));
}

Test(addr, a_unix_socket_has_a_name_and_no_limit_key)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char text[ADDR_TEXT_MAX];
    struct addr addr = addr_from_sockaddr((struct sockaddr *)&un);
    cr_assert_str_eq(addr_print(&addr, text), "unix");
    cr_assert_str_eq(addr_print_ip(&addr, text), "unix");
    cr_assert_eq(addr_limit_key(&addr).len, 0);
    addr = (struct addr){0};
    cr_assert_str_eq(addr_print(&addr, text), "none");
    cr_assert_eq(addr_limit_key(&addr).len, 0);
}

static bool count_together(const char *a, const char *b)
{
    struct addr first = parsed(a, 1);
    struct addr second = parsed(b, 2);
    return bytes_equal(addr_limit_key(&first), addr_limit_key(&second));
}

Test(addr, limits_count_ipv4_addresses_and_ipv6_networks_of_64_bits)
{
    cr_assert(count_together("192.0.2.1", "192.0.2.1"));
    cr_assert(!count_together("192.0.2.1", "192.0.2.2"));
    cr_assert(count_together("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"));
    cr_assert(!count_together("2001:db8:0:1::1", "2001:db8:0:2::1"));
    cr_assert(!count_together("::1", "0.0.0.0"));
}
