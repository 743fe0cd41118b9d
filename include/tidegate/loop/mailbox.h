// The queue between threads: how anything crosses from one worker to another. Intrusive list,
// mutex, eventfd. Any thread posts; the owner drains. Ownership of a message moves with it. The
// eventfd is written only when the list was empty, and never for the thread's own box. Lock order:
// a hub shard's lock may be held while posting; nothing may be locked under a mailbox.
#ifndef TIDEGATE_LOOP_MAILBOX_H
#define TIDEGATE_LOOP_MAILBOX_H

#include "tidegate/loop/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

// All messages are one-way.
enum message_kind {
    MESSAGE_PUBLICATION,
    MESSAGE_REPLY,
    MESSAGE_CONTROL,
    MESSAGE_CONFIG,
    MESSAGE_STOP
};

struct message {
    struct message *next; // mailbox list
    enum message_kind kind;
    uint32_t bytes; // what it is charged with against the mailbox's limit
    // Frees a message nobody took (full mailbox, shutdown). Never NULL.
    void (*destroy)(struct message *message);
};

struct mailbox {
    pthread_mutex_t lock;
    struct message *head; // under lock
    struct message **tail;
    size_t depth; // messages, under lock
    size_t bytes; // under lock
    size_t bytes_max;
    struct watch watch;    // the eventfd
    pthread_t owner;       // set by mailbox_attach, under lock
    bool has_owner;        // under lock
    struct message *taken; // owner only: drained but not handled yet (bounded work left over)
    _Atomic bool pending;  // whether the list is non-empty; exact for the owner's own posts
    bool woken;            // owner only: epoll reported the eventfd
};

// `bytes_max`: past it publications are refused; the other kinds always pass. 0 or -errno.
int mailbox_init(struct mailbox *mailbox, size_t bytes_max) ATTR_MUST_CHECK;

// Destroys what is still inside. No thread may post any more.
void mailbox_finish(struct mailbox *mailbox);

// Makes the calling thread the owner and watches the eventfd in its loop. 0 or -errno.
int mailbox_attach(struct mailbox *mailbox, struct loop *loop) ATTR_MUST_CHECK;

// Posts; the mailbox owns the message from here on. Any thread. 0, or -ENOBUFS when it is a
// publication past the limit: then the message was destroyed.
int mailbox_post(struct mailbox *mailbox, struct message *message);

// What one turn takes at most: so many messages, and no further one once so many bytes were taken.
struct mailbox_budget {
    int messages;
    size_t bytes;
};

// Owner only: hands messages to `handle`, which owns each, in the order they were posted, within
// the budget. Returns true when some were left.
bool mailbox_drain(struct mailbox *mailbox, void (*handle)(void *context, struct message *message),
                   void *context, struct mailbox_budget budget);

// Owner only: whether a drain would find something (the next wait must not sleep).
bool mailbox_is_pending(const struct mailbox *mailbox);

// Messages and bytes waiting now. Any thread.
void mailbox_depth(struct mailbox *mailbox, size_t *ret_messages, size_t *ret_bytes);

#endif
