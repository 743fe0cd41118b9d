// Running what a client asked for: limits and permission first, then one call to the broker.
// Owner: the session's worker.

#include "tidegate/session/command.h"

#include "tidegate/base/metrics.h"
#include "tidegate/session/settings.h"

#include "subscription.h"

static enum close_reason command_publish(struct session *session, const struct command *command)
{
    struct channel_settings settings;

    if (!session->client_publish) {
        return CLOSE_PERMISSION_DENIED;
    }
    if (settings_of_channel(session->worker->config, command->channel, &settings) < 0) {
        return CLOSE_POLICY_VIOLATION;
    }
    struct publication_parts parts = {
        .channel = command->channel,
        .data = command->data,
        .is_binary = command->is_binary,
        .origin = session->self,
    };
    struct hub_publish_request request = {
        .publication = publication_try_create(&parts),
        .settings = &settings,
    };
    if (request.publication == NULL) {
        return CLOSE_SERVER_ERROR;
    }
    struct broker *broker = session->worker->broker;
    broker->ops->publish(broker, &request, (struct broker_caller){SLOT_REF_NONE, 0});
    return CLOSE_NONE;
}

static enum close_reason command_subscribe(struct session *session, const struct command *command)
{
    struct channel_settings settings;

    if (session->subscription_count >= (uint64_t)session->worker->config->client.channel_limit) {
        metric_add(METRIC_SUBSCRIPTIONS_REFUSED, 1);
        return CLOSE_CHANNEL_LIMIT;
    }
    if (settings_of_channel(session->worker->config, command->channel, &settings) < 0) {
        return CLOSE_POLICY_VIOLATION;
    }
    subscription_begin(session, command, &settings);
    return CLOSE_NONE;
}

static enum close_reason command_unsubscribe(struct session *session, const struct command *command)
{
    list_for_each_safe(link, &session->subscriptions)
    {
        struct subscription *subscription = list_entry(link, struct subscription, link);
        struct fanout_channel *channel = subscription->subscriber.channel;
        if (bytes_equal(fanout_channel_name(channel), command->channel)) {
            subscription_end(subscription);
        }
    }
    return CLOSE_NONE;
}

static enum close_reason (*const command_table[])(struct session *, const struct command *) = {
    [COMMAND_PUBLISH] = command_publish,
    [COMMAND_SUBSCRIBE] = command_subscribe,
    [COMMAND_UNSUBSCRIBE] = command_unsubscribe,
};

enum close_reason command_run(struct session *session, const struct command *command)
{
    return command_table[command->kind](session, command);
}
