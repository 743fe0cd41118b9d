// Which certificate a name means, and what the outbox keeps for a transport that asks again.
#include "../../support/leaks.h"

#include "tidegate/base/mem.h"
#include "tidegate/net/outbox.h"
#include "tls_private.h"

#include <sys/uio.h>

TestSuite(tls, .fini = leaks_check);

static bool matches(const char *pattern, const char *name)
{
    return tls_name_matches(bytes_str(pattern), bytes_str(name));
}

Test(tls, name_is_compared_without_case)
{
    cr_expect(matches("example.com", "Example.COM"));
    cr_expect_not(matches("example.com", "example.org"));
    cr_expect_not(matches("example.com", "www.example.com"));
    cr_expect_not(matches("example.com", ""));
}

Test(tls, star_stands_for_exactly_one_label)
{
    cr_expect(matches("*.example.com", "www.example.com"));
    cr_expect(matches("*.example.com", "WWW.EXAMPLE.com"));
    cr_expect_not(matches("*.example.com", "example.com"));
    cr_expect_not(matches("*.example.com", "a.b.example.com"));
    cr_expect_not(matches("*.example.com", ".example.com"));
    cr_expect_not(matches("*.example.com", "wwwexample.com"));
}

Test(tls, star_elsewhere_stands_for_itself)
{
    cr_expect_not(matches("www.*.com", "www.example.com"));
    cr_expect_not(matches("w*.example.com", "www.example.com"));
    cr_expect_not(matches("*", "com"));
    cr_expect_not(matches("*.", "com."));
}

// Three certificates: the default, a wildcard, and a name the wildcard fits too.
static struct tls *three(void)
{
    static char one[] = "one.test", other[] = "other.test", star[] = "*.two.test";
    static char exact[] = "exact.two.test";
    static char *first[] = {one};
    static char *second[] = {other, star};
    static char *third[] = {exact};
    struct tls *tls = mem_zalloc(sizeof(*tls) + 3 * sizeof(struct tls_certificate));

    tls->count = 3;
    tls->certificates[0] = (struct tls_certificate){.names = first, .name_count = 1};
    tls->certificates[1] = (struct tls_certificate){.names = second, .name_count = 2};
    tls->certificates[2] = (struct tls_certificate){.names = third, .name_count = 1};
    return tls;
}

Test(tls, exact_name_comes_before_a_star_and_the_first_serves_the_rest)
{
    struct tls *tls = three();
    cr_expect_eq(tls_choose(tls, BYTES_OF("one.test")), 0);
    cr_expect_eq(tls_choose(tls, BYTES_OF("other.test")), 1);
    cr_expect_eq(tls_choose(tls, BYTES_OF("a.two.test")), 1);
    cr_expect_eq(tls_choose(tls, BYTES_OF("exact.two.test")), 2);
    cr_expect_eq(tls_choose(tls, BYTES_OF("exact.two.test.")), 2);
    cr_expect_eq(tls_choose(tls, BYTES_OF("unknown.test")), 0);
    cr_expect_eq(tls_choose(tls, BYTES_OF("")), 0);
    mem_free(tls);
}

// --- what is pinned in an outbox ---

static int push(struct outbox *outbox, const char *text, uint32_t key)
{
    uint32_t dropped = 0;
    outbox_push(outbox, blob_try_copy(bytes_str(text)), key, &dropped);
    return (int)dropped;
}

static void expect_content(const struct outbox *outbox, const char *wanted)
{
    struct iovec iov[32];
    char text[512] = "";
    int count = outbox_peek(outbox, iov, 32, sizeof(text));

    for (int i = 0; i < count; i++) {
        strncat(text, iov[i].iov_base, iov[i].iov_len);
    }
    cr_expect_str_eq(text, wanted);
}

Test(tls, pinned_bytes_are_shown_again_whatever_is_dropped)
{
    struct outbox outbox;
    struct blob_till till = {0};
    outbox_init(&outbox, UINT32_MAX, OUTBOX_DROP_OLDEST);
    push(&outbox, "aaaa", 2);
    push(&outbox, "bbbb", 2);
    push(&outbox, "cccc", 2);
    outbox_pin(&outbox, 5);
    outbox_drop_unsent(&outbox);
    expect_content(&outbox, "aaaabbbb");
    outbox_advance(&outbox, 5, &till);
    expect_content(&outbox, "bbb");
    cr_expect_eq(outbox.pinned, 0);
    outbox_drop_unsent(&outbox);
    expect_content(&outbox, "bbb"); // partly sent
    blob_till_finish(&till);
    outbox_finish(&outbox);
}

Test(tls, drop_oldest_goes_round_what_is_pinned)
{
    struct outbox outbox;
    outbox_init(&outbox, 4 * (4 + sizeof(struct outbox_entry)), OUTBOX_DROP_OLDEST);
    push(&outbox, "aaaa", 2);
    push(&outbox, "bbbb", 2);
    push(&outbox, "cccc", 2);
    outbox_pin(&outbox, 4);
    cr_expect_gt(push(&outbox, "dddd", 2) + push(&outbox, "eeee", 2), 0);
    struct iovec first;
    cr_assert_eq(outbox_peek(&outbox, &first, 1, 4), 1);
    cr_expect_arr_eq(first.iov_base, "aaaa", 4);
    outbox_finish(&outbox);
}

Test(tls, pinned_pong_is_not_replaced)
{
    struct outbox outbox;
    outbox_init(&outbox, UINT32_MAX, OUTBOX_DISCONNECT);
    push(&outbox, "pong1", OUTBOX_KEY_PONG);
    outbox_pin(&outbox, 5);
    push(&outbox, "pong2", OUTBOX_KEY_PONG);
    expect_content(&outbox, "pong1pong2");
    push(&outbox, "pong3", OUTBOX_KEY_PONG);
    expect_content(&outbox, "pong1pong3");
    outbox_finish(&outbox);
}
