// What the interposed calls (faults.c) ask the plan (plan.c): whether a fault is due, and what the
// real calls are.
#ifndef TIDEGATE_TESTS_FAULTS_H
#define TIDEGATE_TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#define IOV_COPY_MAX 64

// Kinds of faults: name, whether a connection may end by it (then `fatal` is its rate).
#define KINDS(X) \
    X(SHORT, "short", false)   /* reads and writes of less than was asked for */ \
    X(EINTR, "eintr", false)   /* interrupted: reads, writes, accepts, waits */ \
    X(AGAIN, "again", false)   /* "not now", and an edge later */ \
    X(EDGE, "edge", false)     /* an edge without a cause */ \
    X(EPOLL, "epoll", false)   /* fewer events at once, in another order */ \
    X(WAKE, "wake", false)     /* wake-ups without a cause; the counter is full */ \
    X(OPTION, "option", false) /* socket options that cannot be set */ \
    X(ACCEPT, "accept", false) /* no descriptor or memory for one more connection */ \
    X(LOST, "lost", true)      /* a connection gone before it was accepted */ \
    X(WATCH, "watch", true)    /* no memory to watch one more descriptor */ \
    X(RESET, "reset", true)    /* the peer is gone */ \
    X(NOBUFS, "nobufs", true)  /* no memory in the kernel to read or write */ \
    X(ALLOC, "alloc", true)    /* no memory for a large block */

enum kind {
#define X(id, name, is_fatal) KIND_##id,
    KINDS(X)
#undef X
        KIND_COUNT
};

// The calls that faults stand in front of.
struct real_calls {
    ssize_t (*recv)(int, void *, size_t, int);
    ssize_t (*send)(int, const void *, size_t, int);
    ssize_t (*sendmsg)(int, const struct msghdr *, int);
    ssize_t (*read)(int, void *, size_t);
    ssize_t (*write)(int, const void *, size_t);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    int (*close)(int);
    int (*setsockopt)(int, int, int, const void *, socklen_t);
    int (*epoll_ctl)(int, int, int, struct epoll_event *);
    int (*epoll_wait)(int, struct epoll_event *, int, int);
    int (*eventfd)(unsigned, int);
};

extern struct real_calls real;

// The calling thread waits for events: from now on its calls may fail.
void plan_enter(void);

// Whether calls of this thread may fail.
bool plan_is_on(void);

// Whether the next call is to have a fault of `kind`.
bool plan_roll(enum kind kind);

// A number below `below` (at least 1).
size_t plan_pick(enum kind kind, size_t below);

// The first `len` bytes of `from` in `to`; returns how many pieces.
size_t plan_cut(const struct iovec *from, struct iovec *to, size_t len);

// The allocator behind the C library's names.
void *__libc_malloc(size_t size);
void *__libc_realloc(void *block, size_t size);

#endif
