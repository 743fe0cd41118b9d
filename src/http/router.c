// Which target answers a path. Routes are kept sorted, the most specific first, so the first one
// that matches is the answer: among patterns that match one path, literal segments at the same
// place are equal, so comparing the kinds of segments (literal, name, rest) from the left orders
// them fully. Owner: a worker; built once, then constant. Invariant: no two routes have one shape
// and host.
#include "tidegate/http/router.h"

#include "tidegate/base/mem.h"

#include <errno.h>

enum segment_kind { SEGMENT_LITERAL, SEGMENT_NAME, SEGMENT_REST };

struct segment {
    enum segment_kind kind;
    struct bytes text; // view into route.pattern
    char *name;        // owned; the parameter's, NULL for literals
};

struct route {
    char *host;               // owned; NULL = any
    char *pattern;            // owned
    void *target;             // borrowed
    struct segment *segments; // owned
    size_t count;
};

struct router {
    struct route *routes; // owned; most specific first
    size_t count;
    size_t capacity;
};

struct router *router_create(void)
{
    return mem_zalloc(sizeof(struct router));
}

static void route_finish(struct route *route)
{
    for (size_t i = 0; i < route->count; i++) {
        mem_free(route->segments[i].name);
    }
    mem_free(route->segments);
    mem_free(route->pattern);
    mem_free(route->host);
}

void router_destroy(struct router *router)
{
    if (router == NULL) {
        return;
    }
    for (size_t i = 0; i < router->count; i++) {
        route_finish(&router->routes[i]);
    }
    mem_free(router->routes);
    mem_free(router);
}

static bool is_name(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool is_alpha = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
        if (!is_alpha && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return text.len > 0;
}

static bool is_literal(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c <= ' ' || c >= 0x7f || strchr("{}*?#\"<>\\^`|", c) != NULL) {
            return false;
        }
    }
    return true;
}

// What `text` is as a segment: 0 and kind and text (the name without braces), or -EINVAL.
static int segment_read(struct bytes text, bool is_last, struct segment *ret_segment)
{
    struct segment segment = {SEGMENT_LITERAL, text, NULL};
    if (bytes_equal(text, BYTES_OF("*"))) {
        segment.kind = SEGMENT_REST;
        if (!is_last) {
            return -EINVAL;
        }
    } else if (text.len >= 2 && text.at[0] == '{' && text.at[text.len - 1] == '}') {
        segment.kind = SEGMENT_NAME;
        segment.text = bytes_make(text.at + 1, text.len - 2);
        if (!is_name(segment.text)) {
            return -EINVAL;
        }
    } else if (!is_literal(text) || (text.len == 0 && !is_last)) {
        return -EINVAL;
    }
    *ret_segment = segment;
    return 0;
}

// Splits `pattern` into at most `max` segments: their number, or -EINVAL.
static ptrdiff_t pattern_split(struct bytes pattern, struct segment *segments, size_t max)
{
    if (pattern.len == 0 || pattern.at[0] != '/') {
        return -EINVAL;
    }
    struct bytes rest = bytes_skip(pattern, 1);
    size_t count = 0;
    size_t params = 0;
    for (bool is_last = false; !is_last; count++) {
        ptrdiff_t slash = bytes_find(rest, '/');
        is_last = slash < 0;
        struct bytes text = is_last ? rest : bytes_make(rest.at, (size_t)slash);
        if (count == max || segment_read(text, is_last, &segments[count]) < 0) {
            return -EINVAL;
        }
        for (size_t i = 0; i < count && segments[count].kind == SEGMENT_NAME; i++) {
            if (segments[i].kind == SEGMENT_NAME &&
                bytes_equal(segments[i].text, segments[count].text)) {
                return -EINVAL;
            }
        }
        params += segments[count].kind != SEGMENT_LITERAL;
        rest = is_last ? rest : bytes_skip(rest, (size_t)slash + 1);
    }
    return params <= ROUTER_PARAMS_MAX ? (ptrdiff_t)count : -EINVAL;
}

#define SEGMENTS_MAX 64

int router_check(const char *pattern)
{
    struct segment segments[SEGMENTS_MAX];
    ptrdiff_t count = pattern_split(bytes_str(pattern), segments, SEGMENTS_MAX);
    return count < 0 ? -EINVAL : 0;
}

// Below 0: `a` goes first; 0: one shape and host.
static int route_compare(const struct route *a, const struct route *b)
{
    size_t count = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < count; i++) {
        if (a->segments[i].kind != b->segments[i].kind) {
            return a->segments[i].kind < b->segments[i].kind ? -1 : 1;
        }
    }
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (a->segments[i].kind == SEGMENT_LITERAL &&
            !bytes_equal(a->segments[i].text, b->segments[i].text)) {
            return 1; // they never match one path: any order will do
        }
    }
    if (a->host == NULL || b->host == NULL) {
        return (a->host == NULL) - (b->host == NULL);
    }
    return bytes_equal_nocase(bytes_str(a->host), bytes_str(b->host)) ? 0 : 1;
}

static struct route route_make(const char *host, const char *pattern, void *target,
                               const struct segment *segments, size_t count)
{
    struct route route = {.host = host != NULL ? mem_strdup(host) : NULL,
                          .pattern = mem_strdup(pattern),
                          .target = target,
                          .segments = mem_alloc(count * sizeof(segments[0])),
                          .count = count};
    for (size_t i = 0; i < count; i++) {
        struct segment *segment = &route.segments[i];
        *segment = segments[i];
        segment->text.at = route.pattern + (segments[i].text.at - pattern);
        if (segment->kind != SEGMENT_LITERAL) {
            segment->name = mem_strndup(segment->text.at, segment->text.len);
        }
    }
    return route;
}

static void router_insert(struct router *router, size_t at, struct route route)
{
    if (router->count == router->capacity) {
        router->capacity = router->capacity > 0 ? router->capacity * 2 : 8;
        struct route *routes = mem_alloc(router->capacity * sizeof(routes[0]));
        if (router->count > 0) {
            memcpy(routes, router->routes, router->count * sizeof(routes[0]));
        }
        mem_free(router->routes);
        router->routes = routes;
    }
    memmove(&router->routes[at + 1], &router->routes[at],
            (router->count - at) * sizeof(router->routes[0]));
    router->routes[at] = route;
    router->count++;
}

int router_add(struct router *router, const char *host, const char *pattern, void *target)
{
    struct segment segments[SEGMENTS_MAX];
    ptrdiff_t count = pattern_split(bytes_str(pattern), segments, SEGMENTS_MAX);
    if (count < 0) {
        return -EINVAL;
    }
    struct route route = route_make(host, pattern, target, segments, (size_t)count);
    size_t at = router->count;
    for (size_t i = 0; i < router->count; i++) {
        int order = route_compare(&route, &router->routes[i]);
        if (order == 0) {
            route_finish(&route);
            return -EEXIST;
        }
        if (order < 0 && i < at) {
            at = i;
        }
    }
    router_insert(router, at, route);
    return 0;
}

static void add_param(struct router_match *match, const struct segment *segment, struct bytes value)
{
    match->params[match->param_count].name = segment->name;
    match->params[match->param_count].value = value;
    match->param_count++;
}

static bool route_matches(const struct route *route, struct bytes path, struct router_match *match)
{
    match->target = route->target;
    match->param_count = 0;
    struct bytes rest = bytes_skip(path, 1);
    for (size_t i = 0; i < route->count; i++) {
        const struct segment *segment = &route->segments[i];
        if (segment->kind == SEGMENT_REST) {
            add_param(match, segment, rest);
            return true;
        }
        ptrdiff_t slash = bytes_find(rest, '/');
        struct bytes text = slash < 0 ? rest : bytes_make(rest.at, (size_t)slash);
        if (segment->kind == SEGMENT_LITERAL ? !bytes_equal(text, segment->text) : text.len == 0) {
            return false;
        }
        if (segment->kind == SEGMENT_NAME) {
            add_param(match, segment, text);
        }
        bool is_last = i + 1 == route->count;
        if (is_last != (slash < 0)) {
            return false;
        }
        rest = is_last ? rest : bytes_skip(rest, (size_t)slash + 1);
    }
    return true;
}

bool router_find(const struct router *router, struct bytes host, struct bytes path,
                 struct router_match *ret_match)
{
    if (path.len == 0 || path.at[0] != '/') {
        return false;
    }
    struct router_match match;
    for (size_t i = 0; i < router->count; i++) {
        const struct route *route = &router->routes[i];
        if ((route->host == NULL || bytes_equal_nocase(bytes_str(route->host), host)) &&
            route_matches(route, path, &match)) {
            *ret_match = match;
            return true;
        }
    }
    return false;
}

bool router_param(const struct router_match *match, const char *name, struct bytes *ret_value)
{
    for (size_t i = 0; i < match->param_count; i++) {
        if (strcmp(match->params[i].name, name) == 0) {
            *ret_value = match->params[i].value;
            return true;
        }
    }
    return false;
}
