// Limits over all connections and by address. Racing threads are in tests/threads.
// Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/base/clock.h"
#include "tidegate/net/census.h"

#include <stdio.h>

TestSuite(census, .fini = leaks_check);

static struct addr at(const char *ip)
{
    struct addr addr;
    cr_assert_eq(addr_parse(ip, 1234, &addr), 0);
    return addr;
}

static void limit(struct census *census, uint32_t total_max, uint32_t address_max)
{
    struct census_limits limits = {.total_max = total_max, .address_max = address_max};
    census_configure(census, &limits);
}

Test(census, without_limits_everybody_is_counted_and_let_in)
{
    struct census *census = census_create();
    struct addr addr = at("192.0.2.1");
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(census_enter(census, &addr), CENSUS_OK);
    }
    cr_assert_eq(census_total(census), 1000);
    for (int i = 0; i < 1000; i++) {
        census_leave(census, &addr);
    }
    cr_assert_eq(census_total(census), 0);
    census_destroy(census);
}

Test(census, the_total_limit_refuses_until_somebody_leaves)
{
    struct census *census = census_create();
    struct addr first = at("192.0.2.1");
    struct addr second = at("2001:db8::1");
    struct addr local = {.family = ADDR_UNIX};
    limit(census, 3, 0);
    cr_assert_eq(census_enter(census, &first), CENSUS_OK);
    cr_assert_eq(census_enter(census, &second), CENSUS_OK);
    cr_assert_eq(census_enter(census, &local), CENSUS_OK);
    cr_assert_eq(census_enter(census, &first), CENSUS_TOTAL_LIMIT);
    cr_assert_eq(census_enter(census, &local), CENSUS_TOTAL_LIMIT);
    cr_assert_eq(census_total(census), 3);
    census_leave(census, &local);
    cr_assert_eq(census_enter(census, &first), CENSUS_OK);
    cr_assert_eq(census_enter(census, &first), CENSUS_TOTAL_LIMIT);
    census_destroy(census);
}

Test(census, the_limit_of_an_address_refuses_that_address_alone)
{
    struct census *census = census_create();
    struct addr first = at("192.0.2.1");
    struct addr other = at("192.0.2.2");
    struct addr local = {.family = ADDR_UNIX};
    limit(census, 0, 2);
    cr_assert_eq(census_enter(census, &first), CENSUS_OK);
    cr_assert_eq(census_enter(census, &first), CENSUS_OK);
    cr_assert_eq(census_enter(census, &first), CENSUS_ADDRESS_LIMIT);
    cr_assert_eq(census_total(census), 2, "who is refused is not counted");
    cr_assert_eq(census_enter(census, &other), CENSUS_OK);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(census_enter(census, &local), CENSUS_OK, "Unix sockets have no address");
    }
    census_leave(census, &first);
    cr_assert_eq(census_enter(census, &first), CENSUS_OK);
    cr_assert_eq(census_enter(census, &first), CENSUS_ADDRESS_LIMIT);
    census_destroy(census);
}

Test(census, a_network_of_64_bits_counts_as_one_address)
{
    struct census *census = census_create();
    struct addr first = at("2001:db8::1");
    struct addr same = at("2001:db8::2:3");
    struct addr other = at("2001:db8:0:1::1");
    limit(census, 0, 1);
    cr_assert_eq(census_enter(census, &first), CENSUS_OK);
    cr_assert_eq(census_enter(census, &same), CENSUS_ADDRESS_LIMIT);
    cr_assert_eq(census_enter(census, &other), CENSUS_OK);
    census_destroy(census);
}

Test(census, changed_limits_hold_for_those_who_come_from_then_on)
{
    struct census *census = census_create();
    struct addr addr = at("192.0.2.1");
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(census_enter(census, &addr), CENSUS_OK);
    }
    limit(census, 0, 3);
    cr_assert_eq(census_enter(census, &addr), CENSUS_ADDRESS_LIMIT);
    limit(census, 2, 0);
    cr_assert_eq(census_enter(census, &addr), CENSUS_TOTAL_LIMIT);
    limit(census, 0, 0);
    cr_assert_eq(census_enter(census, &addr), CENSUS_OK);
    cr_assert_eq(census_total(census), 6);
    census_destroy(census);
}

Test(census, thousands_of_addresses_are_kept_apart_and_forgotten)
{
    enum { COUNT = 3000 };
    struct census *census = census_create();
    limit(census, 0, 1);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            char ip[32];
            snprintf(ip, sizeof(ip), "10.1.%d.%d", i / 250, i % 250);
            struct addr addr = at(ip);
            enum census_verdict verdict = census_enter(census, &addr);
            if (round == 1) {
                cr_assert_eq(verdict, CENSUS_ADDRESS_LIMIT, "%s", ip);
                census_leave(census, &addr);
            } else {
                cr_assert_eq(verdict, CENSUS_OK, "%s", ip);
            }
        }
        cr_assert_eq(census_total(census), round == 1 ? 0 : COUNT);
    }
    census_destroy(census);
}

Test(census, refusing_by_rate_counts_newcomers_of_one_second)
{
    struct census *census = census_create();
    struct addr first = at("192.0.2.1");
    struct addr other = at("192.0.2.2");
    clock_set_fake_us(5000000);
    census_configure(census, &(struct census_limits){.total_rate = 5, .address_rate = 3});
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(census_enter(census, &first), CENSUS_OK);
        census_leave(census, &first); // leaving gives nothing back
    }
    cr_assert_eq(census_enter(census, &first), CENSUS_ADDRESS_RATE);
    cr_assert_eq(census_enter(census, &other), CENSUS_OK);
    cr_assert_eq(census_total(census), 1);
    clock_set_fake_us(7000000);
    cr_assert_eq(census_enter(census, &first), CENSUS_OK);
    for (int i = 0; i < 10; i++) {
        struct addr addr = at("10.0.0.1");
        addr.ip[3] = (uint8_t)(10 + i);
        census_enter(census, &addr);
    }
    cr_assert_eq(census_total(census), 1 + 5, "five in a second, no more");
    clock_set_fake_us(-1);
    census_destroy(census);
}

Test(census, while_memory_is_short_newcomers_are_refused_and_those_inside_stay)
{
    struct census *census = census_create();
    struct addr addr = at("192.0.2.1");
    cr_assert_eq(census_enter(census, &addr), CENSUS_OK);
    census_set_full(census, true);
    cr_assert_eq(census_enter(census, &addr), CENSUS_MEMORY);
    cr_assert_eq(census_total(census), 1);
    census_set_full(census, false);
    cr_assert_eq(census_enter(census, &addr), CENSUS_OK);
    cr_assert_eq(census_total(census), 2);
    census_destroy(census);
}

Test(census, sweeping_forgets_nobody_who_is_there)
{
    struct census *census = census_create();
    struct addr here = at("192.0.2.1");
    struct addr gone = at("192.0.2.2");
    clock_set_fake_us(5000000);
    limit(census, 0, 1);
    cr_assert_eq(census_enter(census, &here), CENSUS_OK);
    cr_assert_eq(census_enter(census, &gone), CENSUS_OK);
    census_leave(census, &gone);
    clock_set_fake_us(50000000);
    for (unsigned part = 0; part < 3; part++) {
        census_sweep(census, part, 3);
    }
    cr_assert_eq(census_enter(census, &here), CENSUS_ADDRESS_LIMIT);
    cr_assert_eq(census_enter(census, &gone), CENSUS_OK);
    census_leave(census, &here);
    census_leave(census, &gone);
    clock_set_fake_us(-1);
    census_destroy(census);
}
