// Raw members and elements, and places: views into the text, never past its end.
#include "tidegate/codec/json_read.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static bool member(const char *text, const char *key, struct bytes *ret_raw)
{
    return json_raw_member(bytes_str(text), key, ret_raw);
}

static void expect_member(const char *text, const char *key, const char *raw)
{
    struct bytes found;
    cr_assert(member(text, key, &found), "%s in %s", key, text);
    cr_assert(bytes_equal(found, bytes_str(raw)), "%.*s", (int)found.len, found.at);
}

Test(json_raw, a_member_comes_as_it_stands_without_space_around_it)
{
    const char *text =
        " { \"a\" : 1.50 , \"b\":[ 1, {\"a\":2} ] ,\"c\": \"x\\u0041\\\"}\" ,\"d\":{ }\n,"
        "\"e\":null}";
    expect_member(text, "a", "1.50");
    expect_member(text, "b", "[ 1, {\"a\":2} ]");
    expect_member(text, "c", "\"x\\u0041\\\"}\"");
    expect_member(text, "d", "{ }");
    expect_member(text, "e", "null");
}

Test(json_raw, only_members_of_the_top_level_object_are_found)
{
    struct bytes raw = BYTES_OF("untouched");
    cr_assert_not(member("{\"a\":{\"b\":1},\"c\":[{\"b\":2}],\"d\":\"\\\"b\\\":3\"}", "b", &raw));
    cr_assert_not(member("{}", "b", &raw));
    cr_assert_not(member("[\"b\",1]", "b", &raw));
    cr_assert_not(member("\"b\"", "b", &raw));
    cr_assert_not(member("", "b", &raw));
    cr_assert_not(member("{\"bb\":1,\"B\":1,\"\":1}", "b", &raw));
    cr_assert(bytes_equal(raw, BYTES_OF("untouched")));
    expect_member("{\"x\":{\"b\":1},\"b\":2}", "b", "2");
    expect_member("{\"\":1}", "", "1");
}

Test(json_raw, the_first_of_two_members_counts_and_escaped_keys_are_other_keys)
{
    expect_member("{\"a\":1,\"a\":2}", "a", "1");
    expect_member("{\"\\u0061\":1,\"a\":2}", "a", "2");
}

Test(json_raw, elements_come_one_by_one)
{
    struct bytes array = BYTES_OF(" [ 1 ,\"a,]\" , [2,[3]],{\"a\":[4]} ] ");
    const char *expected[] = {"1", "\"a,]\"", "[2,[3]]", "{\"a\":[4]}"};
    size_t cursor = 0;
    struct bytes raw;
    for (size_t i = 0; i < 4; i++) {
        cr_assert(json_raw_element(array, &cursor, &raw));
        cr_assert(bytes_equal(raw, bytes_str(expected[i])), "%.*s", (int)raw.len, raw.at);
    }
    cr_assert_not(json_raw_element(array, &cursor, &raw));
    cr_assert_not(json_raw_element(array, &cursor, &raw));
}

Test(json_raw, an_empty_array_and_what_is_no_array_have_no_elements)
{
    const char *none[] = {"[]", " [ ] ", "{}", "{\"a\":1}", "1", "\"[1]\"", "", " "};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        size_t cursor = 0;
        struct bytes raw;
        cr_assert_not(json_raw_element(bytes_str(none[i]), &cursor, &raw), "%s", none[i]);
    }
    char *text = malloc(3);
    memcpy(text, "[1]", 3);
    for (size_t cursor = 2; cursor < 10; cursor++) {
        size_t moved = cursor;
        struct bytes raw;
        cr_assert_not(json_raw_element(bytes_make(text, 3), &moved, &raw));
    }
    free(text);
}

Test(json_raw, broken_and_cut_text_is_never_read_past_its_end)
{
    const char text[] = "{\"a\":[1,{\"b\":\"c\\u0041\"},-1e5,true],\"d\":\"e\",\"f\":[]}";
    srand(5);
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)rand() % sizeof(text);
        char *copy = malloc(len > 0 ? len : 1);
        memcpy(copy, text, len);
        if (len > 0 && round % 3 != 0) {
            copy[(size_t)rand() % len] = "[]{}\",:\\e\0"[rand() % 10];
        }
        struct bytes cut = bytes_make(copy, len);
        struct bytes raw;
        int line;
        int column;
        (void)json_raw_member(cut, "f", &raw);
        (void)json_locate(cut, "a.1.b", &line, &column);
        size_t cursor = 0;
        size_t found = 0;
        struct bytes array = bytes_skip(cut, len > 5 ? 5 : len);
        while (json_raw_element(array, &cursor, &raw)) {
            cr_assert_leq(cursor, array.len);
            cr_assert_lt(found++, sizeof(text));
        }
        free(copy);
    }
}

static const char document[] = "{\n"
                               "  \"channel\": {\n"
                               "    \"namespaces\": [\n"
                               "      {\"name\": \"a\"},\n"
                               "      {\"caf\xc3\xa9\": 1, \"name\": \"b\"}\n"
                               "    ]\n"
                               "  },\n"
                               "  \"port\": 8000\n"
                               "}\n";

static void expect_place(const char *path, int line, int column)
{
    int found_line = 0;
    int found_column = 0;
    cr_assert(json_locate(BYTES_OF(document), path, &found_line, &found_column), "%s", path);
    cr_assert_eq(found_line, line, "%s: line %d", path, found_line);
    cr_assert_eq(found_column, column, "%s: column %d", path, found_column);
}

Test(json_raw, locate_gives_the_keys_place_and_the_elements_place)
{
    expect_place("", 1, 1);
    expect_place("channel", 2, 3);
    expect_place("channel.namespaces", 3, 5);
    expect_place("channel.namespaces.0", 4, 7);
    expect_place("channel.namespaces.0.name", 4, 8);
    expect_place("channel.namespaces.1", 5, 7);
    // The column counts characters: the accented one is two bytes.
    expect_place("channel.namespaces.1.name", 5, 19);
    expect_place("port", 8, 3);
}

Test(json_raw, locate_finds_nothing_where_there_is_nothing)
{
    const char *none[] = {"x",
                          "port.x",
                          "port.0",
                          "channel.namespaces.2",
                          "channel.namespaces.x",
                          "channel.namespaces.-1",
                          "channel.namespaces.0.x",
                          "channel.",
                          ".channel",
                          "channel..namespaces",
                          "channel.namespaces.99999999999999999999"};
    int line = 77;
    int column = 77;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        cr_assert_not(json_locate(BYTES_OF(document), none[i], &line, &column), "%s", none[i]);
    }
    cr_assert_not(json_locate(BYTES_EMPTY, "", &line, &column));
    cr_assert(line == 77 && column == 77);
}
