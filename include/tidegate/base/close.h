// The reasons a connection ends, from close.def. Any thread; constant.
#ifndef TIDEGATE_BASE_CLOSE_H
#define TIDEGATE_BASE_CLOSE_H

#include <stdbool.h>
#include <stdint.h>

enum close_reason {
#define CLOSE(id, code, reconnect, text) CLOSE_##id,
#include "tidegate/base/close.def"
#undef CLOSE
    CLOSE_REASONS
};

struct close_row {
    uint16_t code;      // on the wire; 0 = none is sent
    bool may_reconnect; // what the client is told by the code's range
    const char *text;   // close frame reason, log, metric label
};

// The row of `reason`; never NULL.
const struct close_row *close_row(enum close_reason reason);

#endif
