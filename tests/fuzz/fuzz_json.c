// JSON: the scan and the parser agree on what is JSON; raw members and elements are the values the
// parsed tree has; what is printed parses to the same; and a value stays valid or invalid when it
// is put into another or space is put around it.
#include "fuzz.h"

#include "tidegate/codec/json_read.h"

#include <errno.h>

#define DEPTH 64
#define SIZE_MAX_ (1u << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_read_setup();
    return 0;
}

static struct buf print(const struct json *value)
{
    struct buf out;
    buf_init(&out, 16u << 20);
    FUZZ_REQUIRE(json_print(value, &out) == 0);
    return out;
}

// Whether the raw text means `value`.
static void check_raw(struct bytes raw, const struct json *value)
{
    struct json *root = NULL;
    FUZZ_REQUIRE(json_is_valid(raw, DEPTH));
    FUZZ_REQUIRE(json_parse(raw, SIZE_MAX_, &root, NULL) == 0);
    struct buf a = print(root);
    struct buf b = print(value);
    FUZZ_REQUIRE(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
    buf_finish(&a);
    buf_finish(&b);
    json_destroy(root);
}

static int check_member(void *context, const char *key, const struct json *value)
{
    struct bytes text = *(const struct bytes *)context;
    struct bytes raw;
    // Keys are compared as they are written, so one with an escape is not found.
    if (json_raw_member(text, key, &raw)) {
        FUZZ_REQUIRE(raw.at > text.at && raw.at + raw.len < text.at + text.len);
        check_raw(raw, value);
        if (strchr(key, '.') == NULL && key[0] != '\0') {
            int line;
            int column;
            FUZZ_REQUIRE(json_locate(text, key, &line, &column) && line > 0 && column > 0);
        }
    } else {
        FUZZ_REQUIRE(bytes_find(text, '\\') >= 0);
    }
    return 0;
}

static void check_elements(struct bytes text, const struct json *array)
{
    size_t cursor = 0;
    size_t count = 0;
    struct bytes raw;
    while (json_raw_element(text, &cursor, &raw)) {
        FUZZ_REQUIRE(json_at(array, count) != NULL);
        check_raw(raw, json_at(array, count));
        count++;
    }
    FUZZ_REQUIRE(count == json_count(array));
}

static void check_tree(struct bytes text, const struct json *root)
{
    struct buf printed = print(root);
    check_raw(buf_bytes(&printed), root);
    buf_finish(&printed);
    if (json_kind(root) == JSON_OBJECT) {
        json_each_member(root, check_member, &text);
    }
    if (json_kind(root) == JSON_ARRAY) {
        check_elements(text, root);
    }
}

// What the grammar allows and the parser refuses all the same is one of four things.
static void check_refusal(struct bytes text, const struct json_error *error)
{
    static const char *const reasons[] = {"duplicate object key", "\\u0000 is not allowed",
                                          "too big", "real number overflow", "invalid Unicode"};
    bool is_known = false;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        is_known = is_known || strstr(error->text, reasons[i]) != NULL;
    }
    if (!is_known) {
        fprintf(stderr, "refused for: %s\n", error->text);
    }
    FUZZ_REQUIRE(is_known && text.len > 0);
}

static void check_around(struct bytes text, bool is_valid)
{
    static const struct {
        const char *before, *behind;
        int depth;
    } around[] = {{" \n", "\t\r", 0},
                  {"[", "]", 1},
                  {"[1,", " ]", 1},
                  {"{\"k\":", "}", 1},
                  {"{\"a\":[", ",2],\"k\":null}", 2}};
    struct buf out;
    buf_init(&out, text.len + 64);
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        buf_clear(&out);
        FUZZ_REQUIRE(buf_append(&out, bytes_str(around[i].before)) == 0);
        FUZZ_REQUIRE(buf_append(&out, text) == 0);
        FUZZ_REQUIRE(buf_append(&out, bytes_str(around[i].behind)) == 0);
        bool is_valid_in = json_is_valid(buf_bytes(&out), DEPTH + around[i].depth);
        // Invalid text may be valid in another: `1],[2`, for one.
        FUZZ_REQUIRE(is_valid_in || !is_valid);
        FUZZ_REQUIRE(i > 0 || is_valid_in == is_valid);
    }
    buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_make(data, size);
    struct json *root = NULL;
    struct json_error error = {0};
    struct bytes raw;
    int line;
    int column;
    size_t cursor = 0;
    bool is_valid = json_is_valid(text, DEPTH);
    int result = json_parse(text, SIZE_MAX_, &root, &error);
    FUZZ_REQUIRE(result == 0 || result == -EINVAL);
    FUZZ_REQUIRE(result < 0 || is_valid);
    if (result == 0) {
        check_tree(text, root);
    } else if (is_valid) {
        check_refusal(text, &error);
    } else {
        FUZZ_REQUIRE(error.line > 0 && error.column > 0);
    }
    json_destroy(root);
    check_around(text, is_valid);
    // None of these may read past the end of what is no JSON.
    (void)json_raw_member(text, "a", &raw);
    (void)json_locate(text, "a.0.b", &line, &column);
    while (json_raw_element(text, &cursor, &raw)) {
        FUZZ_REQUIRE(raw.len > 0 && cursor <= size);
    }
    return 0;
}
