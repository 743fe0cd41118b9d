// A hub with two workers' mailboxes and no threads: what the tests of channels and brokers stand
// on. Owner: the test. Time stands still until stage_pass().
#ifndef TIDEGATE_TESTS_UNIT_CHANNEL_SUPPORT_H
#define TIDEGATE_TESTS_UNIT_CHANNEL_SUPPORT_H

#include "tidegate/base/clock.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/channel/hub.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STAGE_WORKERS 2
#define STAGE_TTL_MS 10000
#define STAGE_META_TTL_MS 60000
#define STAGE_KEY_TTL_MS 300000

struct stage {
    struct mailbox boxes[STAGE_WORKERS];
    struct mailbox *mailboxes[STAGE_WORKERS];
    struct hub *hub;
    struct channel_settings history; // five entries
    struct channel_settings plain;   // no history
    int64_t now_us;
};

static inline void stage_pass(struct stage *stage, int64_t ms)
{
    stage->now_us += ms * 1000;
    clock_set_fake_us(stage->now_us);
}

static inline void stage_begin(struct stage *stage, uint32_t channels_max, uint32_t keys_max)
{
    memset(stage, 0, sizeof(*stage));
    for (unsigned i = 0; i < STAGE_WORKERS; i++) {
        cr_assert_eq(mailbox_init(&stage->boxes[i], 1024 * 1024), 0);
        stage->mailboxes[i] = &stage->boxes[i];
    }
    stage->hub = hub_create(&(struct hub_options){
        .mailboxes = stage->mailboxes,
        .worker_count = STAGE_WORKERS,
        .channels_max = channels_max,
        .idempotency_keys_max = keys_max,
        .idempotency_ttl_ms = STAGE_KEY_TTL_MS,
    });
    stage->history = (struct channel_settings){5, STAGE_TTL_MS, STAGE_META_TTL_MS};
    stage_pass(stage, 1000000);
}

static inline void stage_end(struct stage *stage)
{
    hub_destroy(stage->hub);
    for (unsigned i = 0; i < STAGE_WORKERS; i++) {
        mailbox_finish(&stage->boxes[i]);
    }
    clock_set_fake_us(-1);
}

static inline struct publication *publication_of(const char *channel, const char *data)
{
    struct publication *publication = publication_try_create(
        &(struct publication_parts){.channel = bytes_str(channel), .data = bytes_str(data)});
    cr_assert_not_null(publication);
    return publication;
}

static inline int stage_publish(struct stage *stage, const char *channel, const char *data,
                                struct position *ret_position)
{
    struct hub_publish_request request = {.publication = publication_of(channel, data),
                                          .settings = &stage->history};
    return hub_publish(stage->hub, &request, ret_position);
}

// Publishes "1" .. "count" with history.
static inline struct position stage_publish_many(struct stage *stage, const char *channel,
                                                 int count)
{
    struct position position = {.offset = 0};
    for (int i = 1; i <= count; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        cr_assert_eq(stage_publish(stage, channel, text, &position), 1);
    }
    return position;
}

static inline void stage_keep_message(void *context, struct message *message)
{
    *(struct message **)context = message;
}

// The next message in the worker's mailbox, the caller's; or NULL.
static inline struct message *stage_take(struct stage *stage, unsigned worker)
{
    struct message *message = NULL;
    mailbox_drain(&stage->boxes[worker], stage_keep_message, &message,
                  (struct mailbox_budget){1, SIZE_MAX});
    return message;
}

// Expects the next message to be a publication with this offset and text.
static inline void stage_expect_publication(struct stage *stage, unsigned worker, uint64_t offset,
                                            const char *data)
{
    struct message *message = stage_take(stage, worker);
    cr_assert_not_null(message, "no message instead of \"%s\"", data);
    cr_assert_eq(message->kind, MESSAGE_PUBLICATION);
    struct publication *publication =
        container_of(message, struct hub_message, message)->publication;
    cr_assert_eq(publication->offset, offset);
    cr_assert(bytes_equal(publication->data, bytes_str(data)));
    message->destroy(message);
}

// Expects the next message to tell that publications of this channel were lost.
static inline void stage_expect_lost(struct stage *stage, unsigned worker, const char *channel)
{
    struct message *message = stage_take(stage, worker);
    cr_assert_not_null(message, "nothing tells that \"%s\" lost something", channel);
    cr_assert_eq(message->kind, MESSAGE_CONTROL);
    struct hub_lost *lost = container_of(message, struct hub_lost, message);
    cr_assert(bytes_equal(bytes_make(lost->channel, lost->channel_len), bytes_str(channel)));
    message->destroy(message);
}

static inline void stage_expect_nothing(struct stage *stage, unsigned worker)
{
    cr_assert_null(stage_take(stage, worker));
}

// Subscribes and takes the reply, which must stand next in the mailbox. The caller destroys it.
static inline struct hub_subscribed *stage_subscribe(struct stage *stage,
                                                     const struct hub_subscribe_request *request)
{
    struct hub_subscribed *subscribed = mem_zalloc(sizeof(*subscribed));
    subscribed->token = 7;
    hub_subscribe(stage->hub, request, subscribed);
    struct message *message = stage_take(stage, request->worker);
    cr_assert_eq(message, &subscribed->reply.message);
    cr_assert_eq(message->kind, MESSAGE_REPLY);
    cr_assert_eq(subscribed->token, 7);
    return subscribed;
}

// Subscribes a worker and forgets the reply.
static inline void stage_join(struct stage *stage, const char *channel, unsigned worker)
{
    struct hub_subscribed *subscribed = stage_subscribe(
        stage, &(struct hub_subscribe_request){
                   .channel = bytes_str(channel), .settings = &stage->history, .worker = worker});
    cr_assert_eq(subscribed->error, 0);
    hub_subscribed_destroy(&subscribed->reply.message);
}

// Expects exactly these texts, given in one string with spaces between.
static inline void expect_items(const struct history_result *result, const char *texts)
{
    struct bytes rest = bytes_str(texts);
    struct bytes text;
    size_t i = 0;
    while (rest.len > 0 && bytes_next_part(&rest, ' ', &text)) {
        cr_assert_lt(i, result->count, "only %zu entries, expected \"%s\"", result->count, texts);
        cr_assert(bytes_equal(result->items[i]->data, text), "entry %zu of \"%s\" differs", i,
                  texts);
        i++;
    }
    cr_assert_eq(result->count, i, "%zu entries, expected \"%s\"", result->count, texts);
}

static inline int64_t metric_value(enum metric_id id)
{
    return atomic_load(&metrics_here->values[id]);
}

#endif
