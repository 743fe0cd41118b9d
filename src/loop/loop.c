// Edge-triggered epoll for one worker. A watch is added once with everything it will ever want and
// never modified; readiness is remembered by whoever embeds the watch.
//
// Owner: the worker's thread. The batch is bounded, so that one turn cannot starve its later steps;
// epoll keeps the order of readiness, so what is left over comes first next time.

#include "tidegate/loop/loop.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/clock.h"

#include <errno.h>
#include <unistd.h>

#define LOOP_BATCH 512

static void loop_take_time(struct loop *loop)
{
    loop->now_us = clock_now_us();
    loop->now_ms = loop->now_us / 1000;
}

int loop_init(struct loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        return -errno;
    }
    loop_take_time(loop);
    return 0;
}

void loop_finish(struct loop *loop)
{
    close(loop->epoll_fd);
    loop->epoll_fd = -1;
}

int loop_add(struct loop *loop, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = watch};

    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0 ? 0 : -errno;
}

void loop_remove(struct loop *loop, struct watch *watch)
{
    int result = epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);

    assert_always(result == 0);
}

bool loop_poll(struct loop *loop, int timeout_ms)
{
    struct epoll_event events[LOOP_BATCH];
    int count = epoll_wait(loop->epoll_fd, events, LOOP_BATCH, timeout_ms);

    assert_always(count >= 0 || errno == EINTR);
    loop_take_time(loop);
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;
        if (watch->fd >= 0) {
            watch->on_event(watch, events[i].events);
        }
    }
    return count == LOOP_BATCH;
}
