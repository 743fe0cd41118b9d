// Stands in for Criterion where a fuzz target uses a unit test's rig: an assertion that fails stops
// the fuzzer, which keeps the input.
#ifndef TIDEGATE_TESTS_FUZZ_RIG_CRITERION_H
#define TIDEGATE_TESTS_FUZZ_RIG_CRITERION_H

#include "../../fuzz.h"

#define cr_assert(condition, ...) FUZZ_REQUIRE(condition)
#define cr_assert_eq(a, b, ...) FUZZ_REQUIRE((a) == (b))
#define cr_assert_not_null(a, ...) FUZZ_REQUIRE((a) != NULL)

#endif
