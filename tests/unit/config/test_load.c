// Values from each source, and which source wins.
#include "support.h"

#include <criterion/criterion.h>

static void setup(void)
{
    config_setup();
}

TestSuite(load, .init = setup, .fini = leaks_check);

static struct config *must(struct attempt attempt)
{
    cr_assert_eq(attempt.result, 0, "%s", attempt.error);
    return attempt.config;
}

Test(load, nothing_given_gives_the_defaults)
{
    struct config_sources sources = {.file = NULL};
    struct config *config = must(attempt_sources(&sources));
    cr_expect_eq(config->workers, 0);
    cr_expect_eq(config->log.level, 1);
    cr_expect_eq(config->client.ping_interval_ms, 25000);
    cr_expect_eq(config->client.pong_timeout_ms, 8000);
    cr_expect_eq(config->client.queue_max_size, 1 << 20);
    cr_expect_eq(config->client.allowed_origins.count, 0);
    cr_expect_eq(config->websocket.message_size_limit, 65536);
    cr_expect_eq(config->channel.history_meta_ttl_ms, INT64_C(720) * 3600 * 1000);
    cr_expect_str_eq(config->http_api.key, "");
    cr_expect_str_eq(config->channel.without_namespace.name, "");
    cr_expect_eq(config->route_count, 0);
    cr_assert_eq(config->listener_count, 1);
    cr_expect_str_eq(config->listeners[0].name, "main");
    cr_expect_str_eq(config->listeners[0].address, "0.0.0.0");
    cr_expect_str_eq(config->listeners[0].path, "");
    cr_expect_eq(config->listeners[0].port, 8000);
    cr_expect_eq(config->listeners[0].backlog, 4096);
    cr_expect_eq(config->listeners[0].serves.count, 2);
    config_unref(config);
}

Test(load, file_sets_every_kind_of_value)
{
    struct config *config = must(attempt_file(
        "{\"$schema\": \"x.json\", \"workers\": 3, \"log\": {\"level\": \"debug\"},"
        " \"http_api\": {\"key\": \"k\\u20ac\", \"insecure\": true, \"error_mode\": \"transport\"},"
        " \"client\": {\"allowed_origins\": [\"https://a\", \"*\"], \"ping_interval\": \"1m\","
        "              \"queue_max_size\": \"64KiB\"},"
        " \"websocket\": {\"message_size_limit\": 4096},"
        " \"sse\": {\"heartbeat_interval\": 0},"
        " \"channel\": {\"without_namespace\": {\"history_size\": 5, \"history_ttl\": \"1m\"},"
        "  \"namespaces\": [{\"name\": \"a.b\"}, {\"name\": \"chat\", \"history_size\": 9,"
        "   \"history_ttl\": \"10s\", \"history_meta_ttl\": \"1h\"}]}}"));
    cr_expect_eq(config->workers, 3);
    cr_expect_eq(config->log.level, 0);
    cr_expect_str_eq(config->http_api.key, "k\xe2\x82\xac");
    cr_expect(config->http_api.insecure);
    cr_expect_eq(config->http_api.error_mode_transport, 1);
    cr_assert_eq(config->client.allowed_origins.count, 2);
    cr_expect_str_eq(config->client.allowed_origins.items[1], "*");
    cr_expect_eq(config->client.ping_interval_ms, 60000);
    cr_expect_eq(config->client.queue_max_size, 65536);
    cr_expect_eq(config->websocket.message_size_limit, 4096);
    cr_expect_eq(config->sse.heartbeat_interval_ms, 0);
    cr_expect_eq(config->channel.without_namespace.history_size, 5);
    cr_assert_eq(config->channel.namespace_count, 2);
    cr_expect_str_eq(config->channel.namespaces[0].name, "a.b");
    cr_expect_eq(config->channel.namespaces[1].history_ttl_ms, 10000);
    cr_expect_eq(config->channel.namespaces[1].history_meta_ttl_ms, 3600000);
    config_unref(config);
}

Test(load, route_has_its_options)
{
    struct config *config = must(
        attempt_file("{\"routes\": [{\"path\": \"/c/{x}\", \"host\": \"h\", \"kind\": \"channel\","
                     " \"channel\": \"n-{x}\", \"initial_messages\": 7, \"client_publish\": true,"
                     " \"exclude_sender\": true, \"queue_policy\": \"conflate\","
                     " \"subprotocols\": [\"v1\"]},"
                     " {\"path\": \"/*\", \"kind\": \"files\", \"root\": \"pages\"}]}"));
    cr_assert_eq(config->route_count, 2);
    const struct config_route *route = &config->routes[0];
    cr_expect_eq(route->kind, ROUTE_CHANNEL);
    cr_expect_str_eq(route->path, "/c/{x}");
    cr_expect_str_eq(route->host, "h");
    cr_expect_str_eq(route->channel, "n-{x}");
    cr_expect_eq(route->initial_messages, 7);
    cr_expect(route->client_publish && route->exclude_sender);
    cr_expect_eq(route->queue_policy, QUEUE_CONFLATE);
    cr_expect_eq(route->subprotocols.count, 1);
    cr_expect_eq(config->routes[1].kind, ROUTE_FILES);
    cr_expect_str_eq(config->routes[1].root, "pages");
    cr_expect_str_eq(config->routes[1].index, "index.html");
    cr_expect_eq(config->routes[1].queue_policy, QUEUE_DISCONNECT);
    config_unref(config);
}

Test(load, flag_beats_variable_beats_file_beats_default)
{
    struct config *config = must(attempt_all(
        BYTES_OF("{\"workers\": 2, \"log\": {\"rate_limit\": 2}, \"http\": "
                 "{\"header_count_limit\": 2}}"),
        VARIABLES("TIDEGATE_WORKERS=3", "TIDEGATE_LOG_RATE_LIMIT=3", "HOME=/", "TIDEGATE"),
        FLAGS("workers=4")));
    cr_expect_eq(config->workers, 4);
    cr_expect_eq(config->log.rate_limit, 3);
    cr_expect_eq(config->http.header_count_limit, 2);
    cr_expect_eq(config->http.head_timeout_ms, 10000);
    config_unref(config);
}

Test(load, last_of_equal_flags_wins)
{
    struct config *config =
        must(attempt_all(BYTES_OF("{}"), NO_VARIABLES, FLAGS("workers=4", "workers=5")));
    cr_expect_eq(config->workers, 5);
    config_unref(config);
}

Test(load, list_of_texts_is_written_in_three_ways)
{
    static const char *const ways[] = {"client.allowed_origins=https://a,https://b",
                                       "client.allowed_origins=https://a  https://b",
                                       "client.allowed_origins=[\"https://a\", \"https://b\"]"};
    for (size_t i = 0; i < 3; i++) {
        struct config *config = must(attempt_flag(ways[i]));
        cr_assert_eq(config->client.allowed_origins.count, 2);
        cr_expect_str_eq(config->client.allowed_origins.items[0], "https://a");
        cr_expect_str_eq(config->client.allowed_origins.items[1], "https://b");
        config_unref(config);
    }
}

Test(load, stronger_source_replaces_a_whole_list)
{
    struct config *config =
        must(attempt_all(BYTES_OF("{\"client\": {\"allowed_origins\": [\"a\", \"b\"]},"
                                  " \"routes\": [{\"path\": \"/a\", \"kind\": \"echo\"},"
                                  "              {\"path\": \"/b\", \"kind\": \"echo\"}]}"),
                         VARIABLES("TIDEGATE_CLIENT_ALLOWED_ORIGINS=",
                                   "TIDEGATE_ROUTES=[{\"path\": \"/c\", \"kind\": \"echo\"}]"),
                         NO_FLAGS));
    cr_expect_eq(config->client.allowed_origins.count, 0);
    cr_assert_eq(config->route_count, 1);
    cr_expect_str_eq(config->routes[0].path, "/c");
    config_unref(config);
}

Test(load, flag_reaches_into_a_list)
{
    struct config *config = must(attempt_all(
        BYTES_OF("{}"), NO_VARIABLES,
        FLAGS("listeners.0.port=8001", "listeners.1.name=inside", "listeners.1.address=::1",
              "listeners.1.serves=internal", "channel.without_namespace.history_size=3",
              "channel.without_namespace.history_ttl=5s")));
    cr_expect_eq(config->listeners[0].port, 8001);
    cr_expect_str_eq(config->listeners[0].name, "main");
    cr_assert_eq(config->listener_count, 2);
    cr_expect_str_eq(config->listeners[1].address, "::1");
    cr_expect_eq(config->listeners[1].port, 8000);
    cr_expect_str_eq(config->listeners[1].serves.items[0], "internal");
    cr_expect_eq(config->channel.without_namespace.history_size, 3);
    config_unref(config);
}

Test(load, flag_gives_a_whole_list)
{
    struct config *config =
        must(attempt_flag("listeners=[{\"name\": \"unix\", \"path\": \"/run/t.sock\"}]"));
    cr_assert_eq(config->listener_count, 1);
    cr_expect_str_eq(config->listeners[0].path, "/run/t.sock");
    cr_expect_str_eq(config->listeners[0].address, "");
    cr_expect_str_eq(config->listeners[0].serves.items[0], "public");
    config_unref(config);
}

Test(load, variable_of_a_group_member_is_known)
{
    struct config *config =
        must(attempt_all(BYTES_OF("{}"),
                         VARIABLES("TIDEGATE_CHANNEL_WITHOUT_NAMESPACE_HISTORY_SIZE=4",
                                   "TIDEGATE_CHANNEL_WITHOUT_NAMESPACE_HISTORY_TTL=4s",
                                   "TIDEGATE_CHANNEL_NAMESPACES=[{\"name\": \"ab\"}]"),
                         NO_FLAGS));
    cr_expect_eq(config->channel.without_namespace.history_size, 4);
    cr_expect_eq(config->channel.namespace_count, 1);
    config_unref(config);
}

Test(load, long_lists_keep_every_object)
{
    char text[8192] = "{\"routes\":[";
    for (int i = 0; i < 100; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s{\"path\":\"/%d\",\"kind\":\"echo\"}",
                 i > 0 ? "," : "", i);
    }
    strcat(text, "]}");
    struct config *config = must(attempt_file(text));
    cr_assert_eq(config->route_count, 100);
    for (int i = 0; i < 100; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", i);
        cr_expect_str_eq(config->routes[i].path, path);
    }
    config_unref(config);
}

Test(load, references_keep_a_snapshot)
{
    struct config *config = must(attempt_flag("workers=1"));
    cr_expect_eq(config_ref(config), config);
    config_unref(config);
    cr_expect_eq(config->workers, 1);
    config_unref(config);
    config_unref(NULL);
}

Test(load, namespace_is_found_by_its_name)
{
    struct config *config = must(attempt_flag("channel.namespaces=[{\"name\":\"ab\"},"
                                              "{\"name\":\"abc\"}]"));
    cr_expect_eq(config_namespace_find(config, BYTES_OF("abc")), &config->channel.namespaces[1]);
    cr_expect_eq(config_namespace_find(config, BYTES_OF("ab")), &config->channel.namespaces[0]);
    cr_expect_eq(config_namespace_find(config, BYTES_EMPTY), &config->channel.without_namespace);
    cr_expect_null(config_namespace_find(config, BYTES_OF("a")));
    cr_expect_null(config_namespace_find(config, BYTES_OF("abcd")));
    config_unref(config);
}

Test(load, restart_is_needed_for_what_threads_are_built_on)
{
    struct config *current = must(attempt_flag("workers=1"));
    struct config *same = must(attempt_flag("workers=1"));
    const char *key = "untouched";
    cr_expect_not(config_needs_restart(current, same, &key));
    cr_expect_str_eq(key, "untouched");
    struct config *live = must(
        attempt_all(BYTES_OF("{\"routes\": [{\"path\": \"/\", \"kind\": \"echo\"}]}"), NO_VARIABLES,
                    FLAGS("workers=1", "log.level=debug", "client.ping_interval=0")));
    cr_expect_not(config_needs_restart(current, live, &key));
    struct config *port =
        must(attempt_all(BYTES_OF("{}"), NO_VARIABLES, FLAGS("workers=1", "listeners.0.port=1")));
    cr_expect(config_needs_restart(current, port, &key));
    cr_expect_str_eq(key, "listeners");
    struct config *serves = must(
        attempt_all(BYTES_OF("{}"), NO_VARIABLES, FLAGS("workers=1", "listeners.0.serves=public")));
    cr_expect(config_needs_restart(current, serves, &key));
    struct config *workers = must(attempt_flag("workers=2"));
    cr_expect(config_needs_restart(current, workers, &key));
    cr_expect_str_eq(key, "workers");
    struct config *all[] = {current, same, live, port, serves, workers};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        config_unref(all[i]);
    }
}

Test(load, certificates_of_a_listener_change_without_a_restart)
{
    struct config *current = must(attempt_flag("workers=1"));
    struct config *secured = must(attempt_all(
        BYTES_OF("{}"), NO_VARIABLES,
        FLAGS("workers=1", "listeners.0.tls.certificates.0.certificate=a.pem",
              "listeners.0.tls.certificates.0.key=b.pem", "listeners.0.tls.min_version=1.3")));
    const char *key = "untouched";
    cr_assert_eq(secured->listeners[0].tls.certificate_count, 1);
    cr_expect_str_eq(secured->listeners[0].tls.certificates[0].key, "b.pem");
    cr_expect_eq(secured->listeners[0].tls.min_version, CONFIG_TLS_1_3);
    cr_expect(secured->listeners[0].tls.session_tickets);
    cr_expect_not(config_needs_restart(current, secured, &key));
    config_unref(current);
    config_unref(secured);
}
