// Whose a request is when trusted proxies bring it: X-Forwarded-For, Forwarded (RFC 7239) and
// X-Real-IP, X-Forwarded-Proto. Anyone can write these headers, so only what a trusted proxy added
// is believed: the hops are walked from the nearest one on, and the first address that is no
// trusted proxy's is the client. What cannot be read ends the walk at the last trusted hop. Pure;
// any thread.
#ifndef TIDEGATE_HTTP_FORWARDED_H
#define TIDEGATE_HTTP_FORWARDED_H

#include "tidegate/http/request.h"
#include "tidegate/net/cidr.h"

#define FORWARDED_HOPS_MAX 32 // walked; the client is then the last of them

// The headers that are read. Of those that are there, the first one in this order counts alone.
enum {
    FORWARDED_X_FOR = 1 << 0,
    FORWARDED_RFC7239 = 1 << 1,
    FORWARDED_X_REAL_IP = 1 << 2,
};

struct forwarded_trust {
    const struct cidr_set *proxies; // borrowed; NULL: nobody
    unsigned headers;               // bits of the headers that the proxies write
};

struct forwarded {
    struct addr client; // port 0 where it was not told
    bool is_secure;     // the client's own connection is TLS
};

// `peer` (secure or not: `is_secure`) sent the request: for whom. From one that is not trusted it
// is its own.
struct forwarded forwarded_find(const struct http_request *request,
                                const struct forwarded_trust *trust, const struct addr *peer,
                                bool is_secure);

#endif
