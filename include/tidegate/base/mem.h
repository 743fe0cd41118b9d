// Memory. Small allocations of a size we choose abort when there is none; sizes a peer chooses go
// through the try_ forms and are checked. Any thread.
#ifndef TIDEGATE_BASE_MEM_H
#define TIDEGATE_BASE_MEM_H

#include "tidegate/base/attr.h"

// `size` bytes, uninitialized; never NULL.
void *mem_alloc(size_t size) ATTR_NONNULL_RETURN;

// `size` zero bytes; never NULL.
void *mem_zalloc(size_t size) ATTR_NONNULL_RETURN;

// `size` bytes or NULL.
void *mem_try_alloc(size_t size);

// Changes the size; NULL when there is none, then the old block stays as it was.
void *mem_try_realloc(void *block, size_t size);

// A copy of a zero-terminated string; never NULL.
char *mem_strdup(const char *text) ATTR_NONNULL_RETURN;

// A zero-terminated copy of `len` bytes; never NULL.
char *mem_strndup(const char *text, size_t len) ATTR_NONNULL_RETURN;

// Frees; NULL is allowed.
void mem_free(void *block);

#endif
