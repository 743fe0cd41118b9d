// history, history_remove, channels, info and batch: the answers' exact JSON.
// Owner: Criterion, a process a test.
#include "support.h"

TestSuite(method, .fini = leaks_check);

// Publishes 1 .. count to kept:a.
static void fill(struct scene *scene, int count)
{
    for (int i = 1; i <= count; i++) {
        char body[64];
        snprintf(body, sizeof(body), "{\"channel\":\"kept:a\",\"data\":%d}", i);
        ask(scene, API_PUBLISH, body);
    }
}

Test(method, are_found_by_their_names)
{
    enum api_method method;
    for (unsigned i = 0; i < API_METHODS; i++) {
        cr_assert_eq(method_find(bytes_str(method_row((enum api_method)i)->name), &method), 0);
        cr_assert_eq(method, i);
    }
    cr_assert_eq(method_find(BYTES_OF("nonsense"), &method), -ENOENT);
    cr_assert_eq(method_find(BYTES_EMPTY, &method), -ENOENT);
}

Test(method, history_gives_what_is_asked_for)
{
    struct scene scene;
    scene_begin(&scene);
    fill(&scene, 7);
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:a\"}",
           "{\"result\":{\"publications\":[],\"offset\":7,\"epoch\":\"########\"}}");
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:a\",\"limit\":2}",
           "{\"result\":{\"publications\":[{\"data\":3,\"offset\":3},{\"data\":4,\"offset\":4}],"
           "\"offset\":7,\"epoch\":\"########\"}}");
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:a\",\"limit\":1,\"reverse\":true}",
           "{\"result\":{\"publications\":[{\"data\":7,\"offset\":7}],"
           "\"offset\":7,\"epoch\":\"########\"}}");
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:a\",\"limit\":-1,\"since\":{\"offset\":6}}",
           "{\"result\":{\"publications\":[{\"data\":7,\"offset\":7}],"
           "\"offset\":7,\"epoch\":\"########\"}}");
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:new\",\"limit\":-1}",
           "{\"result\":{\"publications\":[],\"offset\":0,\"epoch\":\"########\"}}");
    scene_end(&scene);
}

Test(method, history_since_the_right_epoch_and_another)
{
    struct scene scene;
    char body[128];
    scene_begin(&scene);
    fill(&scene, 2);
    struct position top = position_of(&scene, "kept:a");
    snprintf(body, sizeof(body),
             "{\"channel\":\"kept:a\",\"limit\":9,\"since\":{\"offset\":1,\"epoch\":\"%s\"}}",
             top.epoch);
    expect(&scene, API_HISTORY, body,
           "{\"result\":{\"publications\":[{\"data\":2,\"offset\":2}],"
           "\"offset\":2,\"epoch\":\"########\"}}");
    snprintf(body, sizeof(body),
             "{\"channel\":\"kept:a\",\"limit\":9,\"since\":{\"offset\":1,\"epoch\":\"%sx\"}}",
             top.epoch);
    expect(&scene, API_HISTORY, body, UNRECOVERABLE);
    expect(&scene, API_HISTORY,
           "{\"channel\":\"kept:a\",\"limit\":9,\"since\":{\"epoch\":\"other\"}}", UNRECOVERABLE);
    scene_end(&scene);
}

Test(method, history_tells_tags_and_bytes_that_are_no_json)
{
    struct scene scene;
    scene_begin(&scene);
    ask(&scene, API_PUBLISH, "{\"channel\":\"kept:a\",\"data\":\"x\",\"tags\":{\"k\":\"v\"}}");
    ask(&scene, API_PUBLISH, "{\"channel\":\"kept:a\",\"b64data\":\"AP8=\",\"tags\":{}}");
    ask(&scene, API_PUBLISH, "{\"channel\":\"kept:a\",\"b64data\":\"eyJhIjoxfQ==\"}");
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:a\",\"limit\":-1}",
           "{\"result\":{\"publications\":["
           "{\"data\":\"x\",\"offset\":1,\"tags\":{\"k\":\"v\"}},"
           "{\"b64data\":\"AP8=\",\"offset\":2},{\"data\":{\"a\":1},\"offset\":3}],"
           "\"offset\":3,\"epoch\":\"########\"}}");
    scene_end(&scene);
}

Test(method, history_errors_have_their_codes)
{
    struct scene scene;
    scene_begin(&scene);
    fill(&scene, 1);
    expect(&scene, API_HISTORY, "{}", BAD_REQUEST);
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:a\",\"limit\":\"1\"}", BAD_REQUEST);
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:a\",\"since\":1}", BAD_REQUEST);
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:a\",\"since\":{\"epoch\":1}}", BAD_REQUEST);
    expect(&scene, API_HISTORY,
           "{\"channel\":\"kept:a\",\"limit\":1,\"since\":{\"offset\":0},\"reverse\":true}",
           BAD_REQUEST);
    expect(&scene, API_HISTORY, "{\"channel\":\"other:a\"}", UNKNOWN_CHANNEL);
    expect(&scene, API_HISTORY, "{\"channel\":\"plain\"}", NOT_AVAILABLE);
    expect(&scene, API_HISTORY_REMOVE, "{}", BAD_REQUEST);
    expect(&scene, API_HISTORY_REMOVE, "{\"channel\":\"other:a\"}", UNKNOWN_CHANNEL);
    expect(&scene, API_HISTORY_REMOVE, "{\"channel\":\"plain\"}", NOT_AVAILABLE);
    scene_end(&scene);
}

Test(method, history_remove_leaves_the_position)
{
    struct scene scene;
    scene_begin(&scene);
    fill(&scene, 2);
    expect(&scene, API_HISTORY_REMOVE, "{\"channel\":\"kept:a\"}", "{\"result\":{}}");
    expect(&scene, API_HISTORY, "{\"channel\":\"kept:a\",\"limit\":-1}",
           "{\"result\":{\"publications\":[],\"offset\":2,\"epoch\":\"########\"}}");
    scene_end(&scene);
}

Test(method, channels_are_those_with_subscribers)
{
    struct scene scene;
    scene_begin(&scene);
    stage_join(&scene.stage, "plain", 1);
    stage_join(&scene.stage, "kept:a", 1);
    stage_join(&scene.stage, "kept:left", 1);
    hub_count(scene.stage.hub, BYTES_OF("plain"), 3);
    hub_count(scene.stage.hub, BYTES_OF("kept:a"), 1);
    expect(&scene, API_CHANNELS, "{\"pattern\":\"kept:*\"}",
           "{\"result\":{\"channels\":{\"kept:a\":{\"num_clients\":1}}}}");
    ask(&scene, API_CHANNELS, "{}");
    cr_assert_not_null(strstr(scene.text, "\"plain\":{\"num_clients\":3}"));
    cr_assert_null(strstr(scene.text, "kept:left"));
    expect(&scene, API_CHANNELS, "{\"pattern\":\"none\"}", "{\"result\":{\"channels\":{}}}");
    expect(&scene, API_CHANNELS, "{\"pattern\":1}", BAD_REQUEST);
    scene_end(&scene);
}

Test(method, info_describes_this_node)
{
    struct scene scene;
    char start[256];
    scene_begin(&scene);
    snprintf(scene.node.name, sizeof(scene.node.name), "host");
    stage_pass(&scene.stage, 4500);
    ask(&scene, API_INFO, "{}");
    snprintf(start, sizeof(start),
             "{\"result\":{\"nodes\":[{\"uid\":\"%s\",\"name\":\"host\",\"version\":\"%s\","
             "\"num_clients\":0,\"num_users\":0,\"num_channels\":0,\"num_subs\":0,\"uptime\":4,"
             "\"process\":{\"cpu\":",
             scene.node.uid, TIDEGATE_VERSION);
    cr_assert(bytes_starts_with(bytes_str(scene.text), bytes_str(start)), "%s", scene.text);
    cr_assert_eq(strlen(scene.node.uid), API_NODE_UID_LEN);
    scene_end(&scene);
}

Test(method, a_batch_answers_in_order_under_each_name)
{
    struct scene scene;
    scene_begin(&scene);
    expect(&scene, API_BATCH,
           "{\"parallel\":true,\"commands\":["
           "{\"publish\":{\"channel\":\"kept:a\",\"data\":1}},"
           "{\"broadcast\":{\"channels\":[\"kept:a\",\"plain\"],\"data\":2}},"
           "{\"history\":{\"channel\":\"kept:a\",\"limit\":1,\"reverse\":true}},"
           "{\"publish\":{\"channel\":\"other:a\",\"data\":1}},"
           "{\"nonsense\":{}},{\"publish\":1},7,{\"batch\":{\"commands\":[]}},"
           "{\"history_remove\":{\"channel\":\"kept:a\"}},{\"channels\":{}}]}",
           "{\"replies\":[{\"publish\":{\"offset\":1,\"epoch\":\"########\"}},"
           "{\"broadcast\":{\"responses\":[{\"result\":{\"offset\":2,\"epoch\":\"########\"}},"
           "{\"result\":{}}]}},"
           "{\"history\":{\"publications\":[{\"data\":2,\"offset\":2}],"
           "\"offset\":2,\"epoch\":\"########\"}},"
           "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}},"
           "{\"error\":{\"code\":104,\"message\":\"not found\"}},"
           "{\"error\":{\"code\":107,\"message\":\"bad request\"}},"
           "{\"error\":{\"code\":107,\"message\":\"bad request\"}},"
           "{\"error\":{\"code\":104,\"message\":\"not found\"}},"
           "{\"history_remove\":{}},{\"channels\":{\"channels\":{}}}]}");
    expect(&scene, API_BATCH, "{\"commands\":[]}", "{\"replies\":[]}");
    scene_end(&scene);
}

Test(method, many_broadcasts_in_a_batch_have_room)
{
    struct scene scene;
    scene_begin(&scene);
    ask(&scene, API_BATCH,
        "{\"commands\":["
        "{\"broadcast\":{\"channels\":[\"a\",\"b\",\"c\",\"d\",\"e\"],\"data\":1}},"
        "{\"broadcast\":{\"channels\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\"],\"data\":1}},"
        "{\"broadcast\":{\"channels\":[\"a\"],\"data\":1}},{\"publish\":{\"channel\":\"kept:a\","
        "\"data\":1}}]}");
    cr_assert_str_eq(strstr(scene.text, "{\"publish\""),
                     "{\"publish\":{\"offset\":1,\"epoch\":\"########\"}}]}");
    scene_end(&scene);
}

Test(method, a_batch_without_commands_or_past_the_limit_is_a_bad_request)
{
    struct scene scene;
    scene_begin(&scene);
    expect(&scene, API_BATCH, "{}", BAD_REQUEST);
    expect(&scene, API_BATCH, "{\"commands\":{}}", BAD_REQUEST);
    expect(&scene, API_BATCH, "{\"commands\":[1,2,3,4,5,6,7,8,9,10,11]}", BAD_REQUEST);
    scene_end(&scene);
}
