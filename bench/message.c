// Messages of the benchmark; see message.h. JSON of a given number and time is made again to check
// what came; the last ones made are kept, since a broadcast is checked once for each subscriber and
// making it a thousand times would keep the load generator busier than the server.

#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS = 16, FILLER = 'x', KEPT_COUNT = 64, ITEM_MAX = 128 };

#define JSON_HEAD "{\"number\":\""
#define JSON_TIME "\",\"time\":\""
#define JSON_ITEMS "\",\"events\":["
#define JSON_NOTE "{\"note\":\""
#define JSON_TAIL "\"}]}"
#define LEN(text) (sizeof(text) - 1)

struct kept {
    uint64_t number;
    uint64_t time_ns;
    size_t len; // 0: nothing is kept here
    uint8_t bytes[MESSAGE_MAX];
};

static void put_hex(uint8_t *to, uint64_t value)
{
    for (int i = DIGITS - 1; i >= 0; i--) {
        to[i] = (uint8_t) "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

static int get_hex(const uint8_t *from, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (int i = 0; i < DIGITS; i++) {
        unsigned digit = from[i];
        if (digit >= '0' && digit <= '9') {
            digit -= '0';
        } else if (digit >= 'a' && digit <= 'f') {
            digit -= 'a' - 10;
        } else {
            return -EPROTO;
        }
        value = value << 4 | digit;
    }
    *ret_value = value;
    return 0;
}

static void put_filler(uint8_t *to, size_t len, uint64_t number, uint64_t time_ns)
{
    put_hex(to, number);
    to[DIGITS] = ' ';
    put_hex(to + DIGITS + 1, time_ns);
    to[2 * DIGITS + 1] = ' ';
    memset(to + MESSAGE_FILLER_MIN, FILLER, len - MESSAGE_FILLER_MIN);
}

static int get_filler(const uint8_t *from, size_t len, uint64_t *ret_number, uint64_t *ret_time_ns)
{
    if (len < MESSAGE_FILLER_MIN || from[DIGITS] != ' ' || from[2 * DIGITS + 1] != ' ' ||
        get_hex(from, ret_number) != 0 || get_hex(from + DIGITS + 1, ret_time_ns) != 0) {
        return -EPROTO;
    }
    for (size_t i = MESSAGE_FILLER_MIN; i < len; i++) {
        if (from[i] != FILLER) {
            return -EPROTO;
        }
    }
    return 0;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t put_text(uint8_t *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len);
    return len;
}

// One event of a list, the same fields with other values each time.
static int put_event(char *to, size_t room, uint64_t *random)
{
    static const char *const names[] = {"alder", "birch", "cedar", "elm",
                                        "hazel", "larch", "maple", "rowan"};
    static const char *const states[] = {"opened", "moved", "closed"};
    uint64_t bits = next_random(random);

    return snprintf(
        to, room,
        "{\"id\":%u,\"name\":\"%s\",\"state\":\"%s\",\"value\":%u.%02u,\"change\":%s%u.%02u},",
        (unsigned)(bits % 100000), names[bits >> 20 & 7], states[(bits >> 24 & 0xff) % 3],
        (unsigned)(bits >> 32 & 1023), (unsigned)(bits >> 42 & 63), bits >> 63 ? "-" : "",
        (unsigned)(bits >> 50 & 7), (unsigned)(bits >> 54 & 63));
}

static void put_json(uint8_t *to, size_t len, uint64_t number, uint64_t time_ns)
{
    uint64_t random = (number + 1) * 0x9e3779b97f4a7c15u | 1;
    size_t end = len - LEN(JSON_TAIL);
    size_t at = put_text(to, JSON_HEAD);

    put_hex(to + at, number);
    at += DIGITS;
    at += put_text(to + at, JSON_TIME);
    put_hex(to + at, time_ns);
    at += DIGITS;
    at += put_text(to + at, JSON_ITEMS);
    while (at + ITEM_MAX + LEN(JSON_NOTE) < end) {
        at += (size_t)put_event((char *)to + at, ITEM_MAX, &random);
    }
    at += put_text(to + at, JSON_NOTE);
    // What is left to the exact length: words, as somebody's remark has them.
    for (size_t i = 0; at < end; i++, at++) {
        to[at] = (uint8_t) "the tide comes in and goes out again; "[i % 38];
    }
    put_text(to + at, JSON_TAIL);
}

static int get_json(const uint8_t *from, size_t len, uint64_t *ret_number, uint64_t *ret_time_ns)
{
    static struct kept kept_ones[KEPT_COUNT];
    const size_t time_at = LEN(JSON_HEAD) + DIGITS + LEN(JSON_TIME);
    struct kept *kept;

    if (len < MESSAGE_JSON_MIN || len > MESSAGE_MAX ||
        get_hex(from + LEN(JSON_HEAD), ret_number) != 0 ||
        get_hex(from + time_at, ret_time_ns) != 0) {
        return -EPROTO;
    }
    kept = &kept_ones[*ret_number % KEPT_COUNT];
    if (kept->len != len || kept->number != *ret_number || kept->time_ns != *ret_time_ns) {
        kept->len = len;
        kept->number = *ret_number;
        kept->time_ns = *ret_time_ns;
        put_json(kept->bytes, len, *ret_number, *ret_time_ns);
    }
    return memcmp(kept->bytes, from, len) == 0 ? 0 : -EPROTO;
}

void message_put(enum message_kind kind, uint8_t *to, size_t len, uint64_t number, uint64_t time_ns)
{
    if (kind == MESSAGE_JSON) {
        put_json(to, len, number, time_ns);
    } else {
        put_filler(to, len, number, time_ns);
    }
}

int message_get(enum message_kind kind, const uint8_t *from, size_t len, uint64_t *ret_number,
                uint64_t *ret_time_ns)
{
    return kind == MESSAGE_JSON ? get_json(from, len, ret_number, ret_time_ns)
                                : get_filler(from, len, ret_number, ret_time_ns);
}
