// Who is connected: how many in total and by address, and how fast they come. The one table besides
// the hub that workers share, because a limit on an address must hold over all of them
// (docs/decisions). 64 shards with a mutex each, touched when a connection opens and when it
// closes, never on the message path. Any thread.
#ifndef TIDEGATE_NET_CENSUS_H
#define TIDEGATE_NET_CENSUS_H

#include "tidegate/base/metrics.h"
#include "tidegate/net/addr.h"

struct census; // opaque

// What a limit says of a newcomer: X(name, status, metric, message).
#define CENSUS_VERDICTS(X) \
    X(OK, 0, ACCEPTED, "") \
    X(TOTAL_LIMIT, 503, ACCEPT_REFUSED_LIMIT, "too many connections") \
    X(ADDRESS_LIMIT, 503, ACCEPT_REFUSED_ADDRESS, "too many connections from this address") \
    X(TOTAL_RATE, 503, ACCEPT_REFUSED_RATE, "too many new connections") \
    X(ADDRESS_RATE, 429, ACCEPT_REFUSED_ADDRESS_RATE, \
      "too many new connections from this address") \
    X(MEMORY, 503, ACCEPT_REFUSED_MEMORY, "this gateway is full")

enum census_verdict {
#define X(name, status, metric, message) CENSUS_##name,
    CENSUS_VERDICTS(X)
#undef X
        CENSUS_VERDICT_COUNT
};

struct census_refusal {
    int status; // HTTP
    enum metric_id metric;
    const char *message;
};

// The row of a verdict; never NULL.
const struct census_refusal *census_refusal(enum census_verdict verdict);

// Limits; 0 = none. They apply to connections that come from now on.
struct census_limits {
    uint32_t total_max;    // open at once
    uint32_t address_max;  // open at once from one address
    uint32_t total_rate;   // new in a second
    uint32_t address_rate; // new in a second from one address
};

struct census *census_create(void);
void census_destroy(struct census *census);

void census_configure(struct census *census, const struct census_limits *limits);

// Says whether memory is short: newcomers are refused while it is.
void census_set_full(struct census *census, bool is_full);

// Counts a connection in, or says which limit refuses it. Every call counts against the rates.
enum census_verdict census_enter(struct census *census, const struct addr *peer);

// Counts it out again.
void census_leave(struct census *census, const struct addr *peer);

// Moves a connection that is counted from one address to another (family ADDR_NONE: none of them),
// or says which limit of the other address refuses it; then it stays where it is.
enum census_verdict census_move(struct census *census, const struct addr *from,
                                const struct addr *to);

// Forgets addresses that have no connection any more, of every shard whose index modulo `parts` is
// `part`. Called by each worker once a second for its share.
void census_sweep(struct census *census, unsigned part, unsigned parts);

// Open connections.
uint32_t census_total(const struct census *census);

#endif
