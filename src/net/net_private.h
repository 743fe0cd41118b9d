// What conn.c and net.c share: the birth, the steps and the burial of a connection.
// Owner: the worker.
#ifndef TIDEGATE_NET_PRIVATE_H
#define TIDEGATE_NET_PRIVATE_H

#include "tidegate/net/conn.h"

// A connection in state ACCEPTED that is not watched yet. Owned by `net`.
struct conn *conn_create(struct net *net, int fd, const struct addr *peer,
                         const struct listener *listener);

// Closes the descriptor too.
void conn_free(struct conn *conn);

// The watch callback.
void conn_on_event(struct watch *watch, uint32_t events);

// Goes on reading, if there may be something; bounded to one read.
void conn_on_readable(struct conn *conn);

// Goes on with what was left over: kept input, then the socket.
void conn_on_ready(struct conn *conn);

// Counts it in with the census; false: it must be closed at once.
bool net_count_in(struct conn *conn);

// Counts it out of the census.
void net_count_out(struct conn *conn);

// Counts in a connection whose peer is known and begins it; it may be closed then.
void net_let_in(struct conn *conn);

// Begins what is spoken on a connection that was let in: TLS first, where the listener has it, and
// then on_accepted. Bytes that were read from the socket before are no part of it; whoever read
// them sets conn->readable.
void net_begin(struct conn *conn);

// Brings the queue gauge up to date with the outbox.
void net_account_queue(struct conn *conn);

#endif
