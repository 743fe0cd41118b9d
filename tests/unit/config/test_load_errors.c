// One line for each mistake: the place, the key, what was expected, what there was.
#include "support.h"

#include <criterion/criterion.h>

static void setup(void)
{
    config_setup();
}

TestSuite(load_errors, .init = setup, .fini = leaks_check);

Test(load_errors, unknown_key_has_its_place_and_a_hint)
{
    EXPECT_ERROR(attempt_file("{\n  \"client\": {\n    \"ping_intervall\": \"5s\"\n  }\n}\n"),
                 "FILE:3:5: client.ping_intervall: expected a known setting, got an unknown one "
                 "(did you mean \"client.ping_interval\")");
    EXPECT_ERROR(attempt_file("{\"clinet\": {}}"),
                 "FILE:1:2: clinet: expected a known setting, got an unknown one "
                 "(did you mean \"client\")");
    EXPECT_ERROR(attempt_file("{\"zzzzzz\": {}}"),
                 "FILE:1:2: zzzzzz: expected a known setting, got an unknown one");
}

Test(load_errors, unknown_key_of_an_object_in_a_list_has_a_hint)
{
    EXPECT_ERROR(attempt_file("{\"listeners\": [\n {\"name\": \"a\",\n  \"prot\": 1}]}"),
                 "FILE:3:3: listeners.0.prot: expected a known setting, got an unknown one "
                 "(did you mean \"listeners.0.port\")");
    EXPECT_ERROR(attempt_file("{\"channel\": {\"without_namespace\": {\"name\": \"x\"}}}"),
                 "FILE:1:36: channel.without_namespace.name: expected a known setting, got an "
                 "unknown one");
}

Test(load_errors, key_with_a_dot_is_refused)
{
    EXPECT_ERROR(attempt_file("{\"client.ping_interval\": \"5s\"}"),
                 "FILE:1:1: expected the name of a setting (a dot is a nested object), got "
                 "\"client.ping_interval\"");
}

Test(load_errors, wrong_values_say_what_is_expected)
{
    EXPECT_ERROR(attempt_file("{\"workers\": 65}"),
                 "FILE:1:2: workers: expected a whole number from 0 to 64, got 65");
    EXPECT_ERROR(attempt_file("{\"workers\": -1}"),
                 "FILE:1:2: workers: expected a whole number from 0 to 64, got -1");
    EXPECT_ERROR(attempt_file("{\"workers\": 1.5}"),
                 "FILE:1:2: workers: expected a whole number from 0 to 64, got 1.5");
    EXPECT_ERROR(attempt_file("{\"workers\": \"2\"}"),
                 "FILE:1:2: workers: expected a whole number from 0 to 64, got \"2\"");
    EXPECT_ERROR(attempt_file("{\"workers\": null}"),
                 "FILE:1:2: workers: expected a whole number from 0 to 64, got null");
    EXPECT_ERROR(attempt_file("{\"http_api\": {\"insecure\": 1}}"),
                 "FILE:1:15: http_api.insecure: expected true or false, got 1");
    EXPECT_ERROR(attempt_file("{\"http_api\": {\"insecure\": \"true\"}}"),
                 "FILE:1:15: http_api.insecure: expected true or false, got \"true\"");
    EXPECT_ERROR(attempt_file("{\"log\": {\"level\": \"infos\"}}"),
                 "FILE:1:10: log.level: expected one of \"debug\", \"info\", \"warn\", \"error\", "
                 "got \"infos\" (did you mean \"info\")");
    EXPECT_ERROR(attempt_file("{\"client\": {\"queue_max_size\": \"1KiB\"}}"),
                 "FILE:1:13: client.queue_max_size: expected a size from 4KiB to 1GiB, such as "
                 "\"64KiB\", got \"1KiB\"");
    EXPECT_ERROR(attempt_file("{\"client\": {\"allowed_origins\": \"*\"}}"),
                 "FILE:1:13: client.allowed_origins: expected a list of at most 64 texts, got "
                 "\"*\"");
    EXPECT_ERROR(attempt_file("{\"client\": {\"allowed_origins\": [1]}}"),
                 "FILE:1:13: client.allowed_origins: expected a list of at most 64 texts, got "
                 "another kind of element");
}

Test(load_errors, duration_without_a_unit_says_so)
{
    const char *line = "FILE:1:13: client.ping_interval: expected a duration from 100ms to 1h, "
                       "such as \"25s\", or 0, got 25 without a unit";
    EXPECT_ERROR(attempt_file("{\"client\": {\"ping_interval\": 25}}"), line);
    EXPECT_ERROR(attempt_flag("client.ping_interval=25"),
                 "--set client.ping_interval: expected a duration from 100ms to 1h, such as "
                 "\"25s\", or 0, got \"25\" without a unit");
}

Test(load_errors, section_must_be_an_object)
{
    EXPECT_ERROR(attempt_file("{\"client\": 5}"),
                 "FILE:1:2: client: expected an object of settings, got another kind");
    EXPECT_ERROR(
        attempt_file("{\"channel\": {\"without_namespace\": []}}"),
        "FILE:1:14: channel.without_namespace: expected an object of settings, got a list");
    EXPECT_ERROR(attempt_file("{\"routes\": {}}"),
                 "FILE:1:2: routes: expected a list of at most 1024 objects, got an object");
    EXPECT_ERROR(attempt_file("{\"routes\": [5]}"),
                 "FILE:1:13: routes.0: expected an object, got another kind");
    EXPECT_ERROR(attempt_file("{\"listeners\": []}"),
                 "FILE:1:2: listeners: expected a list of 1 to 16 objects, got 0");
    EXPECT_ERROR(attempt_file("[]"), "FILE:1:1: expected an object of settings, got another kind");
}

Test(load_errors, broken_json_has_its_place)
{
    struct attempt attempt = attempt_file("{\n  \"workers\": 1,\n}");
    cr_expect_eq(attempt.result, -EINVAL);
    cr_expect_eq(strncmp(attempt.error, "FILE:3:", 7), 0, "%s", attempt.error);
    attempt = attempt_file("{\"workers\": 1, \"workers\": 2}");
    cr_expect_eq(attempt.result, -EINVAL);
    cr_expect_eq(strncmp(attempt.error, "FILE:1:", 7), 0, "%s", attempt.error);
    EXPECT_ERROR(attempt_file(""), "FILE:1:1: expected JSON: it is empty");
}

Test(load_errors, file_that_cannot_be_read_is_told)
{
    struct config_sources sources = {.file = "/nonexistent/tidegate.json"};
    struct attempt attempt = attempt_sources(&sources);
    cr_expect_eq(attempt.result, -ENOENT);
    cr_expect_str_eq(attempt.error,
                     "FILE: expected a readable file, got \"No such file or directory\"");
    sources.file = "/";
    cr_expect_lt(attempt_sources(&sources).result, 0);
}

Test(load_errors, variable_is_named)
{
    EXPECT_ERROR(attempt_all(BYTES_OF("{}"), VARIABLES("TIDEGATE_WORKERS=x"), NO_FLAGS),
                 "environment TIDEGATE_WORKERS: expected a whole number from 0 to 64, got \"x\"");
    EXPECT_ERROR(attempt_all(BYTES_OF("{}"), VARIABLES("TIDEGATE_WORKER=1"), NO_FLAGS),
                 "environment TIDEGATE_WORKER: expected a known setting, got an unknown one "
                 "(did you mean \"TIDEGATE_WORKERS\")");
    EXPECT_ERROR(attempt_all(BYTES_OF("{}"), VARIABLES("TIDEGATE_ROUTES=[{\"pat\": 1}]"), NO_FLAGS),
                 "environment TIDEGATE_ROUTES: routes.0.pat: expected a known setting, got an "
                 "unknown one (did you mean \"routes.0.path\")");
    EXPECT_ERROR(attempt_all(BYTES_OF("{}"), VARIABLES("TIDEGATE_ROUTES={}"), NO_FLAGS),
                 "environment TIDEGATE_ROUTES: expected a list of at most 1024 objects, got an "
                 "object");
}

Test(load_errors, flag_is_named)
{
    EXPECT_ERROR(attempt_flag("worker=1"),
                 "--set worker: expected a setting, got a group of settings");
    EXPECT_ERROR(attempt_flag("wrokers=1"), "--set wrokers: expected a known setting, got an "
                                            "unknown one (did you mean \"workers\")");
    EXPECT_ERROR(attempt_flag("workers"), "--set \"workers\": expected key=value");
    EXPECT_ERROR(attempt_flag("=1"), "--set \"=1\": expected key=value");
    EXPECT_ERROR(attempt_flag("listeners.2.port=1"),
                 "--set listeners.2.port: expected an index of at most 1, got \"2\"");
    EXPECT_ERROR(attempt_flag("listeners.x.port=1"),
                 "--set listeners.x.port: expected an index and a setting, such as "
                 "\"listeners.0.name\", got \"x.port\"");
    EXPECT_ERROR(attempt_flag("log.level="),
                 "--set log.level: expected one of \"debug\", \"info\", \"warn\", \"error\", got "
                 "\"\"");
}

Test(load_errors, hidden_value_must_be_right_too)
{
    EXPECT_ERROR(attempt_all(BYTES_OF("{\"workers\": 99}"), NO_VARIABLES, FLAGS("workers=1")),
                 "FILE:1:2: workers: expected a whole number from 0 to 64, got 99");
}

Test(load_errors, secret_is_not_told)
{
    EXPECT_ERROR(
        attempt_file("{\"http_api\": {\"key\": [\"hunter2\"]}}"),
        "FILE:1:15: http_api.key: expected text of at most 1024 bytes, got something else");
    EXPECT_ERROR(attempt_flag("http_api.key=hunter2\n"),
                 "--set http_api.key: expected text of at most 1024 bytes, got something else");
}

Test(load_errors, text_must_be_printable_utf8)
{
    cr_expect_eq(attempt_flag("http_api.key=\xff").result, -EINVAL);
    cr_expect_eq(attempt_file("{\"http_api\": {\"key\": \"a\\u0007\"}}").result, -EINVAL);
    cr_expect_eq(attempt_file("{\"http_api\": {\"key\": \"a\\u0000b\"}}").result, -EINVAL);
}

Test(load_errors, line_stays_one_line)
{
    struct attempt attempt = attempt_flag("work\ners=1");
    cr_expect_eq(attempt.result, -EINVAL);
    cr_expect_null(strchr(attempt.error, '\n'));
    attempt = attempt_file("{\"work\\ners\": 1}");
    cr_expect_eq(attempt.result, -EINVAL);
    cr_expect_null(strchr(attempt.error, '\n'));
}

Test(load_errors, too_many_items_are_refused)
{
    char flag[512] = "client.allowed_origins=";
    for (int i = 0; i < CONFIG_STRINGS_MAX; i++) {
        strcat(flag, "a ");
    }
    EXPECT_OK(attempt_flag(flag));
    strcat(flag, "a");
    cr_expect_eq(attempt_flag(flag).result, -EINVAL);
}

Test(load_errors, too_many_objects_are_refused)
{
    char flag[2048] = "listeners=[";
    for (int i = 0; i < 17; i++) {
        size_t len = strlen(flag);
        snprintf(flag + len, sizeof flag - len, "%s{\"name\":\"l%d\",\"port\":%d}",
                 i > 0 ? "," : "", i, i + 1);
        if (i == 15) {
            char whole[sizeof flag + 1];
            snprintf(whole, sizeof whole, "%s]", flag);
            EXPECT_OK(attempt_flag(whole));
            EXPECT_ERROR(
                attempt_all(BYTES_OF("{}"), NO_VARIABLES, FLAGS(whole, "listeners.16.name=more")),
                "--set listeners.16.name: expected an index of at most 15, got \"16\"");
        }
    }
    strcat(flag, "]");
    EXPECT_ERROR(attempt_flag(flag), "--set listeners: expected a list of 1 to 16 objects, got 17");
}

Test(load_errors, endless_keys_are_refused)
{
    char text[2048] = "{\"";
    memset(text + 2, 'k', 1500);
    strcat(text, "\": 1}");
    cr_expect_eq(attempt_file(text).result, -EINVAL);
    text[1502] = '=';
    cr_expect_eq(attempt_flag(text + 2).result, -EINVAL);
}
