// The chunked transfer coding, read strictly. See docs/decisions/0002-strict-chunks.md for why this
// is not left to llhttp.
// Owner: the connection's worker. Lifetime: inside the exchange, from head to end of body.
// Invariant: data is appended to the caller's buffer only after its size passed the buffer's limit,
// so a declared size never allocates anything.
#include "chunked.h"

#include "tidegate/codec/hex.h"

#include <errno.h>

enum chunked_state { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILERS };

// 16 digits would fill 64 bits; no body limit needs more than half of that.
#define DIGITS_MAX 8

void chunked_begin(struct chunked *chunked)
{
    *chunked = (struct chunked){.state = SIZE};
}

static int refuse(struct http_fault *ret_fault, int status, const char *message)
{
    *ret_fault = (struct http_fault){status, message};
    return -EBADMSG;
}

static int size_byte(struct chunked *chunked, unsigned char c, struct http_fault *ret_fault)
{
    int digit = hex_digit((char)c);
    if (digit >= 0) {
        if (chunked->digits == DIGITS_MAX) {
            return refuse(ret_fault, 413, "chunk too large");
        }
        chunked->digits++;
        chunked->left = chunked->left * 16 + (uint64_t)digit;
        return 0;
    }
    if (chunked->digits == 0) {
        return refuse(ret_fault, 400, "chunk size missing");
    }
    if (c == '\r') {
        chunked->state = SIZE_LF;
        return 0;
    }
    if (c == ';') {
        chunked->state = EXTENSION;
        return 0;
    }
    return refuse(ret_fault, 400, "malformed chunk size");
}

static int extension_byte(struct chunked *chunked, unsigned char c, struct http_fault *ret_fault)
{
    if (c == '\r') {
        chunked->state = SIZE_LF;
        return 0;
    }
    if ((c < ' ' && c != '\t') || c == 0x7f) {
        return refuse(ret_fault, 400, "forbidden byte in a chunk extension");
    }
    if (++chunked->extensions > CHUNKED_EXTENSIONS_MAX) {
        return refuse(ret_fault, 400, "chunk extensions too long");
    }
    return 0;
}

static int size_end(struct chunked *chunked, unsigned char c, const struct buf *out,
                    struct http_fault *ret_fault)
{
    if (c != '\n') {
        return refuse(ret_fault, 400, "CR without LF");
    }
    if (chunked->left > out->max - out->len) {
        return refuse(ret_fault, 413, "body too large");
    }
    chunked->digits = 0;
    chunked->state = chunked->left > 0 ? DATA : TRAILERS;
    if (chunked->state == TRAILERS) {
        scan_begin_fields(&chunked->trailers);
    }
    return 0;
}

static int data_end(struct chunked *chunked, unsigned char c, struct http_fault *ret_fault)
{
    if (c != (chunked->state == DATA_CR ? '\r' : '\n')) {
        return refuse(ret_fault, 400, "chunk data longer than its size");
    }
    chunked->state = chunked->state == DATA_CR ? DATA_LF : SIZE;
    return 0;
}

static int framing_byte(struct chunked *chunked, const struct http_limits *limits, unsigned char c,
                        const struct buf *out, struct http_fault *ret_fault)
{
    switch (chunked->state) {
    case SIZE:
        return size_byte(chunked, c, ret_fault);
    case EXTENSION:
        return extension_byte(chunked, c, ret_fault);
    case SIZE_LF:
        return size_end(chunked, c, out, ret_fault);
    case TRAILERS:
        return scan_field_byte(&chunked->trailers, limits, c, ret_fault);
    default: // DATA_CR, DATA_LF
        return data_end(chunked, c, ret_fault);
    }
}

int chunked_feed(struct chunked *chunked, const struct http_limits *limits, struct bytes in,
                 struct buf *out, size_t *ret_used, struct http_fault *ret_fault)
{
    size_t at = 0;
    int r = 0;
    while (at < in.len && r == 0) {
        if (chunked->state != DATA) {
            r = framing_byte(chunked, limits, (unsigned char)in.at[at], out, ret_fault);
            at++;
            continue;
        }
        size_t take = in.len - at < chunked->left ? in.len - at : (size_t)chunked->left;
        if (buf_append(out, bytes_make(in.at + at, take)) < 0) {
            r = refuse(ret_fault, 503, "out of memory");
            break;
        }
        at += take;
        chunked->left -= take;
        chunked->state = chunked->left == 0 ? DATA_CR : DATA;
    }
    *ret_used = at;
    return r;
}
