// What a client is told, before it is encoded. An event with a publication is encoded and framed
// once for each (protocol x transport) and shared; the others are small and of one session. Owner:
// the session's worker.
#ifndef TIDEGATE_SESSION_EVENT_H
#define TIDEGATE_SESSION_EVENT_H

#include "tidegate/session/session.h"

enum event_kind {
    EVENT_STARTED,     // a subscription is live; `position` is where what follows begins
    EVENT_PUBLICATION, // `publication`
    EVENT_GAP          // `dropped` messages are missing, for a slow reader or a lost history
};

struct event {
    enum event_kind kind;
    struct bytes channel;
    struct publication *publication; // borrowed
    struct position position;
    bool recovered;
    uint32_t dropped; // 0 = unknown
};

// Encodes, frames and sends an event of this session alone.
void session_tell(struct session *session, const struct event *event, uint32_t key);

// Sends a publication in the session's wire form: found, or built by the first who needs it.
void session_tell_publication(struct session *session, struct publication *publication,
                              uint32_t key);

#endif
