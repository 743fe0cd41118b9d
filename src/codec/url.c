// Request targets: splitting and percent-decoding (RFC 3986 §2.1, §3.3, §3.4). Owner: none, no
// state; any thread. Views into the target are borrowed; decoded text goes to the caller's room.
// Invariant: decoded text holds no zero byte, so that it may become a file name or a C string
// without ending early.
#include "tidegate/codec/url.h"

#include "tidegate/codec/hex.h"

#include <errno.h>

void url_split(struct bytes target, struct bytes *ret_path, struct bytes *ret_query)
{
    ptrdiff_t mark = bytes_find(target, '?');
    if (mark < 0) {
        *ret_path = target;
        *ret_query = BYTES_EMPTY;
        return;
    }
    *ret_path = bytes_make(target.at, (size_t)mark);
    *ret_query = bytes_skip(target, (size_t)mark + 1);
}

// The byte that the escape at the start of `text` stands for, or -EINVAL.
static int decode_escape(struct bytes text)
{
    if (text.len < 3) {
        return -EINVAL;
    }
    int high = hex_digit(text.at[1]);
    int low = hex_digit(text.at[2]);
    return high < 0 || low < 0 ? -EINVAL : high * 16 + low;
}

ptrdiff_t url_decode(struct bytes text, bool plus_is_space, char *to)
{
    ptrdiff_t len = 0;
    while (text.len > 0) {
        int value = (unsigned char)text.at[0];
        size_t used = 1;
        if (value == '%') {
            value = decode_escape(text);
            used = 3;
        } else if (value == '+' && plus_is_space) {
            value = ' ';
        }
        if (value <= 0) {
            return -EINVAL;
        }
        to[len++] = (char)value;
        text = bytes_skip(text, used);
    }
    return len;
}

bool url_query_get(struct bytes query, const char *name, struct bytes *ret_value)
{
    struct bytes wanted = bytes_str(name);
    struct bytes part;
    while (bytes_next_part(&query, '&', &part)) {
        ptrdiff_t equals = bytes_find(part, '=');
        size_t name_len = equals < 0 ? part.len : (size_t)equals;
        if (!bytes_equal(bytes_make(part.at, name_len), wanted)) {
            continue;
        }
        *ret_value = bytes_skip(part, equals < 0 ? part.len : name_len + 1);
        return true;
    }
    return false;
}
