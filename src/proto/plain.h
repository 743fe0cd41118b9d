// What the two plain formats share: the one channel of their route. Owner: the session's worker.
#ifndef TIDEGATE_PROTO_PLAIN_H
#define TIDEGATE_PROTO_PLAIN_H

#include "tidegate/session/command.h"

// Subscribes to the route's channel as the options say.
void plain_open(struct session *session, const struct session_options *options);

// A message is a publication to that channel.
int plain_receive(struct session *session, struct bytes message, bool is_binary,
                  struct command *ret_command);

void plain_close(struct session *session);

#endif
