// The JSON writer: commas, escapes, numbers, and the error that is kept.
#include "../../support/leaks.h"

#include "tidegate/codec/base64.h"
#include "tidegate/codec/json_read.h"
#include "tidegate/codec/json_write.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static struct buf out;
static struct json_writer writer;

static void setup(void)
{
    buf_init(&out, 1 << 16);
    json_write_begin(&writer, &out);
}

static void teardown(void)
{
    buf_finish(&out);
    leaks_check();
}

TestSuite(json_write, .init = setup, .fini = teardown);

static void expect(const char *json)
{
    cr_assert_eq(json_write_end(&writer), 0);
    cr_assert(bytes_equal(buf_bytes(&out), bytes_str(json)), "got %.*s, not %s", (int)out.len,
              out.at, json);
}

Test(json_write, commas_stand_between_values_and_nowhere_else)
{
    json_open_object(&writer);
    json_key(&writer, "a");
    json_open_array(&writer);
    json_put_number(&writer, 1);
    json_open_object(&writer);
    json_close_object(&writer);
    json_open_array(&writer);
    json_close_array(&writer);
    json_put_null(&writer);
    json_close_array(&writer);
    json_field_bool(&writer, "b", true);
    json_field_raw(&writer, "c", BYTES_OF("{\"x\": 1}"));
    json_key(&writer, "d");
    json_open_object(&writer);
    json_field_string(&writer, "e", BYTES_OF("f"));
    json_field_unsigned(&writer, "g", UINT64_MAX);
    json_close_object(&writer);
    json_field_number(&writer, "h", INT64_MIN);
    json_close_object(&writer);
    expect("{\"a\":[1,{},[],null],\"b\":true,\"c\":{\"x\": 1},\"d\":{\"e\":\"f\","
           "\"g\":18446744073709551615},\"h\":-9223372036854775808}");
}

Test(json_write, strings_are_escaped_for_pages_and_scripts)
{
    json_put_string(&writer, BYTES_OF("\"\\/\b\f\n\r\t\x01\x1f\x7f<>&'\xe2\x80\xa8\xe2\x80\xa9"));
    expect("\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0001\\u001f\x7f\\u003c\\u003e\\u0026'"
           "\\u2028\\u2029\"");
}

Test(json_write, other_utf8_passes_and_bad_utf8_is_replaced)
{
    json_put_string(&writer,
                    BYTES_OF("\xc3\xa9\xf0\x9f\x98\x80\xe2\x80\xa7 \xff\xc3 \xed\xa0\x80"));
    expect("\"\xc3\xa9\xf0\x9f\x98\x80\xe2\x80\xa7 \xef\xbf\xbd\xef\xbf\xbd "
           "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

Test(json_write, empty_strings_and_keys_that_need_escapes)
{
    json_open_object(&writer);
    json_key_bytes(&writer, BYTES_OF("a\"b"));
    json_put_string(&writer, BYTES_EMPTY);
    json_key_bytes(&writer, BYTES_EMPTY);
    json_put_bool(&writer, false);
    json_close_object(&writer);
    expect("{\"a\\\"b\":\"\",\"\":false}");
}

Test(json_write, any_bytes_make_a_valid_string_that_comes_back)
{
    srand(8259);
    for (int round = 0; round < 3000; round++) {
        char text[32];
        size_t len = (size_t)rand() % sizeof(text);
        bool is_ascii = round % 2 == 0;
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)(is_ascii ? 1 + rand() % 127 : rand());
        }
        buf_clear(&out);
        json_write_begin(&writer, &out);
        json_put_string(&writer, bytes_make(text, len));
        cr_assert_eq(json_write_end(&writer), 0);
        cr_assert(json_is_valid(buf_bytes(&out), 0));
        if (is_ascii) {
            struct json *root = NULL;
            cr_assert_eq(json_parse(buf_bytes(&out), out.len, &root, NULL), 0);
            cr_assert(bytes_equal(json_string(root), bytes_make(text, len)));
            json_destroy(root);
        }
    }
}

Test(json_write, reals_are_short_and_read_back_the_same)
{
    const double values[] = {0,
                             0.1,
                             -0.5,
                             1.0 / 3,
                             1e300,
                             -1e-300,
                             5e-324,
                             1.7976931348623157e308,
                             123456789.125,
                             9007199254740993.0,
                             0.3,
                             100};
    json_open_array(&writer);
    json_put_real(&writer, 0.1);
    json_put_real(&writer, 0.3);
    json_put_real(&writer, 100);
    json_put_real(&writer, -2.5);
    json_close_array(&writer);
    expect("[0.1,0.3,100,-2.5]");
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        buf_clear(&out);
        json_write_begin(&writer, &out);
        json_put_real(&writer, values[i]);
        cr_assert_eq(buf_append(&out, bytes_make("", 1)), 0);
        cr_assert(json_is_valid(bytes_str(out.at), 0), "%s", out.at);
        cr_assert_eq(strtod(out.at, NULL), values[i], "%s", out.at);
    }
}

Test(json_write, what_is_no_number_becomes_null)
{
    json_open_array(&writer);
    json_put_real(&writer, (double)INFINITY);
    json_put_real(&writer, -(double)INFINITY);
    json_put_real(&writer, (double)NAN);
    json_close_array(&writer);
    expect("[null,null,null]");
}

Test(json_write, base64_values_are_written_in_place)
{
    json_open_array(&writer);
    json_put_base64(&writer, BYTES_EMPTY);
    json_put_base64(&writer, BYTES_OF("foob"));
    json_put_number(&writer, 1);
    json_close_array(&writer);
    expect("[\"\",\"Zm9vYg==\",1]");
}

static void write_something(void)
{
    json_open_object(&writer);
    json_field_string(&writer, "text", BYTES_OF("some <text> \xff that takes room"));
    json_key(&writer, "data");
    json_put_base64(&writer, BYTES_OF("some bytes that take room"));
    json_field_number(&writer, "n", 12345);
    json_close_object(&writer);
}

Test(json_write, a_buffer_that_is_full_is_told_at_the_end_whatever_its_size)
{
    write_something();
    size_t whole = out.len;
    cr_assert_eq(json_write_end(&writer), 0);
    buf_finish(&out);
    for (size_t max = 0; max < whole; max++) {
        buf_init(&out, max);
        json_write_begin(&writer, &out);
        write_something();
        cr_assert_eq(json_write_end(&writer), -EMSGSIZE, "with %zu bytes", max);
        buf_finish(&out);
    }
    buf_init(&out, whole);
    json_write_begin(&writer, &out);
    write_something();
    cr_assert_eq(json_write_end(&writer), 0);
}

Test(json_write, nothing_is_appended_behind_a_failure)
{
    buf_finish(&out);
    buf_init(&out, 10);
    json_write_begin(&writer, &out);
    json_put_string(&writer, BYTES_OF("longer than ten bytes"));
    size_t len = out.len;
    json_put_number(&writer, 1);
    cr_assert_eq(out.len, len);
    cr_assert_eq(json_write_end(&writer), -EMSGSIZE);
}
