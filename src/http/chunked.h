// The chunked transfer coding, strictly (RFC 9112 §7.1): CRLF alone ends a line, sizes and
// extensions are bounded, extensions and trailers are checked and dropped.
// Owner: the exchange whose body it is. Invariant: one verdict however the bytes are split.
#ifndef TIDEGATE_HTTP_CHUNKED_H
#define TIDEGATE_HTTP_CHUNKED_H

#include "scan.h"
#include "tidegate/base/buf.h"

// Bytes of extensions, over all chunks of one body.
#define CHUNKED_EXTENSIONS_MAX 4096u

struct chunked {
    uint64_t left;       // of the current chunk's size or data
    uint32_t extensions; // bytes so far
    uint8_t digits;      // of the current size
    uint8_t state;
    struct scan trailers;
};

void chunked_begin(struct chunked *chunked);

// Decodes `in` to the end of `out`, whose max limits the body. 1: the body is complete; 0: more is
// needed; -EBADMSG: refused, see *ret_fault. *ret_used: bytes taken, all of them unless it is 1.
int chunked_feed(struct chunked *chunked, const struct http_limits *limits, struct bytes in,
                 struct buf *out, size_t *ret_used, struct http_fault *ret_fault) ATTR_MUST_CHECK;

#endif
