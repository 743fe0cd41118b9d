// Hexadecimal: all digits, and nothing else, both ways.
#include "tidegate/codec/hex.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(hex, digit_knows_twenty_two_characters_and_no_other)
{
    int known = 0;
    for (int c = 0; c < 256; c++) {
        int value = hex_digit((char)c);
        char text[2] = {(char)c, '\0'};
        bool is_digit = c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL;
        cr_assert_eq(value, is_digit ? (int)strtol(text, NULL, 16) : -1, "%d", c);
        known += is_digit;
    }
    cr_assert_eq(known, 22);
}

Test(hex, encode_writes_two_lower_case_digits_a_byte_and_no_more)
{
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        char text[3] = "##";
        text[2] = '!';
        hex_encode(bytes_make(&byte, 1), text);
        cr_assert_eq(hex_digit(text[0]) * 16 + hex_digit(text[1]), c);
        cr_assert(text[0] < 'A' || text[0] > 'F');
        cr_assert_eq(text[2], '!');
    }
    char text[8];
    hex_encode(BYTES_OF("\x01\xab\xff"), text);
    cr_assert_eq(memcmp(text, "01abff", 6), 0);
    hex_encode(BYTES_EMPTY, NULL);
}
