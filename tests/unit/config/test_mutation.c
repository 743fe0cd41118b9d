// A valid file with random damage: it loads or it is refused with one line, and nothing is read or
// written out of bounds (under ASan). The seed is fixed, so that a failure comes back.
#include "support.h"

#include <criterion/criterion.h>

static void setup(void)
{
    config_setup();
}

TestSuite(mutation, .init = setup, .fini = leaks_check, .timeout = 60);

#define ROUNDS 3000

static uint64_t state = 0x9e3779b97f4a7c15;

static uint32_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

static const char valid[] =
    "{\"workers\": 2, \"log\": {\"level\": \"info\", \"rate_limit\": 20},\n"
    " \"listeners\": [{\"name\": \"main\", \"address\": \"127.0.0.1\", \"port\": 8000,\n"
    "   \"serves\": [\"public\", \"internal\"]}, {\"name\": \"u\", \"path\": \"/run/u\"}],\n"
    " \"client\": {\"allowed_origins\": [\"*\"], \"ping_interval\": \"25s\",\n"
    "   \"queue_max_size\": \"1MiB\"}, \"http_api\": {\"key\": \"k\", \"insecure\": false},\n"
    " \"channel\": {\"without_namespace\": {\"history_size\": 1, \"history_ttl\": \"1m\"},\n"
    "   \"namespaces\": [{\"name\": \"news\", \"history_size\": 9, \"history_ttl\": \"1h\"}]},\n"
    " \"routes\": [{\"path\": \"/c/{x}/*\", \"kind\": \"channel\", \"channel\": \"news:{x}\"},\n"
    "   {\"path\": \"/*\", \"kind\": \"files\", \"root\": \"pages\"}]}\n";

static void damage(char *text, size_t *len)
{
    static const char marks[] = "{}[]\",:0.*-\\/ae\n\xff";
    size_t at = next_random() % *len;
    switch (next_random() % 4) {
    case 0:
        text[at] = (char)next_random();
        break;
    case 1:
        text[at] = marks[next_random() % (sizeof marks - 1)];
        break;
    case 2: // a byte less
        memmove(text + at, text + at + 1, *len - at - 1);
        *len -= 1;
        break;
    case 3: // a part twice
        memmove(text + at, text + next_random() % *len / 2, (*len - at) / 2);
        break;
    }
}

static void expect_one_line(const struct attempt *attempt)
{
    if (attempt->result == 0) {
        cr_expect_str_eq(attempt->error, "");
        return;
    }
    cr_expect_null(attempt->config);
    cr_expect_eq(strncmp(attempt->error, "FILE:", 5), 0, "%s", attempt->error);
    cr_expect_null(strchr(attempt->error, '\n'));
}

Test(mutation, damaged_files_load_or_are_refused)
{
    int loaded = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char text[sizeof valid];
        size_t len = sizeof valid - 1;
        memcpy(text, valid, sizeof valid);
        for (uint32_t i = next_random() % 3; i < 3; i++) {
            damage(text, &len);
        }
        struct attempt attempt = attempt_all(bytes_make(text, len), NO_VARIABLES, NO_FLAGS);
        expect_one_line(&attempt);
        loaded += attempt.result == 0;
        config_unref(attempt.config);
    }
    cr_expect_gt(loaded, 0, "some damage is harmless");
    cr_expect_lt(loaded, ROUNDS / 2, "most is not");
}

Test(mutation, cut_files_are_refused)
{
    for (size_t len = 0; len < sizeof valid - 2; len += 3) {
        struct attempt attempt = attempt_all(bytes_make(valid, len), NO_VARIABLES, NO_FLAGS);
        expect_one_line(&attempt);
        cr_expect_eq(attempt.result, -EINVAL, "%zu", len);
        config_unref(attempt.config);
    }
}

Test(mutation, damaged_flags_load_or_are_refused)
{
    static const char *const flags[] = {
        "listeners.0.port=8001",
        "client.allowed_origins=[\"a\",\"b\"]",
        "channel.without_namespace.history_ttl=1h30m",
        "routes=[{\"path\":\"/a/{b}\",\"kind\":\"channel\",\"channel\":\"{b}\"}]",
    };
    for (int round = 0; round < ROUNDS; round++) {
        char text[128] = "";
        strcpy(text, flags[round % 4]);
        size_t len = strlen(text);
        damage(text, &len);
        text[len] = '\0';
        struct attempt attempt = attempt_flag(text);
        cr_expect_null(strchr(attempt.error, '\n'));
        cr_expect_eq(attempt.result == 0, *attempt.error == '\0', "%s", attempt.error);
        config_unref(attempt.config);
    }
}
