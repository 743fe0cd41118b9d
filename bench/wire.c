// Frames and handshakes of the benchmark; see wire.h. The mask key is a constant: a server cannot
// tell, and a random one would only cost time here. The upgrade key is the one of RFC 6455 §1.3,
// so the right Sec-WebSocket-Accept is a constant too, and no SHA-1 is needed to check it.

#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPGRADE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define DEFLATE_OFFER \
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; " \
    "client_no_context_takeover\r\n"

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

int wire_get_server_frame(const uint8_t *from, size_t len, bool may_be_deflated,
                          struct wire_frame *ret_frame)
{
    size_t head = 2;
    uint64_t body;
    bool is_deflated;

    if (len < head) {
        return 0;
    }
    is_deflated = may_be_deflated && (from[0] & 0x40) != 0 && (from[0] & 0x0f) < WIRE_CLOSE;
    // No fragment is expected: FIN, no bit of an extension that is not spoken, and never a mask.
    if ((from[0] & 0xf0) != (is_deflated ? 0xc0 : 0x80) || (from[1] & 0x80) != 0) {
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
        .is_deflated = is_deflated,
        .payload = from + head,
        .len = (size_t)body,
        .total_len = head + (size_t)body,
    };
    return 1;
}

int wire_put_upgrade(char *to, size_t room, const char *path, bool offers_deflate)
{
    int len = snprintf(to, room,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Key: " UPGRADE_KEY "\r\n"
                       "Sec-WebSocket-Version: 13\r\n%s\r\n",
                       path, offers_deflate ? DEFLATE_OFFER : "");

    return len > 0 && (size_t)len < room ? len : -ENOSPC;
}

// The head with its blank line, 0 when the blank line has not come.
static size_t head_len(const uint8_t *from, size_t len)
{
    const uint8_t *end = memmem(from, len, "\r\n\r\n", 4);

    return end != NULL ? (size_t)(end - from) + 4 : 0;
}

// The value of the first header of that name (given as "\r\nname:"), NULL when there is none.
static const char *find_header(const uint8_t *from, size_t head, const char *name)
{
    size_t name_len = strlen(name);

    for (size_t i = 0; i + name_len < head; i++) {
        if (strncasecmp((const char *)from + i, name, name_len) == 0) {
            return (const char *)from + i + name_len;
        }
    }
    return NULL;
}

static bool is_deflate_right(const uint8_t *from, size_t head, bool offers_deflate)
{
    const char *value = find_header(from, head, "\r\nsec-websocket-extensions:");
    const char *end = value != NULL ? memchr(value, '\r', head) : NULL;

    if (!offers_deflate || end == NULL) {
        return !offers_deflate && value == NULL;
    }
    return memmem(value, (size_t)(end - value), "permessage-deflate", 18) != NULL &&
           memmem(value, (size_t)(end - value), "server_no_context_takeover", 26) != NULL;
}

int wire_get_upgrade_answer(const uint8_t *from, size_t len, bool offers_deflate)
{
    static const char status[] = "HTTP/1.1 101 ";
    size_t head = head_len(from, len);

    if (head == 0) {
        return 0;
    }
    if (memcmp(from, status, sizeof(status) - 1) != 0 ||
        memmem(from, head, UPGRADE_ACCEPT, sizeof(UPGRADE_ACCEPT) - 1) == NULL ||
        !is_deflate_right(from, head, offers_deflate)) {
        return -EPROTO;
    }
    return (int)head;
}

int wire_get_http_answer(const uint8_t *from, size_t len)
{
    static const char status[] = "HTTP/1.1 2";
    size_t head = head_len(from, len);
    const char *value;
    long body;

    if (head == 0) {
        return 0;
    }
    if (memcmp(from, status, sizeof(status) - 1) != 0) {
        return -EPROTO;
    }
    value = find_header(from, head, "\r\ncontent-length:");
    body = value != NULL ? strtol(value, NULL, 10) : -1;
    if (body < 0) {
        return memcmp(from + 9, "204", 3) == 0 ? (int)head : -EPROTO;
    }
    return len - head >= (size_t)body ? (int)head + (int)body : 0;
}
