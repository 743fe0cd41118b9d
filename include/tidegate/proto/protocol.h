// The wire formats, by name: one file each, one row each. Constant; any thread.
#ifndef TIDEGATE_PROTO_PROTOCOL_H
#define TIDEGATE_PROTO_PROTOCOL_H

#include "tidegate/session/session.h"

// Publications as they were published, byte for byte; the client's messages are publications.
extern const struct session_protocol protocol_plain;

// Each publication wrapped as {"offset","epoch","data"}, after a line that says where it starts.
extern const struct session_protocol protocol_plain_json;

// The protocol called `name`, or NULL.
const struct session_protocol *protocol_find(struct bytes name);

#endif
