// Blobs: counting one by one and in batches. A leak or a use after free is the sanitizer's to find.
#include "../../support/leaks.h"

#include "tidegate/base/blob.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(blob, .fini = leaks_check);

static uint32_t refs(struct blob *blob)
{
    return atomic_load(&blob->refs);
}

Test(blob, a_copy_holds_the_bytes_and_one_reference)
{
    struct blob *blob = blob_try_copy(BYTES_OF("hello"));
    cr_assert_not_null(blob);
    cr_assert(bytes_equal(blob_bytes(blob), BYTES_OF("hello")));
    cr_assert_eq(refs(blob), 1);
    blob_unref(blob);
}

Test(blob, may_be_empty)
{
    struct blob *blob = blob_try_copy(BYTES_EMPTY);
    cr_assert_not_null(blob);
    cr_assert_eq(blob_bytes(blob).len, 0);
    blob_unref(blob);
}

Test(blob, sizes_of_four_gigabytes_and_more_are_refused)
{
    cr_assert_null(blob_try_create((size_t)UINT32_MAX));
    cr_assert_null(blob_try_create((size_t)UINT32_MAX + 1));
    cr_assert_null(blob_try_create(SIZE_MAX));
    cr_assert_null(blob_try_create(SIZE_MAX - sizeof(struct blob) + 1));
}

Test(blob, lives_until_its_last_reference)
{
    struct blob *blob = blob_try_copy(BYTES_OF("x"));
    cr_assert_eq(blob_ref(blob), blob);
    blob_ref_many(blob, 10);
    cr_assert_eq(refs(blob), 12);
    blob_unref_many(blob, 0);
    cr_assert_eq(refs(blob), 12);
    blob_unref_many(blob, 11);
    cr_assert_eq(blob->data[0], 'x');
    blob_unref(blob);
    blob_unref(NULL);
    blob_unref_many(NULL, 5);
}

Test(blob, dropping_more_than_was_taken_aborts, .signal = SIGABRT)
{
    struct blob *blob = blob_try_copy(BYTES_OF("x"));
    blob_unref_many(blob, 2);
}

Test(blob, a_stock_takes_a_batch_at_once_and_gives_back_what_is_spare)
{
    struct blob *blob = blob_try_copy(BYTES_OF("x"));
    struct blob_stock stock = {0};
    for (uint32_t i = 0; i < BLOB_STOCK_BATCH; i++) {
        cr_assert_eq(blob_stock_take(&stock, blob), blob);
        cr_assert_eq(refs(blob), 1 + BLOB_STOCK_BATCH);
    }
    blob_stock_take(&stock, blob);
    cr_assert_eq(refs(blob), 1 + 2 * BLOB_STOCK_BATCH);
    blob_stock_finish(&stock);
    cr_assert_eq(refs(blob), 1 + BLOB_STOCK_BATCH + 1);
    blob_stock_finish(&stock);
    cr_assert_eq(refs(blob), 1 + BLOB_STOCK_BATCH + 1);
    blob_unref_many(blob, BLOB_STOCK_BATCH + 2);
}

Test(blob, a_stock_changes_to_another_blob_without_losing_references)
{
    struct blob *one = blob_try_copy(BYTES_OF("1"));
    struct blob *two = blob_try_copy(BYTES_OF("2"));
    struct blob_stock stock = {0};
    for (int i = 0; i < 10; i++) {
        blob_stock_take(&stock, one);
        blob_stock_take(&stock, two);
    }
    blob_stock_finish(&stock);
    cr_assert_eq(refs(one), 11);
    cr_assert_eq(refs(two), 11);
    blob_unref_many(one, 11);
    blob_unref_many(two, 11);
}

Test(blob, a_till_gathers_and_drops_at_finish)
{
    struct blob *blob = blob_try_copy(BYTES_OF("x"));
    struct blob_till till = {0};
    blob_ref_many(blob, 100);
    for (int i = 0; i < 100; i++) {
        blob_till_put(&till, blob);
    }
    cr_assert_eq(refs(blob), 101);
    blob_till_finish(&till);
    cr_assert_eq(refs(blob), 1);
    blob_till_finish(&till);
    blob_unref(blob);
}

Test(blob, a_till_copes_with_more_blobs_than_it_has_slots)
{
    struct blob *blobs[500];
    struct blob_till till = {0};
    for (size_t i = 0; i < 500; i++) {
        blobs[i] = blob_try_create(i);
        blob_ref_many(blobs[i], 3);
    }
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 500; i++) {
            blob_till_put(&till, blobs[i]);
        }
    }
    blob_till_finish(&till);
    for (size_t i = 0; i < 500; i++) {
        cr_assert_eq(refs(blobs[i]), 1);
        blob_till_put(&till, blobs[i]);
    }
    blob_till_finish(&till);
}
