// The queue between threads, seen from one: order, limits, wake-ups. Racing threads are in
// tests/threads. Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/base/mem.h"
#include "tidegate/loop/mailbox.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

TestSuite(mailbox, .fini = leaks_check);

struct note {
    struct message message;
    int number;
};

static int destroyed;
static int handled[64];
static int handled_count;

static void note_destroy(struct message *message)
{
    destroyed++;
    mem_free(container_of(message, struct note, message));
}

static struct message *note(enum message_kind kind, int number, uint32_t bytes)
{
    struct note *it = mem_zalloc(sizeof(*it));
    it->message = (struct message){.kind = kind, .bytes = bytes, .destroy = note_destroy};
    it->number = number;
    return &it->message;
}

static void note_handle(void *context, struct message *message)
{
    (void)context;
    handled[handled_count++] = container_of(message, struct note, message)->number;
    message->destroy(message);
}

static void post(struct mailbox *mailbox, int number)
{
    cr_assert_eq(mailbox_post(mailbox, note(MESSAGE_PUBLICATION, number, 10)), 0);
}

static bool is_awake(const struct mailbox *mailbox)
{
    struct pollfd poll_fd = {.fd = mailbox->watch.fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void expect_depth(struct mailbox *mailbox, size_t messages, size_t bytes)
{
    size_t has_messages;
    size_t has_bytes;
    mailbox_depth(mailbox, &has_messages, &has_bytes);
    cr_assert_eq(has_messages, messages, "%zu messages, not %zu", has_messages, messages);
    cr_assert_eq(has_bytes, bytes, "%zu bytes, not %zu", has_bytes, bytes);
}

Test(mailbox, messages_are_handled_in_the_order_in_which_they_were_posted)
{
    struct mailbox mailbox;
    cr_assert_eq(mailbox_init(&mailbox, 1000), 0);
    cr_assert(!mailbox_is_pending(&mailbox));
    for (int i = 0; i < 5; i++) {
        post(&mailbox, i);
    }
    cr_assert(mailbox_is_pending(&mailbox));
    expect_depth(&mailbox, 5, 50);
    cr_assert(!mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){10, SIZE_MAX}));
    cr_assert_eq(handled_count, 5);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(handled[i], i);
    }
    cr_assert(!mailbox_is_pending(&mailbox));
    expect_depth(&mailbox, 0, 0);
    mailbox_finish(&mailbox);
}

Test(mailbox, a_bounded_drain_leaves_the_rest_in_front_of_what_comes_later)
{
    struct mailbox mailbox;
    cr_assert_eq(mailbox_init(&mailbox, 1000), 0);
    for (int i = 0; i < 5; i++) {
        post(&mailbox, i);
    }
    cr_assert(mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){2, SIZE_MAX}));
    cr_assert_eq(handled_count, 2);
    expect_depth(&mailbox, 3, 30);
    post(&mailbox, 5);
    cr_assert(mailbox_is_pending(&mailbox));
    while (mailbox_is_pending(&mailbox)) {
        mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){2, SIZE_MAX});
    }
    cr_assert_eq(handled_count, 6);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(handled[i], i);
    }
    expect_depth(&mailbox, 0, 0);
    mailbox_finish(&mailbox);
}

Test(mailbox, a_drain_that_just_fits_leaves_nothing_and_one_of_none_all)
{
    struct mailbox mailbox;
    cr_assert_eq(mailbox_init(&mailbox, 1000), 0);
    cr_assert(!mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){5, SIZE_MAX}));
    post(&mailbox, 1);
    post(&mailbox, 2);
    cr_assert(mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){0, SIZE_MAX}));
    cr_assert_eq(handled_count, 0);
    cr_assert(!mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){2, SIZE_MAX}));
    cr_assert_eq(handled_count, 2);
    mailbox_finish(&mailbox);
}

Test(mailbox, no_further_message_is_taken_once_the_bytes_of_a_turn_are_used)
{
    struct mailbox mailbox;
    cr_assert_eq(mailbox_init(&mailbox, 1000), 0);
    for (int i = 0; i < 5; i++) {
        post(&mailbox, i); // 10 bytes each
    }
    cr_assert(mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){10, 11}));
    cr_assert_eq(handled_count, 2);
    cr_assert(mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){10, 1}));
    cr_assert_eq(handled_count, 3, "a large message is not waited for for ever");
    cr_assert(!mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){10, 100}));
    cr_assert_eq(handled_count, 5);
    mailbox_finish(&mailbox);
}

Test(mailbox, past_the_limit_publications_are_destroyed_and_all_else_passes)
{
    struct mailbox mailbox;
    cr_assert_eq(mailbox_init(&mailbox, 100), 0);
    cr_assert_eq(mailbox_post(&mailbox, note(MESSAGE_PUBLICATION, 1, 60)), 0);
    cr_assert_eq(mailbox_post(&mailbox, note(MESSAGE_PUBLICATION, 2, 41)), -ENOBUFS);
    cr_assert_eq(destroyed, 1);
    cr_assert_eq(mailbox_post(&mailbox, note(MESSAGE_PUBLICATION, 3, 40)), 0);
    cr_assert_eq(mailbox_post(&mailbox, note(MESSAGE_PUBLICATION, 4, 1)), -ENOBUFS);
    cr_assert_eq(destroyed, 2);
    static const enum message_kind others[] = {MESSAGE_REPLY, MESSAGE_CONTROL, MESSAGE_CONFIG,
                                               MESSAGE_STOP};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(mailbox_post(&mailbox, note(others[i], 5 + i, 1000)), 0);
    }
    expect_depth(&mailbox, 6, 4100);
    mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){10, SIZE_MAX});
    static const int expected[] = {1, 3, 5, 6, 7, 8};
    cr_assert_eq(handled_count, 6);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(handled[i], expected[i]);
    }
    mailbox_finish(&mailbox);
}

Test(mailbox, what_is_taken_but_not_handled_counts_against_the_limit)
{
    struct mailbox mailbox;
    cr_assert_eq(mailbox_init(&mailbox, 100), 0);
    cr_assert_eq(mailbox_post(&mailbox, note(MESSAGE_PUBLICATION, 1, 10)), 0);
    cr_assert_eq(mailbox_post(&mailbox, note(MESSAGE_PUBLICATION, 2, 90)), 0);
    mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){1, SIZE_MAX});
    cr_assert_eq(mailbox_post(&mailbox, note(MESSAGE_PUBLICATION, 3, 11)), -ENOBUFS);
    cr_assert_eq(mailbox_post(&mailbox, note(MESSAGE_PUBLICATION, 4, 10)), 0);
    while (mailbox_is_pending(&mailbox)) {
        mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){10, SIZE_MAX});
    }
    cr_assert_eq(mailbox_post(&mailbox, note(MESSAGE_PUBLICATION, 5, 100)), 0);
    mailbox_finish(&mailbox);
}

static struct mailbox *chained_box;

static void post_while_handling(void *context, struct message *message)
{
    note_handle(context, message);
    if (handled_count < 3) {
        post(chained_box, handled_count);
    }
}

Test(mailbox, what_is_posted_while_draining_waits_for_the_next_drain)
{
    struct mailbox mailbox;
    cr_assert_eq(mailbox_init(&mailbox, 1000), 0);
    chained_box = &mailbox;
    post(&mailbox, 0);
    cr_assert(!mailbox_drain(&mailbox, post_while_handling, NULL,
                             (struct mailbox_budget){100, SIZE_MAX}));
    cr_assert_eq(handled_count, 1);
    cr_assert(mailbox_is_pending(&mailbox));
    expect_depth(&mailbox, 1, 10);
    mailbox_drain(&mailbox, post_while_handling, NULL, (struct mailbox_budget){100, SIZE_MAX});
    mailbox_drain(&mailbox, post_while_handling, NULL, (struct mailbox_budget){100, SIZE_MAX});
    cr_assert_eq(handled_count, 3);
    mailbox_finish(&mailbox);
}

Test(mailbox, only_the_first_post_to_an_empty_box_wakes_its_owner)
{
    struct mailbox mailbox;
    uint64_t count = 0;
    cr_assert_eq(mailbox_init(&mailbox, 1000), 0);
    cr_assert(!is_awake(&mailbox));
    for (int i = 0; i < 3; i++) {
        post(&mailbox, i);
    }
    cr_assert(is_awake(&mailbox));
    cr_assert_eq(read(mailbox.watch.fd, &count, sizeof(count)), sizeof(count));
    cr_assert_eq(count, 1);
    mailbox_finish(&mailbox);
}

Test(mailbox, own_posts_need_no_wake_up_and_are_seen_pending)
{
    struct mailbox mailbox;
    struct loop loop;
    cr_assert_eq(mailbox_init(&mailbox, 1000), 0);
    cr_assert_eq(loop_init(&loop), 0);
    cr_assert_eq(mailbox_attach(&mailbox, &loop), 0);
    post(&mailbox, 1);
    cr_assert(!is_awake(&mailbox));
    cr_assert(mailbox_is_pending(&mailbox));
    mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){10, SIZE_MAX});
    cr_assert_eq(handled_count, 1);
    mailbox_finish(&mailbox);
    loop_finish(&loop);
}

static void *post_from_elsewhere(void *mailbox)
{
    post(mailbox, 9);
    return NULL;
}

Test(mailbox, every_wake_up_from_another_thread_ends_the_wait_also_after_a_drain_in_between)
{
    struct mailbox mailbox;
    struct loop loop;
    cr_assert_eq(mailbox_init(&mailbox, 1000), 0);
    cr_assert_eq(loop_init(&loop), 0);
    cr_assert_eq(mailbox_attach(&mailbox, &loop), 0);
    for (int i = 0; i < 6; i++) {
        pthread_t thread;
        if (i % 2 == 1) {
            // Drained before the loop saw the eventfd: the wake-up stays behind.
            pthread_create(&thread, NULL, post_from_elsewhere, &mailbox);
            pthread_join(thread, NULL);
            mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){10, SIZE_MAX});
        }
        pthread_create(&thread, NULL, post_from_elsewhere, &mailbox);
        pthread_join(thread, NULL);
        int64_t before = loop.now_ms;
        loop_poll(&loop, 5000);
        cr_assert_lt(loop.now_ms - before, 4000, "the owner slept over a post");
        mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){10, SIZE_MAX});
        cr_assert(!mailbox_is_pending(&mailbox));
    }
    cr_assert_eq(handled_count, 9);
    mailbox_finish(&mailbox);
    loop_finish(&loop);
}

Test(mailbox, finishing_destroys_what_waits_and_what_was_taken)
{
    struct mailbox mailbox;
    cr_assert_eq(mailbox_init(&mailbox, 1000), 0);
    for (int i = 0; i < 4; i++) {
        post(&mailbox, i);
    }
    mailbox_drain(&mailbox, note_handle, NULL, (struct mailbox_budget){1, SIZE_MAX});
    post(&mailbox, 4);
    post(&mailbox, 5);
    mailbox_finish(&mailbox);
    cr_assert_eq(handled_count, 1);
    cr_assert_eq(destroyed, 6);
}
