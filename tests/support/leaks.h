// Looks for leaks at the end of a test. Criterion ends a test's process without running what was
// registered for its exit, and LeakSanitizer's check with it; so suites name this as their .fini:
//     TestSuite(map, .fini = leaks_check);
// Without LeakSanitizer it does nothing.
#ifndef TIDEGATE_TESTS_SUPPORT_LEAKS_H
#define TIDEGATE_TESTS_SUPPORT_LEAKS_H

#include <criterion/criterion.h>
#include <stdlib.h>

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static inline void leaks_check(void)
{
    // A failed assertion would come too late to count here; a crash does not.
    if (__lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0) {
        abort();
    }
}

#endif
