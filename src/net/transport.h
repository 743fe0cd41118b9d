// How a connection's bytes move: plain or TLS. Private to net. Owner: the connection's worker.
#ifndef TIDEGATE_NET_TRANSPORT_H
#define TIDEGATE_NET_TRANSPORT_H

#include "tidegate/net/conn.h"

#include <sys/types.h>

struct iovec;

struct transport {
    // As recv() and writev(): bytes, 0 at the end, or -errno (-EAGAIN: not now). A short read
    // proves that nothing is left, unless conn->eof_seen is set.
    ssize_t (*read)(struct conn *conn, void *to, size_t len);
    ssize_t (*writev)(struct conn *conn, const struct iovec *iov, int count);
    // Goes on with the handshake: 1 done, 0 wants more, -errno failed. NULL: there is none.
    int (*handshake)(struct conn *conn);
    // Ends our direction: 0, or -EAGAIN (again when there is room).
    int (*shutdown)(struct conn *conn);
    // Before the descriptor is closed.
    void (*destroy)(struct conn *conn);
};

extern const struct transport transport_plain;

#endif
