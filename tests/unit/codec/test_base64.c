// Base64: the vectors of RFC 4648 §10, strictness, and round trips.
#include "tidegate/codec/base64.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static const char *const vectors[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

// Decodes into a block of exactly the promised size, so that the sanitizer sees one byte too many.
static ptrdiff_t decode(const char *text, size_t len, bool is_url, char *to)
{
    size_t room = is_url ? len : len / 4 * 3;
    char *block = malloc(room > 0 ? room : 1);
    struct bytes view = bytes_make(text, len);
    ptrdiff_t result = is_url ? base64url_decode(view, block) : base64_decode(view, block);
    if (result > 0 && to != NULL) {
        memcpy(to, block, (size_t)result);
    }
    free(block);
    return result;
}

Test(base64, encodes_and_decodes_the_vectors_of_the_rfc)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const char *plain = vectors[i][0];
        const char *text = vectors[i][1];
        char to[16];
        cr_assert_eq(BASE64_ENCODED_LEN(strlen(plain)), strlen(text));
        base64_encode(bytes_str(plain), to);
        cr_assert_eq(memcmp(to, text, strlen(text)), 0, "%s", plain);
        cr_assert_eq(decode(text, strlen(text), false, to), (ptrdiff_t)strlen(plain));
        cr_assert_eq(memcmp(to, plain, strlen(plain)), 0);
    }
}

Test(base64, empty_views_are_empty_texts)
{
    base64_encode(BYTES_EMPTY, NULL);
    cr_assert_eq(base64_decode(BYTES_EMPTY, NULL), 0);
    cr_assert_eq(base64url_decode(BYTES_EMPTY, NULL), 0);
}

Test(base64, refuses_missing_and_surplus_padding)
{
    const char *bad[] = {"Zg",    "Zg=",      "Z",     "Zm8",      "Z===", "====", "=",
                         "Zg===", "Zm9v====", "Zm9v=", "Zg==Zg==", "Z=g=", "=Zg=", "Zm8=Zg=="};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(decode(bad[i], strlen(bad[i]), false, NULL), -EINVAL, "%s", bad[i]);
    }
}

Test(base64, refuses_bits_that_are_not_used)
{
    char text[4] = "Zg==";
    for (int c = 0; c < 256; c++) {
        text[1] = (char)c;
        bool is_good = c == 'A' || c == 'Q' || c == 'g' || c == 'w';
        cr_assert_eq(decode(text, 4, false, NULL), is_good ? 1 : -EINVAL, "%d", c);
        cr_assert_eq(decode(text, 2, true, NULL), is_good ? 1 : -EINVAL, "%d", c);
    }
    cr_assert_eq(decode("Zm9=", 4, false, NULL), -EINVAL);
    cr_assert_eq(decode("Zm9", 3, true, NULL), -EINVAL);
}

Test(base64, refuses_every_character_outside_the_alphabet)
{
    for (int is_url = 0; is_url < 2; is_url++) {
        int good = 0;
        for (int c = 0; c < 256; c++) {
            char text[4] = {'A', (char)c, 'A', 'A'};
            good += decode(text, 4, is_url != 0, NULL) == 3;
        }
        cr_assert_eq(good, 64);
    }
    cr_assert_eq(decode("A+/A", 4, true, NULL), -EINVAL);
    cr_assert_eq(decode("A-_A", 4, false, NULL), -EINVAL);
    cr_assert_eq(decode("Zm9v\n", 5, false, NULL), -EINVAL);
    cr_assert_eq(decode("Zm9v Zm9", 8, false, NULL), -EINVAL);
    cr_assert_eq(decode("Zg==", 4, true, NULL), -EINVAL, "no padding in the URL form");
}

Test(base64, the_url_alphabet_has_minus_and_underscore)
{
    char to[3];
    cr_assert_eq(decode("-_-_", 4, true, to), 3);
    cr_assert_eq(memcmp(to, "\xfb\xff\xbf", 3), 0);
    cr_assert_eq(decode("+/+/", 4, false, to), 3);
    cr_assert_eq(memcmp(to, "\xfb\xff\xbf", 3), 0);
}

Test(base64, random_bytes_of_every_length_come_back_in_both_forms)
{
    srand(4648);
    for (size_t len = 0; len < 300; len++) {
        char data[300];
        char back[300];
        for (size_t i = 0; i < len; i++) {
            data[i] = (char)rand();
        }
        size_t text_len = BASE64_ENCODED_LEN(len);
        char *text = malloc(text_len + 1);
        text[text_len] = '!';
        base64_encode(bytes_make(data, len), text);
        cr_assert_eq(text[text_len], '!');
        cr_assert_eq(decode(text, text_len, false, back), (ptrdiff_t)len);
        cr_assert_eq(memcmp(data, back, len), 0);
        while (text_len > 0 && text[text_len - 1] == '=') {
            text_len--;
        }
        for (size_t i = 0; i < text_len; i++) {
            text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
        }
        cr_assert_eq(decode(text, text_len, true, back), (ptrdiff_t)len);
        cr_assert_eq(memcmp(data, back, len), 0);
        free(text);
    }
}

Test(base64, whatever_decodes_is_the_one_spelling_of_its_bytes)
{
    srand(1);
    int decoded = 0;
    for (int round = 0; round < 200000; round++) {
        char text[8];
        size_t len = 4 + (size_t)(rand() % 2) * 4;
        for (size_t i = 0; i < len; i++) {
            text[i] = "AQgwZ=+/"[rand() % 8];
        }
        char data[8];
        ptrdiff_t got = decode(text, len, false, data);
        if (got >= 0) {
            char again[8];
            base64_encode(bytes_make(data, (size_t)got), again);
            cr_assert_eq(memcmp(text, again, len), 0);
            decoded++;
        }
    }
    cr_assert_gt(decoded, 1000);
}
