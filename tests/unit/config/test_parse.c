// Text to values and back, at the borders.
#include "parse.h"

#include "tidegate/base/attr.h"

#include <criterion/criterion.h>
#include <errno.h>

static int64_t duration(const char *text)
{
    int64_t ms = -1;
    int err = parse_duration(bytes_str(text), &ms);
    return err < 0 ? err : ms;
}

static int64_t size(const char *text)
{
    int64_t bytes = -1;
    int err = parse_size(bytes_str(text), &bytes);
    return err < 0 ? err : bytes;
}

Test(parse, durations_take_each_unit)
{
    cr_expect_eq(duration("300ms"), 300);
    cr_expect_eq(duration("25s"), 25000);
    cr_expect_eq(duration("10m"), 600000);
    cr_expect_eq(duration("24h"), 86400000);
    cr_expect_eq(duration("1h30m"), 5400000);
    cr_expect_eq(duration("1h2m3s4ms"), 3723004);
}

Test(parse, zero_needs_no_unit)
{
    cr_expect_eq(duration("0"), 0);
    cr_expect_eq(duration("0s"), 0);
}

Test(parse, a_duration_without_a_unit_is_told_apart)
{
    cr_expect_eq(duration("25"), -ENODATA);
    cr_expect_eq(duration("1h30"), -ENODATA);
}

Test(parse, what_is_no_duration_is_refused)
{
    static const char *const wrong[] = {"",    "s",    "-1s",  "1.5s", "1 s", "1S",  "1d",
                                        "1sx", "1m1h", "1s1s", "0x1s", " 1s", "1s ", "1us"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        cr_expect_eq(duration(wrong[i]), -EINVAL, "\"%s\"", wrong[i]);
    }
}

Test(parse, durations_past_the_number_range_are_refused)
{
    cr_expect_eq(duration("9223372036854775807ms"), INT64_MAX);
    cr_expect_eq(duration("9223372036854775808ms"), -ERANGE);
    cr_expect_eq(duration("9223372036854775807s"), -ERANGE);
    cr_expect_eq(duration("1s9223372036854775807ms"), -ERANGE);
}

Test(parse, sizes_take_each_unit)
{
    cr_expect_eq(size("0"), 0);
    cr_expect_eq(size("100"), 100);
    cr_expect_eq(size("100B"), 100);
    cr_expect_eq(size("64KiB"), 65536);
    cr_expect_eq(size("1MiB"), 1048576);
    cr_expect_eq(size("2GiB"), INT64_C(2147483648));
    cr_expect_eq(size("512KB"), 512000);
    cr_expect_eq(size("3MB"), 3000000);
    cr_expect_eq(size("1GB"), 1000000000);
}

Test(parse, what_is_no_size_is_refused)
{
    static const char *const wrong[] = {"",     "B",  "-1",    "1.5KiB", "1 KiB",
                                        "1kib", "1K", "1KiB1", "x"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        cr_expect_eq(size(wrong[i]), -EINVAL, "\"%s\"", wrong[i]);
    }
    cr_expect_eq(size("9223372036854775807"), INT64_MAX);
    cr_expect_eq(size("9007199254740992KiB"), -ERANGE);
}

Test(parse, integers_may_have_a_sign_but_nothing_else)
{
    int64_t value = 0;
    cr_expect_eq(parse_integer(BYTES_OF("-5"), &value), 0);
    cr_expect_eq(value, -5);
    cr_expect_eq(parse_integer(BYTES_OF("9223372036854775807"), &value), 0);
    cr_expect_eq(value, INT64_MAX);
    value = 7;
    cr_expect_eq(parse_integer(BYTES_OF("9223372036854775808"), &value), -ERANGE);
    cr_expect_eq(parse_integer(BYTES_OF(""), &value), -EINVAL);
    cr_expect_eq(parse_integer(BYTES_OF("-"), &value), -EINVAL);
    cr_expect_eq(parse_integer(BYTES_OF("+1"), &value), -EINVAL);
    cr_expect_eq(parse_integer(BYTES_OF("1.0"), &value), -EINVAL);
    cr_expect_eq(value, 7, "an error leaves the output alone");
}

Test(parse, bools_are_two_words)
{
    bool value = false;
    cr_expect_eq(parse_bool(BYTES_OF("true"), &value), 0);
    cr_expect(value);
    cr_expect_eq(parse_bool(BYTES_OF("false"), &value), 0);
    cr_expect_not(value);
    cr_expect_eq(parse_bool(BYTES_OF("True"), &value), -EINVAL);
    cr_expect_eq(parse_bool(BYTES_OF("1"), &value), -EINVAL);
    cr_expect_eq(parse_bool(BYTES_EMPTY, &value), -EINVAL);
}

Test(parse, items_stand_between_spaces_and_commas)
{
    struct bytes rest = BYTES_OF(" a, b,,c\td ");
    struct bytes item;
    char found[8] = "";
    while (parse_item(&rest, &item)) {
        cr_assert_eq(item.len, 1);
        strncat(found, item.at, 1);
    }
    cr_expect_str_eq(found, "abcd");
    rest = BYTES_EMPTY;
    cr_expect_not(parse_item(&rest, &item));
}

Test(parse, a_printed_value_parses_to_itself)
{
    static const int64_t values[] = {0,     1,       999,     1000,    1024,     1536,     60000,
                                     90000, 3600000, 5400000, 1 << 20, 10 << 20, 86400000, 1 << 30};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        cr_expect_eq(duration(parse_print_duration(values[i]).text), values[i]);
        cr_expect_eq(size(parse_print_size(values[i]).text), values[i]);
    }
}

Test(parse, values_are_printed_in_the_largest_unit_that_divides)
{
    cr_expect_str_eq(parse_print_duration(0).text, "0s");
    cr_expect_str_eq(parse_print_duration(90000).text, "90s");
    cr_expect_str_eq(parse_print_duration(7200000).text, "2h");
    cr_expect_str_eq(parse_print_duration(250).text, "250ms");
    cr_expect_str_eq(parse_print_size(1 << 20).text, "1MiB");
    cr_expect_str_eq(parse_print_size(1000).text, "1000");
    cr_expect_str_eq(parse_print_size(0).text, "0");
}
