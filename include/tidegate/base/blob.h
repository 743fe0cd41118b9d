// Counted, immutable bytes: what is sent to many is one blob. Any thread may hold and drop
// references; nobody writes after blob_create's caller has filled it and shared it.
// A stock takes references in batches, and a till gives them back in batches: a fan-out to a
// thousand outboxes costs a handful of atomic operations.
#ifndef TIDEGATE_BASE_BLOB_H
#define TIDEGATE_BASE_BLOB_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

#include <stdatomic.h>

struct blob {
    _Atomic uint32_t refs;
    uint32_t len;
    char data[];
};

// A new blob of `len` bytes to be filled by the caller, one reference. NULL when there is no memory
// (sizes come from peers). len must be below 4 GiB.
struct blob *blob_try_create(size_t len);

// A new blob with a copy of `data`; NULL when there is no memory.
struct blob *blob_try_copy(struct bytes data);

// Takes `n` references. Any thread that holds one.
static inline void blob_ref_many(struct blob *blob, uint32_t n)
{
    atomic_fetch_add_explicit(&blob->refs, n, memory_order_relaxed);
}

static inline struct blob *blob_ref(struct blob *blob)
{
    blob_ref_many(blob, 1);
    return blob;
}

// Drops `n` references; the last one frees. NULL is allowed.
void blob_unref_many(struct blob *blob, uint32_t n);

static inline void blob_unref(struct blob *blob)
{
    blob_unref_many(blob, 1);
}

static inline struct bytes blob_bytes(const struct blob *blob)
{
    return (struct bytes){blob->data, blob->len};
}

#define BLOB_STOCK_BATCH 256u

// References to one blob taken ahead; one thread's.
struct blob_stock {
    struct blob *blob; // counted `spare` times
    uint32_t spare;
};

// One reference to `blob` (which the caller holds otherwise), from the stock where it can.
struct blob *blob_stock_take(struct blob_stock *stock, struct blob *blob);

// Gives back what was taken ahead.
void blob_stock_finish(struct blob_stock *stock);

#define BLOB_TILL_SLOTS 32u
#define BLOB_TILL_PROBES 4u

// References to be dropped later, gathered by blob; one thread's.
struct blob_till {
    struct {
        struct blob *blob;
        uint32_t count;
    } slots[BLOB_TILL_SLOTS];
};

// Takes over one reference to `blob`, dropped at the latest by blob_till_finish().
void blob_till_put(struct blob_till *till, struct blob *blob);

// Drops everything gathered.
void blob_till_finish(struct blob_till *till);

#endif
