// The per-worker queue. Posting takes the lock for a few instructions; draining takes the whole
// list at once and works outside the lock.
//
// Owner: `taken` and draining belong to the attached thread; the rest is under the lock.
// Order: the eventfd is read before the list is taken, so a post between the two leaves a wake-up
// behind and never a message without one. It is read only when epoll reported it: what the owner
// posts to itself costs no system call.

#include "tidegate/loop/mailbox.h"

#include "tidegate/base/assert.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void mailbox_on_event(struct watch *watch, uint32_t events)
{
    // Waking up is all it is for: the turn drains in its own step.
    container_of(watch, struct mailbox, watch)->woken = true;
    (void)events;
}

int mailbox_init(struct mailbox *mailbox, size_t bytes_max)
{
    *mailbox = (struct mailbox){.bytes_max = bytes_max};
    mailbox->tail = &mailbox->head;
    mailbox->watch.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->watch.fd < 0) {
        return -errno;
    }
    mailbox->watch.on_event = mailbox_on_event;
    pthread_mutex_init(&mailbox->lock, NULL);
    return 0;
}

static void mailbox_destroy_all(struct message *message)
{
    while (message != NULL) {
        struct message *next = message->next;
        message->destroy(message);
        message = next;
    }
}

void mailbox_finish(struct mailbox *mailbox)
{
    // Destroying a message may not post, so the lists cannot grow meanwhile.
    mailbox_destroy_all(mailbox->taken);
    mailbox_destroy_all(mailbox->head);
    close(mailbox->watch.fd);
    pthread_mutex_destroy(&mailbox->lock);
}

int mailbox_attach(struct mailbox *mailbox, struct loop *loop)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->owner = pthread_self();
    mailbox->has_owner = true;
    pthread_mutex_unlock(&mailbox->lock);
    return loop_add(loop, &mailbox->watch, EPOLLIN);
}

int mailbox_post(struct mailbox *mailbox, struct message *message)
{
    bool refused = false;
    bool wake = false;

    message->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    if (message->kind == MESSAGE_PUBLICATION &&
        mailbox->bytes + message->bytes > mailbox->bytes_max) {
        refused = true;
    } else {
        wake = mailbox->head == NULL &&
               !(mailbox->has_owner && pthread_equal(mailbox->owner, pthread_self()));
        *mailbox->tail = message;
        mailbox->tail = &message->next;
        mailbox->depth++;
        mailbox->bytes += message->bytes;
        atomic_store_explicit(&mailbox->pending, true, memory_order_relaxed);
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (refused) {
        message->destroy(message);
        return -ENOBUFS;
    }
    if (wake) {
        uint64_t one = 1;
        ssize_t written = write(mailbox->watch.fd, &one, sizeof(one));
        // Only a full counter could refuse, and then a wake-up is waiting anyway.
        assert_always(written == sizeof(one) || errno == EAGAIN);
    }
    return 0;
}

static void mailbox_take(struct mailbox *mailbox)
{
    if (mailbox->woken) {
        uint64_t count;
        ssize_t got = read(mailbox->watch.fd, &count, sizeof(count));
        assert_always(got == sizeof(count) || errno == EAGAIN);
        mailbox->woken = false;
    }
    pthread_mutex_lock(&mailbox->lock);
    mailbox->taken = mailbox->head;
    mailbox->head = NULL;
    mailbox->tail = &mailbox->head;
    atomic_store_explicit(&mailbox->pending, false, memory_order_relaxed);
    pthread_mutex_unlock(&mailbox->lock);
}

bool mailbox_drain(struct mailbox *mailbox, void (*handle)(void *context, struct message *message),
                   void *context, struct mailbox_budget budget)
{
    size_t messages = 0;
    size_t bytes = 0;

    if (mailbox->taken == NULL) {
        if (!atomic_load_explicit(&mailbox->pending, memory_order_relaxed)) {
            return false;
        }
        mailbox_take(mailbox);
    }
    while (mailbox->taken != NULL && budget.messages-- > 0 && bytes < budget.bytes) {
        struct message *message = mailbox->taken;
        mailbox->taken = message->next;
        messages++;
        bytes += message->bytes;
        handle(context, message);
    }
    pthread_mutex_lock(&mailbox->lock);
    mailbox->depth -= messages;
    mailbox->bytes -= bytes;
    pthread_mutex_unlock(&mailbox->lock);
    return mailbox->taken != NULL;
}

bool mailbox_is_pending(const struct mailbox *mailbox)
{
    return mailbox->taken != NULL || atomic_load_explicit(&mailbox->pending, memory_order_relaxed);
}

void mailbox_depth(struct mailbox *mailbox, size_t *ret_messages, size_t *ret_bytes)
{
    pthread_mutex_lock(&mailbox->lock);
    *ret_messages = mailbox->depth;
    *ret_bytes = mailbox->bytes;
    pthread_mutex_unlock(&mailbox->lock);
}
