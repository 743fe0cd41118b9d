// The strict look at a request's head before the parser sees it. llhttp 8 ends a header line at a
// lone CR, joins folded lines and takes other things that the next server may read differently; all
// of it is refused here, where it is one table and one state machine that can be read in a minute.
// Owner: the connection's worker. Lifetime: a value inside the connection's HTTP state.
// Invariant: one verdict for the same bytes however they are split; limits are counted in bytes
// judged, so they too fall at the same byte every time.
#include "scan.h"

#include <errno.h>

enum scan_state { LEAD, LEAD_LF, LINE, LINE_LF, FIELD_START, NAME, VALUE, VALUE_LF, END_LF };

// RFC 9110 §5.6.2 tchar.
static const bool token_bytes[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

bool scan_is_token_byte(unsigned char c)
{
    return token_bytes[c];
}

void scan_begin(struct scan *scan)
{
    *scan = (struct scan){.state = LEAD};
}

void scan_begin_fields(struct scan *scan)
{
    *scan = (struct scan){.state = FIELD_START};
}

static int refuse(struct http_fault *ret_fault, int status, const char *message)
{
    *ret_fault = (struct http_fault){status, message};
    return -EBADMSG;
}

// The request line, whole: two single spaces and a version this server speaks (RFC 9112 §3, §2.3).
static int check_line(struct bytes line, struct http_fault *ret_fault)
{
    ptrdiff_t first = bytes_find(line, ' ');
    if (first <= 0) {
        return refuse(ret_fault, 400, "malformed request line");
    }
    struct bytes rest = bytes_skip(line, (size_t)first + 1);
    ptrdiff_t second = bytes_find(rest, ' ');
    if (second <= 0) {
        return refuse(ret_fault, 400, "malformed request line");
    }
    for (ptrdiff_t i = 0; i < first; i++) {
        if (!token_bytes[(unsigned char)line.at[i]]) {
            return refuse(ret_fault, 400, "malformed method");
        }
    }
    struct bytes version = bytes_skip(rest, (size_t)second + 1);
    if (version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.' ||
        version.at[5] < '0' || version.at[5] > '9' || version.at[7] < '0' || version.at[7] > '9') {
        return refuse(ret_fault, 400, "malformed HTTP version");
    }
    if (version.at[5] != '1' || version.at[7] > '1') {
        return refuse(ret_fault, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    return 0;
}

static int lead_byte(struct scan *scan, unsigned char c, struct http_fault *ret_fault)
{
    if (scan->state == LEAD_LF) {
        if (c != '\n') {
            return refuse(ret_fault, 400, "CR without LF");
        }
        scan->skipped_line = true;
        scan->state = LEAD;
        return 0;
    }
    if (c == '\r' && !scan->skipped_line) {
        scan->state = LEAD_LF;
        return 0;
    }
    if (!token_bytes[c]) {
        return refuse(ret_fault, 400, "malformed request line");
    }
    scan->start = scan->at;
    scan->state = LINE;
    return 0;
}

static int line_byte(struct scan *scan, const struct http_limits *limits, unsigned char c,
                     struct http_fault *ret_fault)
{
    if (scan->state == LINE_LF) {
        if (c != '\n') {
            return refuse(ret_fault, 400, "CR without LF");
        }
        scan->fields = scan->at + 1;
        scan->state = FIELD_START;
        return 0;
    }
    if (c == '\r') {
        scan->state = LINE_LF;
        return 0;
    }
    if (c < ' ' || c >= 0x7f) {
        return refuse(ret_fault, 400, "forbidden byte in the request line");
    }
    if (scan->at - scan->start >= limits->request_line_max) {
        return refuse(ret_fault, 414, "request line too long");
    }
    return 0;
}

static int field_start(struct scan *scan, const struct http_limits *limits, unsigned char c,
                       struct http_fault *ret_fault)
{
    if (c == '\r') {
        scan->state = END_LF;
        return 0;
    }
    if (c == ' ' || c == '\t') {
        return refuse(ret_fault, 400, "folded header line");
    }
    if (c == ':') {
        return refuse(ret_fault, 400, "empty header name");
    }
    if (!token_bytes[c]) {
        return refuse(ret_fault, 400, "forbidden byte in a header name");
    }
    scan->count++;
    if (scan->count > limits->header_count_max) {
        return refuse(ret_fault, 431, "too many header lines");
    }
    scan->state = NAME;
    return 0;
}

static int name_byte(struct scan *scan, unsigned char c, struct http_fault *ret_fault)
{
    if (c == ':') {
        scan->state = VALUE;
        return 0;
    }
    if (c == ' ' || c == '\t') {
        return refuse(ret_fault, 400, "space between header name and colon");
    }
    if (!token_bytes[c]) {
        return refuse(ret_fault, 400, "forbidden byte in a header name");
    }
    return 0;
}

static int value_byte(struct scan *scan, unsigned char c, struct http_fault *ret_fault)
{
    if (c == '\r') {
        scan->state = VALUE_LF;
        return 0;
    }
    if ((c < ' ' && c != '\t') || c == 0x7f) {
        return refuse(ret_fault, 400, "forbidden byte in a header value");
    }
    return 0;
}

int scan_field_byte(struct scan *scan, const struct http_limits *limits, unsigned char c,
                    struct http_fault *ret_fault)
{
    int r = 0;
    switch (scan->state) {
    case FIELD_START:
        r = field_start(scan, limits, c, ret_fault);
        break;
    case NAME:
        r = name_byte(scan, c, ret_fault);
        break;
    case VALUE:
        r = value_byte(scan, c, ret_fault);
        break;
    default: // VALUE_LF, END_LF
        if (c != '\n') {
            return refuse(ret_fault, 400, "CR without LF");
        }
        r = scan->state == END_LF ? 1 : 0;
        scan->state = FIELD_START;
        break;
    }
    if (r < 0) {
        return r;
    }
    scan->at++;
    if (scan->at - scan->fields > limits->header_bytes_max) {
        return refuse(ret_fault, 431, "header too large");
    }
    return r;
}

int scan_head(struct scan *scan, const struct http_limits *limits, struct bytes head,
              struct http_fault *ret_fault)
{
    while (scan->at < head.len) {
        unsigned char c = (unsigned char)head.at[scan->at];
        if (scan->state >= FIELD_START) {
            int r = scan_field_byte(scan, limits, c, ret_fault);
            if (r != 0) {
                return r;
            }
            continue;
        }
        int r = scan->state <= LEAD_LF ? lead_byte(scan, c, ret_fault)
                                       : line_byte(scan, limits, c, ret_fault);
        if (r == 0 && scan->state == FIELD_START) {
            struct bytes line = {head.at + scan->start, scan->at - 1 - scan->start};
            r = check_line(line, ret_fault);
        }
        if (r < 0) {
            return r;
        }
        scan->at++;
    }
    return 0;
}
