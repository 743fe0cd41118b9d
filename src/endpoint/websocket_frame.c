// Framing messages for WebSocket connections, compressed where that was agreed. Three kinds of
// connections: without compression; with frames that stand alone, which are shared; and those that
// keep a context or have a small window, which get frames of their own. Owner: the worker. A
// deflater that keeps a context goes when it was not used for a ping interval: the next message
// then starts without a past, which the receiver cannot tell.

#include "tidegate/endpoint/websocket.h"

#include "tidegate/base/metrics.h"

// The worker's deflater for a window of `bits`; NULL when there is no memory.
static struct ws_deflater *worker_deflater(struct websocket_worker *worker, int bits)
{
    struct ws_deflater **deflater = &worker->deflaters[bits];

    if (*deflater == NULL) {
        *deflater = ws_deflater_try_create(worker->deflate_level, bits);
    }
    return *deflater;
}

static bool frame_is_worth_it(const struct websocket_worker *worker, struct bytes payload)
{
    return payload.len > 0 &&
           payload.len >= (size_t)worker->session->config->websocket.compression_min_size;
}

static struct blob *frame_with(struct ws_deflater *deflater, enum ws_opcode opcode,
                               struct bytes payload, bool keep)
{
    if (deflater == NULL) {
        return ws_frame_try_create(opcode, payload);
    }
    metric_add(METRIC_DEFLATED, 1);
    struct blob *frame = ws_deflater_frame(deflater, opcode, payload, keep);
    if (frame != NULL) {
        metric_add(METRIC_DEFLATE_BYTES_IN, (int64_t)payload.len);
        metric_add(METRIC_DEFLATE_BYTES_OUT, frame->len);
    }
    return frame;
}

struct blob *websocket_frame_shared(struct websocket_worker *worker, enum ws_opcode opcode,
                                    struct bytes payload)
{
    bool is_worth_it = frame_is_worth_it(worker, payload);

    return frame_with(is_worth_it ? worker_deflater(worker, WS_WINDOW_BITS_MAX) : NULL, opcode,
                      payload, false);
}

struct blob *websocket_frame(struct websocket *websocket, enum ws_opcode opcode,
                             struct bytes payload)
{
    struct websocket_worker *worker = websocket->worker;
    const struct ws_deflate *deflate = &websocket->stream.deflate;

    if (!deflate->is_on || !frame_is_worth_it(worker, payload)) {
        return ws_frame_try_create(opcode, payload);
    }
    if (!deflate->server_takeover) {
        return frame_with(worker_deflater(worker, deflate->server_bits), opcode, payload, false);
    }
    if (websocket->deflater == NULL) {
        websocket->deflater = ws_deflater_try_create(worker->deflate_level, deflate->server_bits);
    }
    websocket->deflater_used = true;
    return frame_with(websocket->deflater, opcode, payload, true);
}
