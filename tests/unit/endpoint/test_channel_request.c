// What a request to a channel route asks for: name, position, format. Owner: the test.
#include "../session/support.h"

#include "channel_request.h"

#include "tidegate/proto/protocol.h"

static struct scene scene;
static struct websocket_worker worker;
static struct config_route route;
static struct channel_target channel;
static struct http_exchange exchange;
static struct http_header header;
static struct channel_request read_request;
static const char *problem;

static void begin(void)
{
    scene_begin(&scene);
    worker = (struct websocket_worker){.session = &scene.worker};
    route = (struct config_route){.channel = mem_strdup("kept:{topic}"), .initial_messages = 3};
    channel = (struct channel_target){.worker = &worker, .route = &route};
    exchange = (struct http_exchange){.request = {.method = HTTP_GET, .headers = &header}};
    exchange.match.params[0].name = "topic";
    exchange.match.params[0].value = BYTES_OF("a");
    exchange.match.params[1].name = "*";
    exchange.match.params[1].value = BYTES_OF("x/y");
    exchange.match.param_count = 2;
    problem = NULL;
}

static void end(void)
{
    mem_free(route.channel);
    scene_end(&scene);
    leaks_check();
}

static int ask(const char *query)
{
    exchange.request.query = bytes_str(query);
    return channel_request_read(&channel, &exchange, &read_request, &problem);
}

static void expect_name(const char *template, const char *value, const char *expected)
{
    char name[CHANNEL_NAME_MAX];
    size_t len = 0;
    mem_free(route.channel);
    route.channel = mem_strdup(template);
    exchange.match.params[0].value = bytes_str(value);
    int error = channel_request_name(&channel, &exchange.match, name, &len);
    cr_assert_eq(error, expected == NULL ? -EINVAL : 0, "%s with %s: %d", template, value, error);
    cr_assert(expected == NULL || bytes_equal(bytes_make(name, len), bytes_str(expected)),
              "%s with %s gives \"%.*s\"", template, value, (int)len, name);
}

TestSuite(request, .init = begin, .fini = end);

Test(request, the_name_comes_of_the_template_and_the_path)
{
    expect_name("fixed", "a", "fixed");
    expect_name("{topic}", "a", "a");
    expect_name("kept:{topic}", "a", "kept:a");
    expect_name("{topic}:{topic}!", "a", "a:a!");
    expect_name("kept:{*}", "a", "kept:x/y");
    expect_name("kept:{topic}", "a%20b%2Fc", "kept:a b/c");
    expect_name("kept:{topic}", "a+b", "kept:a+b"); // a plus is a space in queries only
    expect_name("open{topic", "a", "open{topic");
}

Test(request, a_parameter_that_is_missing_or_cannot_be_decoded_makes_no_name)
{
    expect_name("{nothing}", "a", NULL);
    expect_name("{topic}", "a%2", NULL);
    expect_name("{topic}", "a%zz", NULL);
}

Test(request, a_name_that_is_too_long_is_refused_and_never_cut)
{
    static char value[1000];
    char name[CHANNEL_NAME_MAX];
    size_t len = 0;
    memset(value, 'a', sizeof(value));
    for (size_t n = 200; n <= sizeof(value); n += n < 260 ? 1 : 740) {
        exchange.match.params[0].value = bytes_make(value, n);
        int error = channel_request_name(&channel, &exchange.match, name, &len);
        cr_assert_eq(error, n + 5 <= CHANNEL_NAME_MAX ? 0 : -ENAMETOOLONG, "%zu: %d", n, error);
    }
}

Test(request, without_a_query_the_route_decides)
{
    route.client_publish = true;
    route.exclude_sender = true;
    cr_assert_eq(ask(""), 0);
    cr_assert(bytes_equal(read_request.options.channel, BYTES_OF("kept:a")));
    cr_assert_eq(read_request.options.initial, 3);
    cr_assert(!read_request.options.recover);
    cr_assert(read_request.options.client_publish);
    cr_assert(read_request.options.exclude_sender);
    cr_assert_eq(read_request.protocol, &protocol_plain);
}

Test(request, history_format_and_since_are_read)
{
    cr_assert_eq(ask("history=7&format=json&since=abcdefgh%3A42"), 0);
    cr_assert_eq(read_request.options.initial, 7);
    cr_assert_eq(read_request.protocol, &protocol_plain_json);
    cr_assert(read_request.options.recover);
    cr_assert_str_eq(read_request.options.since.epoch, "abcdefgh");
    cr_assert_eq(read_request.options.since.offset, 42);
    cr_assert_eq(ask("since=:18446744073709551615"), 0);
    cr_assert_str_eq(read_request.options.since.epoch, "");
    cr_assert_eq(read_request.options.since.offset, UINT64_MAX);
    cr_assert_eq(ask("since=other:1"), 0);
    cr_assert_str_neq(read_request.options.since.epoch, "", "another server's is not any");
}

Test(request, history_is_bounded_by_what_a_recovery_may_bring)
{
    scene.config.client.recovery_max_publication_limit = 100;
    cr_assert_eq(ask("history=2000000000"), 0);
    cr_assert_eq(read_request.options.initial, 100);
    route.initial_messages = 500; // what the route gives anyway may be asked for
    cr_assert_eq(ask("history=2000000000"), 0);
    cr_assert_eq(read_request.options.initial, 500);
}

Test(request, what_cannot_be_read_is_a_bad_request)
{
    static const char *const bad[] = {
        "history=",
        "history=-1",
        "history=x",
        "history=99999999999",
        "format=xml",
        "format=",
        "since=",
        "since=42",
        "since=abcdefgh:",
        "since=abcdefgh:-1",
        "since=abcdefgh:18446744073709551616",
        "since=abcdefgh%3",
        "since=abcdefgh:1 ",
        "since="
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        problem = NULL;
        cr_assert_eq(ask(bad[i]), 400, "%s", bad[i]);
        cr_assert_not_null(problem);
    }
}

Test(request, what_a_browser_sends_when_it_reconnects_is_newer_than_the_url)
{
    header = (struct http_header){BYTES_OF("Last-Event-ID"), BYTES_OF("abcdefgh:9")};
    exchange.request.header_count = 1;
    cr_assert_eq(ask("since=abcdefgh:1"), 0);
    cr_assert_eq(read_request.options.since.offset, 9);
    header.value = BYTES_OF("some other server's");
    cr_assert_eq(ask(""), 0, "an id that is not ours is no error");
    cr_assert(read_request.options.recover);
    cr_assert_str_neq(read_request.options.since.epoch, "");
}

Test(request, an_unknown_namespace_is_not_found_and_a_bad_name_a_bad_request)
{
    mem_free(route.channel);
    route.channel = mem_strdup("{topic}");
    exchange.match.params[0].value = BYTES_OF("unknown:a");
    cr_assert_eq(ask(""), 404);
    exchange.match.params[0].value = BYTES_OF("a%20b");
    cr_assert_eq(ask(""), 400);
    exchange.match.params[0].value = BYTES_OF("a%00b");
    cr_assert_eq(ask(""), 400);
}
