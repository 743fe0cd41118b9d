// What waits to be written to one connection: references to shared blobs, never copies. The first
// reference is stored inline, so one pending message needs no memory; more make a ring that is
// freed when the outbox runs empty. Owner: the connection's worker. Invariant: `bytes` is the sum
// of what is unsent; entry 0 alone may be partly sent (`sent`).
#ifndef TIDEGATE_NET_OUTBOX_H
#define TIDEGATE_NET_OUTBOX_H

#include "tidegate/base/blob.h"

// What an entry is. Keys from OUTBOX_KEY_FIRST up name what it belongs to (a subscription): only
// those may be dropped by a policy. Lower ones are never dropped.
enum { OUTBOX_KEY_CONTROL = 0, OUTBOX_KEY_PONG = 1, OUTBOX_KEY_FIRST = 2 };

enum outbox_policy { OUTBOX_DISCONNECT, OUTBOX_DROP_OLDEST, OUTBOX_CONFLATE };

struct outbox_entry {
    struct blob *blob; // counted
    uint32_t key;
};

struct outbox {
    struct outbox_entry inline_entry; // used while `ring` is NULL
    struct outbox_entry *ring;        // owned; a power of two entries
    uint32_t first;
    uint32_t count;
    uint32_t capacity; // of the ring
    uint32_t sent;     // bytes of the first entry already written
    uint32_t pinned;   // unsent bytes at the front that stay as they are: see outbox_pin()
    uint32_t bytes;    // unsent, control frames included
    uint32_t max;      // bytes; past it the policy decides
    uint8_t policy;    // enum outbox_policy
};

void outbox_init(struct outbox *outbox, uint32_t max, enum outbox_policy policy);

// Drops everything.
void outbox_finish(struct outbox *outbox);

// Appends `blob` (one reference, taken over in every case). 0, or -ENOBUFS: the limit is passed and
// the policy is OUTBOX_DISCONNECT, or dropping made no room. The first message in an empty outbox
// is always taken, whatever its size. *ret_dropped: entries the policy dropped to make room. A PONG
// replaces one that waits (RFC 6455 §5.5.3 allows answering only the latest ping).
int outbox_push(struct outbox *outbox, struct blob *blob, uint32_t key, uint32_t *ret_dropped);

// Keeps the next `n` unsent bytes as they are, whatever a policy says, until they were written: a
// transport was shown them, could not write them, and must be shown the same bytes again.
void outbox_pin(struct outbox *outbox, uint32_t n);

// Drops every message that is not partly sent or pinned; what is no message (a response's head, a
// control frame) stays, or what follows would stand where the peer expects it.
void outbox_drop_unsent(struct outbox *outbox);

// Views of at most `max` bytes to be written next, at most `iov_max` of them; returns their number.
struct iovec;
int outbox_peek(const struct outbox *outbox, struct iovec *iov, int iov_max, size_t max);

// `n` bytes were written; blobs that are done go to `till`.
void outbox_advance(struct outbox *outbox, size_t n, struct blob_till *till);

static inline bool outbox_is_empty(const struct outbox *outbox)
{
    return outbox->count == 0;
}

#endif
