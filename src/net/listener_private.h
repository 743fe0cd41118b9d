// What net.c calls of listener.c. Owner: the worker.
#ifndef TIDEGATE_NET_LISTENER_PRIVATE_H
#define TIDEGATE_NET_LISTENER_PRIVATE_H

struct listener;

// Accepts one bounded batch; puts the listener on net.ready_listeners when more may wait.
void listener_accept(struct listener *listener);

#endif
