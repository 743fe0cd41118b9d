// Looking into JSON text without reading it: raw members and elements, and where a value stands.
// Owner: none, no state; any thread. Nothing is allocated; what is returned are views of the text.
// Keys are compared as they are written, escapes not decoded. Of members with the same key the
// first counts.
// Invariant: text that is no JSON is never read past its end; the answer is then "not there".
#include "tidegate/codec/json_read.h"

#include "json_scan.h"

// Passes the bracket `open`; false when there is none or nothing is in it.
static bool enter(struct json_scan *scan, char open, char close)
{
    json_scan_space(scan);
    if (scan->at == scan->end || *scan->at != open) {
        return false;
    }
    scan->at++;
    json_scan_space(scan);
    return scan->at < scan->end && *scan->at != close;
}

// Passes the comma before the next member or element; false at the end.
static bool go_on(struct json_scan *scan)
{
    json_scan_space(scan);
    if (scan->at == scan->end || *scan->at != ',') {
        return false;
    }
    scan->at++;
    json_scan_space(scan);
    return true;
}

// Passes key and colon of a member: `at` is at its value.
static bool pass_key(struct json_scan *scan, struct bytes *ret_key)
{
    if (!json_scan_string(scan, ret_key)) {
        return false;
    }
    json_scan_space(scan);
    if (scan->at == scan->end || *scan->at != ':') {
        return false;
    }
    scan->at++;
    json_scan_space(scan);
    return true;
}

// Goes to the value of member `key` of the object at `at`; *ret_key_at is where its key stands.
static bool find_member(struct json_scan *scan, struct bytes key, const char **ret_key_at)
{
    bool more = enter(scan, '{', '}');
    while (more) {
        struct bytes found;
        const char *key_at = scan->at;
        if (!pass_key(scan, &found)) {
            return false;
        }
        if (bytes_equal(found, key)) {
            *ret_key_at = key_at;
            return true;
        }
        more = json_scan_value(scan, JSON_SCAN_DEPTH_MAX) && go_on(scan);
    }
    return false;
}

// Goes to element `index` of the array at `at`.
static bool find_element(struct json_scan *scan, uint64_t index)
{
    bool more = enter(scan, '[', ']');
    while (more && index > 0) {
        more = json_scan_value(scan, JSON_SCAN_DEPTH_MAX) && go_on(scan);
        index--;
    }
    return more;
}

// The raw value at `at`.
static bool take_value(struct json_scan *scan, struct bytes *ret_raw)
{
    const char *begin = scan->at;
    if (!json_scan_value(scan, JSON_SCAN_DEPTH_MAX)) {
        return false;
    }
    *ret_raw = bytes_make(begin, (size_t)(scan->at - begin));
    return true;
}

bool json_is_valid(struct bytes text, int depth_max)
{
    struct json_scan scan = json_scan_make(text);
    return json_scan_document(&scan, depth_max);
}

bool json_raw_member(struct bytes text, const char *key, struct bytes *ret_raw)
{
    struct json_scan scan = json_scan_make(text);
    const char *key_at;
    return find_member(&scan, bytes_str(key), &key_at) && take_value(&scan, ret_raw);
}

bool json_raw_element(struct bytes array, size_t *cursor, struct bytes *ret_raw)
{
    if (*cursor > array.len) {
        return false;
    }
    struct json_scan scan = json_scan_make(array);
    scan.at += *cursor;
    bool more = *cursor == 0 ? enter(&scan, '[', ']') : go_on(&scan);
    if (!more || !take_value(&scan, ret_raw)) {
        return false;
    }
    *cursor = (size_t)(scan.at - scan.begin);
    return true;
}

bool json_locate(struct bytes text, const char *path, int *ret_line, int *ret_column)
{
    struct json_scan scan = json_scan_make(text);
    json_scan_space(&scan);
    const char *place = scan.at;
    struct bytes rest = path[0] != '\0' ? bytes_str(path) : BYTES_EMPTY;
    struct bytes part;
    while (bytes_next_part(&rest, '.', &part)) {
        if (scan.at < scan.end && *scan.at == '{') {
            if (!find_member(&scan, part, &place)) {
                return false;
            }
            continue;
        }
        uint64_t index;
        if (bytes_to_u64(part, UINT32_MAX, &index) < 0 || !find_element(&scan, index)) {
            return false;
        }
        place = scan.at;
    }
    if (scan.at == scan.end) {
        return false;
    }
    json_scan_place(&scan, place, ret_line, ret_column);
    return true;
}
