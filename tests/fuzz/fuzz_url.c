// Request targets: path and query put together are the target; decoding is the same whether a text
// is decoded at once or in parts (cut where no escape is cut); a parameter is found in the query as
// in its parts.
#include "fuzz.h"

#include "tidegate/codec/url.h"

// Decodes in random parts that do not end inside an escape.
static ptrdiff_t decode_parts(struct bytes text, bool plus_is_space, char *to)
{
    uint64_t state = fuzz_hash(text);
    size_t len = 0;
    while (text.len > 0) {
        size_t part = 1 + fuzz_random(&state) % 8;
        for (size_t at = 0; at < part && at < text.len; at++) {
            if (text.at[at] == '%') {
                part = part < at + 3 ? at + 3 : part;
                at += 2;
            }
        }
        part = part < text.len ? part : text.len;
        ptrdiff_t got = url_decode(bytes_make(text.at, part), plus_is_space, to + len);
        if (got < 0) {
            return got;
        }
        len += (size_t)got;
        text = bytes_skip(text, part);
    }
    return (ptrdiff_t)len;
}

static void check_decode(struct bytes text, bool plus_is_space)
{
    char *whole = malloc(text.len);
    char *parts = malloc(text.len);
    ptrdiff_t len = url_decode(text, plus_is_space, whole);
    FUZZ_REQUIRE(len <= (ptrdiff_t)text.len);
    FUZZ_REQUIRE(decode_parts(text, plus_is_space, parts) == len);
    FUZZ_REQUIRE(len <= 0 || memcmp(whole, parts, (size_t)len) == 0);
    FUZZ_REQUIRE(len <= 0 || memchr(whole, '\0', (size_t)len) == NULL);
    free(whole);
    free(parts);
}

// The first part that has the parameter is where the whole query has it.
static void check_query(struct bytes query)
{
    struct bytes rest = query;
    struct bytes part;
    struct bytes value;
    struct bytes found = BYTES_EMPTY;
    bool is_found = url_query_get(query, "a", &found);
    while (bytes_next_part(&rest, '&', &part)) {
        if (url_query_get(part, "a", &value)) {
            FUZZ_REQUIRE(is_found && bytes_equal(value, found) && value.at == found.at);
            return;
        }
    }
    FUZZ_REQUIRE(!is_found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes target = bytes_make(data, size);
    struct bytes path;
    struct bytes query;
    url_split(target, &path, &query);
    FUZZ_REQUIRE(path.len == size || path.len + 1 + query.len == size);
    FUZZ_REQUIRE(bytes_find(path, '?') < 0);
    check_decode(target, false);
    check_decode(query, true);
    check_query(query);
    return 0;
}
