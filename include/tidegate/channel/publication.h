// One message published to a channel: counted and immutable once posted, except its wire forms,
// which are installed with one compare-and-swap. Any thread may hold references.
// A wire form is the publication encoded and framed for one (protocol x transport): the first
// subscriber of a form builds it, everybody else on every worker takes a reference.
#ifndef TIDEGATE_CHANNEL_PUBLICATION_H
#define TIDEGATE_CHANNEL_PUBLICATION_H

#include "tidegate/base/blob.h"
#include "tidegate/loop/slots.h"

#define PUBLICATION_FORMS 16
#define EPOCH_LEN 8

struct publication {
    _Atomic uint32_t refs;
    bool is_binary;            // opaque bytes: a binary frame; else text
    char epoch[EPOCH_LEN + 1]; // set by the hub; "" without history
    uint64_t offset;           // set by the hub; 0 without history
    uint64_t channel_hash;     // map_hash of the channel
    int64_t time_us;           // monotonic, when it arrived here
    int64_t wall_ms;           // since 1970, for history and clients
    struct slot_ref origin;    // the session that published it, or SLOT_REF_NONE
    struct bytes channel;      // in this allocation
    struct bytes data;         // in this allocation
    struct bytes tags;         // raw JSON object or empty; in this allocation
    struct bytes info; // raw JSON of the publisher's ClientInfo or empty; in this allocation
    _Atomic(struct blob *) forms[PUBLICATION_FORMS];
};

// What a publication is made from; everything is copied.
struct publication_parts {
    struct bytes channel;
    struct bytes data;
    struct bytes tags;
    struct bytes info;
    bool is_binary;
    struct slot_ref origin;
};

// A new publication, one reference; NULL when there is no memory.
struct publication *publication_try_create(const struct publication_parts *parts);

struct publication *publication_ref(struct publication *publication);
void publication_unref(struct publication *publication); // NULL is allowed

// Bytes it occupies, forms not counted.
size_t publication_size(const struct publication *publication);

// The wire form `form`, or NULL when nobody built it yet. Borrowed: lives as long as `publication`.
struct blob *publication_form(struct publication *publication, unsigned form);

// Offers `blob` (one reference, taken over) as the wire form. Returns the one that stands,
// borrowed: either `blob` or the one another thread installed first (then `blob` was dropped).
struct blob *publication_install(struct publication *publication, unsigned form, struct blob *blob);

#endif
