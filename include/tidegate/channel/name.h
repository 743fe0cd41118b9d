// Channel names (reference: Centrifugo, "Channels"): at most `max_length` bytes of printable ASCII;
// the part before the first ':' is the namespace. Pure functions, any thread.
#ifndef TIDEGATE_CHANNEL_NAME_H
#define TIDEGATE_CHANNEL_NAME_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

#define CHANNEL_NAME_MAX 255

// 0, or -EINVAL: empty, longer than `max_length`, or a byte outside 0x21..0x7e.
int channel_name_check(struct bytes name, size_t max_length) ATTR_MUST_CHECK;

// The namespace (text before the first ':'), empty when there is none. A leading '$' does not
// count.
struct bytes channel_name_namespace(struct bytes name);

#endif
