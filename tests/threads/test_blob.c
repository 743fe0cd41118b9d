// Blobs between threads: references are taken and dropped on several threads at once, one by one
// and in batches, and the last one frees. A plain program, to be run under ThreadSanitizer (which
// finds the races) and AddressSanitizer (which finds a blob that was freed early, twice or never).
// Threads: workers pass blobs through one slot each way; everything else is the thread's own.
#include "tidegate/base/blob.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 4
#define ROUNDS 2000
#define BLOBS 40

struct job {
    pthread_t thread;
    struct blob *blobs[BLOBS]; // counted, one each
    int bad;                   // times a blob's bytes were not what they should be
};

static int failures;

static void report(bool ok, const char *sentence)
{
    printf("%s - %s\n", ok ? "ok" : "not ok", sentence);
    failures += !ok;
}

static uint32_t refs(struct blob *blob)
{
    return atomic_load_explicit(&blob->refs, memory_order_relaxed);
}

// A blob that is full of one letter, to see whether it is still whole.
static struct blob *make_blob(size_t number)
{
    struct blob *blob = blob_try_create(16 + number * 8);
    if (blob == NULL) {
        abort();
    }
    memset(blob->data, (int)('a' + number % 26), blob->len);
    return blob;
}

static bool is_whole(const struct blob *blob, size_t number)
{
    for (uint32_t i = 0; i < blob->len; i++) {
        if (blob->data[i] != (char)('a' + number % 26)) {
            return false;
        }
    }
    return true;
}

static void *take_and_drop(void *context)
{
    struct job *job = context;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < BLOBS; i++) {
            struct blob *mine = blob_ref(job->blobs[i]);
            job->bad += !is_whole(mine, i);
            blob_unref(mine);
        }
    }
    for (size_t i = 0; i < BLOBS; i++) {
        blob_unref(job->blobs[i]);
    }
    return NULL;
}

static void *stock_and_till(void *context)
{
    struct job *job = context;
    struct blob_stock stock = {0};
    struct blob_till till = {0};
    for (int round = 0; round < ROUNDS / 10; round++) {
        for (size_t i = 0; i < BLOBS; i++) {
            for (int k = 0; k < 10; k++) {
                blob_till_put(&till, blob_stock_take(&stock, job->blobs[i]));
            }
            job->bad += !is_whole(job->blobs[i], i);
        }
        if (round % 7 == 0) {
            blob_till_finish(&till);
        }
    }
    blob_stock_finish(&stock);
    for (size_t i = 0; i < BLOBS; i++) {
        blob_till_put(&till, job->blobs[i]);
    }
    blob_till_finish(&till);
    return NULL;
}

// Runs `run` on all threads over the same blobs; *ret_kept is whether, with every thread done, the
// references that main kept are the only ones left. Returns whether the bytes stayed whole.
static bool share(void *(*run)(void *), bool keep, bool *ret_kept)
{
    static struct job jobs[THREADS];
    struct blob *blobs[BLOBS];
    for (size_t i = 0; i < BLOBS; i++) {
        blobs[i] = make_blob(i);
        blob_ref_many(blobs[i], THREADS);
    }
    for (int t = 0; t < THREADS; t++) {
        memcpy(jobs[t].blobs, blobs, sizeof(blobs));
        jobs[t].bad = 0;
    }
    // Without it the last of the threads frees, whichever that is.
    for (size_t i = 0; !keep && i < BLOBS; i++) {
        blob_unref(blobs[i]);
    }
    for (int t = 0; t < THREADS; t++) {
        if (pthread_create(&jobs[t].thread, NULL, run, &jobs[t]) != 0) {
            abort();
        }
    }
    int bad = 0;
    for (int t = 0; t < THREADS; t++) {
        pthread_join(jobs[t].thread, NULL);
        bad += jobs[t].bad;
    }
    *ret_kept = true;
    for (size_t i = 0; keep && i < BLOBS; i++) {
        *ret_kept = *ret_kept && refs(blobs[i]) == 1 && is_whole(blobs[i], i);
        blob_unref(blobs[i]);
    }
    return bad == 0;
}

// The makers' side of a slot that is filled here and emptied there.
struct slot {
    _Atomic(struct blob *) blob; // counted; NULL while empty
    int bad;
};

static void *receive(void *context)
{
    struct slot *slot = context;
    for (size_t n = 0; n < ROUNDS;) {
        struct blob *blob = atomic_exchange_explicit(&slot->blob, NULL, memory_order_acquire);
        if (blob == NULL) {
            sched_yield();
            continue;
        }
        slot->bad += !is_whole(blob, n % BLOBS);
        blob_unref(blob);
        n++;
    }
    return NULL;
}

static bool hand_over(void)
{
    struct slot slot = {NULL, 0};
    pthread_t thread;
    if (pthread_create(&thread, NULL, receive, &slot) != 0) {
        abort();
    }
    for (size_t n = 0; n < ROUNDS; n++) {
        struct blob *blob = make_blob(n % BLOBS);
        blob_ref(blob);
        while (atomic_load_explicit(&slot.blob, memory_order_relaxed) != NULL) {
            sched_yield();
        }
        atomic_store_explicit(&slot.blob, blob, memory_order_release);
        // Either side may now be the one that frees.
        blob_unref(blob);
    }
    pthread_join(thread, NULL);
    return slot.bad == 0;
}

int main(void)
{
    bool kept;
    report(share(take_and_drop, true, &kept), "bytes stay whole while others take and drop");
    report(kept, "after all threads are done only the kept references are left");
    report(share(take_and_drop, false, &kept), "the last of several threads frees a blob");
    report(share(stock_and_till, true, &kept), "bytes stay whole under stocks and tills");
    report(kept, "stocks and tills of several threads give back exactly what they took");
    report(share(stock_and_till, false, &kept), "the last till to be finished frees a blob");
    report(hand_over(), "a blob handed to another thread is freed by whoever drops it last");
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
