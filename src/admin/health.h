// Whether the process lives and whether it wants clients.
#ifndef TIDEGATE_ADMIN_HEALTH_H
#define TIDEGATE_ADMIN_HEALTH_H

#include "tidegate/admin/admin.h"

// A worker waits at most a second for events, so a turn this old means it hangs.
#define HEALTH_TURN_MAX_MS 5000

// Each appends a JSON object with "status" to `out`. Returns the HTTP status, 200 or 503, or a
// buffer's error. `now_ms` is monotonic.
int health_live(const struct admin_options *options, int64_t now_ms,
                struct buf *out) ATTR_MUST_CHECK;
int health_ready(const struct admin_options *options, int64_t now_ms,
                 struct buf *out) ATTR_MUST_CHECK;

#endif
