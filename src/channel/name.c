// Channel names: which are allowed, and the namespace in front of the first ':'.
// Owner: none; pure functions over borrowed bytes, any thread.
// Invariant: a name that passed the check is printable ASCII without spaces, so it can stand in a
// log line, a metric, a URL or an SSE field without quoting surprises.
#include "tidegate/channel/name.h"

#include <errno.h>

#define NAMESPACE_BOUNDARY ':'
#define PRIVATE_PREFIX '$'

int channel_name_check(struct bytes name, size_t max_length)
{
    if (name.len == 0 || name.len > max_length) {
        return -EINVAL;
    }
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (c < 0x21 || c > 0x7e) {
            return -EINVAL;
        }
    }
    return 0;
}

struct bytes channel_name_namespace(struct bytes name)
{
    if (name.len > 0 && name.at[0] == PRIVATE_PREFIX) {
        name = bytes_skip(name, 1);
    }
    const char *boundary = name.len > 0 ? memchr(name.at, NAMESPACE_BOUNDARY, name.len) : NULL;
    if (boundary == NULL) {
        return BYTES_EMPTY;
    }
    return bytes_make(name.at, (size_t)(boundary - name.at));
}
