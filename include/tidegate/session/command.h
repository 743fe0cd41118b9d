// What a client may ask for, decoded. Limits and permission are checked here; the broker does the
// rest. Owner: the session's worker.
#ifndef TIDEGATE_SESSION_COMMAND_H
#define TIDEGATE_SESSION_COMMAND_H

#include "tidegate/session/session.h"

enum command_kind { COMMAND_PUBLISH, COMMAND_SUBSCRIBE, COMMAND_UNSUBSCRIBE };

struct command {
    enum command_kind kind;
    struct bytes channel;
    struct bytes data;     // PUBLISH
    bool is_binary;        // PUBLISH
    bool recover;          // SUBSCRIBE
    struct position since; // SUBSCRIBE
    uint32_t initial;      // SUBSCRIBE
};

// Runs it. CLOSE_NONE, or why the connection must end.
enum close_reason command_run(struct session *session, const struct command *command);

#endif
