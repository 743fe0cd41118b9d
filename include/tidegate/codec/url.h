// Request targets: path, query, percent-decoding (RFC 3986 §2.1, §3). Pure functions, any thread.
#ifndef TIDEGATE_CODEC_URL_H
#define TIDEGATE_CODEC_URL_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

// Splits an origin-form target into path and query (without '?').
void url_split(struct bytes target, struct bytes *ret_path, struct bytes *ret_query);

// Percent-decodes `text` into `to` (room for text.len bytes): the length, or -EINVAL for a bad or
// cut escape, or for %00. '+' stays as it is when `plus_is_space` is false.
ptrdiff_t url_decode(struct bytes text, bool plus_is_space, char *to) ATTR_MUST_CHECK;

// The raw (still encoded) value of the first parameter `name` in `query`; false if it is not there.
bool url_query_get(struct bytes query, const char *name, struct bytes *ret_value);

#endif
