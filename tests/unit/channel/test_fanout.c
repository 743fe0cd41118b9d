// One worker's table of subscribers.
// Owner: Criterion, a process a test.
#include "support.h"

#include "tidegate/channel/fanout.h"
#include "tidegate/channel/name.h"

struct listener {
    struct fanout_subscriber subscriber;
    struct fanout *fanout;
    int heard;
    bool leaves; // at the next publication
};

static struct bytes news = {"news", 4};

static void listener_leave(struct listener *listener)
{
    char name[CHANNEL_NAME_MAX];
    size_t len;
    fanout_remove(listener->fanout, &listener->subscriber, name, &len);
}

static void on_publication(struct fanout_subscriber *subscriber, struct publication *publication)
{
    struct listener *listener = container_of(subscriber, struct listener, subscriber);
    cr_assert(bytes_equal(fanout_channel_name(subscriber->channel), publication->channel));
    listener->heard++;
    if (listener->leaves) {
        listener_leave(listener);
    }
}

static size_t deliver(struct fanout *fanout, const char *channel)
{
    struct publication *publication = publication_of(channel, "x");
    size_t delivered = fanout_deliver(fanout, publication);
    publication_unref(publication);
    return delivered;
}

Test(fanout, each_subscriber_of_the_channel_hears_a_publication_once)
{
    struct fanout fanout;
    struct listener listeners[3] = {{.heard = 0}};
    fanout_init(&fanout, on_publication);
    for (int i = 0; i < 3; i++) {
        listeners[i].fanout = &fanout;
        fanout_add(&fanout, i < 2 ? news : BYTES_OF("other"), &listeners[i].subscriber);
    }
    cr_assert_eq(deliver(&fanout, "news"), 2);
    cr_assert_eq(deliver(&fanout, "nobody"), 0);
    cr_assert_eq(listeners[0].heard, 1);
    cr_assert_eq(listeners[1].heard, 1);
    cr_assert_eq(listeners[2].heard, 0);
    for (int i = 0; i < 3; i++) {
        listener_leave(&listeners[i]);
    }
    fanout_finish(&fanout);
}

Test(fanout, tells_the_first_to_come_and_the_last_to_leave)
{
    struct fanout fanout;
    struct listener a = {.fanout = &fanout};
    struct listener b = {.fanout = &fanout};
    char name[CHANNEL_NAME_MAX];
    size_t len = 0;
    fanout_init(&fanout, on_publication);
    cr_assert(fanout_add(&fanout, news, &a.subscriber));
    cr_assert_not(fanout_add(&fanout, news, &b.subscriber));
    cr_assert_eq(fanout.subscribers, 2);
    cr_assert_not(fanout_remove(&fanout, &a.subscriber, name, &len));
    cr_assert(fanout_remove(&fanout, &b.subscriber, name, &len));
    cr_assert(bytes_equal(bytes_make(name, len), news));
    cr_assert_eq(fanout.subscribers, 0);
    cr_assert(fanout_add(&fanout, news, &a.subscriber));
    cr_assert(fanout_remove(&fanout, &a.subscriber, name, &len));
    fanout_finish(&fanout);
}

Test(fanout, removing_twice_is_harmless)
{
    struct fanout fanout;
    struct listener a = {.fanout = &fanout};
    char name[CHANNEL_NAME_MAX];
    size_t len;
    fanout_init(&fanout, on_publication);
    fanout_add(&fanout, news, &a.subscriber);
    cr_assert(fanout_remove(&fanout, &a.subscriber, name, &len));
    cr_assert_null(a.subscriber.channel);
    cr_assert_not(fanout_remove(&fanout, &a.subscriber, name, &len));
    fanout_finish(&fanout);
}

Test(fanout, a_subscriber_may_leave_while_it_is_told)
{
    struct fanout fanout;
    struct listener listeners[3];
    fanout_init(&fanout, on_publication);
    for (int i = 0; i < 3; i++) {
        listeners[i] = (struct listener){.fanout = &fanout, .leaves = i != 1};
        fanout_add(&fanout, news, &listeners[i].subscriber);
    }
    cr_assert_eq(deliver(&fanout, "news"), 3);
    cr_assert_eq(deliver(&fanout, "news"), 1);
    cr_assert_eq(listeners[1].heard, 2);
    listener_leave(&listeners[1]);
    fanout_finish(&fanout);
}

Test(fanout, all_may_leave_while_they_are_told)
{
    struct fanout fanout;
    struct listener listeners[3];
    fanout_init(&fanout, on_publication);
    for (int i = 0; i < 3; i++) {
        listeners[i] = (struct listener){.fanout = &fanout, .leaves = true};
        fanout_add(&fanout, news, &listeners[i].subscriber);
    }
    cr_assert_eq(deliver(&fanout, "news"), 3);
    cr_assert_eq(deliver(&fanout, "news"), 0);
    cr_assert_eq(fanout.channels.count, 0);
    fanout_finish(&fanout);
}

Test(fanout, holds_the_longest_name)
{
    struct fanout fanout;
    struct listener a = {.fanout = &fanout};
    char text[CHANNEL_NAME_MAX];
    char name[CHANNEL_NAME_MAX];
    size_t len = 0;
    memset(text, 'c', sizeof(text));
    fanout_init(&fanout, on_publication);
    fanout_add(&fanout, bytes_make(text, sizeof(text)), &a.subscriber);
    cr_assert(fanout_remove(&fanout, &a.subscriber, name, &len));
    cr_assert(bytes_equal(bytes_make(name, len), bytes_make(text, sizeof(text))));
    fanout_finish(&fanout);
}
