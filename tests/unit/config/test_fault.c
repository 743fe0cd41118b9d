// Keys, quotes and hints: what becomes of names and values from outside in a message.
#include "fault.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct hint hint_of(const char *wanted, const char *const *names)
{
    struct hint hint;
    hint_begin(&hint, bytes_str(wanted));
    for (; *names != NULL; names++) {
        hint_offer(&hint, *names);
    }
    return hint;
}

static const char *const names[] = {
    "log.level", "client.ping_interval", "client.pong_timeout", "routes", "workers", NULL};

Test(hint, nearest_name_is_offered)
{
    cr_expect_str_eq(hint_of("client.ping_intervall", names).best, "client.ping_interval");
    cr_expect_str_eq(hint_of("client.pnig_interval", names).best, "client.ping_interval");
    cr_expect_str_eq(hint_of("wokers", names).best, "workers");
    cr_expect_str_eq(hint_of("route", names).best, "routes");
}

Test(hint, right_name_in_the_wrong_section_is_near)
{
    cr_expect_str_eq(hint_of("http.ping_interval", names).best, "client.ping_interval");
    cr_expect_str_eq(hint_of("pong_timeout", names).best, "client.pong_timeout");
}

Test(hint, name_cut_short_is_near)
{
    cr_expect_str_eq(hint_of("client.ping", names).best, "client.ping_interval");
}

Test(hint, nothing_is_offered_for_something_else)
{
    struct hint hint = hint_of("zzz", names);
    cr_expect_str_eq(hint.best, "");
    cr_expect_str_eq(hint_text(&hint, "").text, "");
    cr_expect_str_eq(hint_of("", names).best, "");
}

Test(hint, offered_name_stands_in_its_list)
{
    static const char *const members[] = {"path", "port", NULL};
    struct hint hint = hint_of("prot", members);
    cr_expect_str_eq(hint_text(&hint, "listeners.0.").text, " (did you mean \"listeners.0.port\")");
}

Test(hint, names_of_any_length_are_taken)
{
    char text[3 * KEY_MAX];
    memset(text, 'a', sizeof text);
    for (size_t len = 0; len < sizeof text; len++) {
        struct hint hint;
        hint_begin(&hint, bytes_make(text, len));
        hint_offer(&hint, "client.ping_interval");
        cr_assert_str_eq(hint.best, "");
    }
}

Test(fault, quoted_value_stays_on_one_line)
{
    cr_expect_str_eq(fault_quote(BYTES_OF("a\nb\x7f\x01")).text, "\"a?b??\"");
    cr_expect_str_eq(fault_quote(BYTES_EMPTY).text, "\"\"");
}

Test(fault, quoted_value_is_cut_between_characters)
{
    char text[100];
    memset(text, 'x', sizeof text);
    memcpy(text + 63, "\xe2\x82\xac", 3); // across the cut
    struct quoted quoted = fault_quote(bytes_make(text, sizeof text));
    cr_expect_eq(strlen(quoted.text), 1 + 63 + 1 + 3);
    cr_expect_str_eq(quoted.text + 64, "\"...");
}

Test(fault, long_text_is_cut)
{
    struct fault fault;
    char text[1000];
    memset(text, 'y', sizeof text);
    text[sizeof text - 1] = '\0';
    cr_expect_eq(fault_set(&fault, text, "%s", text), -EINVAL);
    cr_expect_eq(strlen(fault.key), sizeof fault.key - 1);
    cr_expect_eq(strlen(fault.text), sizeof fault.text - 1);
}

Test(key, grows_and_shrinks_by_parts)
{
    struct key key = {"", 0};
    cr_expect(key_push(&key, BYTES_OF("routes")));
    size_t len = key.len;
    cr_expect(key_push_index(&key, 12));
    cr_expect(key_push(&key, BYTES_OF("path")));
    cr_expect_str_eq(key.text, "routes.12.path");
    key_cut(&key, len);
    cr_expect_str_eq(key.text, "routes");
}

Test(key, part_that_does_not_fit_changes_nothing)
{
    struct key key = {"", 0};
    char part[KEY_MAX];
    memset(part, 'k', sizeof part);
    cr_expect_not(key_push(&key, bytes_make(part, KEY_MAX)));
    cr_expect_str_eq(key.text, "");
    cr_expect(key_push(&key, bytes_make(part, KEY_MAX - 1)));
    cr_expect_not(key_push(&key, BYTES_OF("x")));
    cr_expect_eq(strlen(key.text), KEY_MAX - 1);
}
