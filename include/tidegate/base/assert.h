// Assertions for our own mistakes. They stay on in every build: a wrong state becomes a crash that
// can be seen. What a peer can cause is an error, never an assertion.
#ifndef TIDEGATE_BASE_ASSERT_H
#define TIDEGATE_BASE_ASSERT_H

#include "tidegate/base/attr.h"

// Aborts with the expression and place when `condition` is false. Any thread.
#define assert_always(condition) \
    do { \
        if (UNLIKELY(!(condition))) { \
            assert_failed(#condition, __FILE__, __LINE__); \
        } \
    } while (0)

// Prints one line to standard error and aborts. Never returns.
void assert_failed(const char *expression, const char *file, int line) ATTR_NORETURN ATTR_COLD;

#endif
