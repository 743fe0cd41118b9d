// UTF-8: the validator says of every input what the definition says (RFC 3629 §3, §4), whole and in
// pieces, and in pieces it fails no later than at the byte that makes the text invalid.
#include "fuzz.h"

#include "tidegate/codec/utf8.h"

// Straight from the table of RFC 3629 §4: the length of the character, or 0.
static size_t character_len(const uint8_t *at, size_t len)
{
    static const struct {
        uint8_t first, last, second_first, second_last;
        size_t len;
    } rows[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (at[0] < rows[i].first || at[0] > rows[i].last || len < rows[i].len) {
            continue;
        }
        bool is_good =
            rows[i].len == 1 || (at[1] >= rows[i].second_first && at[1] <= rows[i].second_last);
        for (size_t k = 2; k < rows[i].len; k++) {
            is_good = is_good && (at[k] & 0xc0) == 0x80;
        }
        return is_good ? rows[i].len : 0;
    }
    return 0;
}

static size_t valid_len(struct bytes input)
{
    size_t at = 0;
    while (at < input.len) {
        size_t len = character_len((const uint8_t *)input.at + at, input.len - at);
        FUZZ_REQUIRE(len == bytes_utf8_len(bytes_skip(input, at)));
        if (len == 0) {
            break;
        }
        at += len;
    }
    return at;
}

// Bytes taken until it failed, or all; *ret_complete when all were.
static size_t feed(struct bytes input, unsigned plan, bool *ret_complete)
{
    struct utf8_state state = {0};
    struct fuzz_cut cut = fuzz_cut_begin(input, plan);
    struct bytes piece;
    size_t taken = 0;
    *ret_complete = false;
    while (fuzz_cut_next(&cut, &piece)) {
        if (!utf8_feed(&state, piece)) {
            fuzz_cut_stop(&cut);
            return taken;
        }
        taken += piece.len;
    }
    *ret_complete = utf8_is_complete(&state);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    size_t valid = valid_len(input);
    bool is_valid = valid == size;
    FUZZ_REQUIRE(utf8_is_valid(input) == is_valid);
    for (unsigned plan = 0; plan < FUZZ_PLANS; plan++) {
        bool is_complete;
        size_t taken = feed(input, plan, &is_complete);
        FUZZ_REQUIRE((taken == size && is_complete) == is_valid);
        // One by one, it stops inside the first character that is none.
        FUZZ_REQUIRE(plan != 1 || is_valid || (taken >= valid && taken < valid + 4));
    }
    return 0;
}
