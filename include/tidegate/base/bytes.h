// A view of bytes somebody else owns: start and length. Passed by value, never freed.
// Invariant: `at` may be NULL only when `len` is 0. Not terminated by a zero byte.
#ifndef TIDEGATE_BASE_BYTES_H
#define TIDEGATE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *at; // borrowed
    size_t len;
};

#define BYTES_EMPTY ((struct bytes){NULL, 0})
// A view of a string literal.
#define BYTES_OF(literal) ((struct bytes){(literal), sizeof(literal) - 1})

static inline struct bytes bytes_make(const void *at, size_t len)
{
    return (struct bytes){at, len};
}

// A view of a zero-terminated string; NULL gives the empty view.
static inline struct bytes bytes_str(const char *text)
{
    return (struct bytes){text, text != NULL ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool bytes_starts_with(struct bytes a, struct bytes prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.at, prefix.at, prefix.len) == 0);
}

// The view without its first `n` bytes (`n` must not exceed the length).
static inline struct bytes bytes_skip(struct bytes a, size_t n)
{
    return (struct bytes){n > 0 ? a.at + n : a.at, a.len - n};
}

// Equal without regard to ASCII case.
bool bytes_equal_nocase(struct bytes a, struct bytes b);

// Position of byte `c`, or -1.
ptrdiff_t bytes_find(struct bytes a, char c);

// Without leading and trailing spaces and tabs (OWS, RFC 9110 §5.6.3).
struct bytes bytes_trim(struct bytes a);

// Cuts the part up to `separator` off the front of *rest and puts it in *ret_part (separator
// removed). Returns false when *rest was already used up (its `at` becomes NULL after the last).
bool bytes_next_part(struct bytes *rest, char separator, struct bytes *ret_part);

// Decimal digits only, no sign: 0 and *ret_value, or -EINVAL, or -ERANGE past `max`.
int bytes_to_u64(struct bytes a, uint64_t max, uint64_t *ret_value);

// Whether `text` matches glob `pattern` (`*` any run, `?` one byte); linear in pattern x text.
bool bytes_glob(struct bytes pattern, struct bytes text);

// Equal, in time that depends on the lengths only (for secrets).
bool bytes_equal_secret(struct bytes a, struct bytes b);

// Length (1 to 4) of the UTF-8 character (RFC 3629) that `text` begins with; 0 when it is empty or
// begins with none.
size_t bytes_utf8_len(struct bytes text);

#endif
