// JSON trees: limits, refusals with their place, values of every kind, printing.
#include "../../support/leaks.h"

#include "tidegate/codec/json_read.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(json_read, .init = json_read_setup, .fini = leaks_check);

static struct json *parse(const char *text)
{
    struct json *root = NULL;
    struct json_error error = {0, 0, ""};
    cr_assert_eq(json_parse(bytes_str(text), 1 << 20, &root, &error), 0, "%s: %s", text,
                 error.text);
    cr_assert_not_null(root);
    return root;
}

static void expect_error(struct bytes text, int line, int column, const char *part)
{
    struct json *root = NULL;
    struct json_error error = {0, 0, ""};
    cr_assert_eq(json_parse(text, 1 << 20, &root, &error), -EINVAL, "%.*s", (int)text.len, text.at);
    cr_assert_null(root, "the output is untouched");
    cr_assert_eq(error.line, line, "%.*s: line %d", (int)text.len, text.at, error.line);
    cr_assert_eq(error.column, column, "%.*s: column %d", (int)text.len, text.at, error.column);
    cr_assert_not_null(strstr(error.text, part), "%s", error.text);
    // Without anywhere to tell it, it is the same error.
    cr_assert_eq(json_parse(text, 1 << 20, &root, NULL), -EINVAL);
}

Test(json_read, values_of_every_kind_are_read)
{
    struct json *root =
        parse("{\"n\":null,\"t\":true,\"f\":false,\"i\":-5,\"r\":2.5,\"s\":\"a\\u00e9\","
              "\"a\":[1,2],\"o\":{\"x\":1}}");
    cr_assert_eq(json_kind(root), JSON_OBJECT);
    cr_assert_eq(json_count(root), 8);
    cr_assert_eq(json_kind(json_get(root, "n")), JSON_NULL);
    cr_assert_eq(json_kind(json_get(root, "t")), JSON_BOOL);
    cr_assert(json_bool(json_get(root, "t")));
    cr_assert_eq(json_kind(json_get(root, "f")), JSON_BOOL);
    cr_assert_not(json_bool(json_get(root, "f")));
    cr_assert_eq(json_kind(json_get(root, "i")), JSON_NUMBER);
    cr_assert_eq(json_number(json_get(root, "i")), -5);
    cr_assert_float_eq(json_real(json_get(root, "i")), -5.0, 0);
    cr_assert_eq(json_kind(json_get(root, "r")), JSON_REAL);
    cr_assert_float_eq(json_real(json_get(root, "r")), 2.5, 0);
    cr_assert_eq(json_kind(json_get(root, "s")), JSON_STRING);
    cr_assert(bytes_equal(json_string(json_get(root, "s")), BYTES_OF("a\xc3\xa9")));
    cr_assert_eq(json_kind(json_get(root, "a")), JSON_ARRAY);
    cr_assert_eq(json_count(json_get(root, "a")), 2);
    cr_assert_eq(json_number(json_at(json_get(root, "a"), 1)), 2);
    cr_assert_eq(json_kind(json_get(root, "o")), JSON_OBJECT);
    json_destroy(root);
}

Test(json_read, asking_for_another_kind_gives_nothing)
{
    struct json *root = parse("{\"s\":\"1\",\"i\":1,\"a\":[]}");
    const struct json *string = json_get(root, "s");
    const struct json *number = json_get(root, "i");
    cr_assert_null(json_get(root, "S"));
    cr_assert_null(json_get(string, "s"));
    cr_assert_null(json_get(NULL, "s"));
    cr_assert_null(json_at(root, 0));
    cr_assert_null(json_at(NULL, 0));
    cr_assert_null(json_at(json_get(root, "a"), 0));
    cr_assert_null(json_at(json_get(root, "a"), SIZE_MAX));
    cr_assert_eq(json_number(string), 0);
    cr_assert_float_eq(json_real(string), 0, 0);
    cr_assert_not(json_bool(number));
    cr_assert_eq(json_string(number).len, 0);
    cr_assert_eq(json_count(string), 0);
    cr_assert_eq(json_count(NULL), 0);
    cr_assert_eq(json_number(NULL), 0);
    cr_assert_eq(json_kind(NULL), JSON_NULL);
    cr_assert_eq(json_string(NULL).len, 0);
    json_destroy(root);
    json_destroy(NULL);
}

Test(json_read, a_text_larger_than_allowed_is_refused_before_anything_else)
{
    struct json *root = NULL;
    struct json_error error;
    cr_assert_eq(json_parse(BYTES_OF("[1]"), 3, &root, &error), 0);
    json_destroy(root);
    root = NULL;
    cr_assert_eq(json_parse(BYTES_OF("[1] "), 3, &root, &error), -EMSGSIZE);
    cr_assert_null(root);
    cr_assert_str_eq(error.text, "larger than 3 bytes");
    cr_assert_eq(json_parse(BYTES_OF("!"), 0, &root, NULL), -EMSGSIZE);
}

Test(json_read, errors_have_line_and_column_from_one)
{
    expect_error(BYTES_EMPTY, 1, 1, "ends too early");
    expect_error(BYTES_OF("x"), 1, 1, "a value expected");
    expect_error(BYTES_OF("[1,\n 2,\n  x]"), 3, 3, "a value expected");
    expect_error(BYTES_OF("{\"a\" 1}"), 1, 6, "':' expected");
    expect_error(BYTES_OF("{\"a\":1\n\"b\":2}"), 2, 1, "',' or '}' expected");
    expect_error(BYTES_OF("[1 2]"), 1, 4, "',' or ']' expected");
    expect_error(BYTES_OF("{'a':1}"), 1, 2, "double quotes");
    expect_error(BYTES_OF("[\"\xc3\xa9\", x]"), 1, 7, "a value expected");
    expect_error(BYTES_OF("[1]\n\n2"), 3, 1, "behind the value");
    expect_error(BYTES_OF("[1,\n"), 2, 1, "ends too early");
    expect_error(BYTES_OF("[\"ab\xff\"]"), 1, 5, "UTF-8");
    expect_error(BYTES_OF("[1,\n\"a\tb\"]"), 2, 3, "control character");
    expect_error(BYTES_OF("[01]"), 1, 3, "begin with 0");
}

Test(json_read, duplicate_keys_are_refused_at_every_level)
{
    struct json *root = NULL;
    struct json_error error;
    const char *bad[] = {"{\"a\":1,\"a\":2}", "{\"x\":{\"a\":1,\"b\":2,\"a\":3}}",
                         "[{\"a\":1,\"\\u0061\":2}]"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(json_parse(bytes_str(bad[i]), 100, &root, &error), -EINVAL, "%s", bad[i]);
        cr_assert_not_null(strstr(error.text, "duplicate"), "%s", error.text);
        cr_assert_eq(error.line, 1);
        cr_assert_geq(error.column, 1);
    }
    json_destroy(parse("{\"a\":{\"a\":1},\"b\":{\"a\":1},\"A\":1}"));
}

Test(json_read, zero_characters_and_lone_surrogates_are_refused)
{
    struct json *root = NULL;
    struct json_error error;
    const char *bad[] = {"\"\\u0000\"", "[\"a\\u0000b\"]", "{\"\\u0000\":1}", "{\"a\\u0000\":1}"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(json_parse(bytes_str(bad[i]), 100, &root, &error), -EINVAL, "%s", bad[i]);
        cr_assert_not_null(strstr(error.text, "\\u0000 is not allowed"), "%s", error.text);
    }
    cr_assert_eq(json_parse(BYTES_OF("\"\\ud800\""), 100, &root, &error), -EINVAL);
    cr_assert_eq(json_parse(BYTES_OF("\"\\ud800\\u0041\""), 100, &root, &error), -EINVAL);
    cr_assert_eq(json_parse(BYTES_OF("\"\\udc00\""), 100, &root, &error), -EINVAL);
    struct json *good = parse("\"\\ud83d\\ude00\"");
    cr_assert(bytes_equal(json_string(good), BYTES_OF("\xf0\x9f\x98\x80")));
    json_destroy(good);
}

Test(json_read, numbers_reach_to_the_borders_and_not_past_them)
{
    struct json *root = parse("[9223372036854775807,-9223372036854775808,1.7976931348623157e308,"
                              "-0,1e2,9007199254740993]");
    cr_assert_eq(json_number(json_at(root, 0)), INT64_MAX);
    cr_assert_eq(json_number(json_at(root, 1)), INT64_MIN);
    cr_assert_eq(json_kind(json_at(root, 2)), JSON_REAL);
    cr_assert_eq(json_number(json_at(root, 3)), 0);
    cr_assert_eq(json_kind(json_at(root, 4)), JSON_REAL);
    cr_assert_float_eq(json_real(json_at(root, 4)), 100.0, 0);
    cr_assert_eq(json_number(json_at(root, 5)), 9007199254740993);
    json_destroy(root);
    const char *bad[] = {"9223372036854775808", "-9223372036854775809", "1e309", "-1e309",
                         "[123456789012345678901234567890]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(json_parse(bytes_str(bad[i]), 100, &root, NULL), -EINVAL, "%s", bad[i]);
    }
}

static struct bytes nest(char *to, int depth)
{
    memset(to, '[', (size_t)depth);
    memset(to + depth, ']', (size_t)depth);
    return bytes_make(to, (size_t)depth * 2);
}

Test(json_read, nesting_is_allowed_to_sixty_four_levels_and_refused_beyond)
{
    static char text[2000000];
    struct json *root = NULL;
    cr_assert_eq(json_parse(nest(text, 64), sizeof(text), &root, NULL), 0);
    json_destroy(root);
    expect_error(nest(text, 65), 1, 65, "nested too deep");
    struct json_error error;
    cr_assert_eq(json_parse(nest(text, 1000000), sizeof(text), &root, &error), -EINVAL);
    cr_assert_eq(error.column, 65);
}

struct visits {
    char keys[32];
    int stop_at;
};

static int visit(void *context, const char *key, const struct json *value)
{
    struct visits *visits = context;
    strcat(visits->keys, key);
    return json_number(value) == visits->stop_at ? 42 : 0;
}

Test(json_read, members_are_visited_in_the_documents_order_until_one_says_stop)
{
    struct json *root = parse("{\"z\":1,\"a\":2,\"m\":3,\"b\":4}");
    struct visits all = {"", -1};
    cr_assert_eq(json_each_member(root, visit, &all), 0);
    cr_assert_str_eq(all.keys, "zamb");
    struct visits some = {"", 2};
    cr_assert_eq(json_each_member(root, visit, &some), 42);
    cr_assert_str_eq(some.keys, "za");
    struct visits none = {"", -1};
    cr_assert_eq(json_each_member(json_get(root, "z"), visit, &none), 0);
    cr_assert_eq(json_each_member(NULL, visit, &none), 0);
    cr_assert_str_eq(none.keys, "");
    json_destroy(root);
}

Test(json_read, printing_is_compact_and_keeps_the_order)
{
    struct json *root =
        parse(" { \"z\" : [ 1 , -2.5 , null , true, false, {} , [] ] , \"a\" : \"x\\n\\u00e9\" } ");
    struct buf out;
    buf_init(&out, 1000);
    cr_assert_eq(json_print(root, &out), 0);
    cr_assert(
        bytes_equal(buf_bytes(&out),
                    BYTES_OF("{\"z\":[1,-2.5,null,true,false,{},[]],\"a\":\"x\\n\xc3\xa9\"}")));
    for (size_t max = 0; max < out.len; max++) {
        struct buf small;
        buf_init(&small, max);
        cr_assert_eq(json_print(root, &small), -EMSGSIZE);
        buf_finish(&small);
    }
    buf_finish(&out);
    json_destroy(root);
}

Test(json_read, many_keys_are_found_each)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    cr_assert_eq(buf_append(&text, BYTES_OF("{\"first\":0")), 0);
    for (int i = 0; i < 5000; i++) {
        cr_assert_eq(buf_printf(&text, ",\"key%d\":%d", i, i), 0);
    }
    cr_assert_eq(buf_append(&text, BYTES_OF("}")), 0);
    struct json *root = NULL;
    cr_assert_eq(json_parse(buf_bytes(&text), text.len, &root, NULL), 0);
    cr_assert_eq(json_count(root), 5001);
    for (int i = 0; i < 5000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%d", i);
        cr_assert_eq(json_number(json_get(root, key)), i);
    }
    json_destroy(root);
    buf_finish(&text);
}

Test(json_read, every_cut_of_a_document_is_refused_and_leaks_nothing)
{
    const char text[] = "{\"a\":[1,{\"b\":\"c\"},[[\"d\"]]],\"e\":{\"f\":2.5}}";
    for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
        struct json *root = NULL;
        char *copy = malloc(cut > 0 ? cut : 1);
        memcpy(copy, text, cut);
        cr_assert_eq(json_parse(bytes_make(copy, cut), 1000, &root, NULL), -EINVAL);
        cr_assert_null(root);
        free(copy);
    }
}
