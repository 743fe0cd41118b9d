// The allocator's two promises: mem_alloc and its kin never return NULL, the try_ forms may.
// Owner: none, no state; any thread. Blocks belong to the caller and end in mem_free().
// Invariant: a size of 0 is asked for as 1, so that NULL always means "no memory".
#include "tidegate/base/mem.h"

#include "tidegate/base/assert.h"

#include <stdlib.h>
#include <string.h>

void *mem_try_alloc(size_t size)
{
    return malloc(size > 0 ? size : 1);
}

void *mem_try_realloc(void *block, size_t size)
{
    return realloc(block, size > 0 ? size : 1);
}

void *mem_alloc(size_t size)
{
    void *block = mem_try_alloc(size);
    assert_always(block != NULL);
    return block;
}

void *mem_zalloc(size_t size)
{
    void *block = calloc(1, size > 0 ? size : 1);
    assert_always(block != NULL);
    return block;
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    if (len > 0) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    return copy;
}

void mem_free(void *block)
{
    free(block);
}
