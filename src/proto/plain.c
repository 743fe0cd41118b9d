// The plain format: no envelope at all. What was published is what arrives.
// Owner: the session's worker; plain_encode is pure.

#include "plain.h"

#include "tidegate/proto/protocol.h"
#include "tidegate/session/event.h"

#include <errno.h>

void plain_open(struct session *session, const struct session_options *options)
{
    struct command command = {
        .kind = COMMAND_SUBSCRIBE,
        .channel = options->channel,
        .recover = options->recover,
        .since = options->since,
        .initial = options->initial,
    };
    enum close_reason reason = command_run(session, &command);

    if (reason != CLOSE_NONE) {
        session->sink->close(session, reason);
    }
}

int plain_receive(struct session *session, struct bytes message, bool is_binary,
                  struct command *ret_command)
{
    if (list_is_empty(&session->subscriptions)) {
        return -EINVAL;
    }
    struct subscription *subscription =
        list_entry(session->subscriptions.next, struct subscription, link);
    *ret_command = (struct command){
        .kind = COMMAND_PUBLISH,
        .channel = fanout_channel_name(subscription->subscriber.channel),
        .data = message,
        .is_binary = is_binary,
    };
    return 0;
}

void plain_close(struct session *session)
{
    (void)session;
}

static int plain_encode(const struct event *event, struct buf *out)
{
    if (event->kind != EVENT_PUBLICATION) {
        return 0;
    }
    int error = buf_append(out, event->publication->data);
    return error < 0 ? error : event->publication->is_binary ? 2 : 1;
}

const struct session_protocol protocol_plain = {
    .name = "plain",
    .index = 0,
    .open = plain_open,
    .receive = plain_receive,
    .encode = plain_encode,
    .close = plain_close,
};
