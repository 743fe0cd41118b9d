// Live and ready, from heartbeats and the state. Owner: Criterion, a process a test.
#include "health.h"

#include "../../support/leaks.h"

TestSuite(health, .fini = leaks_check);

#define NOW_MS 100000

struct scene {
    _Atomic int64_t heartbeats_ms[2];
    _Atomic int readiness;
    struct admin_options options;
    char text[256];
};

static void begin(struct scene *scene, int64_t first_ms, int64_t second_ms, int readiness)
{
    atomic_init(&scene->heartbeats_ms[0], first_ms);
    atomic_init(&scene->heartbeats_ms[1], second_ms);
    atomic_init(&scene->readiness, readiness);
    scene->options = (struct admin_options){
        .worker_count = 2, .heartbeats_ms = scene->heartbeats_ms, .readiness = &scene->readiness};
}

static int ask(struct scene *scene,
               int (*health)(const struct admin_options *, int64_t, struct buf *))
{
    struct buf out;
    buf_init(&out, sizeof(scene->text) - 1);
    int status = health(&scene->options, NOW_MS, &out);
    memcpy(scene->text, out.at, out.len);
    scene->text[out.len] = '\0';
    buf_finish(&out);
    return status;
}

Test(health, is_live_and_ready_while_every_worker_turns)
{
    struct scene scene;
    begin(&scene, NOW_MS - 1000, NOW_MS - HEALTH_TURN_MAX_MS, ADMIN_READY);
    cr_assert_eq(ask(&scene, health_live), 200);
    cr_assert_str_eq(scene.text, "{\"status\":\"ok\"}");
    cr_assert_eq(ask(&scene, health_ready), 200);
    cr_assert_str_eq(scene.text, "{\"status\":\"ok\"}");
}

Test(health, names_the_worker_that_hangs)
{
    struct scene scene;
    begin(&scene, NOW_MS, NOW_MS - HEALTH_TURN_MAX_MS - 1, ADMIN_READY);
    cr_assert_eq(ask(&scene, health_live), 503);
    cr_assert_str_eq(scene.text, "{\"status\":\"stalled\",\"worker\":1}");
    cr_assert_eq(ask(&scene, health_ready), 503);
    cr_assert_str_eq(scene.text, "{\"status\":\"stalled\",\"worker\":1}");
}

Test(health, while_draining_it_lives_but_is_not_ready)
{
    struct scene scene;
    begin(&scene, NOW_MS, NOW_MS, ADMIN_DRAINING);
    cr_assert_eq(ask(&scene, health_live), 200);
    cr_assert_eq(ask(&scene, health_ready), 503);
    cr_assert_str_eq(scene.text, "{\"status\":\"draining\"}");
}

Test(health, before_all_workers_have_begun_it_lives_but_is_not_ready)
{
    struct scene scene;
    begin(&scene, NOW_MS, 0, ADMIN_READY);
    cr_assert_eq(ask(&scene, health_live), 200);
    cr_assert_eq(ask(&scene, health_ready), 503);
    cr_assert_str_eq(scene.text, "{\"status\":\"starting\"}");
    begin(&scene, NOW_MS, NOW_MS, ADMIN_STARTING);
    cr_assert_eq(ask(&scene, health_ready), 503);
}
