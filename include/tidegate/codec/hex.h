// Hexadecimal. Pure functions, any thread.
#ifndef TIDEGATE_CODEC_HEX_H
#define TIDEGATE_CODEC_HEX_H

#include "tidegate/base/bytes.h"

// The value of a hex digit, or -1.
int hex_digit(char c);

// Writes 2 * data.len lower-case digits to `to`, no zero byte.
void hex_encode(struct bytes data, char *to);

#endif
