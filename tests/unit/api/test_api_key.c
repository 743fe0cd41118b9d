// The key of the HTTP API. Owner: Criterion, a process a test.
#include "tidegate/session/api_key.h"

#include <criterion/criterion.h>

static bool opens(const char *key, bool is_insecure, const char *presented)
{
    struct config config = {0};
    char room[32];
    strcpy(room, key);
    config.http_api.key = room;
    config.http_api.insecure = is_insecure;
    return api_key_is_valid(&config, bytes_str(presented));
}

Test(api_key, only_the_whole_key_opens)
{
    cr_assert(opens("secret", false, "secret"));
    cr_assert_not(opens("secret", false, "secreT"));
    cr_assert_not(opens("secret", false, "secret2"));
    cr_assert_not(opens("secret", false, "secre"));
    cr_assert_not(opens("secret", false, ""));
}

Test(api_key, without_a_key_nothing_opens)
{
    cr_assert_not(opens("", false, ""));
    cr_assert_not(opens("", false, "anything"));
}

Test(api_key, insecure_opens_to_all)
{
    cr_assert(opens("", true, ""));
    cr_assert(opens("secret", true, "wrong"));
}
