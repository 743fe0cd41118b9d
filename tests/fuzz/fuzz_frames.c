// WebSocket frames without compression, so that RSV1 is refused: the same events however the bytes
// are cut.
#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frames_check(bytes_make(data, size), &no_deflate);
    return 0;
}
