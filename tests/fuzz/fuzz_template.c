// Channel templates: what the settings accept makes a name of every path that the route matches, or
// refuses it; and the name is what the template's parts make, put together. An input is three
// lines: the route's pattern, the template, a path.
#include "channel_request.h"
#include "fuzz.h"

#include "tidegate/codec/json_write.h"
#include "tidegate/config/load.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    config_setup();
    return 0;
}

// The snapshot with this one route, or NULL: the settings do not take it.
static struct config *settings_with(struct bytes pattern, struct bytes template)
{
    struct config *config = NULL;
    struct config_error error;
    struct json_writer writer;
    struct buf flag;
    buf_init(&flag, 1u << 16);
    FUZZ_REQUIRE(buf_append(&flag, BYTES_OF("routes=")) == 0);
    json_write_begin(&writer, &flag);
    json_open_array(&writer);
    json_open_object(&writer);
    json_field_string(&writer, "path", pattern);
    json_field_string(&writer, "kind", BYTES_OF("channel"));
    json_field_string(&writer, "channel", template);
    json_close_object(&writer);
    json_close_array(&writer);
    FUZZ_REQUIRE(json_write_end(&writer) == 0);
    char *text = fuzz_text(buf_bytes(&flag));
    const char *sets[] = {text, "channel.namespaces=[{\"name\":\"news\"},{\"name\":\"a\"}]"};
    struct config_sources sources = {.sets = sets, .set_count = 2};
    int result = config_load(&sources, &config, &error);
    free(text);
    buf_finish(&flag);
    return result == 0 ? config : NULL;
}

static int make_name(const char *template, const struct router_match *match, char *to, size_t *len)
{
    struct config_route route = {.channel = (char *)template};
    struct channel_target target = {.route = &route};
    return channel_request_name(&target, match, to, len);
}

// The template cut in two where no placeholder is cut.
static void check_parts(struct bytes template, const struct router_match *match, struct bytes name)
{
    size_t at = 0;
    char first[CHANNEL_NAME_MAX];
    char second[CHANNEL_NAME_MAX];
    size_t first_len = 0;
    size_t second_len = 0;
    size_t wanted = fuzz_hash(template) % (template.len + 1);
    while (at < template.len && at < wanted) {
        bool is_open = template.at[at] == '{';
        at += is_open ? (size_t)bytes_find(bytes_skip(template, at), '}') + 1 : 1;
    }
    char *left = fuzz_text(bytes_make(template.at, at));
    char *right = fuzz_text(bytes_skip(template, at));
    FUZZ_REQUIRE(make_name(left, match, first, &first_len) == 0);
    FUZZ_REQUIRE(make_name(right, match, second, &second_len) == 0);
    FUZZ_REQUIRE(first_len + second_len == name.len);
    FUZZ_REQUIRE(memcmp(name.at, first, first_len) == 0);
    FUZZ_REQUIRE(memcmp(name.at + first_len, second, second_len) == 0);
    free(left);
    free(right);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_make(data, size);
    struct bytes pattern = BYTES_EMPTY;
    struct bytes template = BYTES_EMPTY;
    if (size > 4096 || !fuzz_line(&rest, &pattern) || !fuzz_line(&rest, &template)) {
        return 0;
    }
    struct config *config = settings_with(pattern, template);
    if (config == NULL) {
        return 0;
    }
    FUZZ_REQUIRE(config->route_count == 1);
    const struct config_route *route = &config->routes[0];
    struct router *router = router_create();
    struct router_match match;
    FUZZ_REQUIRE(router_add(router, NULL, route->path, NULL) == 0);
    if (router_find(router, BYTES_EMPTY, rest, &match)) {
        char *name = malloc(CHANNEL_NAME_MAX);
        size_t len = 0;
        if (make_name(route->channel, &match, name, &len) == 0) {
            FUZZ_REQUIRE(len <= CHANNEL_NAME_MAX);
            check_parts(bytes_str(route->channel), &match, bytes_make(name, len));
        }
        free(name);
    }
    router_destroy(router);
    config_unref(config);
    return 0;
}
