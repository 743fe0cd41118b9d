// Chunked bodies: one verdict, one body and one end for the same bytes however they are cut, and
// never more body than the limit.
#include "fuzz.h"

#include "chunked.h"

#define BODY_MAX 300

static const struct http_limits limits = {
    .request_line_max = 40, .header_bytes_max = 200, .header_count_max = 4};

struct outcome {
    int result;
    struct http_fault fault;
    size_t used;
    struct buf body;
};

static struct outcome feed(struct bytes input, unsigned plan)
{
    struct outcome outcome = {.fault = {0, ""}};
    struct chunked chunked;
    struct fuzz_cut cut = fuzz_cut_begin(input, plan);
    struct bytes piece;
    buf_init(&outcome.body, BODY_MAX);
    chunked_begin(&chunked);
    while (outcome.result == 0 && fuzz_cut_next(&cut, &piece)) {
        size_t used = 0;
        outcome.result =
            chunked_feed(&chunked, &limits, piece, &outcome.body, &used, &outcome.fault);
        FUZZ_REQUIRE(used <= piece.len && (outcome.result != 0 || used == piece.len));
        outcome.used += used;
    }
    fuzz_cut_stop(&cut);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    struct outcome whole = feed(input, 0);
    FUZZ_REQUIRE(whole.body.len <= BODY_MAX);
    FUZZ_REQUIRE(whole.result >= 0 || whole.fault.status >= 400);
    for (unsigned plan = 1; plan < FUZZ_PLANS; plan++) {
        struct outcome cut = feed(input, plan);
        FUZZ_REQUIRE(cut.result == whole.result && cut.used == whole.used);
        FUZZ_REQUIRE(cut.fault.status == whole.fault.status);
        FUZZ_REQUIRE(cut.fault.message == whole.fault.message);
        FUZZ_REQUIRE(bytes_equal(buf_bytes(&cut.body), buf_bytes(&whole.body)));
        buf_finish(&cut.body);
    }
    buf_finish(&whole.body);
    return 0;
}
