// The PROXY protocol, versions 1 and 2: the first bytes of a connection, in which a load balancer
// says whose it is (HAProxy's proxy-protocol.txt). Only where a listener requires it, and only from
// whom the listener trusts: a header that is merely recognized could be written by anyone.
#ifndef TIDEGATE_NET_PROXY_PROTOCOL_H
#define TIDEGATE_NET_PROXY_PROTOCOL_H

#include "tidegate/net/addr.h"

#define PROXY_V1_MAX 107         // with its CRLF
#define PROXY_V2_BLOCK_MAX 4096u // behind the 16 bytes; the format would allow 64 KiB
#define PROXY_HEADER_MAX (16u + PROXY_V2_BLOCK_MAX)

struct proxy_header {
    size_t len;         // bytes of the header: what follows is the client's
    bool has_source;    // false (LOCAL, UNKNOWN, not TCP): the socket's address stands
    struct addr source; // the client's
};

// Reads the header that `in` begins with; bytes behind it are not looked at. 1: whole; 0: more is
// needed; -EBADMSG: refused, and *ret_problem (constant) says why. The same for any way in which
// the bytes arrive. Pure; any thread.
int proxy_protocol_parse(struct bytes in, struct proxy_header *ret_header,
                         const char **ret_problem) ATTR_MUST_CHECK;

struct conn;

// Awaits the header on `conn` (just accepted, not counted yet), then lets it be accepted with the
// client's address. A peer that the listener does not trust, a header that is none and one that
// does not come in time close it. The connection's worker.
void proxy_protocol_begin(struct conn *conn);

#endif
