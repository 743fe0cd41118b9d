// UTF-8: exhaustive for short texts, cut at every point, failing at the first impossible byte.
#include "tidegate/codec/utf8.h"

#include <criterion/criterion.h>
#include <stdlib.h>

// The grammar of RFC 3629 §4, written down plainly.
static bool in(unsigned char c, int low, int high)
{
    return c >= low && c <= high;
}

static size_t plain_len(const unsigned char *at, size_t left)
{
    if (left >= 1 && at[0] < 0x80) {
        return 1;
    }
    if (left >= 2 && in(at[0], 0xc2, 0xdf) && in(at[1], 0x80, 0xbf)) {
        return 2;
    }
    if (left >= 3 && in(at[2], 0x80, 0xbf) &&
        ((at[0] == 0xe0 && in(at[1], 0xa0, 0xbf)) ||
         (in(at[0], 0xe1, 0xec) && in(at[1], 0x80, 0xbf)) ||
         (at[0] == 0xed && in(at[1], 0x80, 0x9f)) ||
         (in(at[0], 0xee, 0xef) && in(at[1], 0x80, 0xbf)))) {
        return 3;
    }
    if (left >= 4 && in(at[2], 0x80, 0xbf) && in(at[3], 0x80, 0xbf) &&
        ((at[0] == 0xf0 && in(at[1], 0x90, 0xbf)) ||
         (in(at[0], 0xf1, 0xf3) && in(at[1], 0x80, 0xbf)) ||
         (at[0] == 0xf4 && in(at[1], 0x80, 0x8f)))) {
        return 4;
    }
    return 0;
}

static bool plain_is_valid(const unsigned char *at, size_t len)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i += used) {
        used = plain_len(at + i, len - i);
        if (used == 0) {
            return false;
        }
    }
    return true;
}

static bool is_valid(const unsigned char *at, size_t len)
{
    return utf8_is_valid(bytes_make(at, len));
}

Test(utf8, one_two_and_three_bytes_agree_with_the_grammar_exhaustively)
{
    unsigned char text[4];
    cr_assert(utf8_is_valid(BYTES_EMPTY));
    for (uint32_t n = 0; n < 1u << 24; n++) {
        text[0] = (unsigned char)n;
        text[1] = (unsigned char)(n >> 8);
        text[2] = (unsigned char)(n >> 16);
        // Each length once: the longer counters start where the shorter end.
        size_t len = n < 1u << 8 ? 1 : n < 1u << 16 ? 2 : 3;
        if (is_valid(text, len) != plain_is_valid(text, len)) {
            cr_assert(false, "%02x %02x %02x, %zu bytes", text[0], text[1], text[2], len);
        }
    }
    // The counters above miss short texts that end in zero bytes.
    for (int c = 0; c < 256; c++) {
        unsigned char pair[2] = {(unsigned char)c, 0};
        cr_assert_eq(is_valid(pair, 2), plain_is_valid(pair, 2));
    }
}

Test(utf8, four_bytes_agree_with_the_grammar_at_every_lead_and_border)
{
    const unsigned char third[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    for (int a = 0xe0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            for (size_t c = 0; c < sizeof(third); c++) {
                for (size_t d = 0; d < sizeof(third); d++) {
                    unsigned char text[4] = {(unsigned char)a, (unsigned char)b, third[c],
                                             third[d]};
                    cr_assert_eq(is_valid(text, 4), plain_is_valid(text, 4));
                }
            }
        }
    }
}

// Whether some bytes behind `text` could make it valid, found by trying.
static bool can_go_on(const unsigned char *text, size_t len)
{
    unsigned char longer[8];
    memcpy(longer, text, len);
    if (plain_is_valid(longer, len)) {
        return true;
    }
    const unsigned char tries[] = {0x80, 0x90, 0xa0, 0xbf};
    for (size_t a = 0; a < 4; a++) {
        longer[len] = tries[a];
        for (size_t b = 0; b < 4; b++) {
            longer[len + 1] = tries[b];
            longer[len + 2] = 0x80;
            for (size_t more = 1; more <= 3; more++) {
                if (plain_is_valid(longer, len + more)) {
                    return true;
                }
            }
        }
    }
    return false;
}

Test(utf8, a_piece_fails_exactly_when_nothing_behind_it_could_help)
{
    for (uint32_t n = 0; n < 1u << 16; n++) {
        unsigned char text[3] = {(unsigned char)n, (unsigned char)(n >> 8), 0x80};
        for (size_t len = 1; len <= 3; len++) {
            struct utf8_state state = {0};
            bool goes_on = utf8_feed(&state, bytes_make(text, len));
            if (goes_on != can_go_on(text, len)) {
                cr_assert(false, "%02x %02x, %zu bytes", text[0], text[1], len);
            }
            if (goes_on) {
                cr_assert_eq(utf8_is_complete(&state), plain_is_valid(text, len));
            }
        }
    }
}

Test(utf8, valid_text_may_be_cut_at_every_two_points)
{
    const char text[] =
        "plain ascii, caf\xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80, \xf4\x8f\xbf\xbf, "
        "\xed\x9f\xbf\xee\x80\x80 and a long tail of ascii";
    size_t len = sizeof(text) - 1;
    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b++) {
            struct utf8_state state = {0};
            cr_assert(utf8_feed(&state, bytes_make(text, a)));
            cr_assert_eq(utf8_is_complete(&state), a == len || (text[a] & 0xc0) != 0x80);
            cr_assert(utf8_feed(&state, bytes_make(text + a, b - a)));
            cr_assert(utf8_feed(&state, bytes_make(text + b, len - b)));
            cr_assert(utf8_is_complete(&state));
        }
    }
}

Test(utf8, an_empty_piece_changes_nothing_inside_a_character)
{
    struct utf8_state state = {0};
    cr_assert(utf8_feed(&state, BYTES_OF("\xe2\x82")));
    cr_assert(utf8_feed(&state, BYTES_EMPTY));
    cr_assert_not(utf8_is_complete(&state));
    cr_assert(utf8_feed(&state, BYTES_OF("\xac")));
    cr_assert(utf8_is_complete(&state));
}

Test(utf8, a_bad_byte_is_found_at_every_place_in_long_ascii)
{
    char text[64];
    for (size_t begin = 0; begin < 8; begin++) {
        for (size_t at = begin; at < sizeof(text); at++) {
            memset(text, 'a', sizeof(text));
            struct bytes view = bytes_make(text + begin, sizeof(text) - begin);
            cr_assert(utf8_is_valid(view));
            text[at] = '\xff';
            cr_assert_not(utf8_is_valid(view));
            text[at] = '\xc3';
            cr_assert_not(utf8_is_valid(view));
        }
    }
}

Test(utf8, random_texts_in_random_pieces_agree_with_the_grammar)
{
    srand(3629);
    const unsigned char pool[] = {'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2,
                                  0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4};
    int valid = 0;
    for (int round = 0; round < 300000; round++) {
        unsigned char text[24];
        size_t len = (size_t)(rand() % 6);
        for (size_t i = 0; i < len; i++) {
            text[i] = pool[(size_t)rand() % sizeof(pool)];
        }
        struct utf8_state state = {0};
        bool good = true;
        for (size_t at = 0; at < len && good;) {
            size_t piece = 1 + (size_t)rand() % (len - at);
            good = utf8_feed(&state, bytes_make(text + at, piece));
            at += piece;
        }
        good = good && utf8_is_complete(&state);
        cr_assert_eq(good, plain_is_valid(text, len));
        valid += good;
    }
    cr_assert_gt(valid, 1000);
}
