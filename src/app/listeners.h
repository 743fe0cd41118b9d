// The configured listeners, opened for every worker before anything starts. Main thread.
#ifndef TIDEGATE_APP_LISTENERS_H
#define TIDEGATE_APP_LISTENERS_H

#include "tidegate/config/config.h"
#include "tidegate/net/cidr.h"

enum { LISTENER_PUBLIC = 1, LISTENER_INTERNAL = 2 };

#define LISTENING_TAKEN (-2) // in `fds`: a worker owns it now

struct listening {
    const struct config_listener *config; // borrowed from listeners.config
    unsigned serves;
    bool is_unix;
    struct cidr_set *proxy_trusted; // owned; NULL: no PROXY header
    int *fds;                       // owned array; one a worker; -1: not opened
};

struct listeners {
    struct config *config;   // counted; the snapshot they were opened by outlives every reload
    struct listening *items; // owned
    size_t count;
    unsigned worker_count;
    unsigned internal_bits; // the listener bits on which API, metrics and admin are
};

// Opens all; on failure logs which and returns -errno with nothing left open.
int listeners_open(struct listeners *listeners, struct config *config,
                   unsigned worker_count) ATTR_MUST_CHECK;

// Closes what no worker took; removes Unix socket files.
void listeners_close(struct listeners *listeners);

#endif
