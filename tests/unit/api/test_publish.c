// publish and broadcast, from the request's JSON to the publication and the answer.
// Owner: Criterion, a process a test.
#include "support.h"

TestSuite(publish, .fini = leaks_check);

Test(publish, the_answer_has_the_position_where_there_is_history)
{
    struct scene scene;
    scene_begin(&scene);
    expect(&scene, API_PUBLISH, "{\"channel\":\"plain\",\"data\":1}", "{\"result\":{}}");
    expect(&scene, API_PUBLISH, "{\"channel\":\"kept:a\",\"data\":1}",
           "{\"result\":{\"offset\":1,\"epoch\":\"########\"}}");
    expect(&scene, API_PUBLISH, "{\"data\":2,\"channel\":\"kept:a\",\"other\":{}}",
           "{\"result\":{\"offset\":2,\"epoch\":\"########\"}}");
    expect(&scene, API_PUBLISH, "{\"channel\":\"kept:a\",\"data\":3,\"skip_history\":true}",
           "{\"result\":{}}");
    cr_assert_eq(scene.status, 200);
    scene_end(&scene);
}

Test(publish, data_arrives_as_it_was_written)
{
    static const char *const values[] = {
        "null",
        "\"hello\"",
        "-1.50e+3",
        "12345678901234567890",
        "[]",
        "{ \"z\" : 1.10,\"a\":\t[] }",
        "\"\\u0041\\/\\u0000\"",
        "\"\xc3\xbc\"",
        "true",
    };
    struct scene scene;
    scene_begin(&scene);
    stage_join(&scene.stage, "plain", 1);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char body[128];
        snprintf(body, sizeof(body), "{\"channel\":\"plain\",\"data\": %s }", values[i]);
        expect(&scene, API_PUBLISH, body, "{\"result\":{}}");
        stage_expect_publication(&scene.stage, 1, 0, values[i]);
    }
    scene_end(&scene);
}

Test(publish, line_ends_between_tokens_are_left_out)
{
    struct scene scene;
    scene_begin(&scene);
    stage_join(&scene.stage, "plain", 1);
    expect(&scene, API_PUBLISH,
           "{\"channel\":\"plain\",\"data\":{\n  \"a\": 1,\n  \"b\": \"\\n\"\n}}",
           "{\"result\":{}}");
    stage_expect_publication(&scene.stage, 1, 0, "{  \"a\": 1,  \"b\": \"\\n\"}");
    scene_end(&scene);
}

Test(publish, b64data_is_binary_and_goes_before_data)
{
    struct scene scene;
    scene_begin(&scene);
    stage_join(&scene.stage, "plain", 1);
    expect(&scene, API_PUBLISH, "{\"channel\":\"plain\",\"data\":1,\"b64data\":\"AP8=\"}",
           "{\"result\":{}}");
    struct message *message = stage_take(&scene.stage, 1);
    struct publication *publication =
        container_of(message, struct hub_message, message)->publication;
    cr_assert(publication->is_binary);
    cr_assert(bytes_equal(publication->data, bytes_make("\x00\xff", 2)));
    message->destroy(message);
    scene_end(&scene);
}

Test(publish, a_wrong_field_is_a_bad_request_and_nothing_is_published)
{
    static const char *const bodies[] = {
        "{}",
        "{\"channel\":\"plain\"}",
        "{\"data\":1}",
        "{\"channel\":\"\",\"data\":1}",
        "{\"channel\":null,\"data\":1}",
        "{\"channel\":7,\"data\":1}",
        "{\"channel\":\"with space\",\"data\":1}",
        "{\"channel\":\"plain\",\"b64data\":\"!\"}",
        "{\"channel\":\"plain\",\"b64data\":1}",
        "{\"channel\":\"plain\",\"b64data\":\"\"}",
        "{\"channel\":\"plain\",\"data\":1,\"tags\":5}",
        "{\"channel\":\"plain\",\"data\":1,\"tags\":{\"a\":1}}",
        "{\"channel\":\"plain\",\"data\":1,\"skip_history\":1}",
        "{\"channel\":\"plain\",\"data\":1,\"version\":\"x\"}",
        "{\"channel\":\"plain\",\"data\":1,\"version\":-1}",
        "{\"channel\":\"plain\",\"data\":1,\"version_epoch\":1}",
        "{\"channel\":\"plain\",\"data\":1,\"idempotency_key\":1}",
    };
    struct scene scene;
    scene_begin(&scene);
    stage_join(&scene.stage, "plain", 1);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        expect(&scene, API_PUBLISH, bodies[i], BAD_REQUEST);
        cr_assert_eq(scene.status, 200);
    }
    stage_expect_nothing(&scene.stage, 1);
    scene_end(&scene);
}

Test(publish, an_unknown_namespace_is_an_unknown_channel)
{
    struct scene scene;
    scene_begin(&scene);
    expect(&scene, API_PUBLISH, "{\"channel\":\"other:a\",\"data\":1}", UNKNOWN_CHANNEL);
    ask_in_mode(&scene, API_PUBLISH, "{\"channel\":\"other:a\",\"data\":1}", true);
    cr_assert_str_eq(scene.text, "{\"code\":102,\"message\":\"unknown channel\"}");
    cr_assert_eq(scene.status, 404);
    scene_end(&scene);
}

Test(publish, keys_and_versions_reach_the_broker)
{
    struct scene scene;
    scene_begin(&scene);
    const char *first = "{\"result\":{\"offset\":1,\"epoch\":\"########\"}}";
    const char *second = "{\"result\":{\"offset\":2,\"epoch\":\"########\"}}";
    expect(&scene, API_PUBLISH, "{\"channel\":\"kept:a\",\"data\":1,\"idempotency_key\":\"k\"}",
           first);
    expect(&scene, API_PUBLISH, "{\"channel\":\"kept:a\",\"data\":2,\"idempotency_key\":\"k\"}",
           first);
    expect(&scene, API_PUBLISH, "{\"channel\":\"kept:a\",\"data\":3,\"version\":5}", second);
    expect(&scene, API_PUBLISH, "{\"channel\":\"kept:a\",\"data\":4,\"version\":5}", second);
    scene_end(&scene);
}

Test(publish, past_the_channel_limit_it_says_so)
{
    struct scene scene;
    scene_begin(&scene);
    for (int i = 0; i < 100; i++) {
        char body[64];
        snprintf(body, sizeof(body), "{\"channel\":\"kept:%d\",\"data\":1}", i);
        ask(&scene, API_PUBLISH, body);
    }
    expect(&scene, API_PUBLISH, "{\"channel\":\"kept:more\",\"data\":1}",
           "{\"error\":{\"code\":100,\"message\":\"channel limit reached\"}}");
    scene_end(&scene);
}

Test(publish, a_broadcast_answers_for_each_channel_in_order)
{
    struct scene scene;
    scene_begin(&scene);
    stage_join(&scene.stage, "plain", 1);
    expect(&scene, API_BROADCAST,
           "{\"channels\":[\"kept:a\",\"other:b\",\"plain\",\"\",\"kept:\\u0061\"],\"data\":[1]}",
           "{\"result\":{\"responses\":[{\"result\":{\"offset\":1,\"epoch\":\"########\"}},"
           "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}},{\"result\":{}},"
           "{\"error\":{\"code\":107,\"message\":\"bad request\"}},"
           "{\"result\":{\"offset\":2,\"epoch\":\"########\"}}]}}");
    stage_expect_publication(&scene.stage, 1, 0, "[1]");
    scene_end(&scene);
}

Test(publish, a_broadcast_with_no_or_too_many_or_odd_channels_is_a_bad_request)
{
    static const char *const bodies[] = {
        "{\"data\":1}",
        "{\"channels\":[],\"data\":1}",
        "{\"channels\":\"plain\",\"data\":1}",
        "{\"channels\":[\"plain\",1],\"data\":1}",
        "{\"channels\":[\"plain\"]}",
        "{\"channels\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"plain\"],"
        "\"data\":1}",
    };
    struct scene scene;
    scene_begin(&scene);
    stage_join(&scene.stage, "plain", 1);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        expect(&scene, API_BROADCAST, bodies[i], BAD_REQUEST);
    }
    stage_expect_nothing(&scene.stage, 1);
    scene_end(&scene);
}
