// The whole HTTP server on a connection: the same bytes give the same responses and the same end,
// however they are cut, and nothing makes it fail.
#include "../unit/http/rig.h"

static struct rig rig;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    rig_begin(&rig);
    rig.server.limits.request_line_max = 100;
    rig.server.limits.header_bytes_max = 400;
    rig.server.limits.header_count_max = 8;
    rig.server.limits.body_max = 64;
    return 0;
}

struct outcome {
    struct buf out; // without the dates
    bool is_closed;
};

static void put_without_dates(struct buf *to, struct bytes out)
{
    struct bytes line;
    while (fuzz_line(&out, &line)) {
        if (!bytes_starts_with(line, BYTES_OF("Date: "))) {
            FUZZ_REQUIRE(buf_append(to, line) == 0 && buf_append(to, BYTES_OF("\n")) == 0);
        }
    }
}

// A request that is answered late holds up what comes behind it. The socket takes only so many
// small pieces, so it is answered when no more fit, else at the end; the responses are the same.
static void send_piece(struct bytes piece)
{
    for (int tries = 0; piece.len > 0; tries++) {
        ssize_t n = send(rig.peer, piece.at, piece.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            return; // the server has closed
        }
        FUZZ_REQUIRE(tries < 100);
        piece = bytes_skip(piece, n > 0 ? (size_t)n : 0);
        if (n < 0 && rig.waiting != NULL) {
            rig_answer_late(&rig, "late");
        }
        rig_run(&rig);
    }
}

static struct outcome run(struct bytes input, unsigned plan)
{
    struct outcome outcome = {.is_closed = false};
    struct fuzz_cut cut = fuzz_cut_begin(input, plan);
    struct bytes piece;
    buf_init(&outcome.out, 1u << 20);
    while (fuzz_cut_next(&cut, &piece)) {
        send_piece(piece);
    }
    for (int i = 0; rig.waiting != NULL; i++) {
        FUZZ_REQUIRE(i < 1000);
        rig_answer_late(&rig, "late");
    }
    put_without_dates(&outcome.out, buf_bytes(&rig.out));
    outcome.is_closed = rig.is_closed;
    rig_hang_up(&rig);
    rig_connect(&rig);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_make(data, size);
    if (size > 2048) {
        return 0;
    }
    struct outcome whole = run(input, 0);
    for (unsigned plan = 1; plan < FUZZ_PLANS; plan++) {
        struct outcome cut = run(input, plan);
        FUZZ_REQUIRE(bytes_equal(buf_bytes(&cut.out), buf_bytes(&whole.out)));
        FUZZ_REQUIRE(cut.is_closed == whole.is_closed);
        buf_finish(&cut.out);
    }
    buf_finish(&whole.out);
    return 0;
}
