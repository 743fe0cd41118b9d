// Wire forms offered by racing threads, and references dropped by them: a plain program for
// ThreadSanitizer. Prints `ok - sentence` or `not ok - sentence`.
// Owner: main() holds one extra reference to every blob offered, so that it can see afterwards that
// nobody else does; each thread holds one reference to each publication.
#include "tidegate/channel/publication.h"

#include <pthread.h>
#include <stdio.h>

#define THREADS 4
#define ROUNDS 500
#define FORMS 3

static struct publication *publications[ROUNDS];
static struct blob *offered[THREADS][ROUNDS][FORMS];
static struct blob *standing[THREADS][ROUNDS][FORMS];
static struct blob *seen_before[THREADS][ROUNDS][FORMS]; // NULL when the thread came first
static pthread_barrier_t barrier;
static int failed;

static void check(bool condition, const char *sentence)
{
    printf("%s - %s\n", condition ? "ok" : "not ok", sentence);
    failed += condition ? 0 : 1;
}

static void *offer_forms(void *argument)
{
    unsigned id = (unsigned)(uintptr_t)argument;
    for (int round = 0; round < ROUNDS; round++) {
        struct publication *publication = publications[round];
        pthread_barrier_wait(&barrier);
        for (unsigned form = 0; form < FORMS; form++) {
            // Filled here, read by the others: the installing must publish the bytes, too.
            struct blob *blob = offered[id][round][form];
            blob->data[0] = (char)('a' + form);
            seen_before[id][round][form] = publication_form(publication, form);
            standing[id][round][form] = publication_install(publication, form, blob);
            if (standing[id][round][form]->data[0] != (char)('a' + form)) {
                standing[id][round][form] = NULL; // seen by main()
            }
        }
        publication_unref(publication);
    }
    return NULL;
}

static void prepare(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        publications[round] = publication_try_create(
            &(struct publication_parts){.channel = BYTES_OF("news"), .data = BYTES_OF("hello")});
        for (int i = 0; i < THREADS; i++) {
            publication_ref(publications[round]); // main()'s own is the one it was created with
            for (int form = 0; form < FORMS; form++) {
                offered[i][round][form] = blob_ref(blob_try_create(1));
            }
        }
    }
}

// Whether all threads got the same blob, which is one that was offered for this form.
static bool one_won(int round, int form)
{
    struct blob *winner = standing[0][round][form];
    bool was_offered = false;
    for (int i = 0; i < THREADS; i++) {
        struct blob *before = seen_before[i][round][form];
        if (standing[i][round][form] != winner || (before != NULL && before != winner)) {
            return false;
        }
        was_offered = was_offered || offered[i][round][form] == winner;
    }
    return was_offered && publication_form(publications[round], (unsigned)form) == winner;
}

// How many of the offered blobs have `refs` references.
static int count_refs(int round, int form, uint32_t refs)
{
    int count = 0;
    for (int i = 0; i < THREADS; i++) {
        count += atomic_load(&offered[i][round][form]->refs) == refs;
    }
    return count;
}

int main(void)
{
    pthread_t threads[THREADS];
    prepare();
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, offer_forms, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    int several_won = 0;
    int losers_kept = 0;
    int leaked = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int form = 0; form < FORMS; form++) {
            several_won += !one_won(round, form);
            losers_kept +=
                count_refs(round, form, 2) != 1 || count_refs(round, form, 1) != THREADS - 1;
        }
        publication_unref(publications[round]);
        for (int form = 0; form < FORMS; form++) {
            leaked += count_refs(round, form, 1) != THREADS;
        }
    }
    check(several_won == 0, "of forms installed by racing threads one wins and all get it");
    check(losers_kept == 0, "the forms that lost are dropped, the one that won is held once");
    check(leaked == 0, "the last reference to the publication drops its forms");
    for (int i = 0; i < THREADS; i++) {
        for (int round = 0; round < ROUNDS; round++) {
            for (int form = 0; form < FORMS; form++) {
                blob_unref(offered[i][round][form]);
            }
        }
    }
    pthread_barrier_destroy(&barrier);
    return failed > 0;
}
