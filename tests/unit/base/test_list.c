// The intrusive list: order, removal in any place, splicing.
#include "tidegate/base/list.h"

#include <criterion/criterion.h>

struct item {
    int number;
    struct list link; // of the test
};

static void fill(struct list *head, struct item *items, int count, int first)
{
    list_init(head);
    for (int i = 0; i < count; i++) {
        items[i].number = first + i;
        list_append(head, &items[i].link);
    }
}

// Checks that `head` holds `numbers` in order, in both directions.
static void expect(struct list *head, const int *numbers, int count)
{
    int i = 0;
    list_for_each(pos, head)
    {
        cr_assert_lt(i, count);
        cr_assert_eq(list_entry(pos, struct item, link)->number, numbers[i]);
        i++;
    }
    cr_assert_eq(i, count);
    for (struct list *pos = head->prev; pos != head; pos = pos->prev) {
        i--;
        cr_assert_eq(list_entry(pos, struct item, link)->number, numbers[i]);
    }
    cr_assert_eq(i, 0);
}

Test(list, keeps_the_order_of_appending)
{
    struct list head;
    struct item items[3];
    fill(&head, items, 3, 0);
    expect(&head, (const int[]){0, 1, 2}, 3);
}

Test(list, a_removed_link_is_in_no_list_and_may_be_removed_again)
{
    struct list head;
    struct item items[3];
    fill(&head, items, 3, 0);
    cr_assert(list_is_linked(&items[1].link));
    list_remove(&items[1].link);
    cr_assert_not(list_is_linked(&items[1].link));
    list_remove(&items[1].link);
    expect(&head, (const int[]){0, 2}, 2);
}

Test(list, pop_takes_from_the_front_until_it_is_empty)
{
    struct list head;
    struct item items[2];
    fill(&head, items, 2, 0);
    cr_assert_eq(list_pop(&head), &items[0].link);
    cr_assert_eq(list_pop(&head), &items[1].link);
    cr_assert_null(list_pop(&head));
    cr_assert(list_is_empty(&head));
}

Test(list, splice_moves_everything_behind_what_is_there)
{
    struct list one;
    struct list two;
    struct item items[5];
    fill(&one, items, 2, 0);
    fill(&two, items + 2, 3, 2);
    list_splice(&one, &two);
    expect(&one, (const int[]){0, 1, 2, 3, 4}, 5);
    cr_assert(list_is_empty(&two));
    list_splice(&one, &two);
    expect(&one, (const int[]){0, 1, 2, 3, 4}, 5);
    list_splice(&two, &one);
    expect(&two, (const int[]){0, 1, 2, 3, 4}, 5);
}

Test(list, the_safe_walk_allows_removing_what_is_visited)
{
    struct list head;
    struct item items[6];
    fill(&head, items, 6, 0);
    list_for_each_safe(pos, &head)
    {
        if (list_entry(pos, struct item, link)->number % 2 == 0) {
            list_remove(pos);
        }
    }
    expect(&head, (const int[]){1, 3, 5}, 3);
}
