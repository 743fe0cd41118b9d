// The buffer: grows to its limit and not one byte further, and a failure changes nothing.
#include "../../support/leaks.h"

#include "tidegate/base/buf.h"
#include "tidegate/base/mem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

TestSuite(buf, .fini = leaks_check);

// Under AddressSanitizer an allocation that cannot be made is an answer too, not the end.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

Test(buf, holds_no_memory_until_the_first_byte)
{
    struct buf buf;
    buf_init(&buf, 100);
    cr_assert_null(buf.at);
    cr_assert_eq(buf_append(&buf, BYTES_EMPTY), 0);
    cr_assert_eq(buf_reserve(&buf, 0), 0);
    cr_assert_null(buf.at);
    cr_assert_eq(buf_bytes(&buf).len, 0);
}

Test(buf, a_zeroed_one_with_a_limit_is_valid)
{
    struct buf buf = {.max = 10};
    cr_assert_eq(buf_append(&buf, BYTES_OF("0123456789")), 0);
    cr_assert(bytes_equal(buf_bytes(&buf), BYTES_OF("0123456789")));
    buf_finish(&buf);
}

Test(buf, is_filled_to_the_limit_exactly_and_refuses_the_next_byte)
{
    for (size_t max = 0; max < 300; max++) {
        struct buf buf;
        buf_init(&buf, max);
        for (size_t i = 0; i < max; i++) {
            cr_assert_eq(buf_append(&buf, BYTES_OF("x")), 0);
            cr_assert_leq(buf.len, buf.cap);
            cr_assert_leq(buf.cap, buf.max);
        }
        cr_assert_eq(buf_append(&buf, BYTES_OF("y")), -EMSGSIZE);
        cr_assert_eq(buf.len, max);
        buf_finish(&buf);
    }
}

Test(buf, a_refused_append_changes_nothing)
{
    struct buf buf;
    buf_init(&buf, 5);
    cr_assert_eq(buf_append(&buf, BYTES_OF("abc")), 0);
    cr_assert_eq(buf_append(&buf, BYTES_OF("def")), -EMSGSIZE);
    cr_assert(bytes_equal(buf_bytes(&buf), BYTES_OF("abc")));
    cr_assert_eq(buf_append(&buf, BYTES_OF("de")), 0);
    cr_assert(bytes_equal(buf_bytes(&buf), BYTES_OF("abcde")));
    buf_finish(&buf);
}

Test(buf, sizes_that_would_wrap_around_are_refused)
{
    struct buf buf;
    buf_init(&buf, SIZE_MAX / 4);
    cr_assert_eq(buf_append(&buf, BYTES_OF("abc")), 0);
    cr_assert_eq(buf_reserve(&buf, SIZE_MAX), -EMSGSIZE);
    cr_assert_eq(buf_reserve(&buf, SIZE_MAX - 2), -EMSGSIZE);
    cr_assert_eq(buf_reserve(&buf, SIZE_MAX / 4 - 3), -ENOMEM);
    cr_assert(bytes_equal(buf_bytes(&buf), BYTES_OF("abc")));
    buf_finish(&buf);
}

Test(buf, reserving_makes_room_behind_the_length)
{
    struct buf buf;
    buf_init(&buf, 1000);
    cr_assert_eq(buf_append(&buf, BYTES_OF("abc")), 0);
    cr_assert_eq(buf_reserve(&buf, 500), 0);
    cr_assert_geq(buf.cap, 503);
    cr_assert_eq(buf.len, 3);
    buf_finish(&buf);
}

Test(buf, prints_short_and_long_texts)
{
    struct buf buf;
    buf_init(&buf, 10000);
    char expected[1000];
    memset(expected, ' ', sizeof(expected));
    expected[999] = '7';
    for (int width = 1; width <= 1000; width++) {
        buf_clear(&buf);
        cr_assert_eq(buf_printf(&buf, "%*d", width, 7), 0);
        cr_assert(bytes_equal(buf_bytes(&buf), bytes_make(expected + 1000 - width, (size_t)width)),
                  "width %d", width);
    }
    buf_finish(&buf);
}

Test(buf, prints_up_to_the_limit_without_room_for_a_zero_byte)
{
    const int widths[] = {1, 255, 256, 257, 600};
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        struct buf buf;
        buf_init(&buf, (size_t)widths[i]);
        cr_assert_eq(buf_printf(&buf, "%*d", widths[i] + 1, 1), -EMSGSIZE);
        cr_assert_eq(buf.len, 0);
        cr_assert_eq(buf_printf(&buf, "%*d", widths[i], 1), 0);
        cr_assert_eq(buf.len, (size_t)widths[i]);
        buf_finish(&buf);
    }
}

Test(buf, consuming_moves_the_rest_to_the_front)
{
    struct buf buf;
    buf_init(&buf, 100);
    cr_assert_eq(buf_append(&buf, BYTES_OF("abcdef")), 0);
    buf_consume(&buf, 0);
    buf_consume(&buf, 2);
    cr_assert(bytes_equal(buf_bytes(&buf), BYTES_OF("cdef")));
    buf_consume(&buf, 4);
    cr_assert_eq(buf.len, 0);
    buf_finish(&buf);
    buf_consume(&buf, 0);
}

Test(buf, consuming_more_than_there_is_aborts, .signal = SIGABRT)
{
    struct buf buf = {.max = 10};
    buf_consume(&buf, 1);
}

Test(buf, is_usable_again_after_finish)
{
    struct buf buf;
    buf_init(&buf, 10);
    cr_assert_eq(buf_append(&buf, BYTES_OF("abc")), 0);
    buf_finish(&buf);
    cr_assert_null(buf.at);
    cr_assert_eq(buf_append(&buf, BYTES_OF("xyz")), 0);
    cr_assert(bytes_equal(buf_bytes(&buf), BYTES_OF("xyz")));
    buf_finish(&buf);
}

Test(buf, random_appends_and_consumes_keep_the_stream_in_order)
{
    srand(7);
    struct buf buf;
    buf_init(&buf, 4096);
    unsigned char next_in = 0;
    unsigned char next_out = 0;
    for (int round = 0; round < 20000; round++) {
        char piece[200];
        size_t len = (size_t)(rand() % 200);
        for (size_t i = 0; i < len; i++) {
            piece[i] = (char)(next_in + i);
        }
        if (buf_append(&buf, bytes_make(piece, len)) == 0) {
            next_in = (unsigned char)(next_in + len);
        } else {
            cr_assert_gt(buf.len + len, 4096);
        }
        size_t take = buf.len > 0 ? (size_t)rand() % (buf.len + 1) : 0;
        for (size_t i = 0; i < take; i++) {
            cr_assert_eq((unsigned char)buf.at[i], next_out++);
        }
        buf_consume(&buf, take);
    }
    buf_finish(&buf);
}
