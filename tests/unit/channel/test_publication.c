// Publications: one allocation, counted, wire forms installed once.
// Owner: Criterion, a process a test.
#include "support.h"

#include "tidegate/base/map.h"

Test(publication, holds_copies_of_all_its_parts)
{
    char channel[] = "news";
    char data[] = "hello\0world";
    char tags[] = "{\"a\":\"b\"}";
    char info[] = "{\"user\":\"u\"}";
    struct publication *publication = publication_try_create(&(struct publication_parts){
        .channel = bytes_str(channel),
        .data = bytes_make(data, 11),
        .tags = bytes_str(tags),
        .info = bytes_str(info),
        .is_binary = true,
        .origin = {1, 2, 3},
    });
    memset(channel, 'x', 4);
    memset(data, 'x', 11);
    memset(tags, 'x', 9);
    memset(info, 'x', 12);
    cr_assert(bytes_equal(publication->channel, BYTES_OF("news")));
    cr_assert(bytes_equal(publication->data, BYTES_OF("hello\0world")));
    cr_assert(bytes_equal(publication->tags, BYTES_OF("{\"a\":\"b\"}")));
    cr_assert(bytes_equal(publication->info, BYTES_OF("{\"user\":\"u\"}")));
    cr_assert(publication->is_binary);
    cr_assert(slot_ref_equal(publication->origin, (struct slot_ref){1, 2, 3}));
    cr_assert_eq(publication->channel_hash, map_hash(BYTES_OF("news")));
    cr_assert_eq(publication_size(publication), sizeof(*publication) + 4 + 11 + 9 + 12);
    publication_unref(publication);
}

Test(publication, begins_without_a_place_in_any_history)
{
    clock_set_fake_us(123456);
    struct publication *publication = publication_of("news", "");
    cr_assert_eq(publication->offset, 0);
    cr_assert_str_eq(publication->epoch, "");
    cr_assert_eq(publication->data.len, 0);
    cr_assert_eq(publication->time_us, 123456);
    cr_assert_gt(publication->wall_ms, 0);
    publication_unref(publication);
}

Test(publication, dropping_nothing_is_allowed)
{
    publication_unref(NULL);
}

Test(publication, a_form_is_there_only_after_it_was_installed)
{
    struct publication *publication = publication_of("news", "hello");
    struct blob *form = blob_try_copy(BYTES_OF("framed"));
    cr_assert_null(publication_form(publication, 3));
    cr_assert_eq(publication_install(publication, 3, form), form);
    cr_assert_eq(publication_form(publication, 3), form);
    cr_assert_null(publication_form(publication, 2));
    cr_assert_null(publication_form(publication, PUBLICATION_FORMS - 1));
    publication_unref(publication);
}

Test(publication, the_first_form_stands_and_a_later_one_is_dropped)
{
    struct publication *publication = publication_of("news", "hello");
    struct blob *first = blob_try_copy(BYTES_OF("first"));
    struct blob *second = blob_try_copy(BYTES_OF("second"));
    blob_ref(second);
    cr_assert_eq(publication_install(publication, 0, first), first);
    cr_assert_eq(publication_install(publication, 0, second), first);
    cr_assert_eq(atomic_load(&second->refs), 1);
    blob_unref(second);
    publication_unref(publication);
}

Test(publication, the_last_reference_drops_the_forms)
{
    struct publication *publication = publication_of("news", "hello");
    struct blob *form = blob_ref(blob_try_copy(BYTES_OF("framed")));
    publication_install(publication, 0, form);
    publication_ref(publication);
    publication_unref(publication);
    cr_assert_eq(atomic_load(&form->refs), 2);
    publication_unref(publication);
    cr_assert_eq(atomic_load(&form->refs), 1);
    blob_unref(form);
}
