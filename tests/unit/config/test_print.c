// What is printed: settings that load again, masked secrets, a schema, a reference.
#include "support.h"

#include "indent.h"
#include "store.h"
#include "tidegate/codec/json_read.h"

#include <criterion/criterion.h>

static void setup(void)
{
    config_setup();
}

TestSuite(print, .init = setup, .fini = leaks_check);
TestSuite(indent, .fini = leaks_check);

static struct buf printed(const struct config *config)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    cr_assert_eq(config_print(config, &out), 0);
    return out;
}

// Loads `text`, prints it, loads what was printed: nothing may differ.
static void expect_round_trip(const char *text)
{
    struct attempt first = attempt_file(text);
    cr_assert_eq(first.result, 0, "%s", first.error);
    struct buf out = printed(first.config);
    struct attempt second = attempt_all(buf_bytes(&out), NO_VARIABLES, NO_FLAGS);
    cr_assert_eq(second.result, 0, "%s", second.error);
    for (size_t i = 0; i < config_table.count; i++) {
        cr_expect(store_equal(&config_table.rows[i], first.config, second.config), "%s",
                  config_table.rows[i].key);
    }
    struct buf again = printed(second.config);
    cr_expect(bytes_equal(buf_bytes(&out), buf_bytes(&again)));
    buf_finish(&out);
    buf_finish(&again);
    config_unref(first.config);
    config_unref(second.config);
}

Test(print, printed_defaults_load_to_the_same)
{
    expect_round_trip("{}");
}

Test(print, printed_settings_load_to_the_same)
{
    expect_round_trip(
        "{\"workers\": 7, \"log\": {\"level\": \"error\", \"format\": \"json\", \"rate_limit\": 0},"
        " \"listeners\": [{\"name\": \"a\", \"address\": \"::\", \"port\": 0, \"backlog\": 1},"
        "  {\"name\": \"b\", \"path\": \"/run/b \\\"q\\\".sock\", \"serves\": [\"internal\"]}],"
        " \"routes\": [{\"path\": \"/e\", \"kind\": \"echo\", \"subprotocols\": [\"v1\", \"v2\"]},"
        "  {\"path\": \"/c/{x}\", \"kind\": \"channel\", \"channel\": \"ab:{x}\","
        "   \"initial_messages\": 3, \"queue_policy\": \"drop_oldest\"},"
        "  {\"path\": \"/*\", \"kind\": \"files\", \"root\": \"p<&>\", \"index\": \"i.html\"}],"
        " \"client\": {\"allowed_origins\": [\"https://*.example\"], \"ping_interval\": \"1500ms\","
        "  \"pong_timeout\": \"1s\", \"queue_max_size\": 5000},"
        " \"websocket\": {\"message_size_limit\": \"1GiB\"},"
        " \"http_api\": {\"error_mode\": \"transport\", \"insecure\": true},"
        " \"channel\": {\"without_namespace\": {\"history_size\": 2, \"history_ttl\": \"90s\"},"
        "  \"namespaces\": [{\"name\": \"ab\", \"history_meta_ttl\": \"25h\"}]},"
        " \"shutdown\": {\"delay\": \"1m\", \"drain_timeout\": 0}}");
}

Test(print, secret_is_masked)
{
    struct attempt attempt = attempt_flag("http_api.key=hunter2");
    cr_assert_eq(attempt.result, 0);
    struct buf out = printed(attempt.config);
    struct json *root = NULL;
    cr_assert_eq(json_parse(buf_bytes(&out), out.len, &root, NULL), 0);
    const struct json *key = json_get(json_get(root, "http_api"), "key");
    cr_expect(bytes_equal(json_string(key), BYTES_OF("***")));
    cr_expect_null(memmem(out.at, out.len, "hunter2", 7));
    json_destroy(root);
    buf_finish(&out);
    config_unref(attempt.config);
}

Test(print, output_limit_is_an_error)
{
    struct attempt attempt = attempt_flag("workers=1");
    cr_assert_eq(attempt.result, 0);
    struct buf out;
    buf_init(&out, 100);
    cr_expect_eq(config_print(attempt.config, &out), -EMSGSIZE);
    buf_clear(&out);
    cr_expect_eq(config_print_schema(&out), -EMSGSIZE);
    buf_clear(&out);
    cr_expect_eq(config_print_reference(&out), -EMSGSIZE);
    buf_finish(&out);
    config_unref(attempt.config);
}

// The schema of `key`, walking properties and items.
static const struct json *schema_of(const struct json *root, const char *key)
{
    struct bytes rest = bytes_str(key);
    struct bytes part;
    while (bytes_next_part(&rest, '.', &part)) {
        char name[64] = "";
        memcpy(name, part.at, part.len);
        root = json_get(json_get(root, "properties"), name);
    }
    return root;
}

static int expect_in_schema(void *context, const char *key, const struct row *row)
{
    const struct json *schema = schema_of(context, key);
    cr_expect_eq(json_kind(schema), JSON_OBJECT, "%s", key);
    cr_expect(bytes_equal(json_string(json_get(schema, "description")), bytes_str(row->help)), "%s",
              key);
    cr_expect_not_null(json_get(schema, "default"), "%s", key);
    if (row->sub != NULL) {
        const struct json *items = json_get(json_get(schema, "items"), "properties");
        cr_expect_eq(json_count(items), row->sub->count, "%s", key);
    }
    return 0;
}

Test(print, schema_is_json_and_has_every_row)
{
    struct buf out;
    struct json *root = NULL;
    buf_init(&out, 1 << 20);
    cr_assert_eq(config_print_schema(&out), 0);
    cr_assert_eq(json_parse(buf_bytes(&out), out.len, &root, NULL), 0);
    table_each(&config_table, "", expect_in_schema, root);
    cr_expect_not(json_bool(json_get(root, "additionalProperties")));
    json_destroy(root);
    buf_finish(&out);
}

static int expect_in_reference(void *context, const char *key, const struct row *row)
{
    const struct buf *page = context;
    char cell[256];
    int len = snprintf(cell, sizeof cell, "\n| `%s` | ", key);
    cr_expect_not_null(memmem(page->at, page->len, cell, (size_t)len), "%s", key);
    if (row->sub != NULL) {
        snprintf(cell, sizeof cell, "%s[]", key);
        table_each(row->sub, cell, expect_in_reference, context);
    }
    return 0;
}

Test(print, reference_has_every_row)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    cr_assert_eq(config_print_reference(&out), 0);
    table_each(&config_table, "", expect_in_reference, &out);
    buf_finish(&out);
}

static void expect_indented(const char *json, const char *expected)
{
    struct buf out;
    buf_init(&out, 1000);
    cr_assert_eq(indent_json(bytes_str(json), &out), 0);
    cr_expect(bytes_equal(buf_bytes(&out), bytes_str(expected)), "%.*s", (int)out.len, out.at);
    buf_finish(&out);
}

Test(indent, brackets_open_lines_outside_of_strings_only)
{
    expect_indented("{\"a\":[1,true],\"b\":\"[{,:}\\\"]\"}",
                    "{\n    \"a\": [\n        1,\n        true\n    ],\n    \"b\": "
                    "\"[{,:}\\\"]\"\n}\n");
    expect_indented("{\"a\":[],\"b\":{}}", "{\n    \"a\": [],\n    \"b\": {}\n}\n");
    expect_indented("5", "5\n");
    expect_indented("\"\\\\\"", "\"\\\\\"\n");
}
