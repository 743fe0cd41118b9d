// The session: what its protocol decoded is run, what happens in its channels is told.
// Owner: its worker. Invariant: after session_close() it has no subscription and no name, so
// neither the fan-out nor a late answer can reach it.

#include "tidegate/session/session.h"

#include "tidegate/session/command.h"
#include "tidegate/session/event.h"

#include "subscription.h"

#define SCRATCH_MAX (1u << 30) // a message and its envelope; the message's own limit comes first

static void session_on_reply(struct slot_owner *owner, struct message *message)
{
    struct session *session = container_of(owner, struct session, owner);
    struct reply *reply = container_of(message, struct reply, message);

    if (reply->type == REPLY_SUBSCRIBED) {
        struct hub_subscribed *subscribed = container_of(reply, struct hub_subscribed, reply);
        list_for_each_safe(link, &session->subscriptions)
        {
            struct subscription *subscription = list_entry(link, struct subscription, link);
            if (subscription->key != subscribed->token) {
                continue;
            }
            if (subscribed->error < 0) {
                session->sink->close(session, CLOSE_TRY_AGAIN_LATER);
            } else {
                subscription_on_subscribed(subscription, subscribed);
            }
            break;
        }
    }
    message->destroy(message);
}

void session_worker_init(struct session_worker *worker, uint16_t id, struct slots *slots,
                         struct fanout *fanout, struct broker *broker, struct config *config)
{
    *worker = (struct session_worker){
        .id = id,
        .slots = slots,
        .fanout = fanout,
        .broker = broker,
        .config = config_ref(config),
    };
    buf_init(&worker->scratch, SCRATCH_MAX);
}

void session_worker_finish(struct session_worker *worker)
{
    blob_stock_finish(&worker->stock);
    buf_finish(&worker->scratch);
    config_unref(worker->config);
}

void session_open(struct session *session, struct session_worker *worker,
                  const struct session_protocol *protocol, const struct session_sink *sink,
                  const struct session_options *options)
{
    *session = (struct session){
        .owner.on_reply = session_on_reply,
        .protocol = protocol,
        .sink = sink,
        .worker = worker,
        .next_key = SESSION_KEY_FIRST,
        .form = (uint8_t)(protocol->index * SESSION_SINKS + sink->index),
        .client_publish = options->client_publish,
        .exclude_sender = options->exclude_sender,
    };
    list_init(&session->subscriptions);
    session->self = slots_add(worker->slots, &session->owner);
    protocol->open(session, options);
}

void session_close(struct session *session)
{
    if (session->is_closed) {
        return;
    }
    session->is_closed = true;
    session->protocol->close(session);
    while (!list_is_empty(&session->subscriptions)) {
        subscription_end(list_entry(session->subscriptions.next, struct subscription, link));
    }
    slots_remove(session->worker->slots, session->self);
}

enum close_reason session_receive(struct session *session, struct bytes message, bool is_binary)
{
    struct command command;

    if (session->is_closed) {
        return CLOSE_NONE;
    }
    if (session->protocol->receive(session, message, is_binary, &command) < 0) {
        return CLOSE_POLICY_VIOLATION;
    }
    return command_run(session, &command);
}

void session_on_drained(struct session *session)
{
    if (session->is_closed) {
        return;
    }
    if (session->dropped > 0) {
        struct event gap = {.kind = EVENT_GAP, .dropped = session->dropped};
        session->dropped = 0;
        session_tell(session, &gap, SESSION_KEY_NONE);
    }
    list_for_each(link, &session->subscriptions)
    {
        subscription_go_on(list_entry(link, struct subscription, link));
    }
}

void session_on_publication(struct fanout_subscriber *subscriber, struct publication *publication)
{
    subscription_on_publication(container_of(subscriber, struct subscription, subscriber),
                                publication);
}

void session_on_lost(struct fanout_subscriber *subscriber)
{
    subscription_on_lost(container_of(subscriber, struct subscription, subscriber));
}
