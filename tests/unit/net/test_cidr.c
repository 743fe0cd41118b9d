// Networks: what is one, and who is in it. Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/net/cidr.h"

#include <errno.h>
#include <stdio.h>

TestSuite(cidr, .fini = leaks_check);

static struct addr address(const char *ip)
{
    struct addr addr = {.family = ADDR_UNIX};
    if (strcmp(ip, "unix") != 0) {
        cr_assert_eq(addr_parse(ip, 4711, &addr), 0, "%s", ip);
    }
    return addr;
}

static bool is_in(const char *network, const char *ip)
{
    struct cidr cidr;
    struct addr addr = address(ip);
    cr_assert_eq(cidr_parse(bytes_str(network), &cidr), 0, "%s", network);
    return cidr_has(&cidr, &addr);
}

Test(cidr, a_network_has_its_first_and_last_address_and_no_neighbour)
{
    static const struct {
        const char *network, *first, *last, *before, *after;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
        {"192.0.2.64/27", "192.0.2.64", "192.0.2.95", "192.0.2.63", "192.0.2.96"},
        {"192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"},
        {"192.0.2.7/32", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"},
        {"128.0.0.0/1", "128.0.0.0", "255.255.255.255", "127.255.255.255", "0.0.0.0"},
        {"2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
         "2001:db7:ffff::", "2001:db8:8000::"},
        {"fd00::12/127", "fd00::12", "fd00::13", "fd00::11", "fd00::14"},
        {"fd00::12", "fd00::12", "fd00::12", "fd00::11", "fd00::13"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert(is_in(rows[i].network, rows[i].first), "%s", rows[i].network);
        cr_assert(is_in(rows[i].network, rows[i].last), "%s", rows[i].network);
        cr_assert_not(is_in(rows[i].network, rows[i].before), "%s", rows[i].network);
        cr_assert_not(is_in(rows[i].network, rows[i].after), "%s", rows[i].network);
    }
}

Test(cidr, no_bits_are_everybody_of_that_family_alone)
{
    cr_assert(is_in("0.0.0.0/0", "203.0.113.9"));
    cr_assert_not(is_in("0.0.0.0/0", "2001:db8::1"));
    cr_assert_not(is_in("0.0.0.0/0", "unix"));
    cr_assert(is_in("::/0", "2001:db8::1"));
    cr_assert_not(is_in("::/0", "203.0.113.9"));
}

Test(cidr, mapped_addresses_are_ipv4_on_both_sides)
{
    cr_assert(is_in("10.0.0.0/8", "::ffff:10.1.2.3"));
    cr_assert(is_in("::ffff:10.0.0.0/104", "10.1.2.3"));
    cr_assert_not(is_in("::ffff:10.0.0.0/104", "11.1.2.3"));
    cr_assert(is_in("::ffff:10.1.2.3", "10.1.2.3"));
    cr_assert_not(is_in("::/0", "::ffff:10.1.2.3"));
}

Test(cidr, bits_behind_the_prefix_do_not_count)
{
    cr_assert(is_in("10.1.2.3/8", "10.200.0.1"));
    cr_assert(is_in("2001:db8::beef/32", "2001:db8:1::1"));
}

Test(cidr, unix_is_who_comes_by_a_unix_socket)
{
    cr_assert(is_in("unix", "unix"));
    cr_assert_not(is_in("unix", "127.0.0.1"));
    cr_assert_not(is_in("127.0.0.0/8", "unix"));
}

Test(cidr, nobody_is_no_member)
{
    struct addr none = {.family = ADDR_NONE};
    struct cidr cidr;
    cr_assert_eq(cidr_parse(BYTES_OF("0.0.0.0/0"), &cidr), 0);
    cr_assert_not(cidr_has(&cidr, &none));
}

Test(cidr, what_is_no_network_is_refused)
{
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8/9",
        "10.0.0.0/ 8",
        "10.0.0/8",
        "010.0.0.0/8",
        "::/129",
        "fd00::/0x8",
        "localhost",
        "*",
        "UNIX",
        "unix/0",
        "[::1]",
        "10.0.0.0/1000",
        " 10.0.0.0",
        "fe80::1%lo",
        "10.0.0.0/8 ",
        "::ffff:10.0.0.0/64",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct cidr cidr;
        cr_assert_eq(cidr_parse(bytes_str(bad[i]), &cidr), -EINVAL, "\"%s\"", bad[i]);
    }
    struct cidr cidr;
    cr_assert_eq(cidr_parse(BYTES_OF("10.0.0.1\0"), &cidr), -EINVAL);
}

Test(cidr, a_set_has_what_one_of_its_items_has)
{
    static const char *const items[] = {"10.0.0.0/8", "unix", "2001:db8::/32"};
    struct cidr_set *set = cidr_set_create(items, ARRAY_LEN(items));
    struct addr in[] = {address("10.9.9.9"), address("unix"), address("2001:db8:1::")};
    struct addr out[] = {address("11.0.0.1"), address("::1")};
    cr_assert_not_null(set);
    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        cr_assert(cidr_set_has(set, &in[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(out); i++) {
        cr_assert_not(cidr_set_has(set, &out[i]));
    }
    cidr_set_destroy(set);
}

Test(cidr, an_empty_set_and_none_have_nobody)
{
    struct cidr_set *set = cidr_set_create(NULL, 0);
    struct addr addr = address("10.0.0.1");
    cr_assert_not(cidr_set_has(set, &addr));
    cr_assert_not(cidr_set_has(NULL, &addr));
    cidr_set_destroy(set);
    cidr_set_destroy(NULL);
}

Test(cidr, one_bad_item_makes_no_set)
{
    static const char *const items[] = {"10.0.0.0/8", "10.0.0.0/99"};
    cr_assert_null(cidr_set_create(items, ARRAY_LEN(items)));
}
