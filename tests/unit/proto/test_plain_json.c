// The plain format with an envelope: golden bytes. Owner: the test. Epochs read "########".
#include "../session/support.h"

#include "tidegate/proto/protocol.h"

TestSuite(plain_json, .fini = leaks_check);

static void join(struct client *client, struct scene *scene, const char *channel)
{
    client_begin(client, scene, &protocol_plain_json, &client_sink,
                 &(struct session_options){.channel = bytes_str(channel)});
    scene_deliver(scene);
}

static void publish(struct scene *scene, const char *channel, struct bytes data, bool is_binary)
{
    scene_publish_parts(scene, &(struct publication_parts){.channel = bytes_str(channel),
                                                           .data = data,
                                                           .is_binary = is_binary});
    scene_deliver(scene);
}

#define HEAD(offset) "={\"offset\":" offset ",\"epoch\":\"########\","

Test(plain_json, it_begins_with_where_it_starts)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    publish(&scene, "kept:a", BYTES_OF("1"), false);
    join(&client, &scene, "kept:a");
    client_expect(&client, "={\"recovered\":false,\"offset\":1,\"epoch\":\"########\"} ");
    client_end(&client);
    join(&client, &scene, "plain");
    client_expect(&client, "={\"recovered\":false,\"offset\":0,\"epoch\":\"\"} ");
    client_end(&client);
    client_begin(&client, &scene, &protocol_plain_json, &client_sink,
                 &(struct session_options){.channel = BYTES_OF("kept:a"), .recover = true});
    scene_deliver(&scene);
    client_expect(&client, "={\"recovered\":true,\"offset\":0,\"epoch\":\"########\"} " HEAD(
                               "1") "\"data\":1} ");
    client_end(&client);
    scene_end(&scene);
}

static void expect_data(struct bytes data, bool is_binary, const char *expected)
{
    struct scene scene;
    struct client client;
    char line[400];
    scene_begin(&scene);
    join(&client, &scene, "kept:a");
    buf_clear(&client.told);
    publish(&scene, "kept:a", data, is_binary);
    snprintf(line, sizeof(line), HEAD("1") "%s} ", expected);
    client_expect(&client, line);
    client_end(&client);
    scene_end(&scene);
}

Test(plain_json, json_stands_in_it_as_it_was_published)
{
    expect_data(BYTES_OF("{\"b\": [1, 2.50, \"x\\u0000\"]}"), false,
                "\"data\":{\"b\": [1, 2.50, \"x\\u0000\"]}");
    expect_data(BYTES_OF("null"), false, "\"data\":null");
    expect_data(BYTES_OF("\"text\""), false, "\"data\":\"text\"");
}

Test(plain_json, text_that_is_no_json_is_a_string)
{
    expect_data(BYTES_OF("hello \"you\"\n\\"), false, "\"data\":\"hello \\\"you\\\"\\n\\\\\"");
    expect_data(BYTES_OF("{broken"), false, "\"data\":\"{broken\"");
    expect_data(BYTES_OF("1 2"), false, "\"data\":\"1 2\"");
    expect_data(BYTES_OF("caf\xc3\xa9"), false, "\"data\":\"caf\xc3\xa9\"");
    expect_data(BYTES_EMPTY, false, "\"data\":\"\"");
    expect_data(BYTES_OF("{\"data\":1}}"), false, "\"data\":\"{\\\"data\\\":1}}\"");
}

Test(plain_json, bytes_that_are_no_text_are_base64)
{
    expect_data(BYTES_OF("\x00\xff\x10"), true, "\"b64data\":\"AP8Q\"");
    expect_data(BYTES_OF("{}"), true, "\"b64data\":\"e30=\"");
    expect_data(BYTES_OF("bad \xff"), false, "\"b64data\":\"YmFkIP8=\"");
}

Test(plain_json, json_that_is_too_deep_is_a_string)
{
    char deep[201];
    char expected[220];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    deep[200] = 0;
    snprintf(expected, sizeof(expected), "\"data\":\"%s\"", deep);
    expect_data(bytes_str(deep), false, expected);
}

Test(plain_json, a_gap_tells_how_many_are_missing)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "plain");
    buf_clear(&client.told);
    client.drops = 4;
    publish(&scene, "plain", BYTES_OF("{}"), false);
    session_on_drained(&client.session);
    client_expect(&client,
                  "={\"offset\":0,\"epoch\":\"\",\"data\":{}} ={\"gap\":{\"dropped\":4}} ");
    client_end(&client);
    scene_end(&scene);
}
