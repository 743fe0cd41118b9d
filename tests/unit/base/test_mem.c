// Memory: what never gives NULL, what may, and sizes of nothing.
#include "../../support/leaks.h"

#include "tidegate/base/mem.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

TestSuite(mem, .fini = leaks_check);

// Under AddressSanitizer an allocation that cannot be made is an answer too, not the end.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

// Through a volatile, or the compiler warns of what is meant.
static volatile size_t far_too_much = PTRDIFF_MAX;

Test(mem, a_size_of_nothing_still_gives_a_block)
{
    void *block = mem_alloc(0);
    void *zeros = mem_zalloc(0);
    void *maybe = mem_try_alloc(0);
    cr_assert(block != NULL && zeros != NULL && maybe != NULL);
    maybe = mem_try_realloc(maybe, 0);
    cr_assert_not_null(maybe);
    mem_free(block);
    mem_free(zeros);
    mem_free(maybe);
    mem_free(NULL);
}

Test(mem, zalloc_gives_zeros)
{
    char *block = mem_zalloc(1000);
    for (size_t i = 0; i < 1000; i++) {
        cr_assert_eq(block[i], 0);
    }
    mem_free(block);
}

Test(mem, strndup_copies_exactly_and_ends_with_zero)
{
    char *copy = mem_strndup("abcdef", 3);
    cr_assert_str_eq(copy, "abc");
    mem_free(copy);
    copy = mem_strndup(NULL, 0);
    cr_assert_str_eq(copy, "");
    mem_free(copy);
    copy = mem_strdup("whole");
    cr_assert_str_eq(copy, "whole");
    mem_free(copy);
}

Test(mem, the_try_forms_answer_null_where_there_is_no_memory)
{
    cr_assert_null(mem_try_alloc(far_too_much));
    char *block = mem_alloc(4);
    memcpy(block, "abc", 4);
    cr_assert_null(mem_try_realloc(block, far_too_much));
    cr_assert_str_eq(block, "abc", "the old block stays");
    mem_free(block);
}

Test(mem, alloc_aborts_where_there_is_no_memory, .signal = SIGABRT)
{
    mem_free(mem_alloc(far_too_much));
}
