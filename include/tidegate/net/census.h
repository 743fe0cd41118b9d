// How many connections are open, in total and by address: the one table besides the hub that
// workers share, because a limit on an address must hold over all of them (docs/decisions). 64
// shards with a mutex each, touched when a connection opens and when it closes, never on the
// message path. Any thread.
#ifndef TIDEGATE_NET_CENSUS_H
#define TIDEGATE_NET_CENSUS_H

#include "tidegate/net/addr.h"

struct census; // opaque

enum census_verdict { CENSUS_OK, CENSUS_TOTAL_LIMIT, CENSUS_ADDRESS_LIMIT };

struct census *census_create(void);
void census_destroy(struct census *census);

// Sets the limits; 0 = none. They apply to connections that come from now on.
void census_configure(struct census *census, uint32_t total_max, uint32_t address_max);

// Counts a connection in, or says which limit refuses it.
enum census_verdict census_enter(struct census *census, const struct addr *peer);

// Counts it out again.
void census_leave(struct census *census, const struct addr *peer);

// Open connections.
uint32_t census_total(const struct census *census);

#endif
