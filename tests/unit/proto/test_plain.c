// The plain format: what was published is what arrives. Owner: the test.
#include "../session/support.h"

#include "tidegate/proto/protocol.h"

TestSuite(plain, .fini = leaks_check);

Test(plain, formats_are_found_by_name_with_numbers_of_their_own)
{
    cr_assert_eq(protocol_find(BYTES_OF("plain")), &protocol_plain);
    cr_assert_eq(protocol_find(BYTES_OF("json")), &protocol_plain_json);
    cr_assert_null(protocol_find(BYTES_OF("")));
    cr_assert_null(protocol_find(BYTES_OF("plai")));
    cr_assert_null(protocol_find(BYTES_OF("JSON")));
    cr_assert_neq(protocol_plain.index, protocol_plain_json.index);
}

static void publish(struct scene *scene, struct bytes data, bool is_binary)
{
    scene_publish_parts(scene, &(struct publication_parts){.channel = BYTES_OF("kept:a"),
                                                           .data = data,
                                                           .is_binary = is_binary});
    scene_deliver(scene);
}

Test(plain, publications_arrive_byte_for_byte_and_nothing_else)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    client_begin(&client, &scene, &protocol_plain, &client_sink,
                 &(struct session_options){.channel = BYTES_OF("kept:a")});
    scene_deliver(&scene);
    client_expect(&client, "");
    publish(&scene, BYTES_OF("{\"a\": 1}"), false);
    publish(&scene, BYTES_OF("no json \xc3\xa9\n"), false);
    publish(&scene, BYTES_OF("\xff\xfe"), true);
    publish(&scene, BYTES_EMPTY, false);
    client_expect(&client, "={\"a\": 1} =no json \xc3\xa9\n #\xff\xfe = ");
    client_end(&client);
    scene_end(&scene);
}

Test(plain, a_message_is_a_publication_to_the_one_channel)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    client_begin(&client, &scene, &protocol_plain, &client_sink,
                 &(struct session_options){.channel = BYTES_OF("kept:a"), .client_publish = true});
    scene_deliver(&scene);
    cr_assert_eq(session_receive(&client.session, BYTES_OF("text"), false), CLOSE_NONE);
    cr_assert_eq(session_receive(&client.session, BYTES_OF("\x01\x02"), true), CLOSE_NONE);
    scene_deliver(&scene);
    client_expect(&client, "=text #\x01\x02 ");
    client_end(&client);
    scene_end(&scene);
}

Test(plain, a_channel_that_cannot_be_subscribed_closes)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    client_begin(&client, &scene, &protocol_plain, &client_sink,
                 &(struct session_options){.channel = BYTES_OF("unknown:a")});
    cr_assert_eq(client.reason, CLOSE_POLICY_VIOLATION);
    client_end(&client);
    scene_end(&scene);
}
