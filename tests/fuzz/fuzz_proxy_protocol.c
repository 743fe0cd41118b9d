// The PROXY protocol: a header is whole at exactly one length, wants more at every shorter one, and
// bytes behind it change nothing.
#include "fuzz.h"

#include "tidegate/net/proxy_protocol.h"

struct outcome {
    int result;
    struct proxy_header header;
    const char *problem;
};

static struct outcome parse(struct bytes in)
{
    // In a block of its own: a prefix of the input must not be read past.
    struct outcome outcome = {0};
    char *copy = malloc(in.len);
    memcpy(copy, in.at, in.len);
    outcome.result =
        proxy_protocol_parse(bytes_make(copy, in.len), &outcome.header, &outcome.problem);
    free(copy);
    return outcome;
}

static bool is_same(const struct outcome *a, const struct outcome *b)
{
    return a->result == b->result && a->problem == b->problem &&
           (a->result != 1 ||
            (a->header.len == b->header.len && a->header.has_source == b->header.has_source &&
             (!a->header.has_source ||
              memcmp(&a->header.source, &b->header.source, sizeof(a->header.source)) == 0)));
}

// The vectors of a header that speaks for a TCP connection fill the rest of it, none cut off.
static void check_vectors(struct bytes header)
{
    bool is_binary = header.len >= 16 && header.at[0] == '\r' && (header.at[12] & 0x0f) == 1;
    size_t at = !is_binary                ? header.len
                : header.at[13] == '\x11' ? 16 + 12
                : header.at[13] == '\x21' ? 16 + 36
                                          : header.len;
    while (at < header.len) {
        FUZZ_REQUIRE(header.len - at >= 3);
        at += 3 + (size_t)((uint8_t)header.at[at + 1] << 8 | (uint8_t)header.at[at + 2]);
    }
    FUZZ_REQUIRE(at == header.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    struct outcome first = {0};
    size_t len = 1;
    size_t step = size > 600 ? 37 : 1;
    if (size == 0) {
        return 0;
    }
    // The shortest beginning that is judged.
    for (; len <= size; len += len < 300 ? 1 : step) {
        first = parse(bytes_make(data, len));
        if (first.result != 0) {
            break;
        }
    }
    struct outcome whole = parse(input);
    FUZZ_REQUIRE(whole.result != 0 || size < PROXY_HEADER_MAX);
    if (whole.result == 1) {
        FUZZ_REQUIRE(whole.header.len > 0 && whole.header.len <= size);
        FUZZ_REQUIRE(step > 1 || len == whole.header.len);
        FUZZ_REQUIRE(is_same(&first, &whole));
        struct outcome exact = parse(bytes_make(data, whole.header.len));
        FUZZ_REQUIRE(is_same(&exact, &whole));
        check_vectors(bytes_make(data, whole.header.len));
    } else {
        FUZZ_REQUIRE(whole.result == first.result);
        FUZZ_REQUIRE(whole.result == 0 || whole.problem != NULL);
    }
    return 0;
}
