// One client and its subscriptions, whatever its transport and wire format: between them stand a
// protocol (bytes <-> commands and events) and a sink (how wire bytes leave).
// Owner: the worker whose connection it is. Lifetime: session_open() to session_close(); embedded
// in the endpoint's structure, which outlives the turn. Answers find it by its slot_ref.
#ifndef TIDEGATE_SESSION_SESSION_H
#define TIDEGATE_SESSION_SESSION_H

#include "tidegate/base/close.h"
#include "tidegate/broker/broker.h"
#include "tidegate/channel/fanout.h"
#include "tidegate/config/config.h"
#include "tidegate/loop/slots.h"

struct session;
struct session_options;
struct event;
struct command;

// How wire bytes leave: one static table a transport.
struct session_sink {
    unsigned index; // of the transport, below SESSION_SINKS; part of a wire form's number
    // The event's `payload` (may be empty) as this transport frames it, in a new blob; NULL when
    // there is nothing to send or no memory. The result depends on the arguments and the sink
    // alone: it is shared by all sessions of the form. `session` lends its worker's tools.
    struct blob *(*frame)(struct session *session, const struct event *event, struct bytes payload,
                          bool is_binary);
    // Sends `wire` (one reference, taken over); `key` as in the outbox. Returns messages dropped.
    uint32_t (*send)(struct session *session, struct blob *wire, uint32_t key);
    // Whether `next` more bytes would fill more than half of the connection's queue, and something
    // waits in it; then session_on_drained() is called once it is empty.
    bool (*is_behind)(struct session *session, size_t next);
    // Ends the connection for `reason`.
    void (*close)(struct session *session, enum close_reason reason);
};

// A wire format: two strings and four functions; a row of proto/protocol.c.
struct session_protocol {
    const char *name;
    const char *subprotocol; // Sec-WebSocket-Protocol, or NULL
    unsigned index;          // below SESSION_PROTOCOLS; part of a wire form's number
    // The session is open: run the first commands.
    void (*open)(struct session *session, const struct session_options *options);
    // A message from the client: 0 and a command, or -EINVAL.
    int (*receive)(struct session *session, struct bytes message, bool is_binary,
                   struct command *ret_command);
    // Appends the event's wire bytes; pure. 1 text, 2 binary, 0 nothing to send, negative: failed.
    int (*encode)(const struct event *event, struct buf *out);
    // The session ends.
    void (*close)(struct session *session);
};

// The outbox's keys for what no policy may drop, and for the first subscription.
#define SESSION_KEY_NONE 0
#define SESSION_KEY_FIRST 2

#define SESSION_SINKS 3
#define SESSION_PROTOCOLS (PUBLICATION_FORMS / SESSION_SINKS)

// What all sessions of a worker share. Owner: the worker.
struct session_worker {
    uint16_t id;
    struct slots *slots;     // borrowed
    struct fanout *fanout;   // borrowed
    struct broker *broker;   // borrowed
    struct config *config;   // counted; replaced by a reload between turns
    struct blob_stock stock; // references taken ahead during a fan-out
    struct buf scratch;      // wire bytes being encoded
};

enum subscription_state {
    SUBSCRIPTION_PENDING, // asked, not answered
    SUBSCRIPTION_LIVE,
    SUBSCRIPTION_HEALING, // asked again, from its position
    SUBSCRIPTION_BEHIND   // goes on from its position when the queue is empty
};

struct subscription {
    struct fanout_subscriber subscriber;
    struct session *session; // borrowed
    struct list link;        // session.subscriptions
    uint64_t offset;         // of the last publication delivered
    char epoch[EPOCH_LEN];   // its epoch, no zero byte; zeros without history
    uint32_t key;            // of its messages in the outbox, and of its requests to the broker
    uint8_t state;           // enum subscription_state
};

// How a session starts.
struct session_options {
    struct bytes channel; // plain formats: the channel of its route; copied by subscribing
    bool recover;         // since is given
    struct position since;
    uint32_t initial; // newest messages first
    bool client_publish;
    bool exclude_sender;
};

struct session {
    struct slot_owner owner;
    struct slot_ref self;
    uint32_t subscription_count;
    const struct session_protocol *protocol;
    const struct session_sink *sink;
    struct session_worker *worker; // borrowed
    struct list subscriptions;     // subscription.link
    uint32_t next_key;
    uint32_t dropped; // messages dropped and not told yet
    uint8_t form;     // number of the wire form its publications take
    bool client_publish;
    bool exclude_sender;
    bool is_closed;
};

// Prepares what a worker's sessions share. `config` gains a reference.
void session_worker_init(struct session_worker *worker, uint16_t id, struct slots *slots,
                         struct fanout *fanout, struct broker *broker, struct config *config);
void session_worker_finish(struct session_worker *worker);

// Opens `session` (zeroed or not; initialized here) and lets its protocol run its first commands.
void session_open(struct session *session, struct session_worker *worker,
                  const struct session_protocol *protocol, const struct session_sink *sink,
                  const struct session_options *options);

// Ends it: subscriptions go, late answers find nobody. Idempotent.
void session_close(struct session *session);

// A message from the client: decoded and run. Returns CLOSE_NONE, or why the connection must end.
enum close_reason session_receive(struct session *session, struct bytes message, bool is_binary);

// The connection's queue is empty again: tells the client of a gap if there was one.
void session_on_drained(struct session *session);

// Publications of the subscriber's channel were lost on their way to this worker: it heals.
void session_on_lost(struct fanout_subscriber *subscriber);

// A publication for one local subscriber: the fan-out's callback.
void session_on_publication(struct fanout_subscriber *subscriber, struct publication *publication);

#endif
