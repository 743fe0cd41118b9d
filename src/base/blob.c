// Counted immutable bytes, and the two helpers that take and drop references in batches.
// Owner: whoever holds a reference; any thread. A stock and a till belong to one thread.
// Lifetime: the drop that reaches zero frees. It is an acquire and a release, so that the freeing
// thread has seen everything the others did with the bytes.
// Invariant: nobody drops more references than were taken (asserted).
#include "tidegate/base/blob.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"

struct blob *blob_try_create(size_t len)
{
    if (len > UINT32_MAX - sizeof(struct blob)) {
        return NULL;
    }
    struct blob *blob = mem_try_alloc(sizeof(*blob) + len);
    if (blob == NULL) {
        return NULL;
    }
    atomic_init(&blob->refs, 1);
    blob->len = (uint32_t)len;
    return blob;
}

struct blob *blob_try_copy(struct bytes data)
{
    struct blob *blob = blob_try_create(data.len);
    if (blob != NULL && data.len > 0) {
        memcpy(blob->data, data.at, data.len);
    }
    return blob;
}

void blob_unref_many(struct blob *blob, uint32_t n)
{
    if (blob == NULL || n == 0) {
        return;
    }
    uint32_t before = atomic_fetch_sub_explicit(&blob->refs, n, memory_order_acq_rel);
    assert_always(before >= n);
    if (before == n) {
        mem_free(blob);
    }
}

struct blob *blob_stock_take(struct blob_stock *stock, struct blob *blob)
{
    if (stock->blob != blob || stock->spare == 0) {
        blob_stock_finish(stock);
        blob_ref_many(blob, BLOB_STOCK_BATCH);
        stock->blob = blob;
        stock->spare = BLOB_STOCK_BATCH;
    }
    stock->spare--;
    return blob;
}

void blob_stock_finish(struct blob_stock *stock)
{
    blob_unref_many(stock->blob, stock->spare);
    // With nothing spare the pointer may be stale already; it must not be compared again.
    stock->blob = NULL;
    stock->spare = 0;
}

void blob_till_put(struct blob_till *till, struct blob *blob)
{
    // Blocks are 16 bytes apart at least: the low bits say nothing. Two shifts spread both small
    // and page-sized blobs; a few slots on, the blobs of one turn find places of their own.
    uintptr_t address = (uintptr_t)blob;
    size_t home = (size_t)((address >> 4) ^ (address >> 11)) % BLOB_TILL_SLOTS;
    size_t slot = home;
    for (size_t i = 0; i < BLOB_TILL_PROBES; i++) {
        slot = (home + i) % BLOB_TILL_SLOTS;
        if (till->slots[slot].blob == blob) {
            till->slots[slot].count++;
            return;
        }
        if (till->slots[slot].blob == NULL) {
            break;
        }
    }
    blob_unref_many(till->slots[slot].blob, till->slots[slot].count);
    till->slots[slot].blob = blob;
    till->slots[slot].count = 1;
}

void blob_till_finish(struct blob_till *till)
{
    for (size_t i = 0; i < BLOB_TILL_SLOTS; i++) {
        blob_unref_many(till->slots[i].blob, till->slots[i].count);
        till->slots[i].blob = NULL;
        till->slots[i].count = 0;
    }
}
