// Routes: patterns, options by kind, channel templates, conflicts.
#include "support.h"

#include <criterion/criterion.h>

static void setup(void)
{
    config_setup();
}

TestSuite(route, .init = setup, .fini = leaks_check);

// One echo route with this path.
static struct attempt attempt_path(const char *path)
{
    char flag[1024];
    snprintf(flag, sizeof flag, "routes=[{\"path\":\"%s\",\"kind\":\"echo\"}]", path);
    return attempt_flag(flag);
}

Test(route, patterns_of_segments_are_taken)
{
    static const char *const good[] = {"/",      "/a",        "/a/b",       "/a/", "/{x}",
                                       "/{x}/b", "/a/{x}",    "/{x}/{y_1}", "/*",  "/a/*",
                                       "/{x}/*", "/a.b-c_d~", "/%41"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct attempt attempt = attempt_path(good[i]);
        cr_expect_eq(attempt.result, 0, "%s: %s", good[i], attempt.error);
        config_unref(attempt.config);
    }
}

Test(route, other_patterns_are_refused)
{
    static const char *const bad[] = {"a",     "",      "*",        "{x}",    "//",   "/a//b",
                                      "/*/a",  "/a*",   "/{x",      "/x}",    "/{}",  "/{1x}",
                                      "/a{x}", "/{x}b", "/{x}/{x}", "/{x-y}", "/a?b", "/a b",
                                      "/**",   "/a#b",  "/{{x}}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct attempt attempt = attempt_path(bad[i]);
        cr_expect_eq(attempt.result, -EINVAL, "%s", bad[i]);
        cr_expect_not_null(strstr(attempt.error, "routes.0.path"), "%s", attempt.error);
        config_unref(attempt.config);
    }
}

Test(route, placeholder_in_the_middle_of_a_segment_is_explained)
{
    EXPECT_ERROR(attempt_path("/a/x{y}"),
                 "--set routes: routes.0.path: expected a literal, {name} or * between slashes, "
                 "got \"x{y}\"");
    EXPECT_ERROR(attempt_path("/{y}/{y}"),
                 "--set routes: routes.0.path: expected each name once, got \"{y}\" twice");
}

Test(route, same_shape_on_the_same_host_is_a_conflict)
{
    EXPECT_ERROR(attempt_file("{\"routes\": [{\"path\": \"/a/{x}\", \"kind\": \"echo\"},\n"
                              "{\"path\": \"/a/{y}\", \"kind\": \"echo\"}]}"),
                 "FILE:2:2: routes.1.path: expected a pattern of its own, got \"/a/{y}\", the "
                 "same as routes.0, \"/a/{x}\"");
    EXPECT_ERROR(attempt_flag("routes=[{\"path\":\"/*\",\"kind\":\"echo\",\"host\":\"a.example\"},"
                              "{\"path\":\"/*\",\"kind\":\"echo\",\"host\":\"A.Example\"}]"),
                 "--set routes: routes.1.path: expected a pattern of its own, got \"/*\", the "
                 "same as routes.0, \"/*\"");
}

Test(route, wider_pattern_is_no_conflict)
{
    EXPECT_OK(
        attempt_flag("routes=[{\"path\":\"/*\",\"kind\":\"echo\"},"
                     "{\"path\":\"/{x}\",\"kind\":\"echo\"},{\"path\":\"/a\",\"kind\":\"echo\"},"
                     "{\"path\":\"/a/\",\"kind\":\"echo\"},{\"path\":\"/a/*\",\"kind\":\"echo\"},"
                     "{\"path\":\"/a\",\"kind\":\"echo\",\"host\":\"h\"}]"));
}

Test(route, host_is_a_name)
{
    EXPECT_ERROR(attempt_flag("routes=[{\"path\":\"/\",\"kind\":\"echo\",\"host\":\"http://a\"}]"),
                 "--set routes: routes.0.host: expected a host name, got \"http://a\"");
}

Test(route, option_of_another_kind_is_refused)
{
    EXPECT_ERROR(attempt_file("{\"routes\": [{\"path\": \"/\", \"kind\": \"echo\",\n"
                              "\"channel\": \"x\"}]}"),
                 "FILE:2:1: routes.0.channel: expected no such option for a route of kind "
                 "\"echo\", got one");
    static const char *const wrong[] = {
        "\"kind\":\"echo\",\"root\":\"x\"",
        "\"kind\":\"echo\",\"initial_messages\":1",
        "\"kind\":\"echo\",\"queue_policy\":\"conflate\"",
        "\"kind\":\"files\",\"root\":\"x\",\"client_publish\":true",
        "\"kind\":\"files\",\"root\":\"x\",\"subprotocols\":[\"v\"]",
        "\"kind\":\"channel\",\"channel\":\"x\",\"index\":\"y\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char flag[256];
        snprintf(flag, sizeof flag, "routes=[{\"path\":\"/\",%s}]", wrong[i]);
        struct attempt attempt = attempt_flag(flag);
        cr_expect_eq(attempt.result, -EINVAL, "%s", wrong[i]);
        cr_expect_not_null(strstr(attempt.error, "no such option"), "%s", attempt.error);
    }
}

Test(route, option_that_says_the_default_is_harmless)
{
    EXPECT_OK(attempt_flag("routes=[{\"path\":\"/\",\"kind\":\"echo\",\"client_publish\":false,"
                           "\"root\":\"\",\"index\":\"index.html\"}]"));
}

Test(route, kind_needs_its_option)
{
    EXPECT_ERROR(attempt_file("{\"routes\": [{\"path\": \"/\", \"kind\": \"files\"}]}"),
                 "FILE:1:13: routes.0.root: expected a folder, got nothing");
    EXPECT_ERROR(attempt_file("{\"routes\": [{\"path\": \"/\", \"kind\": \"channel\"}]}"),
                 "FILE:1:13: routes.0.channel: expected a channel such as \"news\" or \"{name}\", "
                 "got nothing");
}

// One channel route on /c/{a}/{b} with this template, in a process with the namespace "news".
static struct attempt attempt_template(const char *template)
{
    char flag[1024];
    snprintf(flag, sizeof flag,
             "routes=[{\"path\":\"/c/{a}/{b}\",\"kind\":\"channel\",\"channel\":\"%s\"}]",
             template);
    return attempt_all(BYTES_OF("{\"channel\": {\"namespaces\": [{\"name\": \"news\"}]}}"),
                       NO_VARIABLES, FLAGS(flag));
}

Test(route, template_is_made_of_literals_and_names_of_the_path)
{
    static const char *const good[] = {"x",         "{a}",        "{a}-{b}", "x{a}y",   "news:{a}",
                                       "$news:{a}", "{a}:news:x", "news:x",  "{b}{a}z", "x-{a}:y"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct attempt attempt = attempt_template(good[i]);
        cr_expect_eq(attempt.result, 0, "%s: %s", good[i], attempt.error);
        config_unref(attempt.config);
    }
    static const char *const bad[] = {"{c}",    "{a",    "a}",  "{}",
                                      "{a}{c}", "{{a}}", "a b", "\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct attempt attempt = attempt_template(bad[i]);
        cr_expect_eq(attempt.result, -EINVAL, "%s", bad[i]);
        cr_expect_not_null(strstr(attempt.error, "routes.0.channel"), "%s", attempt.error);
    }
}

Test(route, template_in_a_namespace_that_is_not_there_is_refused)
{
    EXPECT_ERROR(attempt_template("nwes:{a}"),
                 "--set routes: routes.0.channel: expected a namespace of channel.namespaces, got "
                 "\"nwes\"");
}
