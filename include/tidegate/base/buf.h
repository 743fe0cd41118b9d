// A growing byte buffer with a hard limit. Owned by one thread; heap memory inside.
// Invariant: len <= cap <= max. A zeroed buf with `max` set is valid and holds no memory.
#ifndef TIDEGATE_BASE_BUF_H
#define TIDEGATE_BASE_BUF_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

struct buf {
    char *at; // owned; NULL while empty
    size_t len;
    size_t cap;
    size_t max; // bytes; appending past it fails
};

// An empty buffer that may grow to `max` bytes.
void buf_init(struct buf *buf, size_t max);

// Frees the memory; the buffer is empty and usable again.
void buf_finish(struct buf *buf);

// Room for `more` bytes behind `len`: 0, -EMSGSIZE past the limit, -ENOMEM.
int buf_reserve(struct buf *buf, size_t more) ATTR_MUST_CHECK;

// Copies `data` to the end: 0, -EMSGSIZE (nothing appended), -ENOMEM.
int buf_append(struct buf *buf, struct bytes data) ATTR_MUST_CHECK;

// printf to the end: 0, -EMSGSIZE (nothing appended), -ENOMEM.
int buf_printf(struct buf *buf, const char *format, ...) ATTR_PRINTF(2, 3) ATTR_MUST_CHECK;

// Drops the first `n` bytes (n <= len), moving the rest to the front.
void buf_consume(struct buf *buf, size_t n);

// Forgets the content, keeps the memory.
static inline void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

static inline struct bytes buf_bytes(const struct buf *buf)
{
    return (struct bytes){buf->at, buf->len};
}

#endif
