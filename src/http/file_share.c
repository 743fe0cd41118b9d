// The list of large files being sent. It is short: an entry for each file that somebody is reading
// right now, so looking through it costs less than reading one. Owner: the worker.
#include "file_share.h"

#include "tidegate/base/mem.h"

struct file_share {
    struct file_share *next;
    struct blob *blob; // one reference
    dev_t device;
    ino_t inode;
    struct timespec modified;
    struct timespec changed; // also when the time of modification was set back
};

static bool is_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_file(const struct file_share *share, const struct stat *st)
{
    return share->inode == st->st_ino && share->device == st->st_dev &&
           share->blob->len == (uint64_t)st->st_size && is_time(share->modified, st->st_mtim) &&
           is_time(share->changed, st->st_ctim);
}

struct blob *file_share_find(struct file_share *first, const struct stat *st)
{
    for (struct file_share *share = first; share != NULL; share = share->next) {
        if (is_file(share, st)) {
            return blob_ref(share->blob);
        }
    }
    return NULL;
}

void file_share_prune(struct file_share **first)
{
    while (*first != NULL) {
        struct file_share *share = *first;
        if (atomic_load_explicit(&share->blob->refs, memory_order_acquire) > 1) {
            first = &share->next;
            continue;
        }
        *first = share->next;
        blob_unref(share->blob);
        mem_free(share);
    }
}

void file_share_add(struct file_share **first, const struct stat *st, struct blob *blob)
{
    struct file_share *share = mem_alloc(sizeof(*share));
    *share = (struct file_share){
        .next = *first,
        .blob = blob_ref(blob),
        .device = st->st_dev,
        .inode = st->st_ino,
        .modified = st->st_mtim,
        .changed = st->st_ctim,
    };
    *first = share;
}

void file_share_finish(struct file_share **first)
{
    while (*first != NULL) {
        struct file_share *share = *first;
        *first = share->next;
        blob_unref(share->blob);
        mem_free(share);
    }
}
