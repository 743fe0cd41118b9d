// The strict look at a request's head, byte for byte, before the parser sees it: where it ends, and
// whether every byte may stand where it stands (RFC 9112 §2.2, §3, §5; RFC 9110 §5.5, §5.6.2).
// A value; one thread. Invariant: the verdict depends on the bytes alone, never on how they were
// split, because every byte is judged once, in order.
#ifndef TIDEGATE_HTTP_SCAN_H
#define TIDEGATE_HTTP_SCAN_H

#include "fault.h"
#include "tidegate/http/server.h"

struct scan {
    uint32_t at;     // bytes judged so far
    uint32_t start;  // where the request line begins (behind an empty line)
    uint32_t fields; // where the field lines begin
    uint32_t count;  // field lines begun
    uint8_t state;
    bool skipped_line; // the one empty line before a request that is tolerated
};

void scan_begin(struct scan *scan);

// For field lines alone: the trailers of a chunked body.
void scan_begin_fields(struct scan *scan);

// Goes on with `head`, all bytes since scan_begin(), from where it stopped. 1: the head ends at
// scan->at; 0: more is needed; -EBADMSG: refused, see *ret_fault. No call may follow a refusal.
int scan_head(struct scan *scan, const struct http_limits *limits, struct bytes head,
              struct http_fault *ret_fault) ATTR_MUST_CHECK;

// One byte of field lines. Results as scan_head().
int scan_field_byte(struct scan *scan, const struct http_limits *limits, unsigned char c,
                    struct http_fault *ret_fault) ATTR_MUST_CHECK;

// Whether `c` may stand in a token (RFC 9110 §5.6.2).
bool scan_is_token_byte(unsigned char c);

#endif
