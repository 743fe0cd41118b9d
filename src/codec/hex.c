// Hexadecimal digits. Owner: none, no state; any thread. Nothing is allocated.
// Reading takes both cases, writing gives lower case: digests and escapes are compared as text.
#include "tidegate/codec/hex.h"

int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

void hex_encode(struct bytes data, char *to)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < data.len; i++) {
        unsigned char byte = (unsigned char)data.at[i];
        to[2 * i] = digits[byte >> 4];
        to[2 * i + 1] = digits[byte & 0xf];
    }
}
