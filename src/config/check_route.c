// Routes: the pattern's syntax, options that belong to another kind, the channel template, and two
// patterns that nothing could choose between. A pattern that is merely wider than another is no
// conflict: the more specific one is taken.
// Pure functions; the thread that loads.
#include "check.h"
#include "store.h"
#include "tidegate/base/attr.h"

#include <errno.h>
#include <stdio.h>

// One part of a pattern between slashes.
enum segment_kind { SEGMENT_LITERAL, SEGMENT_NAME, SEGMENT_REST, SEGMENT_WRONG };

static bool is_placeholder_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return name.len > 0;
}

// The kind of `segment`, and the name in it.
static enum segment_kind segment_classify(struct bytes segment, struct bytes *ret_name)
{
    *ret_name = BYTES_EMPTY;
    if (bytes_equal(segment, BYTES_OF("*"))) {
        return SEGMENT_REST;
    }
    if (segment.len >= 2 && segment.at[0] == '{' && segment.at[segment.len - 1] == '}') {
        *ret_name = bytes_make(segment.at + 1, segment.len - 2);
        return is_placeholder_name(*ret_name) ? SEGMENT_NAME : SEGMENT_WRONG;
    }
    for (size_t i = 0; i < segment.len; i++) {
        if (strchr("{}*?# ", segment.at[i]) != NULL) {
            return SEGMENT_WRONG;
        }
    }
    return SEGMENT_LITERAL;
}

// Whether `path` has `{name}` among its first `len` bytes.
static bool pattern_has_name(struct bytes path, struct bytes name)
{
    struct bytes segment;
    while (bytes_next_part(&path, '/', &segment)) {
        struct bytes found;
        if (segment_classify(segment, &found) == SEGMENT_NAME && bytes_equal(found, name)) {
            return true;
        }
    }
    return false;
}

static int check_pattern(struct bytes path, const char *key, struct fault *fault)
{
    if (path.at[0] != '/') {
        return fault_set(fault, key, "expected a path that begins with /, got %s",
                         fault_quote(path).text);
    }
    struct bytes rest = bytes_skip(path, 1);
    struct bytes segment;
    while (bytes_next_part(&rest, '/', &segment)) {
        struct bytes name;
        bool last = rest.at == NULL;
        enum segment_kind kind = segment_classify(segment, &name);
        struct bytes before = {path.at, (size_t)(segment.at - path.at)};
        if (segment.len == 0 && !last) {
            return fault_set(fault, key, "expected no empty segment, got %s",
                             fault_quote(path).text);
        }
        if (kind == SEGMENT_WRONG) {
            return fault_set(fault, key, "expected a literal, {name} or * between slashes, got %s",
                             fault_quote(segment).text);
        }
        if (kind == SEGMENT_REST && !last) {
            return fault_set(fault, key, "expected * at the end only, got %s",
                             fault_quote(path).text);
        }
        if (kind == SEGMENT_NAME && pattern_has_name(before, name)) {
            return fault_set(fault, key, "expected each name once, got %s twice",
                             fault_quote(segment).text);
        }
    }
    return 0;
}

// Whether two patterns match exactly the same paths: equal but for the names of placeholders.
static bool pattern_same_shape(struct bytes a, struct bytes b)
{
    for (;;) {
        struct bytes segment_a = BYTES_EMPTY;
        struct bytes segment_b = BYTES_EMPTY;
        bool more_a = bytes_next_part(&a, '/', &segment_a);
        bool more_b = bytes_next_part(&b, '/', &segment_b);
        if (!more_a || !more_b) {
            return more_a == more_b;
        }
        struct bytes name;
        enum segment_kind kind = segment_classify(segment_a, &name);
        if (kind != segment_classify(segment_b, &name) ||
            (kind == SEGMENT_LITERAL && !bytes_equal(segment_a, segment_b))) {
            return false;
        }
    }
}

// The channel's template: literals and placeholders that the path has, in a namespace that exists.
static int check_template(const struct config *config, const struct config_route *route,
                          const char *key, struct fault *fault)
{
    struct bytes rest = bytes_str(route->channel);
    ptrdiff_t colon = -1; // end of a namespace that no placeholder is part of
    while (rest.len > 0) {
        struct bytes token = {rest.at, 1};
        if (rest.at[0] == '{') {
            ptrdiff_t end = bytes_find(rest, '}');
            struct bytes name = {rest.at + 1, end > 0 ? (size_t)end - 1 : 0};
            if (end < 0 || !pattern_has_name(bytes_str(route->path), name)) {
                return fault_set(fault, key, "expected placeholders of the path %s, got %s",
                                 fault_quote(bytes_str(route->path)).text, fault_quote(rest).text);
            }
            token.len = (size_t)end + 1;
            colon = colon < 0 ? 0 : colon;
        } else if (rest.at[0] == '}' || rest.at[0] < 0x21 || rest.at[0] > 0x7e) {
            return fault_set(fault, key, "expected printable ASCII and {name}, got %s",
                             fault_quote(bytes_str(route->channel)).text);
        } else if (rest.at[0] == ':' && colon < 0) {
            colon = rest.at - route->channel;
        }
        rest = bytes_skip(rest, token.len);
    }
    struct bytes space = {route->channel, colon > 0 ? (size_t)colon : 0};
    space = bytes_skip(space, bytes_starts_with(space, BYTES_OF("$")) ? 1 : 0);
    if (config_namespace_find(config, space) == NULL) {
        return fault_set(fault, key, "expected a namespace of channel.namespaces, got %s",
                         fault_quote(space).text);
    }
    return 0;
}

// Options by the kinds they are for.
static const struct {
    const char *key;
    unsigned kinds; // bits
} options[] = {
    {"channel", 1u << ROUTE_CHANNEL},
    {"initial_messages", 1u << ROUTE_CHANNEL},
    {"client_publish", 1u << ROUTE_CHANNEL},
    {"exclude_sender", 1u << ROUTE_CHANNEL},
    {"queue_policy", 1u << ROUTE_CHANNEL},
    {"visible_refusals", 1u << ROUTE_CHANNEL | 1u << ROUTE_ECHO},
    {"root", 1u << ROUTE_FILES},
    {"index", 1u << ROUTE_FILES},
    {"subprotocols", 1u << ROUTE_ECHO | 1u << ROUTE_CHANNEL},
};

static const struct table *route_table(void)
{
    return table_find(&config_table, BYTES_OF("routes"))->sub;
}

// Refuses options of another kind, unless they say what the default says anyway.
static int check_options(const struct config_route *route, struct key *key, struct fault *fault)
{
    size_t len = key->len;
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct row *row = table_find(route_table(), bytes_str(options[i].key));
        if ((options[i].kinds & 1u << route->kind) != 0 ||
            store_is_default(route_table(), row, route)) {
            continue;
        }
        key_push(key, bytes_str(options[i].key));
        const char *kind = table_find(route_table(), BYTES_OF("kind"))->choices[route->kind];
        fault_set(fault, key->text, "expected no such option for a route of kind \"%s\", got one",
                  kind);
        key_cut(key, len);
        return -EINVAL;
    }
    return 0;
}

static int check_needed(const struct config_route *route, struct key *key, struct fault *fault)
{
    size_t len = key->len;
    bool lacks_channel = route->kind == ROUTE_CHANNEL && *route->channel == '\0';
    bool lacks_root = route->kind == ROUTE_FILES && *route->root == '\0';
    if (!lacks_channel && !lacks_root) {
        return 0;
    }
    key_push(key, lacks_channel ? BYTES_OF("channel") : BYTES_OF("root"));
    fault_set(fault, key->text, "expected %s, got nothing",
              lacks_channel ? "a channel such as \"news\" or \"{name}\"" : "a folder");
    key_cut(key, len);
    return -EINVAL;
}

// Where the gateway itself answers.
static const char *const own_paths[] = {"/api/{method}", "/metrics", "/livez", "/readyz"};

static int check_own_paths(const struct config_route *route, const char *key, struct fault *fault)
{
    for (size_t i = 0; i < ARRAY_LEN(own_paths) && route->host[0] == '\0'; i++) {
        if (pattern_same_shape(bytes_str(route->path), bytes_str(own_paths[i]))) {
            return fault_set(fault, key,
                             "expected a pattern of its own, got %s, where the gateway answers",
                             fault_quote(bytes_str(route->path)).text);
        }
    }
    return 0;
}

static int check_conflicts(const struct config *config, size_t index, const char *key,
                           struct fault *fault)
{
    const struct config_route *route = &config->routes[index];
    for (size_t i = 0; i < index; i++) {
        const struct config_route *other = &config->routes[i];
        if (bytes_equal_nocase(bytes_str(route->host), bytes_str(other->host)) &&
            pattern_same_shape(bytes_str(route->path), bytes_str(other->path))) {
            return fault_set(fault, key,
                             "expected a pattern of its own, got %s, the same as routes.%zu, %s",
                             fault_quote(bytes_str(route->path)).text, i,
                             fault_quote(bytes_str(other->path)).text);
        }
    }
    return 0;
}

static int check_host(struct bytes host, struct key *key, struct fault *fault)
{
    size_t len = key->len;
    for (size_t i = 0; i < host.len; i++) {
        if (host.at[i] <= 0x20 || host.at[i] > 0x7e || strchr("/*{}?#@", host.at[i]) != NULL) {
            key_push(key, BYTES_OF("host"));
            fault_set(fault, key->text, "expected a host name, got %s", fault_quote(host).text);
            key_cut(key, len);
            return -EINVAL;
        }
    }
    return 0;
}

int check_route(const struct config *config, size_t index, struct fault *fault)
{
    const struct config_route *route = &config->routes[index];
    struct key key = {"", 0};
    key_push(&key, BYTES_OF("routes"));
    key_push_index(&key, index);
    struct key path_key = key;
    struct key channel_key = key;
    key_push(&path_key, BYTES_OF("path"));
    key_push(&channel_key, BYTES_OF("channel"));
    int err = check_pattern(bytes_str(route->path), path_key.text, fault);
    err = err == 0 ? check_host(bytes_str(route->host), &key, fault) : err;
    err = err == 0 ? check_options(route, &key, fault) : err;
    err = err == 0 ? check_needed(route, &key, fault) : err;
    err = err == 0 ? check_own_paths(route, path_key.text, fault) : err;
    err = err == 0 ? check_conflicts(config, index, path_key.text, fault) : err;
    if (err == 0 && route->kind == ROUTE_CHANNEL) {
        err = check_template(config, route, channel_key.text, fault);
    }
    return err;
}
