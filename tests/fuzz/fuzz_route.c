// Route patterns and the paths they match. An input is lines: patterns, with "host " in front or
// without, and last a path, with a host or without. The order in which patterns are added does not
// change what matches, and the router finds exactly what its patterns match by themselves.
#include "fuzz.h"

#include "tidegate/http/router.h"

#include <errno.h>

#define PATTERNS_MAX 24

struct line {
    char *host; // NULL: none
    char *text;
    int result; // of router_add()
};

static struct line read_line(struct bytes text)
{
    ptrdiff_t space = bytes_find(text, ' ');
    struct line line = {0};
    if (space >= 0) {
        line.host = fuzz_text(bytes_make(text.at, (size_t)space));
        text = bytes_skip(text, (size_t)space + 1);
    }
    line.text = fuzz_text(text);
    return line;
}

static struct router *build(struct line *lines, size_t count, size_t from, size_t step)
{
    struct router *router = router_create();
    for (size_t i = 0; i < count; i++) {
        struct line *line = &lines[(from + i * step) % count];
        int result = router_add(router, line->host, line->text, line);
        FUZZ_REQUIRE((result == -EINVAL) == (router_check(line->text) == -EINVAL));
        FUZZ_REQUIRE(result == 0 || result == -EINVAL || result == -EEXIST);
        line->result = result;
    }
    return router;
}

// The pattern with the match's values in it is the path.
static void check_match(const struct router_match *match, struct bytes path)
{
    const struct line *line = match->target;
    struct bytes rest = bytes_str(line->text);
    struct bytes segment;
    struct buf out;
    size_t param = 0;
    buf_init(&out, 1u << 20);
    bool is_first = true;
    while (bytes_next_part(&rest, '/', &segment)) {
        FUZZ_REQUIRE(is_first || buf_append(&out, BYTES_OF("/")) == 0);
        is_first = false;
        if (bytes_starts_with(segment, BYTES_OF("{")) || bytes_equal(segment, BYTES_OF("*"))) {
            struct bytes value;
            FUZZ_REQUIRE(param < match->param_count);
            FUZZ_REQUIRE(router_param(match, match->params[param].name, &value));
            segment = value;
            param++;
        }
        FUZZ_REQUIRE(buf_append(&out, segment) == 0);
    }
    FUZZ_REQUIRE(param == match->param_count && bytes_equal(buf_bytes(&out), path));
    buf_finish(&out);
}

// The same target, or one of the same shape: of two such only the first is added.
static bool is_same(const struct line *a, const struct line *b)
{
    struct router *router = router_create();
    bool is_one = router_add(router, a->host, a->text, NULL) == 0 &&
                  router_add(router, b->host, b->text, NULL) == -EEXIST;
    router_destroy(router);
    return a == b || is_one;
}

static void check_path(struct line *lines, size_t count, const struct line *wanted)
{
    struct bytes host = bytes_str(wanted->host != NULL ? wanted->host : "");
    struct bytes path = bytes_str(wanted->text);
    struct router *router = build(lines, count, 0, 1);
    struct router *reversed = build(lines, count, count - 1, count > 1 ? count - 1 : 1);
    struct router_match match = {0};
    struct router_match other = {0};
    bool is_found = router_find(router, host, path, &match);
    bool is_any = false;
    FUZZ_REQUIRE(router_find(reversed, host, path, &other) == is_found);
    FUZZ_REQUIRE(!is_found || is_same(match.target, other.target));
    if (is_found) {
        check_match(&match, path);
    }
    for (size_t i = 0; i < count; i++) {
        struct router *alone = build(&lines[i], 1, 0, 1);
        bool is_here = router_find(alone, host, path, &other);
        FUZZ_REQUIRE(is_here || match.target != &lines[i]);
        is_any = is_any || is_here;
        router_destroy(alone);
    }
    FUZZ_REQUIRE(is_any == is_found);
    router_destroy(router);
    router_destroy(reversed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_make(data, size);
    struct line lines[PATTERNS_MAX];
    struct bytes text;
    size_t count = 0;
    while (count < PATTERNS_MAX && fuzz_line(&rest, &text)) {
        lines[count++] = read_line(text);
    }
    if (count > 0) {
        check_path(lines, count > 1 ? count - 1 : 1, &lines[count - 1]);
    }
    for (size_t i = 0; i < count; i++) {
        free(lines[i].host);
        free(lines[i].text);
    }
    return 0;
}
