// One message published to a channel: a single allocation that holds the header and its text, and
// up to PUBLICATION_FORMS encodings built on demand. Owner: counted, any thread. The hub writes
// offset and epoch before anyone else can see it; after that only the form slots change, each once,
// from NULL to a blob. Invariant: a form that was seen stays until the publication dies, so a
// borrowed form is good as long as the reference to its publication.
#include "tidegate/channel/publication.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/map.h"
#include "tidegate/base/mem.h"

// Copies `from` to *at, moves *at behind it, returns the view of the copy.
static struct bytes publication_place(char **at, struct bytes from)
{
    if (from.len == 0) {
        return BYTES_EMPTY;
    }
    struct bytes copy = bytes_make(*at, from.len);
    memcpy(*at, from.at, from.len);
    *at += from.len;
    return copy;
}

struct publication *publication_try_create(const struct publication_parts *parts)
{
    size_t text = parts->channel.len + parts->data.len + parts->tags.len + parts->info.len;
    struct publication *publication = mem_try_alloc(sizeof(*publication) + text);
    if (publication == NULL) {
        return NULL;
    }
    memset(publication, 0, sizeof(*publication));
    atomic_init(&publication->refs, 1);
    for (unsigned i = 0; i < PUBLICATION_FORMS; i++) {
        atomic_init(&publication->forms[i], NULL);
    }
    char *at = (char *)(publication + 1);
    publication->channel = publication_place(&at, parts->channel);
    publication->data = publication_place(&at, parts->data);
    publication->tags = publication_place(&at, parts->tags);
    publication->info = publication_place(&at, parts->info);
    publication->is_binary = parts->is_binary;
    publication->origin = parts->origin;
    publication->channel_hash = map_hash(publication->channel);
    publication->time_us = clock_now_us();
    publication->wall_ms = clock_wall_ms();
    return publication;
}

struct publication *publication_ref(struct publication *publication)
{
    atomic_fetch_add_explicit(&publication->refs, 1, memory_order_relaxed);
    return publication;
}

void publication_unref(struct publication *publication)
{
    if (publication == NULL) {
        return;
    }
    // Release what this thread did with it, acquire what the others did before the last one frees.
    uint32_t before = atomic_fetch_sub_explicit(&publication->refs, 1, memory_order_acq_rel);
    assert_always(before > 0);
    if (before > 1) {
        return;
    }
    for (unsigned i = 0; i < PUBLICATION_FORMS; i++) {
        blob_unref(atomic_load_explicit(&publication->forms[i], memory_order_relaxed));
    }
    mem_free(publication);
}

size_t publication_size(const struct publication *publication)
{
    return sizeof(*publication) + publication->channel.len + publication->data.len +
           publication->tags.len + publication->info.len;
}

struct blob *publication_form(struct publication *publication, unsigned form)
{
    assert_always(form < PUBLICATION_FORMS);
    return atomic_load_explicit(&publication->forms[form], memory_order_acquire);
}

struct blob *publication_install(struct publication *publication, unsigned form, struct blob *blob)
{
    assert_always(form < PUBLICATION_FORMS && blob != NULL);
    struct blob *standing = NULL;
    if (atomic_compare_exchange_strong_explicit(&publication->forms[form], &standing, blob,
                                                memory_order_acq_rel, memory_order_acquire)) {
        return blob;
    }
    blob_unref(blob);
    return standing;
}
