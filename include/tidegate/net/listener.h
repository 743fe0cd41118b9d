// A listening socket of one worker: SO_REUSEPORT for TCP (each worker its own), shared with
// EPOLLEXCLUSIVE for Unix sockets. Opened by the main thread, so that a wrong address is told
// before anything starts; run by the worker. Out of descriptors: accepting pauses for 100 ms and is
// tried again; other connections go on.
#ifndef TIDEGATE_NET_LISTENER_H
#define TIDEGATE_NET_LISTENER_H

#include "tidegate/net/addr.h"
#include "tidegate/net/net.h"

struct cidr_set;

struct listener {
    struct watch watch;
    struct net *net; // borrowed
    struct timer resume;
    struct list ready; // net.ready_listeners: a full batch was accepted
    const char *name;  // borrowed
    struct tls *tls;   // borrowed; what its connections speak; NULL: nothing. May change in time
    // Whose PROXY header is believed, and required (borrowed); NULL: there is none.
    const struct cidr_set *proxy_trusted;
    int64_t proxy_timeout_ms;
    unsigned serves; // the caller's bits, for whoever handles its connections
    bool paused;
    bool is_unix;
};

// Opens a TCP listening socket: the descriptor, or -errno. With port 0, *addr gets the real port.
int listener_open_tcp(struct addr *addr, int backlog) ATTR_MUST_CHECK;

// Opens a Unix listening socket at `path`; a stale socket file is replaced, a live one is
// -EADDRINUSE. The descriptor, or -errno.
int listener_open_unix(const char *path, int backlog) ATTR_MUST_CHECK;

// Starts accepting from `fd` (owned from here) on the worker's thread. 0 or -errno.
int listener_start(struct listener *listener, struct net *net, int fd) ATTR_MUST_CHECK;

// Stops accepting: takes what is in the queue first, then closes the descriptor.
void listener_stop(struct listener *listener);

#endif
