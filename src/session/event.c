// From an event to wire bytes in the sink. A publication's wire form is built by the first
// subscriber that needs it, on whichever worker, and found by all others.
//
// Owner: the session's worker; the forms of a publication are shared by compare-and-swap.

#include "tidegate/session/event.h"

#include "tidegate/base/metrics.h"

// Encodes and frames; NULL when there is nothing to send, or no memory.
static struct blob *event_build(struct session *session, const struct event *event)
{
    struct buf *scratch = &session->worker->scratch;

    buf_clear(scratch);
    int kind = session->protocol->encode(event, scratch);
    if (kind < 0) {
        return NULL;
    }
    return session->sink->frame(session, event, buf_bytes(scratch), kind == 2);
}

void session_tell(struct session *session, const struct event *event, uint32_t key)
{
    struct blob *wire = event_build(session, event);

    if (wire != NULL) {
        session->dropped += session->sink->send(session, wire, key);
    }
}

// Builds the form this session is the first to need; NULL: no memory.
static struct blob *event_install(struct session *session, struct publication *publication)
{
    struct event event = {.kind = EVENT_PUBLICATION, .publication = publication};
    struct blob *wire = event_build(session, &event);

    return wire == NULL ? NULL : publication_install(publication, session->form, wire);
}

void session_tell_publication(struct session *session, struct publication *publication,
                              uint32_t key)
{
    struct blob *wire = publication_form(publication, session->form);

    if (UNLIKELY(wire == NULL)) {
        wire = event_install(session, publication);
        if (wire == NULL) {
            // No message may be missing in silence: who is closed comes back and recovers it.
            session->sink->close(session, CLOSE_INSUFFICIENT_STATE);
            return;
        }
    }
    session->dropped +=
        session->sink->send(session, blob_stock_take(&session->worker->stock, wire), key);
}
