// Whether a service may call. Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/base/mem.h"
#include "tidegate/session/api_key.h"

TestSuite(api_key, .fini = leaks_check);

static bool opens(const char *key, bool insecure, const char *presented)
{
    char *copy = mem_strdup(key);
    struct config config = {.http_api = {.key = copy, .insecure = insecure}};
    bool is_valid = api_key_is_valid(&config, bytes_str(presented));
    mem_free(copy);
    return is_valid;
}

Test(api_key, the_key_opens_and_nothing_else)
{
    cr_assert(opens("secret", false, "secret"));
    cr_assert(!opens("secret", false, ""));
    cr_assert(!opens("secret", false, "secre"));
    cr_assert(!opens("secret", false, "secrets"));
    cr_assert(!opens("secret", false, "Secret"));
}

Test(api_key, an_empty_key_opens_nothing)
{
    cr_assert(!opens("", false, ""));
    cr_assert(!opens("", false, "anything"));
}

Test(api_key, insecure_opens_to_all)
{
    cr_assert(opens("", true, ""));
    cr_assert(opens("secret", true, "wrong"));
}
