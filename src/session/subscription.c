// A subscription from asking to leaving. It knows the position of what it delivered last, so that
// nothing is delivered twice and nothing is missed unnoticed: a publication that is not the next
// one means the mailbox dropped some, and the subscription heals itself from history.
//
//   PENDING -> LIVE <-> HEALING        PENDING, HEALING -> BEHIND -> HEALING
//
// What was missed may be more than the connection's queue takes: then it is delivered as far as
// half of the queue, and the subscription is BEHIND until that is written, to ask for the rest.
//
// Owner: the session's worker. Invariant: unless LIVE, publications are ignored; the
// answer in the mailbox covers them (it was posted under the hub's lock, before what it misses).

#include "subscription.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/channel/name.h"
#include "tidegate/session/event.h"
#include "tidegate/session/settings.h"

static void subscription_ask(struct subscription *subscription,
                             const struct channel_settings *settings, bool recover,
                             struct position since, uint32_t initial)
{
    struct session *session = subscription->session;
    struct session_worker *worker = session->worker;
    struct hub_subscribe_request request = {
        .channel = fanout_channel_name(subscription->subscriber.channel),
        .settings = settings,
        .worker = worker->id,
        .recover = recover,
        .since = since,
        // The limit is for what a client asks; what was lost here is ours to make good.
        .recover_max = subscription->state == SUBSCRIPTION_HEALING
                           ? UINT32_MAX
                           : (uint32_t)worker->config->client.recovery_max_publication_limit,
        .initial = initial,
    };

    worker->broker->ops->subscribe(worker->broker, &request,
                                   (struct broker_caller){session->self, subscription->key});
}

void subscription_begin(struct session *session, const struct command *command,
                        const struct channel_settings *settings)
{
    struct subscription *subscription = mem_zalloc(sizeof(*subscription));

    subscription->session = session;
    subscription->state = SUBSCRIPTION_PENDING;
    subscription->key = session->next_key++;
    list_append(&session->subscriptions, &subscription->link);
    session->subscription_count++;
    // The request below registers this worker's interest, also when it is there already.
    fanout_add(session->worker->fanout, command->channel, &subscription->subscriber);
    metric_add(METRIC_SUBSCRIPTIONS, 1);
    subscription_ask(subscription, settings, command->recover, command->since, command->initial);
    session->worker->broker->ops->count(session->worker->broker, command->channel, 1);
}

void subscription_end(struct subscription *subscription)
{
    struct session *session = subscription->session;
    struct broker *broker = session->worker->broker;
    char name[CHANNEL_NAME_MAX];
    size_t name_len = 0;

    broker->ops->count(broker, fanout_channel_name(subscription->subscriber.channel), -1);
    if (fanout_remove(session->worker->fanout, &subscription->subscriber, name, &name_len)) {
        broker->ops->unsubscribe(broker, bytes_make(name, name_len), session->worker->id);
    }
    list_remove(&subscription->link);
    session->subscription_count--;
    metric_add(METRIC_SUBSCRIPTIONS, -1);
    mem_free(subscription);
}

static void subscription_deliver(struct subscription *subscription, struct publication *publication)
{
    struct session *session = subscription->session;

    if (session->exclude_sender && slot_ref_equal(publication->origin, session->self)) {
        return;
    }
    session_tell_publication(session, publication, subscription->key);
}

static void subscription_heal(struct subscription *subscription)
{
    struct session_worker *worker = subscription->session->worker;
    struct channel_settings settings;
    struct bytes channel = fanout_channel_name(subscription->subscriber.channel);

    subscription->state = SUBSCRIPTION_HEALING;
    if (settings_of_channel(worker->config, channel, &settings) < 0) {
        settings = (struct channel_settings){0}; // its namespace went with a reload
    }
    struct position since = {.offset = subscription->offset};
    memcpy(since.epoch, subscription->epoch, EPOCH_LEN);
    subscription_ask(subscription, &settings, true, since, 0);
}

void subscription_go_on(struct subscription *subscription)
{
    if (subscription->state == SUBSCRIPTION_BEHIND) {
        subscription_heal(subscription);
    }
}

void subscription_on_lost(struct subscription *subscription)
{
    // While it waits for an answer, that answer covers what was lost.
    if (subscription->state == SUBSCRIPTION_LIVE) {
        subscription_heal(subscription);
    }
}

void subscription_on_publication(struct subscription *subscription, struct publication *publication)
{
    if (UNLIKELY(subscription->state != SUBSCRIPTION_LIVE)) {
        // The answer covers what has an offset. What was never kept is lost to a client that is
        // behind.
        if (publication->offset == 0 && subscription->state != SUBSCRIPTION_PENDING) {
            subscription->session->dropped++;
            metric_add(METRIC_DROPS_BEHIND, 1);
        }
        return;
    }
    if (publication->offset > 0) {
        bool is_same_epoch = memcmp(publication->epoch, subscription->epoch, EPOCH_LEN) == 0;
        if (is_same_epoch && publication->offset <= subscription->offset) {
            return;
        }
        if (UNLIKELY(!is_same_epoch || publication->offset != subscription->offset + 1)) {
            subscription_heal(subscription);
            return;
        }
        subscription->offset = publication->offset;
    }
    subscription_deliver(subscription, publication);
}

// Tells where what follows begins, so that a client that saves its position never skips anything.
static void subscription_tell_started(struct subscription *subscription,
                                      const struct hub_subscribed *subscribed)
{
    const struct history_result *result = &subscribed->result;
    struct event event = {
        .kind = EVENT_STARTED,
        .channel = fanout_channel_name(subscription->subscriber.channel),
        .position = result->top,
        .recovered = subscribed->recovered,
    };

    if (result->count > 0) {
        event.position.offset = result->items[0]->offset - 1;
    }
    session_tell(subscription->session, &event, SESSION_KEY_NONE);
}

// Delivers what was missed, as far as the connection's queue takes it.
static void subscription_deliver_missed(struct subscription *subscription,
                                        const struct history_result *result)
{
    struct session *session = subscription->session;

    // Sending may end the session (a full queue), and the subscription with it.
    for (size_t i = 0; i < result->count && !session->is_closed; i++) {
        if (session->sink->is_behind(session, result->items[i]->data.len)) {
            subscription->state = SUBSCRIPTION_BEHIND;
            return;
        }
        subscription->offset = result->items[i]->offset;
        subscription_deliver(subscription, result->items[i]);
        metric_add(METRIC_DELIVERIES, 1);
    }
    if (!session->is_closed) {
        subscription->offset = result->top.offset;
        subscription->state = SUBSCRIPTION_LIVE;
    }
}

void subscription_on_subscribed(struct subscription *subscription,
                                const struct hub_subscribed *subscribed)
{
    struct session *session = subscription->session;
    const struct history_result *result = &subscribed->result;

    if (subscription->state == SUBSCRIPTION_HEALING) {
        if (!subscribed->recovered) {
            struct event gap = {.kind = EVENT_GAP, .position = result->top};
            session_tell(session, &gap, SESSION_KEY_NONE);
        }
    } else {
        subscription_tell_started(subscription, subscribed);
    }
    if (session->is_closed) {
        return;
    }
    memcpy(subscription->epoch, result->top.epoch, EPOCH_LEN);
    if (result->count > 0) {
        subscription->offset = result->items[0]->offset - 1;
    }
    subscription_deliver_missed(subscription, result);
}
