// A mailbox under racing senders: nothing lost, nothing twice, each sender's order kept, no wake-up
// missed. A plain program for ThreadSanitizer. Prints `ok - sentence` or `not ok - sentence`.
// Owner: main() is the receiver; each sender owns its messages until they are posted.
#include "tidegate/base/mem.h"
#include "tidegate/loop/mailbox.h"

#include <stdio.h>
#include <unistd.h>

#define SENDERS 4
#define POSTS 20000
#define PING_PONGS 3000

struct letter {
    struct message message;
    int sender;
    int number;
};

static struct mailbox box;
static struct mailbox back; // for the ping-pong
static struct loop loop;
static _Atomic int destroyed;
static _Atomic int refused;
static int received[SENDERS];
static int out_of_order;
static int failed;

static void check(bool condition, const char *sentence)
{
    printf("%s - %s\n", condition ? "ok" : "not ok", sentence);
    failed += condition ? 0 : 1;
}

static void letter_destroy(struct message *message)
{
    atomic_fetch_add(&destroyed, 1);
    mem_free(container_of(message, struct letter, message));
}

static struct message *letter(enum message_kind kind, int sender, int number)
{
    struct letter *it = mem_zalloc(sizeof(*it));
    it->message = (struct message){.kind = kind, .bytes = 100, .destroy = letter_destroy};
    it->sender = sender;
    it->number = number;
    return &it->message;
}

static void on_letter(void *context, struct message *message)
{
    struct letter *it = container_of(message, struct letter, message);
    (void)context;
    out_of_order += it->number < received[it->sender];
    received[it->sender] = it->number + 1;
    message->destroy(message);
}

static void *send_all(void *argument)
{
    int sender = (int)(intptr_t)argument;
    for (int i = 0; i < POSTS; i++) {
        // Every third passes whatever the limit: their count is known.
        enum message_kind kind = i % 3 == 0 ? MESSAGE_CONTROL : MESSAGE_PUBLICATION;
        if (mailbox_post(&box, letter(kind, sender, i)) < 0) {
            atomic_fetch_add(&refused, 1);
        }
    }
    mailbox_post(&box, letter(MESSAGE_STOP, sender, POSTS));
    return NULL;
}

static bool all_stopped(void)
{
    for (int i = 0; i < SENDERS; i++) {
        if (received[i] != POSTS + 1) {
            return false;
        }
    }
    return true;
}

// One turn of the receiver; false when a wait of ten seconds ended without anything.
static bool turn(void)
{
    int64_t before = loop.now_ms;
    loop_poll(&loop, mailbox_is_pending(&box) ? 0 : 10000);
    bool slept_over = loop.now_ms - before >= 10000;
    mailbox_drain(&box, on_letter, NULL, (struct mailbox_budget){50, SIZE_MAX});
    return !slept_over;
}

static void race(size_t bytes_max, const char *sentence)
{
    pthread_t threads[SENDERS];
    bool is_awake = true;
    size_t depth;
    size_t bytes;
    if (mailbox_init(&box, bytes_max) < 0 || mailbox_attach(&box, &loop) < 0) {
        check(false, "a mailbox is made");
        return;
    }
    destroyed = 0;
    refused = 0;
    out_of_order = 0;
    for (intptr_t i = 0; i < SENDERS; i++) {
        received[i] = 0;
        pthread_create(&threads[i], NULL, send_all, (void *)i);
    }
    while (is_awake && !all_stopped()) {
        is_awake = turn();
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    mailbox_depth(&box, &depth, &bytes);
    bool is_exact = atomic_load(&destroyed) == SENDERS * (POSTS + 1) && depth == 0 && bytes == 0;
    check(is_awake && is_exact && out_of_order == 0, sentence);
    loop_remove(&loop, &box.watch);
    mailbox_finish(&box);
}

static void on_pong(void *context, struct message *message)
{
    mailbox_post(&back, message);
    *(int *)context += 1;
}

static void *answer_all(void *argument)
{
    struct loop own;
    int answered = 0;
    (void)argument;
    if (loop_init(&own) < 0 || mailbox_attach(&box, &own) < 0) {
        return NULL;
    }
    while (answered < PING_PONGS) {
        loop_poll(&own, mailbox_is_pending(&box) ? 0 : 10000);
        mailbox_drain(&box, on_pong, &answered, (struct mailbox_budget){1, SIZE_MAX});
    }
    loop_remove(&own, &box.watch);
    loop_finish(&own);
    return NULL;
}

static void on_back(void *context, struct message *message)
{
    *(int *)context += 1;
    message->destroy(message);
}

// Both sides sleep between any two messages: each wake-up is needed.
static void ping_pong(void)
{
    pthread_t thread;
    int sent = 0;
    int came = 0;
    bool is_awake = true;
    if (mailbox_init(&box, 1000) < 0 || mailbox_init(&back, 1000) < 0 ||
        mailbox_attach(&back, &loop) < 0) {
        check(false, "mailboxes are made");
        return;
    }
    pthread_create(&thread, NULL, answer_all, NULL);
    while (is_awake && came < PING_PONGS) {
        if (sent == came) {
            mailbox_post(&box, letter(MESSAGE_CONTROL, 0, sent++));
        }
        int64_t before = loop.now_ms;
        loop_poll(&loop, mailbox_is_pending(&back) ? 0 : 10000);
        is_awake = loop.now_ms - before < 10000;
        mailbox_drain(&back, on_back, &came, (struct mailbox_budget){10, SIZE_MAX});
    }
    check(is_awake && came == PING_PONGS, "two sleeping threads wake each other every time");
    if (!is_awake) {
        _exit(1); // the other one sleeps, too
    }
    pthread_join(thread, NULL);
    loop_remove(&loop, &back.watch);
    mailbox_finish(&box);
    mailbox_finish(&back);
}

int main(void)
{
    if (loop_init(&loop) < 0) {
        return 1;
    }
    race(SIZE_MAX, "without a limit every message arrives once, each sender's in order");
    check(atomic_load(&refused) == 0, "without a limit none is refused");
    race(20 * 100, "with a limit what is refused is destroyed and the rest keeps its order");
    check(atomic_load(&refused) <= SENDERS * (POSTS - POSTS / 3),
          "the limit refuses publications alone");
    ping_pong();
    loop_finish(&loop);
    return failed > 0;
}
