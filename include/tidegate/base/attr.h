// Compiler attributes under short names, and the two conversions every intrusive structure needs.
// Owner: none (macros only). Nothing here has state.
#ifndef TIDEGATE_BASE_ATTR_H
#define TIDEGATE_BASE_ATTR_H

#include <stddef.h>

#define ATTR_MUST_CHECK __attribute__((warn_unused_result))
#define ATTR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ATTR_NORETURN __attribute__((noreturn))
#define ATTR_NONNULL_RETURN __attribute__((returns_nonnull))
#define ATTR_UNUSED __attribute__((unused))
#define ATTR_COLD __attribute__((cold))

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

// The structure of `type` whose member `member` is at `ptr`.
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
