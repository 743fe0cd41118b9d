// The table of wire formats. A format's index is part of its publications' form numbers.
// Constant; any thread.

#include "tidegate/proto/protocol.h"

static const struct session_protocol *const protocols[] = {
    &protocol_plain,
    &protocol_plain_json,
};

_Static_assert(ARRAY_LEN(protocols) <= SESSION_PROTOCOLS, "every format has its form numbers");

const struct session_protocol *protocol_find(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (bytes_equal(bytes_str(protocols[i]->name), name)) {
            return protocols[i];
        }
    }
    return NULL;
}
