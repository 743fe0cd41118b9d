// Members of a request by type. Owner: Criterion, a process a test.
#include "params.h"

#include "../../support/leaks.h"

#include <errno.h>
#include <stdio.h>

TestSuite(params, .fini = leaks_check);

static struct params params_of(const char *text)
{
    struct params params;
    params_init(&params, bytes_str(text));
    return params;
}

Test(params, what_is_absent_or_null_is_not_there)
{
    struct params params = params_of("{\"a\":null}");
    struct bytes text;
    bool flag;
    int64_t number;
    uint64_t count;
    for (int i = 0; i < 2; i++) {
        const char *key = i == 0 ? "a" : "b";
        cr_assert_eq(params_string(&params, key, &text), 0);
        cr_assert_eq(params_object(&params, key, &text), 0);
        cr_assert_eq(params_array(&params, key, &text), 0);
        cr_assert_eq(params_bool(&params, key, &flag), 0);
        cr_assert_eq(params_int64(&params, key, &number), 0);
        cr_assert_eq(params_uint64(&params, key, &count), 0);
    }
    cr_assert(params_raw(&params, "a", &text));
    cr_assert_not(params_raw(&params, "b", &text));
}

Test(params, another_type_is_an_error)
{
    static const char *const values[] = {"{}", "[]", "\"1\"", "true", "1", "1.5"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char json[32];
        struct bytes text;
        bool flag;
        int64_t number;
        snprintf(json, sizeof(json), "{\"a\": %s }", values[i]);
        struct params params = params_of(json);
        cr_assert_eq(params_object(&params, "a", &text), i == 0 ? 1 : -EINVAL, "%s", json);
        cr_assert_eq(params_array(&params, "a", &text), i == 1 ? 1 : -EINVAL, "%s", json);
        cr_assert_eq(params_string(&params, "a", &text), i == 2 ? 1 : -EINVAL, "%s", json);
        cr_assert_eq(params_bool(&params, "a", &flag), i == 3 ? 1 : -EINVAL, "%s", json);
        cr_assert_eq(params_int64(&params, "a", &number), i == 4 ? 1 : -EINVAL, "%s", json);
        params_finish(&params);
    }
}

Test(params, strings_are_decoded)
{
    struct params params =
        params_of("{\"plain\":\"news:a\",\"escaped\":\"n\\u0065ws:\\\"\\n\",\"zero\":\"\\u0000\"}");
    struct bytes text;
    cr_assert_eq(params_string(&params, "plain", &text), 1);
    cr_assert(bytes_equal(text, BYTES_OF("news:a")));
    cr_assert_eq(params_string(&params, "escaped", &text), 1);
    cr_assert(bytes_equal(text, BYTES_OF("news:\"\n")));
    cr_assert_eq(params_string(&params, "zero", &text), -EINVAL);
    params_finish(&params);
}

Test(params, numbers_keep_all_their_digits)
{
    struct params params = params_of("{\"a\":18446744073709551615,\"b\":18446744073709551616,"
                                     "\"c\":-9223372036854775807,\"d\":9223372036854775808,"
                                     "\"e\":-1,\"f\":1e3}");
    uint64_t count;
    int64_t number;
    cr_assert_eq(params_uint64(&params, "a", &count), 1);
    cr_assert_eq(count, UINT64_MAX);
    cr_assert_eq(params_uint64(&params, "b", &count), -EINVAL);
    cr_assert_eq(params_int64(&params, "c", &number), 1);
    cr_assert_eq(number, -INT64_MAX);
    cr_assert_eq(params_int64(&params, "d", &number), -EINVAL);
    cr_assert_eq(params_uint64(&params, "e", &count), -EINVAL);
    cr_assert_eq(params_int64(&params, "e", &number), 1);
    cr_assert_eq(number, -1);
    cr_assert_eq(params_int64(&params, "f", &number), -EINVAL);
}

Test(params, members_of_inner_objects_are_not_taken_for_the_outer_ones)
{
    struct params params = params_of("{\"data\":{\"channel\":\"inner\"},\"channel\":\"outer\"}");
    struct bytes text;
    cr_assert_eq(params_string(&params, "channel", &text), 1);
    cr_assert(bytes_equal(text, BYTES_OF("outer")));
}
