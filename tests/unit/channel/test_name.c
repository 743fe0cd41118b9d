// Channel names and their namespaces.
// Owner: Criterion, a process a test.
#include "tidegate/channel/name.h"

#include <criterion/criterion.h>
#include <errno.h>

Test(name, printable_ascii_is_allowed)
{
    cr_assert_eq(channel_name_check(BYTES_OF("prices:ACME/usd#1,2~!"), CHANNEL_NAME_MAX), 0);
}

Test(name, empty_is_refused)
{
    cr_assert_eq(channel_name_check(BYTES_EMPTY, CHANNEL_NAME_MAX), -EINVAL);
}

Test(name, the_longest_is_allowed_and_one_more_byte_is_refused)
{
    char text[CHANNEL_NAME_MAX + 1];
    memset(text, 'a', sizeof(text));
    cr_assert_eq(channel_name_check(bytes_make(text, CHANNEL_NAME_MAX), CHANNEL_NAME_MAX), 0);
    cr_assert_eq(channel_name_check(bytes_make(text, CHANNEL_NAME_MAX + 1), CHANNEL_NAME_MAX),
                 -EINVAL);
}

Test(name, spaces_control_bytes_and_bytes_past_ascii_are_refused)
{
    const unsigned char refused[] = {0x00, 0x0a, 0x0d, 0x1f, 0x20, 0x7f, 0x80, 0xc3, 0xff};
    for (size_t i = 0; i < sizeof(refused); i++) {
        char text[3] = {'a', (char)refused[i], 'b'};
        cr_assert_eq(channel_name_check(bytes_make(text, 3), CHANNEL_NAME_MAX), -EINVAL,
                     "byte 0x%02x passed", refused[i]);
    }
    cr_assert_eq(channel_name_check(BYTES_OF("!"), CHANNEL_NAME_MAX), 0);
    cr_assert_eq(channel_name_check(BYTES_OF("~"), CHANNEL_NAME_MAX), 0);
}

static void expect_namespace(const char *name, const char *expected)
{
    cr_assert(bytes_equal(channel_name_namespace(bytes_str(name)), bytes_str(expected)),
              "namespace of %s", name);
}

Test(name, the_namespace_is_what_stands_before_the_first_colon)
{
    expect_namespace("chat:room", "chat");
    expect_namespace("chat:room:2", "chat");
    expect_namespace("chat", "");
    expect_namespace(":room", "");
    expect_namespace("chat:", "chat");
    expect_namespace("", "");
}

Test(name, a_leading_dollar_is_not_part_of_the_namespace)
{
    expect_namespace("$chat:room", "chat");
    expect_namespace("$room", "");
    expect_namespace("$", "");
    expect_namespace("c$hat:room", "c$hat");
}
