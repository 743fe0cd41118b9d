// The event loop of one worker: edge-triggered epoll, one turn a call. It knows descriptors and
// callbacks, not what a socket is for. Owner: the worker; nothing here may be called from another
// thread. Lifetime: a watch must stay in memory until the turn in which it was removed has ended
// (events of the same batch may still name it).
#ifndef TIDEGATE_LOOP_LOOP_H
#define TIDEGATE_LOOP_LOOP_H

#include "tidegate/base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct watch {
    int fd; // owned by whoever embeds the watch; -1 = not watched
    // `events` as epoll reports them. May remove this watch, and close nothing before the turn
    // ends.
    void (*on_event)(struct watch *watch, uint32_t events);
};

struct loop {
    int epoll_fd;
    int64_t now_ms; // monotonic, taken when loop_poll() returned from waiting
    int64_t now_us;
};

// 0 or -errno. Finish with loop_finish().
int loop_init(struct loop *loop) ATTR_MUST_CHECK;
void loop_finish(struct loop *loop);

// Adds `watch->fd` edge-triggered with `events` (EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLEXCLUSIVE).
// It is never modified afterwards. 0 or -errno.
int loop_add(struct loop *loop, struct watch *watch, uint32_t events) ATTR_MUST_CHECK;

// Takes the watch out; its descriptor stays open.
void loop_remove(struct loop *loop, struct watch *watch);

// Waits up to `timeout_ms` (0: not at all, -1: for ever) and runs the callbacks of one bounded
// batch. Returns true when the batch was full, so that more may be waiting.
bool loop_poll(struct loop *loop, int timeout_ms);

#endif
