// From a channel's name to its settings. Owner: the test.
#include "support.h"

#include "tidegate/session/settings.h"

TestSuite(settings, .fini = leaks_check);

Test(settings, the_namespace_in_the_name_decides)
{
    struct scene scene;
    struct channel_settings settings;
    scene_begin(&scene);
    scene.config.channel.history_meta_ttl_ms = 777;
    cr_assert_eq(settings_of_channel(&scene.config, BYTES_OF("kept:a"), &settings), 0);
    cr_assert_eq(settings.history_size, 5);
    cr_assert_eq(settings.history_ttl_ms, STAGE_TTL_MS);
    cr_assert_eq(settings.history_meta_ttl_ms, STAGE_META_TTL_MS);
    cr_assert_eq(settings_of_channel(&scene.config, BYTES_OF("plain"), &settings), 0);
    cr_assert_eq(settings.history_size, 0);
    cr_assert_eq(settings.history_meta_ttl_ms, 777, "the channels' own, where it has none");
    scene_end(&scene);
}

Test(settings, what_is_no_name_or_no_namespace_is_told_apart)
{
    static const char *const bad[] = {"", "with space", "tab\t", "caf\xc3\xa9"};
    struct scene scene;
    struct channel_settings settings = {.history_size = 99};
    scene_begin(&scene);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_assert_eq(settings_of_channel(&scene.config, bytes_str(bad[i]), &settings), -EINVAL);
    }
    char name[102];
    memset(name, 'x', sizeof(name));
    cr_assert_eq(settings_of_channel(&scene.config, bytes_make(name, 101), &settings), -EINVAL);
    cr_assert_eq(settings_of_channel(&scene.config, BYTES_OF("other:a"), &settings), -ENOENT);
    cr_assert_eq(settings.history_size, 99);
    cr_assert_eq(settings_of_channel(&scene.config, bytes_make(name, 100), &settings), 0);
    scene_end(&scene);
}
