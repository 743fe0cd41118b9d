// A whole head, already judged by scan.h, becomes a request: llhttp splits it, then come the rules
// that need the head as a whole. Pure; any thread.
#ifndef TIDEGATE_HTTP_PARSER_H
#define TIDEGATE_HTTP_PARSER_H

#include "fault.h"
#include "tidegate/base/attr.h"
#include "tidegate/http/request.h"

// Parses `head` (request line to empty line). `headers` has room for exactly the `count` field
// lines that were seen in it; it and `head` must live as long as the request. 0, or -EBADMSG with
// *ret_fault.
int parser_head(struct bytes head, struct http_header *headers, size_t count,
                struct http_request *ret_request, struct http_fault *ret_fault) ATTR_MUST_CHECK;

#endif
