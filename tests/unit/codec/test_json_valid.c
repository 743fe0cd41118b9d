// The scan: what is JSON and what is not, at every cut, at every depth, in one pass.
#include "tidegate/base/clock.h"
#include "tidegate/codec/json_read.h"

#include <criterion/criterion.h>
#include <stdlib.h>

// A copy of exactly the text's size, so that the sanitizer sees a read past its end.
static bool valid_bytes(struct bytes text, int depth_max)
{
    char *copy = malloc(text.len > 0 ? text.len : 1);
    if (text.len > 0) {
        memcpy(copy, text.at, text.len);
    }
    bool result = json_is_valid(bytes_make(copy, text.len), depth_max);
    free(copy);
    return result;
}

static bool valid(const char *text)
{
    return valid_bytes(bytes_str(text), 64);
}

Test(json_valid, every_kind_of_value_is_a_document)
{
    const char *good[] = {"null",
                          "true",
                          "false",
                          "0",
                          "-0",
                          "1",
                          "-1",
                          "10",
                          "1.5",
                          "-0.0",
                          "0e0",
                          "1e5",
                          "1E+5",
                          "1.25e-5",
                          "123456789012345678901234567890",
                          "1e999999",
                          "\"\"",
                          "\"a\"",
                          "[]",
                          "{}",
                          "[1]",
                          "[1,2]",
                          "[[],{}]",
                          "{\"a\":1}",
                          "{\"a\":{\"b\":[null]},\"c\":\"d\"}",
                          "{\"\":0}",
                          "{\"a\":1,\"a\":2}",
                          " \t\r\n[ 1 , 2 ]\n",
                          " { \"a\" : 1 , \"b\" : [ ] } "};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_assert(valid(good[i]), "%s", good[i]);
    }
}

Test(json_valid, what_is_nearly_json_is_refused)
{
    const char *bad[] = {"",
                         " ",
                         "nul",
                         "nulll",
                         "True",
                         "NaN",
                         "Infinity",
                         "-Infinity",
                         "undefined",
                         "'a'",
                         "a",
                         "01",
                         "-01",
                         "00",
                         "+1",
                         "-",
                         "1.",
                         ".5",
                         "-.5",
                         "1e",
                         "1e+",
                         "1.e5",
                         "0x10",
                         "1 2",
                         "--1",
                         "[",
                         "]",
                         "[1",
                         "[1,",
                         "[1,]",
                         "[,1]",
                         "[1 2]",
                         "[1}",
                         "{",
                         "}",
                         "{]",
                         "[}",
                         "{\"a\"",
                         "{\"a\":",
                         "{\"a\":1",
                         "{\"a\":1,",
                         "{\"a\":1,}",
                         "{,}",
                         "{a:1}",
                         "{1:1}",
                         "{\"a\" 1}",
                         "{\"a\":}",
                         "{\"a\":1 \"b\":2}",
                         "{\"a\"}",
                         "{\"a\":1}}",
                         "[1]]",
                         "[1]x",
                         "//x\n1",
                         "/**/1",
                         "[1:2]",
                         "{\"a\",1}",
                         "\"",
                         "\"a",
                         "\"\\",
                         "\"\\\"",
                         "\"\\x41\"",
                         "\"\\u\"",
                         "\"\\u12\"",
                         "\"\\u123g\"",
                         "\"\\U0041\"",
                         "\"\t\"",
                         "\"\n\"",
                         "\f1",
                         "1\v",
                         "\xef\xbb\xbf[]",
                         "\"a\"\"b\"",
                         "null null",
                         "[1]\xc2\xa0"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_not(valid(bad[i]), "%s", bad[i]);
    }
    cr_assert_not(valid_bytes(BYTES_OF("1\0"), 64));
    cr_assert_not(valid_bytes(BYTES_OF("\"\0\""), 64));
    cr_assert_not(valid_bytes(BYTES_OF("\"\\\0\""), 64));
    cr_assert_not(json_is_valid(BYTES_EMPTY, 64));
}

Test(json_valid, escapes_are_those_of_the_rfc)
{
    cr_assert(valid("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\\u0000\\ud800\""));
    for (int c = 0; c < 256; c++) {
        char text[] = "\"\\x0000\"";
        text[2] = (char)c;
        bool is_known = c != 0 && strchr("\"\\/bfnrtu", c) != NULL;
        // A quote that is escaped leaves the one at the end; every other known escape too.
        cr_assert_eq(valid_bytes(bytes_make(text, sizeof(text) - 1), 64), is_known, "%d", c);
    }
}

Test(json_valid, strings_hold_every_byte_that_utf8_and_the_rfc_allow)
{
    for (int c = 0; c < 256; c++) {
        char text[] = "\"x\"";
        text[1] = (char)c;
        bool is_good = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
        cr_assert_eq(valid_bytes(bytes_make(text, 3), 64), is_good, "%d", c);
    }
    cr_assert(valid("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""));
    cr_assert_not(valid("\"\xc3\""));
    cr_assert_not(valid("\"\xed\xa0\x80\""));
    cr_assert_not(valid("{\"\xff\":1}"));
}

Test(json_valid, every_cut_of_an_object_is_refused)
{
    const char text[] = "{\"a\":[1,-2.5e+3,true,null,{\"b\\u00e9\":\"c\\n\"}],\"d\":{}}";
    size_t len = sizeof(text) - 1;
    for (size_t cut = 0; cut < len; cut++) {
        cr_assert_not(valid_bytes(bytes_make(text, cut), 64), "%zu", cut);
    }
    cr_assert(valid_bytes(bytes_make(text, len), 64));
}

// `depth` brackets of both kinds in turn, around nothing.
static size_t nest(char *to, int depth)
{
    size_t len = 0;
    for (int i = 0; i < depth; i++) {
        if (i % 2 == 0) {
            to[len++] = '[';
        } else {
            memcpy(to + len, "{\"a\":", 5);
            len += 5;
        }
    }
    to[len++] = '1';
    for (int i = depth - 1; i >= 0; i--) {
        to[len++] = i % 2 == 0 ? ']' : '}';
    }
    return len;
}

Test(json_valid, depth_is_limited_exactly)
{
    static char text[20000];
    const int depths[] = {0, 1, 2, 63, 64, 65, 127, 128, 1023, 1024};
    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        struct bytes nested = bytes_make(text, nest(text, depths[i]));
        cr_assert(valid_bytes(nested, depths[i]), "%d", depths[i]);
        cr_assert(depths[i] == 0 || !valid_bytes(nested, depths[i] - 1), "%d", depths[i]);
    }
    cr_assert(valid("[[],[],{},[[]]]"));
    cr_assert_not(valid_bytes(BYTES_OF("[]"), 0));
    cr_assert_not(valid_bytes(BYTES_OF("[]"), -1));
    cr_assert(valid_bytes(BYTES_OF("1"), -1));
    cr_assert(valid_bytes(BYTES_OF("[]"), 1));
    cr_assert(valid_bytes(BYTES_OF("[[],[]]"), 2));
    cr_assert_not(valid_bytes(BYTES_OF("[[[]]]"), 2));
}

Test(json_valid, no_depth_is_beyond_the_hard_limit)
{
    static char text[20000];
    struct bytes nested = bytes_make(text, nest(text, 1025));
    cr_assert_not(valid_bytes(nested, 1 << 30));
    nested = bytes_make(text, nest(text, 1024));
    cr_assert(valid_bytes(nested, 1 << 30));
}

Test(json_valid, a_closing_bracket_belongs_to_the_level_it_closes)
{
    cr_assert(valid("[{\"a\":[{}]}]"));
    cr_assert_not(valid("[{\"a\":[{]}]}"));
    cr_assert_not(valid("[{\"a\":1]}"));
    // A level's kind is forgotten when it is left and another opened in its place.
    cr_assert(valid("[{\"a\":1},[1],{\"b\":2}]"));
    cr_assert_not(valid("[{\"a\":1},[\"b\":2]]"));
    cr_assert_not(valid("[[1],{1}]"));
}

Test(json_valid, a_megabyte_of_hostile_text_takes_linear_time)
{
    size_t len = 1 << 20;
    char *text = malloc(len);
    const char *fills[] = {"[", "{\"\":", "\"", "\\", "[1,", "\\u0000", " "};
    int64_t begin = clock_now_ms();
    for (size_t i = 0; i < sizeof(fills) / sizeof(fills[0]); i++) {
        size_t fill = strlen(fills[i]);
        for (size_t at = 0; at < len; at++) {
            text[at] = fills[i][at % fill];
        }
        cr_assert_not(json_is_valid(bytes_make(text, len), 64));
        text[0] = '"';
        (void)json_is_valid(bytes_make(text, len), 64);
    }
    cr_assert_lt(clock_now_ms() - begin, 3000);
    free(text);
}

// A random value; nesting ends at `depth`.
static size_t grow(char *to, int depth)
{
    static const char *const scalars[] = {"null", "true",         "-1.5e3", "\"a\\n\"",
                                          "0",    "\"\xc3\xa9\"", "[]",     "{}"};
    int kind = rand() % (depth > 0 ? 4 : 2);
    if (kind < 2) {
        const char *scalar = scalars[(size_t)rand() % 8];
        memcpy(to, scalar, strlen(scalar));
        return strlen(scalar);
    }
    size_t len = 0;
    to[len++] = kind == 2 ? '[' : '{';
    int count = 1 + rand() % 3;
    for (int i = 0; i < count; i++) {
        if (i > 0) {
            to[len++] = ',';
        }
        if (kind == 3) {
            memcpy(to + len, "\"k\" :", 5);
            len += 5;
        }
        len += grow(to + len, depth - 1);
        to[len++] = ' ';
    }
    to[len++] = kind == 2 ? ']' : '}';
    return len;
}

// A tree is only ever built from valid text; the reverse does not hold (duplicate keys).
Test(json_valid, random_documents_are_valid_and_what_parses_is_always_valid)
{
    srand(1);
    static char text[65536];
    int parsed = 0;
    for (int round = 0; round < 20000; round++) {
        size_t len = grow(text, 5);
        cr_assert(valid_bytes(bytes_make(text, len), 64), "%.*s", (int)len, text);
        // One byte changed: often broken, and never read past the end.
        static const char noise[] = "[]{}\",:0e.-\\ \x80tu";
        text[(size_t)rand() % len] = noise[(size_t)rand() % (sizeof(noise) - 1)];
        bool is_valid = valid_bytes(bytes_make(text, len), 64);
        struct json *root = NULL;
        if (json_parse(bytes_make(text, len), len, &root, NULL) == 0) {
            cr_assert(is_valid);
            parsed++;
        }
        json_destroy(root);
    }
    cr_assert_gt(parsed, 1000);
}
