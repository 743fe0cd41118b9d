// SHA-1 (FIPS 180-4) of exactly one upgrade key and the fixed GUID, in base64. The input is always
// 60 bytes, so the padded message is always two blocks and needs no general interface.

#include "accept_key.h"

#include <stdint.h>
#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum {
    BLOCK_LEN = 64,
    PADDED_LEN = 2 * BLOCK_LEN,
    INPUT_LEN = ACCEPT_KEY_LEN + 36,
    DIGEST_LEN = 20
};

static uint32_t rotate(uint32_t value, unsigned by)
{
    return value << by | value >> (32 - by);
}

static void mix(uint32_t state[5], unsigned round, uint32_t word)
{
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    uint32_t next;

    if (round < 20) {
        next = ((b & c) | (~b & d)) + 0x5a827999;
    } else if (round < 40) {
        next = (b ^ c ^ d) + 0x6ed9eba1;
    } else if (round < 60) {
        next = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    } else {
        next = (b ^ c ^ d) + 0xca62c1d6;
    }
    next += rotate(state[0], 5) + state[4] + word;
    state[4] = d;
    state[3] = c;
    state[2] = rotate(b, 30);
    state[1] = state[0];
    state[0] = next;
}

static void add_block(uint32_t hash[5], const uint8_t *block)
{
    uint32_t words[80];
    uint32_t state[5];

    for (unsigned i = 0; i < 16; i++) {
        const uint8_t *at = block + 4 * (size_t)i;
        words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (unsigned i = 16; i < 80; i++) {
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    }
    memcpy(state, hash, sizeof(state));
    for (unsigned i = 0; i < 80; i++) {
        mix(state, i, words[i]);
    }
    for (unsigned i = 0; i < 5; i++) {
        hash[i] += state[i];
    }
}

static void put_base64(char *to, const uint8_t digest[DIGEST_LEN + 1])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (unsigned i = 0; i < DIGEST_LEN + 1; i += 3) {
        uint32_t group = (uint32_t)digest[i] << 16 | (uint32_t)digest[i + 1] << 8 | digest[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) {
            *to++ = letters[group >> shift & 63];
        }
    }
    // Twenty bytes leave one short of a group of three.
    to[-1] = '=';
    *to = '\0';
}

void accept_key_answer(const char *key, char to[ACCEPT_VALUE_LEN + 1])
{
    uint32_t hash[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t padded[PADDED_LEN] = {0};
    uint8_t digest[DIGEST_LEN + 1] = {0};

    memcpy(padded, key, ACCEPT_KEY_LEN);
    memcpy(padded + ACCEPT_KEY_LEN, GUID, sizeof(GUID) - 1);
    padded[INPUT_LEN] = 0x80;
    padded[PADDED_LEN - 2] = (INPUT_LEN * 8) >> 8;
    padded[PADDED_LEN - 1] = (INPUT_LEN * 8) & 0xff;
    add_block(hash, padded);
    add_block(hash, padded + BLOCK_LEN);
    for (unsigned i = 0; i < DIGEST_LEN; i++) {
        digest[i] = (uint8_t)(hash[i / 4] >> (24 - 8 * (i % 4)));
    }
    put_base64(to, digest);
}
