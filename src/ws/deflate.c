// Compressing and inflating messages with zlib; the one file that sees it.
//
// Owner: one worker. A frame made without `keep` refers to nothing before it, so it is right for
// every receiver with a window as large, whatever it was sent before: that is why a broadcast is
// deflated once. A window of 8 bits is compressed with 9 (zlib makes none smaller), which reaches
// back 250 bytes at most and so stays within 256.

#include "tidegate/ws/deflate.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"

#include <errno.h>
#include <zlib.h>

#define MEM_LEVEL 8
#define TAIL_LEN 4            // 00 00 ff ff, which §7.2.1 removes and §7.2.2 puts back
#define RATIO_FREE (1u << 20) // bytes of output that need no ratio
#define PIECE 16384u

struct ws_deflater {
    z_stream zlib;
};

struct ws_inflater {
    z_stream zlib;
    uint64_t in_total;  // of this message
    uint64_t out_total; // of this message, and the windows carried over in it
};

static const unsigned char deflate_tail[TAIL_LEN] = {0x00, 0x00, 0xff, 0xff};

struct ws_deflater *ws_deflater_try_create(int level, int bits)
{
    struct ws_deflater *deflater = mem_zalloc(sizeof(*deflater));
    int window = bits < 9 ? 9 : bits;

    if (deflateInit2(&deflater->zlib, level, Z_DEFLATED, -window, MEM_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        mem_free(deflater);
        return NULL;
    }
    return deflater;
}

void ws_deflater_destroy(struct ws_deflater *deflater)
{
    if (deflater != NULL) {
        deflateEnd(&deflater->zlib);
        mem_free(deflater);
    }
}

// Compresses `payload` behind room for the largest header: the compressed length without the tail,
// or 0 when it would not be shorter.
static size_t deflater_run(struct ws_deflater *deflater, struct bytes payload, char *to,
                           size_t room)
{
    z_stream *zlib = &deflater->zlib;

    zlib->next_in = (Bytef *)payload.at;
    zlib->avail_in = (uInt)payload.len;
    zlib->next_out = (Bytef *)to;
    zlib->avail_out = (uInt)room;
    int result = deflate(zlib, Z_SYNC_FLUSH);
    bool is_done = result == Z_OK && zlib->avail_in == 0 && zlib->avail_out > 0;
    size_t len = room - zlib->avail_out;
    return is_done && len > TAIL_LEN ? len - TAIL_LEN : 0;
}

struct blob *ws_deflater_frame(struct ws_deflater *deflater, enum ws_opcode opcode,
                               struct bytes payload, bool keep)
{
    char header[WS_FRAME_HEADER_MAX];
    struct buf out;
    struct blob *blob = NULL;

    buf_init(&out, payload.len + TAIL_LEN + 1);
    if (buf_reserve(&out, payload.len + TAIL_LEN) < 0) {
        return NULL;
    }
    if (!keep) {
        deflateReset(&deflater->zlib);
    }
    size_t len = deflater_run(deflater, payload, out.at, payload.len + TAIL_LEN);
    if (len == 0 || len >= payload.len) {
        // The receiver will not see this message compressed, so nothing may refer to it.
        deflateReset(&deflater->zlib);
        blob = ws_frame_try_create(opcode, payload);
    } else {
        size_t header_len = ws_frame_header(opcode, len, header);
        header[0] |= WS_RSV1;
        blob = blob_try_create(header_len + len);
        if (blob != NULL) {
            memcpy(blob->data, header, header_len);
            memcpy(blob->data + header_len, out.at, len);
        }
    }
    buf_finish(&out);
    return blob;
}

struct ws_inflater *ws_inflater_try_create(int bits)
{
    struct ws_inflater *inflater = mem_zalloc(sizeof(*inflater));

    if (inflateInit2(&inflater->zlib, -bits) != Z_OK) {
        mem_free(inflater);
        return NULL;
    }
    return inflater;
}

void ws_inflater_destroy(struct ws_inflater *inflater)
{
    if (inflater != NULL) {
        inflateEnd(&inflater->zlib);
        mem_free(inflater);
    }
}

void ws_inflater_begin(struct ws_inflater *inflater, bool keep)
{
    if (!keep) {
        inflateReset(&inflater->zlib);
    }
    inflater->in_total = 0;
    inflater->out_total = 0;
}

// A block marked final ends zlib's stream but not the message, nor the window (§7.2.3.4).
static int inflater_go_on(struct ws_inflater *inflater)
{
    unsigned char window[1 << WS_WINDOW_BITS_MAX];
    uInt len = sizeof(window);
    z_stream *zlib = &inflater->zlib;

    if (inflateGetDictionary(zlib, window, &len) != Z_OK || inflateReset(zlib) != Z_OK ||
        (len > 0 && inflateSetDictionary(zlib, window, len) != Z_OK)) {
        return -EBADMSG;
    }
    // Carrying the window over is work for two bytes of input: it counts as if it had come out.
    inflater->out_total += len;
    return 0;
}

static bool inflater_is_bomb(const struct ws_inflater *inflater, uint32_t ratio_max)
{
    return inflater->out_total > RATIO_FREE && inflater->out_total / ratio_max > inflater->in_total;
}

// One call of inflate(): 1 there may be more, 0 all input is used and all output taken.
static int inflater_step(struct ws_inflater *inflater, uint32_t ratio_max, struct buf *out)
{
    z_stream *zlib = &inflater->zlib;
    size_t left = out->max - out->len;
    // One byte past the limit tells a message that just fits from one that does not.
    size_t room = left < PIECE ? left + 1 : PIECE;
    unsigned char piece[PIECE + 1];

    zlib->next_out = piece;
    zlib->avail_out = (uInt)room;
    int result = inflate(zlib, Z_SYNC_FLUSH);
    size_t got = room - zlib->avail_out;
    inflater->out_total += got;
    if (got > left) {
        // As much as fits: what it says comes before its being too long.
        int error = buf_append(out, bytes_make(piece, left));
        return error < 0 ? error : -EMSGSIZE;
    }
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        return result == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
    }
    if (inflater_is_bomb(inflater, ratio_max)) {
        return -EMSGSIZE;
    }
    int error = buf_append(out, bytes_make(piece, got));
    if (error < 0) {
        return error;
    }
    if (result == Z_STREAM_END) {
        error = inflater_go_on(inflater);
        return error < 0 ? error : zlib->avail_in > 0;
    }
    return zlib->avail_out == 0 || (zlib->avail_in > 0 && result == Z_OK);
}

static int inflater_run(struct ws_inflater *inflater, const void *at, size_t len,
                        uint32_t ratio_max, struct buf *out)
{
    int result;

    inflater->zlib.next_in = (Bytef *)at;
    inflater->zlib.avail_in = (uInt)len;
    do {
        result = inflater_step(inflater, ratio_max, out);
    } while (result > 0);
    return result;
}

int ws_inflater_feed(struct ws_inflater *inflater, struct bytes piece, bool is_last,
                     uint32_t ratio_max, struct buf *out)
{
    int error = 0;

    inflater->in_total += piece.len;
    if (piece.len > 0) {
        error = inflater_run(inflater, piece.at, piece.len, ratio_max, out);
    }
    if (error == 0 && is_last) {
        error = inflater_run(inflater, deflate_tail, TAIL_LEN, ratio_max, out);
        // The tail closes the last block; a message cut inside one is broken.
        bool is_whole = (inflater->zlib.data_type & 128) != 0;
        error = error == 0 && !is_whole ? -EBADMSG : error;
    }
    return error;
}
