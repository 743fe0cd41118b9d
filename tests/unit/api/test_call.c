// A call and the answers that come late, or too late. Owner: Criterion, a process a test.
#include "support.h"

TestSuite(call, .fini = leaks_check);

static const char broadcast[] = "{\"channels\":[\"kept:a\",\"kept:b\"],\"data\":1}";

Test(call, waits_for_each_answer)
{
    struct scene scene;
    scene_begin(&scene);
    struct api_call *call = call_create(&scene.worker, NULL);
    method_start(call, API_BROADCAST, BYTES_OF(broadcast));
    cr_assert_eq(call->waiting, 3);
    slots_deliver(&scene.slots, stage_take(&scene.stage, 0));
    cr_assert_eq(call->waiting, 2);
    scene_deliver(&scene);
    cr_assert_eq(call->waiting, 1);
    struct slot_ref self = call->self;
    call_settle(call);
    cr_assert_null(slots_get(&scene.slots, self));
    scene_end(&scene);
}

Test(call, an_abandoned_one_is_gone_and_late_answers_find_nobody)
{
    struct scene scene;
    scene_begin(&scene);
    struct http_exchange exchange = {.responded = false};
    struct api_call *call = call_create(&scene.worker, &exchange);
    struct slot_ref self = call->self;
    method_start(call, API_BROADCAST, BYTES_OF(broadcast));
    cr_assert_eq(exchange.owner, call);
    slots_deliver(&scene.slots, stage_take(&scene.stage, 0));
    exchange.on_abandoned(&exchange);
    cr_assert_null(slots_get(&scene.slots, self));
    scene_deliver(&scene);
    scene_end(&scene);
}

Test(call, an_abandoned_one_frees_the_answers_it_has)
{
    struct scene scene;
    scene_begin(&scene);
    struct http_exchange exchange = {.responded = false};
    struct api_call *call = call_create(&scene.worker, &exchange);
    method_start(
        call, API_BATCH,
        BYTES_OF("{\"commands\":[{\"channels\":{}},{\"history\":{\"channel\":\"kept:a\"}}]}"));
    slots_deliver(&scene.slots, stage_take(&scene.stage, 0));
    exchange.on_abandoned(&exchange);
    scene_deliver(&scene);
    scene_end(&scene);
}

Test(call, counts_one_error_whatever_the_number_of_its_answers)
{
    struct scene scene;
    scene_begin(&scene);
    int64_t before = metric_value(METRIC_API_ERRORS);
    struct api_call *call = call_create(&scene.worker, NULL);
    method_start(call, API_BROADCAST, BYTES_OF("{\"channels\":[\"x:1\",\"x:2\"],\"data\":1}"));
    call_settle(call);
    cr_assert_eq(metric_value(METRIC_API_ERRORS), before + 1);
    call = call_create(&scene.worker, NULL);
    method_start(call, API_INFO, BYTES_OF("{}"));
    call_settle(call);
    cr_assert_eq(metric_value(METRIC_API_ERRORS), before + 1);
    scene_end(&scene);
}
