// WebSocket frames where permessage-deflate was agreed, with contexts that stay and without: the
// same events however the bytes are cut.
#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ws_deflate deflate = {
        .is_on = true, .server_bits = WS_WINDOW_BITS_MAX, .client_bits = WS_WINDOW_BITS_MAX};
    frames_check(bytes_make(data, size), &deflate);
    deflate.client_takeover = true;
    frames_check(bytes_make(data, size), &deflate);
    return 0;
}
