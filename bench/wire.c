// Frames and messages of the benchmark; see wire.h. The mask key is a constant: a server cannot
// tell, and a random one would only cost time here. The upgrade key is the one of RFC 6455 §1.3,
// so the right Sec-WebSocket-Accept is a constant too, and no SHA-1 is needed to check it.

#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPGRADE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { DIGITS = 16, FILLER = 'x' };

static const uint8_t mask_key[8] = {0x37, 0xfa, 0x21, 0x3d, 0x37, 0xfa, 0x21, 0x3d};

static void put_masked(uint8_t *to, const uint8_t *from, size_t len)
{
    uint64_t key;
    size_t i = 0;

    memcpy(&key, mask_key, sizeof(key));
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, sizeof(word));
        word ^= key;
        memcpy(to + i, &word, sizeof(word));
    }
    for (; i < len; i++) {
        to[i] = from[i] ^ mask_key[i % 4];
    }
}

size_t wire_put_client_frame(uint8_t *to, unsigned opcode, const uint8_t *payload, size_t len)
{
    size_t at = 0;

    to[at++] = (uint8_t)(0x80 | opcode);
    if (len < 126) {
        to[at++] = (uint8_t)(0x80 | len);
    } else if (len <= 0xffff) {
        to[at++] = 0x80 | 126;
        to[at++] = (uint8_t)(len >> 8);
        to[at++] = (uint8_t)len;
    } else {
        to[at++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) {
            to[at++] = (uint8_t)((uint64_t)len >> shift);
        }
    }
    memcpy(to + at, mask_key, 4);
    at += 4;
    put_masked(to + at, payload, len);
    return at + len;
}

int wire_get_server_frame(const uint8_t *from, size_t len, struct wire_frame *ret_frame)
{
    size_t head = 2;
    uint64_t body;

    if (len < head) {
        return 0;
    }
    // No extension was offered and no fragment is expected: FIN alone, and never a mask.
    if ((from[0] & 0xf0) != 0x80 || (from[1] & 0x80) != 0) {
        return -EPROTO;
    }
    body = from[1];
    if (body >= 126) {
        size_t width = body == 126 ? 2 : 8;
        if (len < head + width) {
            return 0;
        }
        body = 0;
        for (size_t i = 0; i < width; i++) {
            body = body << 8 | from[head + i];
        }
        head += width;
    }
    if (body > WIRE_MESSAGE_MAX) {
        return -EPROTO;
    }
    if (len < head + body) {
        return 0;
    }
    *ret_frame = (struct wire_frame){
        .opcode = from[0] & 0x0f,
        .payload = from + head,
        .len = (size_t)body,
        .total_len = head + (size_t)body,
    };
    return 1;
}

int wire_put_upgrade(char *to, size_t room, const char *path)
{
    int len = snprintf(to, room,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Key: " UPGRADE_KEY "\r\n"
                       "Sec-WebSocket-Version: 13\r\n\r\n",
                       path);

    return len > 0 && (size_t)len < room ? len : -ENOSPC;
}

// The head with its blank line, 0 when the blank line has not come.
static size_t head_len(const uint8_t *from, size_t len)
{
    const uint8_t *end = memmem(from, len, "\r\n\r\n", 4);

    return end != NULL ? (size_t)(end - from) + 4 : 0;
}

int wire_get_upgrade_answer(const uint8_t *from, size_t len)
{
    static const char status[] = "HTTP/1.1 101 ";
    size_t head = head_len(from, len);

    if (head == 0) {
        return 0;
    }
    if (memcmp(from, status, sizeof(status) - 1) != 0 ||
        memmem(from, head, UPGRADE_ACCEPT, sizeof(UPGRADE_ACCEPT) - 1) == NULL) {
        return -EPROTO;
    }
    return (int)head;
}

int wire_get_http_answer(const uint8_t *from, size_t len)
{
    static const char status[] = "HTTP/1.1 2";
    static const char name[] = "\r\ncontent-length:";
    size_t head = head_len(from, len);
    long body = -1;

    if (head == 0) {
        return 0;
    }
    if (memcmp(from, status, sizeof(status) - 1) != 0) {
        return -EPROTO;
    }
    for (size_t i = 0; i + sizeof(name) - 1 < head && body < 0; i++) {
        if (strncasecmp((const char *)from + i, name, sizeof(name) - 1) == 0) {
            body = strtol((const char *)from + i + sizeof(name) - 1, NULL, 10);
        }
    }
    if (body < 0) {
        return memcmp(from + 9, "204", 3) == 0 ? (int)head : -EPROTO;
    }
    return len - head >= (size_t)body ? (int)head + (int)body : 0;
}

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

void wire_put_message(uint8_t *to, size_t len, uint64_t number, uint64_t time_ns)
{
    put_hex(to, number);
    to[DIGITS] = ' ';
    put_hex(to + DIGITS + 1, time_ns);
    to[2 * DIGITS + 1] = ' ';
    memset(to + WIRE_MESSAGE_MIN, FILLER, len - WIRE_MESSAGE_MIN);
}

int wire_get_message(const uint8_t *from, size_t len, uint64_t *ret_number, uint64_t *ret_time_ns)
{
    if (len < WIRE_MESSAGE_MIN || from[DIGITS] != ' ' || from[2 * DIGITS + 1] != ' ' ||
        get_hex(from, ret_number) != 0 || get_hex(from + DIGITS + 1, ret_time_ns) != 0) {
        return -EPROTO;
    }
    for (size_t i = WIRE_MESSAGE_MIN; i < len; i++) {
        if (from[i] != FILLER) {
            return -EPROTO;
        }
    }
    return 0;
}
