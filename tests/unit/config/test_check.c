// Settings that must fit each other, and where the message points.
#include "support.h"

#include <criterion/criterion.h>

static void setup(void)
{
    config_setup();
}

TestSuite(check, .init = setup, .fini = leaks_check);

Test(check, pong_must_come_before_the_next_ping)
{
    EXPECT_ERROR(
        attempt_file("{\"client\": {\"ping_interval\": \"10s\", \"pong_timeout\": \"10s\"}}"),
        "FILE:1:37: client.pong_timeout: expected less than client.ping_interval "
        "(10000ms), got 10000ms");
    EXPECT_OK(attempt_file("{\"client\": {\"ping_interval\": \"10s\", \"pong_timeout\": \"9s\"}}"));
    EXPECT_OK(attempt_file("{\"client\": {\"ping_interval\": 0, \"pong_timeout\": \"1h\"}}"));
}

Test(check, message_points_at_the_strongest_source_of_the_key)
{
    struct bytes file = BYTES_OF("{\"client\": {\"pong_timeout\": \"9s\"}}");
    EXPECT_ERROR(attempt_all(file, VARIABLES("TIDEGATE_CLIENT_PONG_TIMEOUT=30s"), NO_FLAGS),
                 "environment TIDEGATE_CLIENT_PONG_TIMEOUT: expected less than "
                 "client.ping_interval (25000ms), got 30000ms");
    EXPECT_ERROR(attempt_all(file, NO_VARIABLES, FLAGS("client.pong_timeout=26s")),
                 "--set client.pong_timeout: expected less than client.ping_interval (25000ms), "
                 "got 26000ms");
}

Test(check, message_points_at_the_other_key_when_the_first_was_not_set)
{
    EXPECT_ERROR(attempt_file("{\"client\": {\"ping_interval\": \"5s\"}}"),
                 "FILE:1:13: client.pong_timeout: expected less than client.ping_interval "
                 "(5000ms), got 8000ms");
    EXPECT_ERROR(attempt_flag("client.ping_interval=5s"),
                 "--set client.ping_interval: client.pong_timeout: expected less than "
                 "client.ping_interval (5000ms), got 8000ms");
}

Test(check, required_members_are_asked_for)
{
    EXPECT_ERROR(attempt_file("{\"routes\": [\n {\"kind\": \"echo\"}]}"),
                 "FILE:2:2: routes.0.path: expected text of 1 to 512 bytes, got nothing");
    EXPECT_ERROR(attempt_file("{\"routes\": [\n {\"path\": \"/\"}]}"),
                 "FILE:2:2: routes.0.kind: expected one of \"echo\", \"channel\", \"files\", got "
                 "nothing");
    EXPECT_ERROR(attempt_flag("listeners.1.port=1"),
                 "listeners.1.name: expected text of 1 to 64 bytes, got nothing");
}

Test(check, listeners_are_told_apart)
{
    EXPECT_ERROR(attempt_file("{\"listeners\": [{\"name\": \"a\", \"port\": 1},\n"
                              " {\"name\": \"a\", \"port\": 2}]}"),
                 "FILE:2:3: listeners.1.name: expected a name of its own, got \"a\" again");
    EXPECT_ERROR(attempt_file("{\"listeners\": [{\"name\": \"a\", \"port\": 1},\n"
                              " {\"name\": \"b\", \"port\": 1}]}"),
                 "FILE:2:16: listeners.1.port: expected an address or path of its own, got that "
                 "of listeners.0");
    EXPECT_OK(attempt_file("{\"listeners\": [{\"name\": \"a\", \"port\": 0},"
                           " {\"name\": \"b\", \"port\": 0}]}"));
    EXPECT_OK(attempt_file("{\"listeners\": [{\"name\": \"a\", \"port\": 1},"
                           " {\"name\": \"b\", \"port\": 1, \"address\": \"::1\"}]}"));
}

Test(check, listener_has_an_address_or_a_path)
{
    EXPECT_ERROR(attempt_file("{\"listeners\": [{\"name\": \"a\", \"address\": \"::1\", "
                              "\"path\": \"/s\"}]}"),
                 "FILE:1:48: listeners.0.path: expected a path or an address, got both");
    EXPECT_ERROR(attempt_file("{\"listeners\": [{\"name\": \"a\", \"address\": \"localhost\"}]}"),
                 "FILE:1:30: listeners.0.address: expected an IPv4 or IPv6 address, got "
                 "\"localhost\"");
    EXPECT_ERROR(attempt_flag("listeners.0.name=a b"),
                 "--set listeners.0.name: expected letters, digits and -_. only, got \"a b\"");
    EXPECT_ERROR(attempt_flag("listeners.0.serves=public public"),
                 "--set listeners.0.serves: expected each of them once, got \"public\" twice");
    cr_expect_eq(attempt_flag("listeners.0.serves=").result, -EINVAL);
    cr_expect_eq(attempt_flag("listeners.0.serves=private").result, -EINVAL);
    cr_expect_eq(attempt_flag("listeners.0.port=65536").result, -EINVAL);
}

Test(check, history_has_a_size_and_a_time)
{
    EXPECT_ERROR(attempt_file("{\"channel\": {\"without_namespace\": {\"history_size\": 5}}}"),
                 "FILE:1:36: channel.without_namespace.history_ttl: expected history_size and "
                 "history_ttl together, got only history_size");
    EXPECT_ERROR(attempt_file("{\"channel\": {\"namespaces\": [{\"name\": \"ab\", "
                              "\"history_ttl\": \"5s\"}]}}"),
                 "FILE:1:44: channel.namespaces.0.history_size: expected history_size and "
                 "history_ttl together, got only history_ttl");
}

Test(check, history_times_are_whole_seconds)
{
    EXPECT_ERROR(attempt_all(BYTES_OF("{}"), NO_VARIABLES,
                             FLAGS("channel.without_namespace.history_size=1",
                                   "channel.without_namespace.history_ttl=1500ms")),
                 "--set channel.without_namespace.history_ttl: expected whole seconds, got 1500ms");
    EXPECT_ERROR(attempt_flag("channel.history_meta_ttl=1001ms"),
                 "--set channel.history_meta_ttl: expected whole seconds, got 1001ms");
    EXPECT_ERROR(attempt_flag("channel.without_namespace.history_meta_ttl=1ms"),
                 "--set channel.without_namespace.history_meta_ttl: expected whole seconds, got "
                 "1ms");
}

Test(check, position_outlives_the_history)
{
    EXPECT_ERROR(attempt_flag("channel.namespaces=[{\"name\": \"ab\", \"history_size\": 1, "
                              "\"history_ttl\": \"10s\", \"history_meta_ttl\": \"9s\"}]"),
                 "--set channel.namespaces: channel.namespaces.0.history_ttl: expected at most "
                 "history_meta_ttl (9s), got 10s");
    EXPECT_OK(attempt_flag("channel.namespaces=[{\"name\": \"ab\", \"history_size\": 1, "
                           "\"history_ttl\": \"10s\", \"history_meta_ttl\": \"10s\"}]"));
    // Its own time is not set: the general one counts.
    EXPECT_ERROR(
        attempt_all(BYTES_OF("{}"), NO_VARIABLES,
                    FLAGS("channel.history_meta_ttl=5s", "channel.without_namespace.history_size=1",
                          "channel.without_namespace.history_ttl=6s")),
        "--set channel.without_namespace.history_ttl: expected at most history_meta_ttl "
        "(5s), got 6s");
}

Test(check, namespaces_have_names_of_their_own)
{
    EXPECT_ERROR(attempt_flag("channel.namespaces=[{\"name\": \"ab\"}, {\"name\": \"ab\"}]"),
                 "--set channel.namespaces: channel.namespaces.1.name: expected a name of its own, "
                 "got \"ab\" again");
    EXPECT_ERROR(attempt_flag("channel.namespaces=[{\"name\": \"a:b\"}]"),
                 "--set channel.namespaces: channel.namespaces.0.name: expected letters, digits "
                 "and -_. only, got \"a:b\"");
    cr_expect_eq(attempt_flag("channel.namespaces=[{\"name\": \"a\"}]").result, -EINVAL);
    EXPECT_OK(attempt_flag("channel.namespaces=[{\"name\": \"A-_.9\"}]"));
}

#define TLS(members) "{\"listeners\": [{\"name\": \"a\", \"tls\": {\"certificates\": [" members "]"
#define PAIR "{\"certificate\": \"c.pem\", \"key\": \"k.pem\"}"

Test(check, certificates_come_with_keys_and_verification_with_authorities)
{
    EXPECT_OK(attempt_file(TLS(PAIR) "}}]}"));
    EXPECT_ERROR(attempt_file(TLS(PAIR ", {\"certificate\": \"d.pem\"}") "}}]}"),
                 "FILE:1:97: listeners.0.tls.certificates.1.key: expected text of 1 to 4095 bytes, "
                 "got nothing");
    EXPECT_OK(attempt_file(TLS(PAIR) ", \"client_verify\": \"require\", \"client_ca\": \"x\"}}]}"));
    EXPECT_ERROR(attempt_file(TLS(PAIR) ",\n\"client_verify\": \"require\"}}]}"),
                 "FILE:1:30: listeners.0.tls.client_ca: expected client_verify and client_ca "
                 "together, got only client_verify");
    EXPECT_ERROR(attempt_file(TLS("") ",\n\"client_verify\": \"request\"}}]}"),
                 "FILE:2:1: listeners.0.tls.client_verify: expected certificates with it, got "
                 "none");
}
