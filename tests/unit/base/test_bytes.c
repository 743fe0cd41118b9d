// Views: comparing, cutting, numbers, globs, and the length of a UTF-8 character.
#include "tidegate/base/bytes.h"
#include "tidegate/base/clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool glob(const char *pattern, const char *text)
{
    return bytes_glob(bytes_str(pattern), bytes_str(text));
}

Test(bytes, empty_views_are_equal_whether_they_have_an_address_or_not)
{
    cr_assert(bytes_equal(BYTES_EMPTY, BYTES_OF("")));
    cr_assert(bytes_equal_nocase(BYTES_EMPTY, BYTES_OF("")));
    cr_assert(bytes_equal_secret(BYTES_EMPTY, BYTES_OF("")));
    cr_assert(bytes_starts_with(BYTES_EMPTY, BYTES_EMPTY));
    cr_assert_eq(bytes_str(NULL).len, 0);
}

Test(bytes, equal_nocase_ignores_the_case_of_ascii_letters_and_of_nothing_else)
{
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char one = (char)a;
            char two = (char)b;
            int lower_a = a >= 'A' && a <= 'Z' ? a + 32 : a;
            int lower_b = b >= 'A' && b <= 'Z' ? b + 32 : b;
            cr_assert_eq(bytes_equal_nocase(bytes_make(&one, 1), bytes_make(&two, 1)),
                         lower_a == lower_b, "%d %d", a, b);
        }
    }
    cr_assert_not(bytes_equal_nocase(BYTES_OF("ab"), BYTES_OF("abc")));
}

Test(bytes, find_gives_the_first_position_or_minus_one)
{
    cr_assert_eq(bytes_find(BYTES_OF("abcb"), 'b'), 1);
    cr_assert_eq(bytes_find(BYTES_OF("abcb"), 'x'), -1);
    cr_assert_eq(bytes_find(BYTES_OF("a\0b"), '\0'), 1);
    cr_assert_eq(bytes_find(BYTES_EMPTY, 'a'), -1);
    cr_assert_eq(bytes_find(bytes_make("abc", 2), 'c'), -1, "looked past the end");
}

Test(bytes, trim_removes_spaces_and_tabs_only)
{
    cr_assert(bytes_equal(bytes_trim(BYTES_OF(" \t a b\t ")), BYTES_OF("a b")));
    cr_assert(bytes_equal(bytes_trim(BYTES_OF("\r\na\n")), BYTES_OF("\r\na\n")));
    cr_assert_eq(bytes_trim(BYTES_OF(" \t ")).len, 0);
    cr_assert_eq(bytes_trim(BYTES_EMPTY).len, 0);
}

Test(bytes, next_part_gives_each_part_once_also_empty_ones)
{
    struct bytes rest = BYTES_OF("a,,bc,");
    const char *expected[] = {"a", "", "bc", ""};
    struct bytes part;
    for (size_t i = 0; i < 4; i++) {
        cr_assert(bytes_next_part(&rest, ',', &part));
        cr_assert(bytes_equal(part, bytes_str(expected[i])), "part %zu", i);
    }
    cr_assert_not(bytes_next_part(&rest, ',', &part));
    cr_assert_not(bytes_next_part(&rest, ',', &part));
}

Test(bytes, an_empty_text_is_one_empty_part_and_a_null_view_is_none)
{
    struct bytes rest = BYTES_OF("");
    struct bytes part;
    cr_assert(bytes_next_part(&rest, ',', &part));
    cr_assert_eq(part.len, 0);
    cr_assert_not(bytes_next_part(&rest, ',', &part));
    rest = BYTES_EMPTY;
    cr_assert_not(bytes_next_part(&rest, ',', &part));
}

Test(bytes, to_u64_reads_numbers_up_to_the_largest)
{
    uint64_t value = 7;
    cr_assert_eq(bytes_to_u64(BYTES_OF("0"), 0, &value), 0);
    cr_assert_eq(value, 0);
    cr_assert_eq(bytes_to_u64(BYTES_OF("18446744073709551615"), UINT64_MAX, &value), 0);
    cr_assert_eq(value, UINT64_MAX);
    cr_assert_eq(bytes_to_u64(BYTES_OF("000000000000000000000000042"), 42, &value), 0);
    cr_assert_eq(value, 42);
}

Test(bytes, to_u64_refuses_what_is_past_the_limit_and_leaves_the_output_alone)
{
    uint64_t value = 7;
    cr_assert_eq(bytes_to_u64(BYTES_OF("18446744073709551616"), UINT64_MAX, &value), -ERANGE);
    cr_assert_eq(bytes_to_u64(BYTES_OF("99999999999999999999"), UINT64_MAX, &value), -ERANGE);
    cr_assert_eq(bytes_to_u64(BYTES_OF("43"), 42, &value), -ERANGE);
    cr_assert_eq(bytes_to_u64(BYTES_OF("1"), 0, &value), -ERANGE);
    cr_assert_eq(bytes_to_u64(BYTES_OF("5"), 4, &value), -ERANGE);
    // A number past the limit does not come back into range by its next digits.
    cr_assert_eq(bytes_to_u64(BYTES_OF("90000"), 5, &value), -ERANGE);
    cr_assert_eq(value, 7);
}

Test(bytes, to_u64_refuses_everything_but_digits)
{
    uint64_t value = 7;
    const char *bad[] = {"",    "-1",  "+1",  " 1", "1 ",
                         "0x1", "1.0", "1e3", "a",  "99999999999999999999x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(bytes_to_u64(bytes_str(bad[i]), UINT64_MAX, &value), -EINVAL, "%s", bad[i]);
    }
    cr_assert_eq(bytes_to_u64(BYTES_OF("1\0"), UINT64_MAX, &value), -EINVAL);
    cr_assert_eq(value, 7);
}

Test(bytes, to_u64_agrees_with_arithmetic_at_every_small_limit)
{
    for (uint64_t max = 0; max < 130; max++) {
        for (uint64_t number = 0; number < 130; number++) {
            char text[8];
            int len = snprintf(text, sizeof(text), "%d", (int)number);
            uint64_t value = 1000;
            int result = bytes_to_u64(bytes_make(text, (size_t)len), max, &value);
            cr_assert_eq(result, number <= max ? 0 : -ERANGE);
            cr_assert_eq(value, number <= max ? number : 1000);
        }
    }
}

Test(bytes, glob_matches_runs_and_single_bytes)
{
    cr_assert(glob("", ""));
    cr_assert_not(glob("", "a"));
    cr_assert(glob("*", ""));
    cr_assert(glob("*", "anything"));
    cr_assert(glob("a*c", "ac"));
    cr_assert(glob("a*c", "abbbc"));
    cr_assert_not(glob("a*c", "abbb"));
    cr_assert(glob("?", "a"));
    cr_assert_not(glob("?", ""));
    cr_assert_not(glob("?", "ab"));
    cr_assert(glob("a?c*", "abcd"));
    cr_assert(glob("**a**", "xxaxx"));
    cr_assert(glob("*ab*cd*", "xxabyyabcdzz"));
    cr_assert(glob("https://*.example.com", "https://a.b.example.com"));
    cr_assert_not(glob("https://*.example.com", "https://example.com"));
    cr_assert_not(glob("https://*.example.com", "https://a.example.com.evil.test"));
    cr_assert_not(glob("abc", "ABC"));
}

// The definition, as plain recursion: exponential, good for short texts only.
static bool slow_glob(const char *pattern, const char *text)
{
    if (*pattern == '\0') {
        return *text == '\0';
    }
    if (*pattern == '*') {
        return slow_glob(pattern + 1, text) || (*text != '\0' && slow_glob(pattern, text + 1));
    }
    return *text != '\0' && (*pattern == '?' || *pattern == *text) &&
           slow_glob(pattern + 1, text + 1);
}

Test(bytes, glob_agrees_with_its_definition_on_random_short_patterns)
{
    srand(20261124);
    for (int round = 0; round < 200000; round++) {
        char pattern[8] = "";
        char text[8] = "";
        int pattern_len = rand() % 7;
        int text_len = rand() % 7;
        for (int i = 0; i < pattern_len; i++) {
            pattern[i] = "ab*?"[rand() % 4];
        }
        for (int i = 0; i < text_len; i++) {
            text[i] = "ab"[rand() % 2];
        }
        cr_assert_eq(glob(pattern, text), slow_glob(pattern, text), "%s %s", pattern, text);
    }
}

Test(bytes, glob_takes_no_exponential_time_on_hostile_patterns)
{
    char pattern[2001];
    char text[2001];
    for (size_t i = 0; i < 2000; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[1999] = 'b';
    memset(text, 'a', 2000);
    int64_t begin = clock_now_ms();
    cr_assert_not(bytes_glob(bytes_make(pattern, 2000), bytes_make(text, 2000)));
    cr_assert_lt(clock_now_ms() - begin, 2000);
}

Test(bytes, equal_secret_sees_a_difference_at_every_bit)
{
    char a[33];
    char b[33];
    memset(a, 0x5a, sizeof(a));
    for (size_t i = 0; i < sizeof(a) * 8; i++) {
        memcpy(b, a, sizeof(a));
        cr_assert(bytes_equal_secret(bytes_make(a, sizeof(a)), bytes_make(b, sizeof(b))));
        b[i / 8] = (char)(b[i / 8] ^ (1 << (i % 8)));
        cr_assert_not(bytes_equal_secret(bytes_make(a, sizeof(a)), bytes_make(b, sizeof(b))));
    }
    cr_assert_not(bytes_equal_secret(BYTES_OF("a"), BYTES_OF("aa")));
}

// Encodes `code` whatever it is, into 1 to 4 bytes.
static size_t encode(uint32_t code, char *to)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

Test(bytes, utf8_len_knows_every_code_point_and_no_surrogate)
{
    for (uint32_t code = 0; code < 0x120000; code++) {
        char text[4];
        size_t len = encode(code, text);
        bool is_valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        if (bytes_utf8_len(bytes_make(text, len)) != (is_valid ? len : 0)) {
            cr_assert(false, "U+%X", code);
        }
        if (len > 1 && bytes_utf8_len(bytes_make(text, len - 1)) != 0) {
            cr_assert(false, "cut U+%X", code);
        }
    }
    cr_assert_eq(bytes_utf8_len(BYTES_EMPTY), 0);
    cr_assert_eq(bytes_utf8_len(BYTES_OF("\xc0\x80")), 0);
    cr_assert_eq(bytes_utf8_len(BYTES_OF("\xe0\x80\x80")), 0);
    cr_assert_eq(bytes_utf8_len(BYTES_OF("\xf0\x80\x80\x80")), 0);
}
