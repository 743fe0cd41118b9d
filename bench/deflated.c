// Compressed messages; see deflated.h. One inflate state for all: contexts are never kept between
// messages here (wire_put_upgrade asks the server not to). Frames are kept by the number of the
// message that the connection expects; that it is this one is checked by who called.

#include "deflated.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_COUNT = 64, SAMPLE_STRIDE = 50 };

struct kept {
    uint64_t number;
    size_t first;     // index of the connection it came on
    size_t frame_len; // 0: nothing is kept here
    size_t plain_len;
    uint8_t *frame; // of MESSAGE_MAX bytes, and so is `plain`
    uint8_t *plain;
};

#if defined(BENCH_DEFLATE)

#include <zlib.h>

static size_t inflate_to(uint8_t *to, const struct wire_frame *frame, size_t index)
{
    static uint8_t tail[4] = {0, 0, 0xff, 0xff}; // what a sender leaves away, RFC 7692 §7.2.1
    static z_stream stream;
    static bool is_ready;
    int status;

    if (!is_ready && inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
        probe_fail("inflate: no memory");
    }
    is_ready = true;
    inflateReset(&stream);
    stream.next_out = to;
    stream.avail_out = MESSAGE_MAX;
    stream.next_in = (Bytef *)frame->payload;
    stream.avail_in = (uInt)frame->len;
    status = inflate(&stream, Z_SYNC_FLUSH);
    if ((status == Z_OK || status == Z_BUF_ERROR) && stream.avail_in == 0) {
        stream.next_in = tail;
        stream.avail_in = sizeof(tail);
        status = inflate(&stream, Z_SYNC_FLUSH);
    }
    if (status != Z_OK || stream.avail_in != 0) {
        probe_fail("connection %zu got a message that does not inflate: %s", index,
                   stream.msg != NULL ? stream.msg : "it is cut or too long");
    }
    return MESSAGE_MAX - stream.avail_out;
}

#else

static size_t inflate_to(uint8_t *to, const struct wire_frame *frame, size_t index)
{
    (void)to, (void)frame, (void)index;
    probe_fail("--deflate: this was built without zlib");
}

#endif

static void keep(struct kept *kept, const struct wire_frame *frame, uint64_t number, size_t index)
{
    if (kept->frame == NULL) {
        kept->frame = malloc(MESSAGE_MAX);
        kept->plain = malloc(MESSAGE_MAX);
    }
    if (kept->frame == NULL || kept->plain == NULL || frame->len > MESSAGE_MAX) {
        probe_fail("a message is too long");
    }
    kept->number = number;
    kept->first = index;
    kept->plain_len = inflate_to(kept->plain, frame, index);
    kept->frame_len = frame->len;
    memcpy(kept->frame, frame->payload, frame->len);
}

void deflated_open(const struct load *load, const struct client *client, struct wire_frame *frame)
{
    static struct kept kept_ones[KEPT_COUNT];
    static uint8_t plain[MESSAGE_MAX];
    size_t index = (size_t)(client - load->clients);
    struct kept *kept = &kept_ones[client->next_number % KEPT_COUNT];

    if (load->mode->is_broadcast && (kept->frame_len == 0 || kept->number != client->next_number)) {
        keep(kept, frame, client->next_number, index);
    } else if (load->mode->is_broadcast && (kept->frame_len != frame->len ||
                                            memcmp(kept->frame, frame->payload, frame->len) != 0)) {
        probe_fail("connection %zu got message %llu in other bytes than connection %zu", index,
                   (unsigned long long)client->next_number, kept->first);
    }
    if (load->mode->is_broadcast && index % SAMPLE_STRIDE != 0) {
        frame->payload = kept->plain;
        frame->len = kept->plain_len;
        return;
    }
    frame->len = inflate_to(plain, frame, index);
    frame->payload = plain;
}
