// The growing buffer: doubles until its limit, so that appending costs constant time a byte.
// Owner: the one thread that owns the buffer. Memory comes with the first byte and goes with
// buf_finish().
// Invariant: len <= cap <= max; a call that fails leaves length and content as they were.
#include "tidegate/base/buf.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define BUF_CAP_FIRST 64u

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_finish(struct buf *buf)
{
    mem_free(buf->at);
    buf->at = NULL;
    buf->len = 0;
    buf->cap = 0;
}

int buf_reserve(struct buf *buf, size_t more)
{
    if (more > buf->max - buf->len) {
        return -EMSGSIZE;
    }
    size_t need = buf->len + more;
    if (need <= buf->cap) {
        return 0;
    }
    size_t cap = buf->cap > buf->max / 2 ? buf->max : buf->cap * 2;
    if (cap < BUF_CAP_FIRST) {
        cap = BUF_CAP_FIRST;
    }
    if (cap < need) {
        cap = need;
    }
    if (cap > buf->max) {
        cap = buf->max;
    }
    char *at = mem_try_realloc(buf->at, cap);
    if (at == NULL) {
        return -ENOMEM;
    }
    buf->at = at;
    buf->cap = cap;
    return 0;
}

int buf_append(struct buf *buf, struct bytes data)
{
    if (data.len == 0) {
        return 0;
    }
    int error = buf_reserve(buf, data.len);
    if (error < 0) {
        return error;
    }
    memcpy(buf->at + buf->len, data.at, data.len);
    buf->len += data.len;
    return 0;
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    // Nearly all of what is printed is short; the first pass goes to the stack, because vsnprintf
    // wants a byte for its zero that the limit may not have.
    char text[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_always(len >= 0);
    if ((size_t)len < sizeof(text)) {
        return buf_append(buf, bytes_make(text, (size_t)len));
    }
    if ((size_t)len > buf->max - buf->len) {
        return -EMSGSIZE;
    }
    char *longer = mem_try_alloc((size_t)len + 1);
    if (longer == NULL) {
        return -ENOMEM;
    }
    va_start(args, format);
    (void)vsnprintf(longer, (size_t)len + 1, format, args);
    va_end(args);
    int error = buf_append(buf, bytes_make(longer, (size_t)len));
    mem_free(longer);
    return error;
}

void buf_consume(struct buf *buf, size_t n)
{
    assert_always(n <= buf->len);
    buf->len -= n;
    if (n > 0 && buf->len > 0) {
        memmove(buf->at, buf->at + n, buf->len);
    }
}
