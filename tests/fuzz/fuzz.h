// What all fuzz targets share: the entry the fuzzer calls, a check that stops it, and the ways in
// which one input is cut. The cuts follow from the input's own bytes, so that a file of a corpus
// stands for itself and gives the same run every time.
// Owner: the target; one thread.
#ifndef TIDEGATE_TESTS_FUZZ_FUZZ_H
#define TIDEGATE_TESTS_FUZZ_FUZZ_H

#include "tidegate/base/buf.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
// Only where a target has something to prepare.
int LLVMFuzzerInitialize(int *argc, char ***argv);

// Stops with the place and the condition: the fuzzer keeps the input.
#define FUZZ_REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            __builtin_trap(); \
        } \
    } while (0)

static inline uint64_t fuzz_hash(struct bytes input)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < input.len; i++) {
        hash = (hash ^ (unsigned char)input.at[i]) * 0x100000001b3u;
    }
    return hash | 1;
}

static inline uint32_t fuzz_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

// Plan 0: whole; 1: byte by byte; 2: in two; 3: pieces of 1 to 9; 4: pieces of up to 300.
#define FUZZ_PLANS 5

struct fuzz_cut {
    struct bytes rest;
    uint64_t state;
    unsigned plan;
    char *piece; // owned; the last one given out
};

static inline struct fuzz_cut fuzz_cut_begin(struct bytes input, unsigned plan)
{
    return (struct fuzz_cut){.rest = input, .state = fuzz_hash(input) + plan * 2, .plan = plan};
}

static inline size_t fuzz_cut_size(struct fuzz_cut *cut)
{
    static const uint32_t largest[FUZZ_PLANS] = {0, 1, 0, 9, 300};
    size_t size = cut->rest.len;
    if (largest[cut->plan] > 0) {
        size = 1 + fuzz_random(&cut->state) % largest[cut->plan];
    } else if (cut->plan == 2 && cut->piece == NULL) {
        size = 1 + fuzz_random(&cut->state) % cut->rest.len;
    }
    return size < cut->rest.len ? size : cut->rest.len;
}

// The next piece, in a block of its own, so that reading past it is seen. False at the end, which
// frees the last one.
static inline bool fuzz_cut_next(struct fuzz_cut *cut, struct bytes *ret_piece)
{
    size_t size = cut->rest.len > 0 ? fuzz_cut_size(cut) : 0;
    free(cut->piece);
    cut->piece = NULL;
    if (size == 0) {
        return false;
    }
    cut->piece = malloc(size);
    FUZZ_REQUIRE(cut->piece != NULL);
    memcpy(cut->piece, cut->rest.at, size);
    *ret_piece = bytes_make(cut->piece, size);
    cut->rest = bytes_skip(cut->rest, size);
    return true;
}

// Before the end was reached.
static inline void fuzz_cut_stop(struct fuzz_cut *cut)
{
    free(cut->piece);
    cut->piece = NULL;
}

// The input's next line without its end; the last one needs none. False when there is none.
static inline bool fuzz_line(struct bytes *rest, struct bytes *ret_line)
{
    if (rest->len == 0) {
        return false;
    }
    ptrdiff_t end = bytes_find(*rest, '\n');
    *ret_line = bytes_make(rest->at, end < 0 ? rest->len : (size_t)end);
    *rest = bytes_skip(*rest, end < 0 ? rest->len : (size_t)end + 1);
    return true;
}

// A zero-terminated copy; free() it.
static inline char *fuzz_text(struct bytes text)
{
    char *copy = malloc(text.len + 1);
    FUZZ_REQUIRE(copy != NULL);
    if (text.len > 0) {
        memcpy(copy, text.at, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}

#endif
