// Routes: which patterns there are, which one wins.
#include "tidegate/http/router.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

static int add(struct router *router, const char *host, const char *pattern, const char *target)
{
    return router_add(router, host, pattern, (void *)(uintptr_t)target);
}

static const char *found(const struct router *router, const char *host, const char *path)
{
    struct router_match match;
    return router_find(router, bytes_str(host), bytes_str(path), &match) ? match.target : "none";
}

// Each pattern is its own target; the order of adding must not matter, so both are tried.
static struct router *router_of(const char *const *patterns, size_t count, bool backwards)
{
    struct router *router = router_create();
    for (size_t i = 0; i < count; i++) {
        const char *pattern = patterns[backwards ? count - 1 - i : i];
        cr_assert_eq(add(router, NULL, pattern, pattern), 0, "%s", pattern);
    }
    return router;
}

Test(router, the_most_specific_pattern_wins_in_any_order_of_adding)
{
    static const char *const patterns[] = {"/*",     "/a",   "/{x}",       "/a/{x}",
                                           "/{x}/b", "/a/*", "/a/{x}/c",   "/a/b",
                                           "/{x}/*", "/a/",  "/a/{x}/c/*", "/z/{x}/{y}"};
    for (int backwards = 0; backwards < 2; backwards++) {
        struct router *router =
            router_of(patterns, sizeof(patterns) / sizeof(*patterns), backwards);
        cr_expect_str_eq(found(router, "", "/"), "/*");
        cr_expect_str_eq(found(router, "", "/a"), "/a");
        cr_expect_str_eq(found(router, "", "/b"), "/{x}");
        cr_expect_str_eq(found(router, "", "/a/b"), "/a/b");
        cr_expect_str_eq(found(router, "", "/a/x"), "/a/{x}");
        cr_expect_str_eq(found(router, "", "/a/"), "/a/");
        cr_expect_str_eq(found(router, "", "/c/b"), "/{x}/b");
        cr_expect_str_eq(found(router, "", "/c/d"), "/{x}/*");
        cr_expect_str_eq(found(router, "", "/a/b/c"), "/a/{x}/c");
        cr_expect_str_eq(found(router, "", "/a/b/d"), "/a/*");
        cr_expect_str_eq(found(router, "", "/a/b/c/d"), "/a/{x}/c/*");
        cr_expect_str_eq(found(router, "", "/z/y/x"), "/z/{x}/{y}");
        cr_expect_str_eq(found(router, "", "//b"), "/*");
        router_destroy(router);
    }
}

Test(router, a_path_that_matches_nothing_finds_nothing)
{
    static const char *const patterns[] = {"/a/{x}", "/b"};
    struct router *router = router_of(patterns, 2, false);
    cr_assert_str_eq(found(router, "", "/a"), "none");
    cr_assert_str_eq(found(router, "", "/a/"), "none");
    cr_assert_str_eq(found(router, "", "/a/b/c"), "none");
    cr_assert_str_eq(found(router, "", "/b/"), "none");
    cr_assert_str_eq(found(router, "", "/B"), "none");
    cr_assert_str_eq(found(router, "", ""), "none");
    cr_assert_str_eq(found(router, "", "*"), "none");
    router_destroy(router);
}

Test(router, a_route_with_a_host_beats_the_same_one_without)
{
    for (int first = 0; first < 2; first++) {
        struct router *router = router_create();
        const char *hosts[2] = {first == 0 ? NULL : "ex.org", first == 0 ? "ex.org" : NULL};
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(add(router, hosts[i], "/a", hosts[i] ? "with" : "without"), 0);
        }
        cr_assert_eq(add(router, "ex.org", "/*", "rest"), 0);
        cr_assert_str_eq(found(router, "EX.org", "/a"), "with");
        cr_assert_str_eq(found(router, "other", "/a"), "without");
        cr_assert_str_eq(found(router, "ex.org", "/b"), "rest");
        cr_assert_str_eq(found(router, "other", "/b"), "none");
        router_destroy(router);
    }
}

Test(router, parameters_are_raw_and_found_by_name)
{
    struct router *router = router_create();
    struct router_match match;
    struct bytes value;
    cr_assert_eq(add(router, NULL, "/{a}/x/{b}/*", "t"), 0);
    cr_assert(router_find(router, BYTES_EMPTY, BYTES_OF("/1%2F2/x/b/c/d"), &match));
    cr_assert(router_param(&match, "a", &value));
    cr_assert(bytes_equal(value, BYTES_OF("1%2F2")));
    cr_assert(router_param(&match, "b", &value));
    cr_assert(bytes_equal(value, BYTES_OF("b")));
    cr_assert(router_param(&match, "*", &value));
    cr_assert(bytes_equal(value, BYTES_OF("c/d")));
    cr_assert_not(router_param(&match, "c", &value));
    router_destroy(router);
}

Test(router, the_rest_may_be_empty)
{
    struct router *router = router_create();
    struct router_match match;
    struct bytes value;
    cr_assert_eq(add(router, NULL, "/*", "t"), 0);
    cr_assert(router_find(router, BYTES_EMPTY, BYTES_OF("/"), &match));
    cr_assert(router_param(&match, "*", &value));
    cr_assert_eq(value.len, 0);
    router_destroy(router);
}

Test(router, two_routes_of_one_shape_and_host_conflict)
{
    struct router *router = router_create();
    cr_assert_eq(add(router, NULL, "/a/{x}", ""), 0);
    cr_assert_eq(add(router, NULL, "/a/{y}", ""), -EEXIST);
    cr_assert_eq(add(router, "h", "/a/{y}", ""), 0);
    cr_assert_eq(add(router, "H", "/a/{z}", ""), -EEXIST);
    cr_assert_eq(add(router, NULL, "/b/{y}", ""), 0);
    cr_assert_eq(add(router, NULL, "/a/*", ""), 0);
    cr_assert_eq(add(router, NULL, "/a/*", ""), -EEXIST);
    router_destroy(router);
}

Test(router, patterns_that_are_none_are_refused)
{
    static const char *const bad[] = {
        "",       "a",        "*",     "/*/a",      "/a*",
        "/{}",    "/{a",      "/a}",   "/{a}b",     "/{1a}",
        "/{a-b}", "//a",      "/a//b", "/a b",      "/a?b",
        "/a#b",   "/{x}/{x}", "/{*}",  "/\xc3\xa4", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}"};
    struct router *router = router_create();
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        cr_expect_eq(router_check(bad[i]), -EINVAL, "%s", bad[i]);
        cr_expect_eq(add(router, NULL, bad[i], ""), -EINVAL, "%s", bad[i]);
    }
    router_destroy(router);
    cr_assert_eq(router_check("/"), 0);
    cr_assert_eq(router_check("/*"), 0);
    cr_assert_eq(router_check("/a/{b_1}/c.d-e/"), 0);
    cr_assert_eq(router_check("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/*"), 0);
}
