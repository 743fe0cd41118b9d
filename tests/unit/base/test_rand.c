// Random numbers: ranges are kept, nothing repeats, letters are letters.
#include "../../support/leaks.h"

#include "tidegate/base/rand.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

TestSuite(rand, .fini = leaks_check);

Test(rand, bytes_fills_exactly_what_was_asked_for)
{
    unsigned char block[66];
    bool changed[64] = {false};
    for (int round = 0; round < 64; round++) {
        memset(block, 0, sizeof(block));
        rand_bytes(block + 1, 64);
        cr_assert(block[0] == 0 && block[65] == 0);
        for (int i = 0; i < 64; i++) {
            changed[i] = changed[i] || block[i + 1] != 0;
        }
    }
    for (int i = 0; i < 64; i++) {
        cr_assert(changed[i]);
    }
    rand_bytes(block, 0);
}

Test(rand, below_stays_below_and_reaches_every_number)
{
    cr_assert_eq(rand_below(0), 0);
    cr_assert_eq(rand_below(1), 0);
    int seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t number = rand_below(7);
        cr_assert_lt(number, 7);
        seen[number]++;
    }
    for (int i = 0; i < 7; i++) {
        cr_assert_gt(seen[i], 500);
    }
}

Test(rand, below_does_not_favour_the_lower_half_of_a_large_range)
{
    // Two thirds of all numbers: a bare remainder would fall into the lower half twice as often.
    uint64_t bound = UINT64_MAX / 3 * 2;
    int high = 0;
    for (int i = 0; i < 4000; i++) {
        uint64_t number = rand_below(bound);
        cr_assert_lt(number, bound);
        high += number >= bound / 2;
    }
    // Six standard deviations around a half.
    cr_assert(high > 1800 && high < 2200, "%d", high);
}

static void *first_number(void *to)
{
    *(uint64_t *)to = rand_u64();
    return NULL;
}

Test(rand, threads_have_different_sequences)
{
    uint64_t numbers[8];
    for (size_t i = 0; i < 8; i++) {
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, first_number, &numbers[i]), 0);
        pthread_join(thread, NULL);
        for (size_t k = 0; k < i; k++) {
            cr_assert_neq(numbers[i], numbers[k]);
        }
    }
}

Test(rand, letters_are_letters_with_a_zero_byte_behind)
{
    char text[8] = "#######";
    rand_letters(text, 0);
    cr_assert_str_eq(text, "");
    char others[65];
    char letters[65];
    rand_letters(letters, 64);
    rand_letters(others, 64);
    cr_assert_eq(strlen(letters), 64);
    cr_assert_eq(strspn(letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), 64);
    cr_assert_str_neq(letters, others);
}
