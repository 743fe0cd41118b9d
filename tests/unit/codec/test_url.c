// Request targets: splitting, decoding strictly, finding query parameters.
#include "tidegate/codec/url.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static ptrdiff_t decode(struct bytes text, bool plus_is_space, char *to)
{
    // A block of exactly the promised size, for the sanitizer.
    char *block = malloc(text.len > 0 ? text.len : 1);
    ptrdiff_t result = url_decode(text, plus_is_space, block);
    if (result > 0) {
        memcpy(to, block, (size_t)result);
    }
    free(block);
    return result;
}

static void expect(const char *text, const char *decoded)
{
    char to[64];
    ptrdiff_t len = decode(bytes_str(text), false, to);
    cr_assert_eq(len, (ptrdiff_t)strlen(decoded), "%s", text);
    cr_assert_eq(memcmp(to, decoded, (size_t)len), 0, "%s", text);
}

Test(url, split_cuts_at_the_first_question_mark)
{
    const char *rows[][3] = {
        {"/a/b", "/a/b", ""},
        {"/a?b=c", "/a", "b=c"},
        {"/a?", "/a", ""},
        {"/a?b?c", "/a", "b?c"},
        {"", "", ""},
        {"?x", "", "x"},
        {"/a%3Fb?c", "/a%3Fb", "c"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes path;
        struct bytes query;
        url_split(bytes_str(rows[i][0]), &path, &query);
        cr_assert(bytes_equal(path, bytes_str(rows[i][1])), "%s", rows[i][0]);
        cr_assert(bytes_equal(query, bytes_str(rows[i][2])), "%s", rows[i][0]);
    }
}

Test(url, decode_replaces_escapes_in_both_cases_once)
{
    expect("", "");
    expect("plain", "plain");
    expect("a%20b", "a b");
    expect("%41%4a%4A", "AJJ");
    expect("%2541", "%41");
    expect("%e2%82%ac", "\xe2\x82\xac");
    expect("%2e%2e%2f", "../");
}

Test(url, plus_is_a_space_only_where_asked)
{
    char to[8];
    cr_assert_eq(decode(BYTES_OF("a+b"), true, to), 3);
    cr_assert_eq(memcmp(to, "a b", 3), 0);
    cr_assert_eq(decode(BYTES_OF("a+b"), false, to), 3);
    cr_assert_eq(memcmp(to, "a+b", 3), 0);
    cr_assert_eq(decode(BYTES_OF("a%2Bb"), true, to), 3);
    cr_assert_eq(memcmp(to, "a+b", 3), 0);
}

Test(url, every_escape_but_zero_decodes_to_its_byte)
{
    for (int c = 0; c < 256; c++) {
        char text[4];
        char to[4] = "";
        snprintf(text, sizeof(text), "%%%02x", c);
        cr_assert_eq(decode(bytes_str(text), false, to), c == 0 ? -EINVAL : 1);
        cr_assert_eq((unsigned char)to[0], c);
    }
}

Test(url, bad_and_cut_escapes_are_refused)
{
    const char *bad[] = {"%",    "a%",  "%4",  "a%4",    "%g0", "%0g",
                         "%%41", "% 1", "%-1", "%u0041", "%00"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char to[16];
        cr_assert_eq(decode(bytes_str(bad[i]), true, to), -EINVAL, "%s", bad[i]);
    }
    char to[4];
    cr_assert_eq(decode(BYTES_OF("a\0b"), true, to), -EINVAL);
    // The digits behind the end are not the view's.
    cr_assert_eq(decode(bytes_make("%41", 2), true, to), -EINVAL);
}

static bool get(const char *query, const char *name, struct bytes *ret_value)
{
    return url_query_get(bytes_str(query), name, ret_value);
}

Test(url, query_get_finds_the_first_parameter_of_the_whole_name)
{
    struct bytes value;
    cr_assert(get("since=a:1&history=5&history=6", "history", &value));
    cr_assert(bytes_equal(value, BYTES_OF("5")));
    cr_assert(get("since=a:1&history=5", "since", &value));
    cr_assert(bytes_equal(value, BYTES_OF("a:1")));
    cr_assert_not(get("xhistory=5&historyx=5&History=5", "history", &value));
}

Test(url, query_get_takes_values_raw_also_empty_ones)
{
    struct bytes value = BYTES_OF("untouched");
    cr_assert_not(get("", "a", &value));
    cr_assert_not(get("&&", "a", &value));
    cr_assert(bytes_equal(value, BYTES_OF("untouched")));
    cr_assert(get("a", "a", &value));
    cr_assert_eq(value.len, 0);
    cr_assert(get("&a=", "a", &value));
    cr_assert_eq(value.len, 0);
    cr_assert(get("a=b=c&", "a", &value));
    cr_assert(bytes_equal(value, BYTES_OF("b=c")));
    cr_assert(get("a=%26+x", "a", &value));
    cr_assert(bytes_equal(value, BYTES_OF("%26+x")));
    cr_assert_not(url_query_get(BYTES_EMPTY, "a", &value));
}
