// Edge-triggered watching of real descriptors. Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/base/clock.h"
#include "tidegate/loop/loop.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

TestSuite(loop, .fini = leaks_check);

struct eye {
    struct watch watch;
    struct loop *loop;
    struct eye *victim; // taken out by this one's event
    int events;
    uint32_t last;
};

static void eye_on_event(struct watch *watch, uint32_t events)
{
    struct eye *eye = container_of(watch, struct eye, watch);
    eye->events++;
    eye->last = events;
    if (eye->victim != NULL && eye->victim->watch.fd >= 0) {
        loop_remove(eye->loop, &eye->victim->watch);
        close(eye->victim->watch.fd);
        eye->victim->watch.fd = -1;
    }
}

static void eye_begin(struct eye *eye, struct loop *loop, int fd)
{
    *eye = (struct eye){.watch = {.fd = fd, .on_event = eye_on_event}, .loop = loop};
    cr_assert_eq(loop_add(loop, &eye->watch, EPOLLIN | EPOLLOUT), 0);
}

static int event_fd(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

static void raise_fd(int fd)
{
    uint64_t one = 1;
    cr_assert_eq(write(fd, &one, sizeof(one)), sizeof(one));
}

Test(loop, readiness_is_told_once_until_something_new_happens)
{
    struct loop loop;
    struct eye eye;
    cr_assert_eq(loop_init(&loop), 0);
    eye_begin(&eye, &loop, event_fd());
    loop_poll(&loop, 0);
    cr_assert_eq(eye.events, 1);
    cr_assert_eq(eye.last, (uint32_t)EPOLLOUT);
    raise_fd(eye.watch.fd);
    loop_poll(&loop, 0);
    cr_assert_eq(eye.events, 2);
    cr_assert_neq(eye.last & EPOLLIN, 0);
    loop_poll(&loop, 0);
    cr_assert_eq(eye.events, 2, "told again though nothing new happened");
    raise_fd(eye.watch.fd);
    loop_poll(&loop, 0);
    cr_assert_eq(eye.events, 3);
    close(eye.watch.fd);
    loop_finish(&loop);
}

Test(loop, a_removed_watch_is_told_nothing_and_its_descriptor_stays_open)
{
    struct loop loop;
    struct eye eye;
    cr_assert_eq(loop_init(&loop), 0);
    eye_begin(&eye, &loop, event_fd());
    loop_remove(&loop, &eye.watch);
    raise_fd(eye.watch.fd);
    loop_poll(&loop, 0);
    cr_assert_eq(eye.events, 0);
    close(eye.watch.fd);
    loop_finish(&loop);
}

Test(loop, a_watch_given_up_gets_no_further_event_of_the_same_batch)
{
    struct loop loop;
    struct eye eyes[2];
    cr_assert_eq(loop_init(&loop), 0);
    for (int i = 0; i < 2; i++) {
        eye_begin(&eyes[i], &loop, event_fd());
    }
    // Whichever comes first takes the other one out.
    eyes[0].victim = &eyes[1];
    eyes[1].victim = &eyes[0];
    loop_poll(&loop, 0);
    cr_assert_eq(eyes[0].events + eyes[1].events, 1);
    close(eyes[0].watch.fd >= 0 ? eyes[0].watch.fd : eyes[1].watch.fd);
    loop_finish(&loop);
}

Test(loop, a_batch_is_bounded_and_nobody_is_lost)
{
    enum { COUNT = 700 };
    static struct eye eyes[COUNT];
    struct loop loop;
    int told = 0;
    cr_assert_eq(loop_init(&loop), 0);
    for (int i = 0; i < COUNT; i++) {
        eye_begin(&eyes[i], &loop, event_fd());
    }
    cr_assert(loop_poll(&loop, 0), "a full batch says that more may wait");
    for (int i = 0; i < COUNT; i++) {
        told += eyes[i].events;
    }
    cr_assert_lt(told, COUNT);
    cr_assert(!loop_poll(&loop, 0));
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(eyes[i].events, 1, "watch %d", i);
        close(eyes[i].watch.fd);
    }
    loop_finish(&loop);
}

Test(loop, adding_what_cannot_be_watched_is_an_error)
{
    struct loop loop;
    struct watch watch = {.fd = -1, .on_event = eye_on_event};
    struct eye eye;
    cr_assert_eq(loop_init(&loop), 0);
    cr_assert_eq(loop_add(&loop, &watch, EPOLLIN), -EBADF);
    eye_begin(&eye, &loop, event_fd());
    cr_assert_eq(loop_add(&loop, &eye.watch, EPOLLIN), -EEXIST);
    close(eye.watch.fd);
    loop_finish(&loop);
}

Test(loop, time_is_taken_when_the_wait_ends)
{
    struct loop loop;
    clock_set_fake_us(5000000);
    cr_assert_eq(loop_init(&loop), 0);
    cr_assert_eq(loop.now_ms, 5000);
    clock_set_fake_us(7654321);
    cr_assert_eq(loop.now_ms, 5000, "time stands still within a turn");
    loop_poll(&loop, 0);
    cr_assert_eq(loop.now_ms, 7654);
    cr_assert_eq(loop.now_us, 7654321);
    clock_set_fake_us(-1);
    loop_finish(&loop);
}
