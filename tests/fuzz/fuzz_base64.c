// Base64: what decodes, encodes to the same text again; decoding in groups of four gives what
// decoding at once gives; every input survives encoding and decoding.
#include "fuzz.h"

#include "tidegate/codec/base64.h"

static ptrdiff_t decode_groups(struct bytes text, char *to)
{
    uint64_t state = fuzz_hash(text);
    size_t len = 0;
    while (text.len > 0) {
        size_t part = (1 + fuzz_random(&state) % 5) * 4;
        part = part < text.len ? part : text.len;
        ptrdiff_t got = base64_decode(bytes_make(text.at, part), to + len);
        bool is_padded = part < text.len && text.at[part - 1] == '=';
        if (got < 0 || is_padded) {
            return -1;
        }
        len += (size_t)got;
        text = bytes_skip(text, part);
    }
    return (ptrdiff_t)len;
}

static void check_decode(struct bytes text)
{
    char *whole = malloc(text.len / 4 * 3);
    char *split = malloc(text.len / 4 * 3);
    ptrdiff_t len = base64_decode(text, whole);
    if (text.len % 4 == 0) {
        FUZZ_REQUIRE(decode_groups(text, split) == (len < 0 ? -1 : len));
    } else {
        FUZZ_REQUIRE(len < 0);
    }
    if (len > 0) {
        char *again = malloc(text.len);
        FUZZ_REQUIRE(memcmp(whole, split, (size_t)len) == 0);
        base64_encode(bytes_make(whole, (size_t)len), again);
        FUZZ_REQUIRE(BASE64_ENCODED_LEN((size_t)len) == text.len);
        FUZZ_REQUIRE(memcmp(again, text.at, text.len) == 0);
        free(again);
    }
    free(whole);
    free(split);
}

// The URL alphabet decodes to what the plain one does with its two characters put in.
static void check_url(struct bytes text)
{
    size_t padded_len = (text.len + 3) / 4 * 4;
    char *padded = malloc(padded_len);
    char *plain = malloc(padded_len / 4 * 3);
    char *url = malloc(text.len);
    bool is_foreign = false;
    memset(padded, '=', padded_len);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        is_foreign = is_foreign || c == '+' || c == '/' || c == '=';
        padded[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    ptrdiff_t plain_len = base64_decode(bytes_make(padded, padded_len), plain);
    ptrdiff_t url_len = base64url_decode(text, url);
    FUZZ_REQUIRE(url_len == (is_foreign ? url_len : plain_len));
    FUZZ_REQUIRE(!is_foreign || url_len < 0);
    FUZZ_REQUIRE(url_len <= 0 || memcmp(url, plain, (size_t)url_len) == 0);
    free(padded);
    free(plain);
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    size_t text_len = BASE64_ENCODED_LEN(size);
    char *text = malloc(text_len);
    char *back = malloc(text_len / 4 * 3);
    base64_encode(input, text);
    FUZZ_REQUIRE(base64_decode(bytes_make(text, text_len), back) == (ptrdiff_t)size);
    FUZZ_REQUIRE(size == 0 || memcmp(back, data, size) == 0);
    free(text);
    free(back);
    check_decode(input);
    check_url(input);
    return 0;
}
