// One session's interest in one channel. Owner: the session's worker.
#ifndef TIDEGATE_SESSION_SUBSCRIPTION_H
#define TIDEGATE_SESSION_SUBSCRIPTION_H

#include "tidegate/session/command.h"

// Joins the fan-out as PENDING and asks the broker; the answer arrives in the mailbox.
void subscription_begin(struct session *session, const struct command *command,
                        const struct channel_settings *settings);

// Leaves and frees.
void subscription_end(struct subscription *subscription);

// The broker's answer: what was missed is delivered, then the subscription is LIVE.
void subscription_on_subscribed(struct subscription *subscription,
                                const struct hub_subscribed *subscribed);

// The queue is empty again: goes on if it was behind.
void subscription_go_on(struct subscription *subscription);

// Publications were lost on their way here.
void subscription_on_lost(struct subscription *subscription);

// A publication from the fan-out.
void subscription_on_publication(struct subscription *subscription,
                                 struct publication *publication);

#endif
