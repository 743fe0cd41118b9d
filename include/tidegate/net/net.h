// The byte side of one worker: its connections by state, what is dirty, what is ready, what is to
// be buried, and the one receive buffer. Steps 1, 4 and 5 of the turn. Owner: the worker. Nothing
// is written before net_flush() and nothing freed before net_bury().
#ifndef TIDEGATE_NET_NET_H
#define TIDEGATE_NET_NET_H

#include "tidegate/base/blob.h"
#include "tidegate/base/close.h"
#include "tidegate/loop/loop.h"
#include "tidegate/loop/timer.h"

#define NET_STATES 5

struct addr;
struct census;
struct cidr_set;
struct conn;

struct net_options {
    struct loop *loop;     // borrowed
    struct timers *timers; // borrowed
    struct census *census; // borrowed; shared by all workers
    // A connection was accepted: install the first handler. May close it.
    void (*on_accepted)(void *context, struct conn *conn);
    // A connection ended: one line for the log. Called once each.
    void (*on_ended)(void *context, const struct conn *conn, enum close_reason reason);
    void *context;
    // What is told to a peer that speaks plain HTTP where TLS is spoken (counted; NULL: nothing).
    struct blob *refusal_plain;
};

// What must outlive the turn in which it ended: embedded in it.
struct grave {
    struct list link;                  // net.graves
    void (*bury)(struct grave *grave); // frees what embeds it
};

struct net {
    struct net_options options;
    struct list conns[NET_STATES]; // conn.link by state
    struct list dirty;             // conn.dirty
    struct list ready;             // conn.ready
    struct list ready_listeners;   // listener.ready
    struct list graveyard;         // conn.link of what is to be freed
    struct list graves;            // grave.link of what handlers left
    char *receive_buffer;          // owned
    size_t receive_size;
    char *send_buffer; // owned; small messages are gathered here for one write
    // Borrowed; peers that bring others' requests, which no limit counts by their own address. May
    // be replaced between turns. NULL: nobody.
    const struct cidr_set *proxies;
    struct blob_till till;
    size_t open;     // connections not closed
    size_t refusing; // of them, those a limit refuses, which are being told so
};

void net_init(struct net *net, const struct net_options *options);

// Closes and frees every connection.
void net_finish(struct net *net);

// Step 1, second half: goes on with connections whose reading was left over. Bounded.
void net_run_ready(struct net *net);

// Whether the next wait must not sleep.
bool net_has_ready(const struct net *net);

// Step 4: one write a connection with output.
void net_flush(struct net *net);

// Step 5: frees what was closed in this turn.
void net_bury(struct net *net);

// Has `grave->bury` called in step 5: a handler's state is freed then, never in on_closed, since
// its own functions may still be on the stack.
void net_inter(struct net *net, struct grave *grave);

// Takes over an accepted socket. NULL when a limit refused it (then the socket is closed).
struct listener;
struct conn *net_adopt(struct net *net, int fd, const struct addr *peer,
                       const struct listener *listener);

// One of net.proxies brought `client`, which has the connection for itself from now on: it is
// counted under that address. False: a limit refuses it, as conn->refusal says.
bool net_set_client(struct conn *conn, const struct addr *client);

// The connection is the proxy's again, after net_set_client() was true.
void net_reset_client(struct conn *conn, const struct addr *proxy);

#endif
