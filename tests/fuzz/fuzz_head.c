// Request heads: the scan gives one verdict at one byte however a head arrives; what it lets
// through and the parser takes has nothing in it that another reader could read differently.
#include "fuzz.h"

#include "parser.h"
#include "scan.h"

static const struct http_limits limits = {
    .request_line_max = 300, .header_bytes_max = 1500, .header_count_max = 24};

struct outcome {
    int result;
    struct http_fault fault;
    struct scan scan;
};

// The server shows the scan all bytes so far each time; here always at another place.
static struct outcome scan_cut(struct bytes input, unsigned plan)
{
    struct outcome outcome = {.fault = {0, ""}};
    struct fuzz_cut cut = fuzz_cut_begin(input, plan);
    struct bytes piece;
    size_t len = 0;
    scan_begin(&outcome.scan);
    while (outcome.result == 0 && fuzz_cut_next(&cut, &piece)) {
        len += piece.len;
        char *so_far = malloc(len);
        memcpy(so_far, input.at, len);
        outcome.result = scan_head(&outcome.scan, &limits, bytes_make(so_far, len), &outcome.fault);
        free(so_far);
    }
    fuzz_cut_stop(&cut);
    return outcome;
}

static bool has_control(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return false;
}

static void check_request(const struct http_request *request, struct bytes head)
{
    unsigned lengths = 0;
    unsigned encodings = 0;
    unsigned hosts = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        FUZZ_REQUIRE(header->name.len > 0 && header->name.at > head.at);
        FUZZ_REQUIRE(header->value.at == NULL ||
                     header->value.at + header->value.len <= head.at + head.len);
        for (size_t k = 0; k < header->name.len; k++) {
            FUZZ_REQUIRE(scan_is_token_byte((unsigned char)header->name.at[k]));
        }
        FUZZ_REQUIRE(!has_control(header->value));
        FUZZ_REQUIRE(bytes_equal(bytes_trim(header->value), header->value));
        lengths += bytes_equal_nocase(header->name, BYTES_OF("content-length"));
        encodings += bytes_equal_nocase(header->name, BYTES_OF("transfer-encoding"));
        hosts += bytes_equal_nocase(header->name, BYTES_OF("host"));
    }
    FUZZ_REQUIRE(lengths <= 1 && lengths + encodings <= 1 && hosts <= 1);
    FUZZ_REQUIRE(request->minor == 0 || hosts == 1);
    FUZZ_REQUIRE(request->is_chunked == (encodings == 1));
    FUZZ_REQUIRE(request->content_length == 0 || lengths == 1);
    FUZZ_REQUIRE(!has_control(request->target) && request->target.len > 0);
    FUZZ_REQUIRE(bytes_find(request->target, ' ') < 0);
}

static void check_parse(struct bytes input, const struct scan *scan)
{
    struct bytes head = {input.at + scan->start, scan->at - scan->start};
    // Exactly what the server makes room for.
    struct http_header *headers = malloc(scan->count * sizeof(headers[0]));
    char *copy = malloc(head.len);
    struct http_request request = {0};
    struct http_fault fault = {0, NULL};
    memcpy(copy, head.at, head.len);
    int result = parser_head(bytes_make(copy, head.len), headers, scan->count, &request, &fault);
    if (result < 0) {
        FUZZ_REQUIRE(fault.status >= 400 && fault.message != NULL);
    } else {
        FUZZ_REQUIRE(request.header_count == scan->count);
        check_request(&request, bytes_make(copy, head.len));
    }
    free(headers);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    if (size > 4096) {
        return 0;
    }
    struct outcome whole = scan_cut(input, 0);
    for (unsigned plan = 1; plan < FUZZ_PLANS; plan++) {
        struct outcome cut = scan_cut(input, plan);
        FUZZ_REQUIRE(cut.result == whole.result && cut.fault.message == whole.fault.message);
        FUZZ_REQUIRE(cut.fault.status == whole.fault.status && cut.scan.at == whole.scan.at);
        FUZZ_REQUIRE(cut.scan.start == whole.scan.start && cut.scan.count == whole.scan.count);
    }
    if (whole.result == 1) {
        check_parse(input, &whole.scan);
    }
    return 0;
}
