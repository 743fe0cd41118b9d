// The queue of one connection: references in a ring, the first one inline.
//
// Owner: the connection's worker. Invariant: while `ring` is NULL, count <= 1 and the entry is
// inline_entry; entry 0 alone is partly sent. Policies remove whole unsent entries only, so a frame
// on the wire is never cut; what is pinned counts as sent.

#include "tidegate/net/outbox.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"

#include <errno.h>
#include <sys/uio.h>

#define RING_MIN 16

static struct outbox_entry *outbox_at(const struct outbox *outbox, uint32_t index)
{
    if (outbox->ring == NULL) {
        return (struct outbox_entry *)&outbox->inline_entry;
    }
    return &outbox->ring[(outbox->first + index) & (outbox->capacity - 1)];
}

void outbox_init(struct outbox *outbox, uint32_t max, enum outbox_policy policy)
{
    *outbox = (struct outbox){.max = max, .policy = (uint8_t)policy};
}

static void outbox_free_ring(struct outbox *outbox)
{
    mem_free(outbox->ring);
    outbox->ring = NULL;
    outbox->capacity = 0;
    outbox->first = 0;
}

void outbox_finish(struct outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->count; i++) {
        blob_unref(outbox_at(outbox, i)->blob);
    }
    outbox_free_ring(outbox);
    outbox->count = 0;
    outbox->bytes = 0;
    outbox->sent = 0;
    outbox->pinned = 0;
}

static void outbox_grow(struct outbox *outbox)
{
    uint32_t capacity = outbox->ring == NULL ? RING_MIN : outbox->capacity * 2;
    struct outbox_entry *ring = mem_alloc(capacity * sizeof(*ring));

    for (uint32_t i = 0; i < outbox->count; i++) {
        ring[i] = *outbox_at(outbox, i);
    }
    mem_free(outbox->ring);
    outbox->ring = ring;
    outbox->capacity = capacity;
    outbox->first = 0;
}

// Whether `need` more bytes pass the limit. An entry costs its own size too: a queue of tiny
// messages must not grow past what the limit promises.
static bool outbox_is_over(const struct outbox *outbox, uint32_t need)
{
    uint64_t entries = (uint64_t)outbox->count * sizeof(struct outbox_entry);

    return outbox->bytes + entries + need > outbox->max;
}

static void outbox_append(struct outbox *outbox, struct blob *blob, uint32_t key)
{
    if (outbox->count >= (outbox->ring == NULL ? 1 : outbox->capacity)) {
        outbox_grow(outbox);
    }
    outbox->count++;
    *outbox_at(outbox, outbox->count - 1) = (struct outbox_entry){blob, key};
    outbox->bytes += blob->len;
}

// How many entries at the front must stay as they are: the one partly sent, and what is pinned.
static uint32_t outbox_fixed(const struct outbox *outbox)
{
    uint64_t bytes = (uint64_t)outbox->sent + outbox->pinned;
    uint32_t fixed = 0;

    for (uint64_t at = 0; at < bytes && fixed < outbox->count; fixed++) {
        at += outbox_at(outbox, fixed)->blob->len;
    }
    return fixed;
}

void outbox_pin(struct outbox *outbox, uint32_t n)
{
    assert_always(n <= outbox->bytes);
    outbox->pinned = n;
}

// Whether a message waits, and not only control output.
static bool outbox_has_data(const struct outbox *outbox)
{
    for (uint32_t i = 0; i < outbox->count; i++) {
        if (outbox_at(outbox, i)->key >= OUTBOX_KEY_FIRST) {
            return true;
        }
    }
    return false;
}

// Drops every entry of `key`. One pass that keeps the order of the rest.
static uint32_t outbox_drop_key(struct outbox *outbox, uint32_t key)
{
    uint32_t total = outbox->count;
    uint32_t kept = outbox_fixed(outbox);

    for (uint32_t i = kept; i < total; i++) {
        struct outbox_entry entry = *outbox_at(outbox, i);
        if (entry.key != key) {
            *outbox_at(outbox, kept++) = entry;
            continue;
        }
        outbox->bytes -= entry.blob->len;
        outbox->count--;
        blob_unref(entry.blob);
    }
    return total - kept;
}

// Drops the oldest messages until `need` bytes fit. Only what stays in front of them is moved: a
// queue that is full costs each further message a few steps, not its length.
static uint32_t outbox_drop_oldest(struct outbox *outbox, uint32_t need)
{
    uint32_t total = outbox->count;
    uint32_t fixed = outbox_fixed(outbox);
    uint32_t end = fixed;

    for (; end < total && outbox_is_over(outbox, need); end++) {
        const struct outbox_entry *entry = outbox_at(outbox, end);
        if (entry->key >= OUTBOX_KEY_FIRST) {
            outbox->bytes -= entry->blob->len;
            outbox->count--;
            blob_unref(entry->blob);
        }
    }
    uint32_t first = end;
    for (uint32_t i = end; i-- > 0;) {
        struct outbox_entry entry = *outbox_at(outbox, i);
        if (i < fixed || entry.key < OUTBOX_KEY_FIRST) {
            *outbox_at(outbox, --first) = entry;
        }
    }
    if (outbox->ring != NULL) {
        outbox->first = (outbox->first + first) & (outbox->capacity - 1);
    }
    return total - outbox->count;
}

void outbox_drop_unsent(struct outbox *outbox)
{
    uint32_t total = outbox->count;
    uint32_t kept = outbox_fixed(outbox);

    for (uint32_t i = kept; i < total; i++) {
        struct outbox_entry entry = *outbox_at(outbox, i);
        if (entry.key < OUTBOX_KEY_FIRST) {
            *outbox_at(outbox, kept++) = entry;
            continue;
        }
        outbox->bytes -= entry.blob->len;
        blob_unref(entry.blob);
    }
    outbox->count = kept;
}

// Answers a newer ping instead of one whose answer still waits.
static bool outbox_replace_pong(struct outbox *outbox, struct blob *blob)
{
    for (uint32_t i = outbox_fixed(outbox); i < outbox->count; i++) {
        struct outbox_entry *entry = outbox_at(outbox, i);
        if (entry->key == OUTBOX_KEY_PONG) {
            outbox->bytes += blob->len - entry->blob->len;
            blob_unref(entry->blob);
            entry->blob = blob;
            return true;
        }
    }
    return false;
}

int outbox_push(struct outbox *outbox, struct blob *blob, uint32_t key, uint32_t *ret_dropped)
{
    if (UNLIKELY(key == OUTBOX_KEY_PONG && outbox->count > 0) &&
        outbox_replace_pong(outbox, blob)) {
        return 0;
    }
    bool is_data = outbox->count > 0 && key >= OUTBOX_KEY_FIRST;
    if (UNLIKELY(is_data && outbox_is_over(outbox, blob->len))) {
        if (outbox->policy == OUTBOX_CONFLATE) {
            *ret_dropped += outbox_drop_key(outbox, key);
        } else if (outbox->policy == OUTBOX_DROP_OLDEST) {
            *ret_dropped += outbox_drop_oldest(outbox, blob->len);
        }
        if (outbox_has_data(outbox) && outbox_is_over(outbox, blob->len)) {
            blob_unref(blob);
            return -ENOBUFS;
        }
    }
    outbox_append(outbox, blob, key);
    return 0;
}

int outbox_peek(const struct outbox *outbox, struct iovec *iov, int iov_max, size_t max)
{
    int used = 0;
    uint32_t skip = outbox->sent;

    for (uint32_t i = 0; i < outbox->count && used < iov_max && max > 0; i++) {
        struct blob *blob = outbox_at(outbox, i)->blob;
        size_t len = blob->len - skip < max ? blob->len - skip : max;
        iov[used++] = (struct iovec){blob->data + skip, len};
        max -= len;
        skip = 0;
    }
    return used;
}

void outbox_advance(struct outbox *outbox, size_t n, struct blob_till *till)
{
    assert_always(n <= outbox->bytes);
    outbox->bytes -= (uint32_t)n;
    outbox->pinned -= n < outbox->pinned ? (uint32_t)n : outbox->pinned;
    while (outbox->count > 0) {
        struct blob *blob = outbox_at(outbox, 0)->blob;
        size_t left = blob->len - outbox->sent;
        if (n < left) {
            outbox->sent += (uint32_t)n;
            return;
        }
        n -= left;
        blob_till_put(till, blob);
        outbox->sent = 0;
        outbox->count--;
        if (outbox->ring != NULL) {
            outbox->first = (outbox->first + 1) & (outbox->capacity - 1);
        }
    }
    if (outbox->ring != NULL) {
        outbox_free_ring(outbox);
    }
}
