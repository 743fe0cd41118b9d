// Base64 (RFC 4648 §4, §5). Pure functions, any thread.
#ifndef TIDEGATE_CODEC_BASE64_H
#define TIDEGATE_CODEC_BASE64_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

// Characters base64 of `len` bytes takes, padding included.
#define BASE64_ENCODED_LEN(len) (((len) + 2) / 3 * 4)

// Writes BASE64_ENCODED_LEN(data.len) characters to `to`, no zero byte.
void base64_encode(struct bytes data, char *to);

// Decodes strictly (padding required, no other characters, unused bits zero) into `to`, which has
// room for text.len / 4 * 3 bytes. Number of bytes, or -EINVAL.
ptrdiff_t base64_decode(struct bytes text, char *to) ATTR_MUST_CHECK;

// The same for the URL alphabet without padding (RFC 7515 §2); room for text.len bytes.
ptrdiff_t base64url_decode(struct bytes text, char *to) ATTR_MUST_CHECK;

#endif
