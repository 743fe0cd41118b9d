// The TLS handshake as the first part of a connection's life. Owner: the worker.
#ifndef TIDEGATE_NET_SECURE_H
#define TIDEGATE_NET_SECURE_H

struct conn;

// Begins the handshake on a connection whose listener speaks TLS and whose next byte is the first
// of it; net.options.on_accepted is called when it is done. May close the connection.
void secure_begin(struct conn *conn);

// Something happened on the socket while the handshake runs.
void secure_go_on(struct conn *conn);

#endif
