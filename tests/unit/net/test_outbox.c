// The outbox against a naive list: every policy, every place a write may stop. Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/base/mem.h"
#include "tidegate/net/outbox.h"

#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>

TestSuite(outbox, .fini = leaks_check);

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

static struct blob *text_blob(const char *text)
{
    struct blob *blob = blob_try_copy(bytes_str(text));
    cr_assert_not_null(blob);
    return blob;
}

// What would be written now, all of it.
static size_t peek_all(const struct outbox *outbox, char *to)
{
    struct iovec iov[512];
    size_t len = 0;
    int count = outbox_peek(outbox, iov, 512, SIZE_MAX);
    for (int i = 0; i < count; i++) {
        memcpy(to + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    return len;
}

static void expect_queue(const struct outbox *outbox, const char *expected)
{
    char text[4096];
    size_t len = peek_all(outbox, text);
    cr_assert(bytes_equal(bytes_make(text, len), bytes_str(expected)), "\"%.*s\", not \"%s\"",
              (int)len, text, expected);
    cr_assert_eq(outbox->bytes, len);
    cr_assert_eq(outbox_is_empty(outbox), len == 0);
}

static int push(struct outbox *outbox, const char *text, uint32_t key, uint32_t *ret_dropped)
{
    *ret_dropped = 0;
    return outbox_push(outbox, text_blob(text), key, ret_dropped);
}

static void push_ok(struct outbox *outbox, const char *text, uint32_t key)
{
    uint32_t dropped;
    cr_assert_eq(push(outbox, text, key, &dropped), 0);
    cr_assert_eq(dropped, 0);
}

static void advance(struct outbox *outbox, size_t n)
{
    struct blob_till till = {0};
    outbox_advance(outbox, n, &till);
    blob_till_finish(&till);
}

#define ENTRY ((uint32_t)sizeof(struct outbox_entry))
#define KEY_A OUTBOX_KEY_FIRST
#define KEY_B (OUTBOX_KEY_FIRST + 1)

Test(outbox, one_message_is_held_inline_and_more_in_a_ring_that_goes_when_all_is_written)
{
    struct outbox outbox;
    outbox_init(&outbox, 10000, OUTBOX_DISCONNECT);
    push_ok(&outbox, "one", KEY_A);
    cr_assert_null(outbox.ring);
    push_ok(&outbox, "two", KEY_A);
    cr_assert_not_null(outbox.ring);
    expect_queue(&outbox, "onetwo");
    advance(&outbox, 5);
    expect_queue(&outbox, "o");
    cr_assert_not_null(outbox.ring);
    advance(&outbox, 1);
    cr_assert_null(outbox.ring);
    expect_queue(&outbox, "");
    push_ok(&outbox, "three", KEY_A);
    cr_assert_null(outbox.ring);
    expect_queue(&outbox, "three");
    outbox_finish(&outbox);
    cr_assert(outbox_is_empty(&outbox));
}

Test(outbox, views_are_bounded_in_number_and_bytes)
{
    struct outbox outbox;
    struct iovec iov[8];
    outbox_init(&outbox, 10000, OUTBOX_DISCONNECT);
    for (int i = 0; i < 5; i++) {
        push_ok(&outbox, "abcd", KEY_A);
    }
    advance(&outbox, 1);
    cr_assert_eq(outbox_peek(&outbox, iov, 2, 1000), 2);
    cr_assert_eq(iov[0].iov_len, 3);
    cr_assert_eq(iov[1].iov_len, 4);
    cr_assert_eq(outbox_peek(&outbox, iov, 8, 9), 3);
    cr_assert_eq(iov[2].iov_len, 2);
    cr_assert_eq(outbox_peek(&outbox, iov, 8, 3), 1);
    cr_assert_eq(outbox_peek(&outbox, iov, 8, 0), 0);
    outbox_finish(&outbox);
}

Test(outbox, past_the_limit_data_is_refused_and_its_reference_dropped)
{
    struct outbox outbox;
    uint32_t dropped;
    outbox_init(&outbox, 100, OUTBOX_DISCONNECT);
    push_ok(&outbox, "0123456789", KEY_A);
    struct blob *blob = text_blob("a message that is far too long for what is left of the limit, "
                                  "which is some eighty bytes only");
    blob_ref(blob);
    dropped = 0;
    cr_assert_eq(outbox_push(&outbox, blob, KEY_A, &dropped), -ENOBUFS);
    cr_assert_eq(atomic_load(&blob->refs), 1);
    cr_assert_eq(dropped, 0);
    blob_unref(blob);
    expect_queue(&outbox, "0123456789");
    outbox_finish(&outbox);
}

Test(outbox, the_first_message_is_taken_whatever_its_size)
{
    static const enum outbox_policy policies[] = {OUTBOX_DISCONNECT, OUTBOX_DROP_OLDEST,
                                                  OUTBOX_CONFLATE};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct outbox outbox;
        outbox_init(&outbox, 4, policies[i]);
        push_ok(&outbox, "longer than four", KEY_A);
        expect_queue(&outbox, "longer than four");
        outbox_finish(&outbox);
    }
}

Test(outbox, control_output_passes_the_limit_and_is_never_dropped)
{
    static const enum outbox_policy policies[] = {OUTBOX_DISCONNECT, OUTBOX_DROP_OLDEST,
                                                  OUTBOX_CONFLATE};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct outbox outbox;
        uint32_t dropped;
        outbox_init(&outbox, 30, policies[i]);
        push_ok(&outbox, "0123456789", OUTBOX_KEY_CONTROL);
        push_ok(&outbox, "abcdefghij", OUTBOX_KEY_CONTROL);
        push_ok(&outbox, "klmnopqrst", OUTBOX_KEY_PONG);
        // The first message is taken whatever waits for the peer besides messages; a second one is
        // not.
        push_ok(&outbox, "data", KEY_A);
        bool is_disconnect = policies[i] == OUTBOX_DISCONNECT;
        cr_assert_eq(push(&outbox, "DATA", KEY_A, &dropped), is_disconnect ? -ENOBUFS : 0);
        cr_assert_eq(dropped, is_disconnect ? 0 : 1);
        expect_queue(&outbox, is_disconnect ? "0123456789abcdefghijklmnopqrstdata"
                                            : "0123456789abcdefghijklmnopqrstDATA");
        outbox_finish(&outbox);
    }
}

Test(outbox, the_weight_of_tiny_entries_counts)
{
    struct outbox outbox;
    uint32_t dropped;
    uint32_t taken = 0;
    outbox_init(&outbox, 100 * (ENTRY + 1), OUTBOX_DISCONNECT);
    while (push(&outbox, "x", KEY_A, &dropped) == 0) {
        taken++;
        cr_assert_leq(taken, 102);
    }
    cr_assert_geq(taken, 99);
    outbox_finish(&outbox);
}

Test(outbox, dropping_the_oldest_makes_just_enough_room)
{
    struct outbox outbox;
    uint32_t dropped;
    outbox_init(&outbox, 3 * ENTRY + 40, OUTBOX_DROP_OLDEST);
    push_ok(&outbox, "aaaaaaaaaa", KEY_A);
    push_ok(&outbox, "ctl", OUTBOX_KEY_CONTROL);
    push_ok(&outbox, "bbbbbbbbbb", KEY_B);
    push_ok(&outbox, "cccccccccc", KEY_A);
    cr_assert_eq(push(&outbox, "dddddddddd", KEY_A, &dropped), 0);
    cr_assert_eq(dropped, 1);
    expect_queue(&outbox, "ctlbbbbbbbbbbccccccccccdddddddddd");
    // More than one goes where one is not enough.
    cr_assert_eq(push(&outbox, "eeeeeeeeeeeeeeeeeeeeeeeee", KEY_A, &dropped), 0);
    cr_assert_gt(dropped, 1);
    char text[200];
    size_t len = peek_all(&outbox, text);
    cr_assert(bytes_starts_with(bytes_make(text, len), BYTES_OF("ctl")));
    cr_assert_not_null(memmem(text, len, "eeeeeeeeeeeeeeeeeeeeeeeee", 25));
    outbox_finish(&outbox);
}

Test(outbox, conflating_keeps_the_newest_of_a_key_and_all_of_the_others)
{
    struct outbox outbox;
    uint32_t dropped;
    outbox_init(&outbox, 4 * ENTRY + 40, OUTBOX_CONFLATE);
    push_ok(&outbox, "aaaaaaaaaa", KEY_A);
    push_ok(&outbox, "bbbbbbbbbb", KEY_B);
    push_ok(&outbox, "AAAAAAAAAA", KEY_A);
    push_ok(&outbox, "ctl", OUTBOX_KEY_CONTROL);
    cr_assert_eq(push(&outbox, "newest of a", KEY_A, &dropped), 0);
    cr_assert_eq(dropped, 2);
    expect_queue(&outbox, "bbbbbbbbbbctlnewest of a");
    outbox_finish(&outbox);
}

Test(outbox, conflating_without_an_older_one_of_the_key_makes_no_room)
{
    struct outbox outbox;
    uint32_t dropped;
    outbox_init(&outbox, 2 * ENTRY + 20, OUTBOX_CONFLATE);
    push_ok(&outbox, "aaaaaaaaaa", KEY_A);
    push_ok(&outbox, "aaaaaaaaaa", KEY_A);
    cr_assert_eq(push(&outbox, "bbbbbbbbbb", KEY_B, &dropped), -ENOBUFS);
    cr_assert_eq(dropped, 0);
    expect_queue(&outbox, "aaaaaaaaaaaaaaaaaaaa");
    outbox_finish(&outbox);
}

Test(outbox, what_is_partly_written_is_never_dropped)
{
    static const enum outbox_policy policies[] = {OUTBOX_DROP_OLDEST, OUTBOX_CONFLATE};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        for (size_t sent = 1; sent < 10; sent++) {
            struct outbox outbox;
            uint32_t dropped;
            outbox_init(&outbox, 2 * ENTRY + 35 - (uint32_t)sent, policies[i]);
            push_ok(&outbox, "0123456789", KEY_A);
            push_ok(&outbox, "abcdefghij", KEY_A);
            advance(&outbox, sent);
            cr_assert_eq(push(&outbox, "ABCDEFGHIJKLMNOP", KEY_A, &dropped), 0);
            cr_assert_eq(dropped, 1);
            char expected[64];
            snprintf(expected, sizeof(expected), "%sABCDEFGHIJKLMNOP", &"0123456789"[sent]);
            expect_queue(&outbox, expected);
            outbox_drop_unsent(&outbox);
            expect_queue(&outbox, &"0123456789"[sent]);
            advance(&outbox, 10 - sent);
            expect_queue(&outbox, "");
            outbox_finish(&outbox);
        }
    }
}

Test(outbox, what_is_pinned_stays_until_it_was_written)
{
    struct outbox outbox;
    uint32_t dropped;
    outbox_init(&outbox, 3 * ENTRY + 30, OUTBOX_CONFLATE);
    push_ok(&outbox, "0123456789", KEY_A);
    push_ok(&outbox, "abcdefghij", KEY_A);
    push_ok(&outbox, "ABCDEFGHIJ", KEY_A);
    outbox_pin(&outbox, 11);
    cr_assert_eq(push(&outbox, "xyz", KEY_A, &dropped), 0);
    cr_assert_eq(dropped, 1);
    expect_queue(&outbox, "0123456789abcdefghijxyz");
    outbox_drop_unsent(&outbox);
    expect_queue(&outbox, "0123456789abcdefghij");
    advance(&outbox, 11);
    outbox_drop_unsent(&outbox);
    expect_queue(&outbox, "bcdefghij");
    advance(&outbox, 9);
    push_ok(&outbox, "free", KEY_A);
    outbox_drop_unsent(&outbox);
    expect_queue(&outbox, "");
    outbox_finish(&outbox);
}

Test(outbox, dropping_what_is_unsent_drops_all_messages_when_nothing_is_begun)
{
    struct outbox outbox;
    outbox_init(&outbox, 1000, OUTBOX_DISCONNECT);
    outbox_drop_unsent(&outbox);
    push_ok(&outbox, "one", KEY_A);
    outbox_drop_unsent(&outbox);
    expect_queue(&outbox, "");
    push_ok(&outbox, "two", KEY_A);
    push_ok(&outbox, "three", KEY_B);
    outbox_drop_unsent(&outbox);
    expect_queue(&outbox, "");
    push_ok(&outbox, "four", KEY_A);
    expect_queue(&outbox, "four");
    advance(&outbox, 4);
    expect_queue(&outbox, "");
    cr_assert_null(outbox.ring);
    outbox_finish(&outbox);
}

Test(outbox, dropping_what_is_unsent_keeps_what_is_no_message)
{
    struct outbox outbox;
    outbox_init(&outbox, 1000, OUTBOX_DISCONNECT);
    push_ok(&outbox, "head", OUTBOX_KEY_CONTROL);
    push_ok(&outbox, "one", KEY_A);
    push_ok(&outbox, "pong", OUTBOX_KEY_PONG);
    push_ok(&outbox, "two", KEY_A);
    outbox_drop_unsent(&outbox);
    expect_queue(&outbox, "headpong");
    push_ok(&outbox, "close", OUTBOX_KEY_CONTROL);
    expect_queue(&outbox, "headpongclose");
    advance(&outbox, 13);
    expect_queue(&outbox, "");
    outbox_finish(&outbox);
}

Test(outbox, a_pong_replaces_one_that_waits)
{
    struct outbox outbox;
    outbox_init(&outbox, 1000, OUTBOX_DISCONNECT);
    push_ok(&outbox, "data", KEY_A);
    push_ok(&outbox, "pong1", OUTBOX_KEY_PONG);
    push_ok(&outbox, "more", KEY_A);
    for (int i = 0; i < 1000; i++) {
        push_ok(&outbox, "p2", OUTBOX_KEY_PONG);
    }
    expect_queue(&outbox, "datap2more");
    push_ok(&outbox, "a longer pong", OUTBOX_KEY_PONG);
    expect_queue(&outbox, "dataa longer pongmore");
    outbox_finish(&outbox);
}

Test(outbox, a_pong_that_is_partly_written_is_not_replaced)
{
    struct outbox outbox;
    outbox_init(&outbox, 1000, OUTBOX_DISCONNECT);
    push_ok(&outbox, "pong1", OUTBOX_KEY_PONG);
    advance(&outbox, 2);
    push_ok(&outbox, "pong2", OUTBOX_KEY_PONG);
    expect_queue(&outbox, "ng1pong2");
    push_ok(&outbox, "pong3", OUTBOX_KEY_PONG);
    expect_queue(&outbox, "ng1pong3");
    outbox_finish(&outbox);
}

Test(outbox, a_write_may_stop_at_every_byte)
{
    for (size_t cut = 0; cut <= 12; cut++) {
        struct outbox outbox;
        outbox_init(&outbox, 1000, OUTBOX_DISCONNECT);
        push_ok(&outbox, "abc", KEY_A);
        push_ok(&outbox, "", OUTBOX_KEY_CONTROL);
        push_ok(&outbox, "defgh", KEY_A);
        push_ok(&outbox, "ijkl", KEY_A);
        advance(&outbox, cut);
        char text[64];
        size_t len = peek_all(&outbox, text);
        cr_assert(bytes_equal(bytes_make(text, len), bytes_str(&"abcdefghijkl"[cut])));
        advance(&outbox, 12 - cut);
        expect_queue(&outbox, "");
        outbox_finish(&outbox);
    }
}

// --- the model ---

#define MODEL_MAX 600
#define MODEL_LIMIT 700

struct model_entry {
    char text[24];
    uint32_t key;
};

static struct model_entry model[MODEL_MAX];
static size_t model_count;
static size_t model_sent;
static size_t model_pinned;

static size_t model_weight(void)
{
    size_t bytes = 0;
    for (size_t i = 0; i < model_count; i++) {
        bytes += strlen(model[i].text) + sizeof(struct outbox_entry);
    }
    return bytes - model_sent;
}

static void model_remove(size_t i)
{
    memmove(&model[i], &model[i + 1], (model_count - i - 1) * sizeof(model[0]));
    model_count--;
}

// What outbox_push() is promised to do.
static int model_push(const char *text, uint32_t key, enum outbox_policy policy,
                      uint32_t *ret_dropped)
{
    size_t first = 0;
    for (size_t at = 0; at < model_sent + model_pinned; first++) {
        at += strlen(model[first].text);
    }
    for (size_t i = first; key == OUTBOX_KEY_PONG && i < model_count; i++) {
        if (model[i].key == OUTBOX_KEY_PONG) {
            strcpy(model[i].text, text);
            return 0;
        }
    }
    if (key >= OUTBOX_KEY_FIRST && model_count > 0 && model_weight() + strlen(text) > MODEL_LIMIT) {
        for (size_t i = first; policy != OUTBOX_DISCONNECT && i < model_count;) {
            bool goes = policy == OUTBOX_CONFLATE ? model[i].key == key
                                                  : model[i].key >= OUTBOX_KEY_FIRST &&
                                                        model_weight() + strlen(text) > MODEL_LIMIT;
            if (goes) {
                model_remove(i);
                (*ret_dropped)++;
            } else {
                i++;
            }
        }
        if (model_count > 0 && model_weight() + strlen(text) > MODEL_LIMIT) {
            return -ENOBUFS;
        }
    }
    cr_assert_lt(model_count, MODEL_MAX);
    strcpy(model[model_count].text, text);
    model[model_count++].key = key;
    return 0;
}

static void model_advance(size_t n)
{
    model_sent += n;
    model_pinned -= n < model_pinned ? n : model_pinned;
    while (model_count > 0 && model_sent >= strlen(model[0].text)) {
        model_sent -= strlen(model[0].text);
        model_remove(0);
    }
}

static void model_compare(const struct outbox *outbox)
{
    static char expected[MODEL_MAX * 24];
    static char got[MODEL_MAX * 24];
    size_t len = 0;
    for (size_t i = 0; i < model_count; i++) {
        len += (size_t)sprintf(expected + len, "%s", model[i].text);
    }
    size_t got_len = peek_all(outbox, got);
    cr_assert(
        bytes_equal(bytes_make(got, got_len), bytes_make(expected + model_sent, len - model_sent)),
        "\"%.*s\", not \"%s\"", (int)got_len, got, expected + model_sent);
    cr_assert_eq(outbox->count, model_count);
    cr_assert_eq(outbox->bytes, len - model_sent);
}

static void model_check(enum outbox_policy policy, uint64_t seed)
{
    struct outbox outbox;
    outbox_init(&outbox, MODEL_LIMIT, policy);
    random_state = seed;
    model_count = 0;
    model_sent = 0;
    model_pinned = 0;
    for (int step = 0; step < 3000; step++) {
        if (random_below(3) > 0) {
            char text[24];
            uint32_t wanted = 0;
            uint32_t dropped;
            // Control output has no limit: few of it, or the queue would hold nothing else.
            uint32_t key = random_below(20) == 0 ? random_below(2) : 2 + random_below(4);
            snprintf(text, sizeof(text), "<%d:%.*s>", step, (int)random_below(15),
                     "abcdefghijklmno");
            int result = model_push(text, key, policy, &wanted);
            cr_assert_eq(push(&outbox, text, key, &dropped), result, "step %d", step);
            cr_assert_eq(dropped, wanted, "step %d", step);
        } else {
            size_t n = random_below(outbox.bytes < 60 ? outbox.bytes + 1 : 60);
            model_advance(n);
            advance(&outbox, n);
            // Now and then a transport was shown some of it and could not write it.
            model_pinned = random_below(4) == 0 ? random_below(outbox.bytes + 1) : model_pinned;
            outbox_pin(&outbox, (uint32_t)model_pinned);
        }
        model_compare(&outbox);
    }
    outbox_finish(&outbox);
}

Test(outbox, every_policy_does_what_a_naive_list_does)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        model_check(OUTBOX_DISCONNECT, seed);
        model_check(OUTBOX_DROP_OLDEST, seed);
        model_check(OUTBOX_CONFLATE, seed);
    }
}
