// Server frames. Pure functions.

#include "tidegate/ws/frame.h"

#define FIN 0x80

size_t ws_frame_header(enum ws_opcode opcode, uint64_t payload_len, char *to)
{
    size_t len_bytes = payload_len < 126 ? 0 : payload_len <= UINT16_MAX ? 2 : 8;

    to[0] = (char)(FIN | opcode);
    to[1] = (char)(len_bytes == 0 ? payload_len : len_bytes == 2 ? 126 : 127);
    for (size_t i = 0; i < len_bytes; i++) {
        to[2 + i] = (char)(payload_len >> (8 * (len_bytes - 1 - i)));
    }
    return 2 + len_bytes;
}

struct blob *ws_frame_try_create(enum ws_opcode opcode, struct bytes payload)
{
    char header[WS_FRAME_HEADER_MAX];
    size_t header_len = ws_frame_header(opcode, payload.len, header);
    struct blob *blob = blob_try_create(header_len + payload.len);

    if (blob == NULL) {
        return NULL;
    }
    memcpy(blob->data, header, header_len);
    if (payload.len > 0) {
        memcpy(blob->data + header_len, payload.at, payload.len);
    }
    return blob;
}

struct bytes ws_frame_payload(struct bytes frame, enum ws_opcode *ret_opcode)
{
    size_t len_bytes = frame.at[1] < 126 ? 0 : frame.at[1] == 126 ? 2 : 8;

    *ret_opcode = frame.at[0] & 0x0f;
    return bytes_skip(frame, 2 + len_bytes);
}

struct blob *ws_frame_try_close(uint16_t code, struct bytes text)
{
    char payload[125];
    // A control frame carries at most 125 bytes (§5.5).
    size_t text_len = text.len < sizeof(payload) - 2 ? text.len : sizeof(payload) - 2;

    if (code == 0) {
        return ws_frame_try_create(WS_CLOSE, BYTES_EMPTY);
    }
    payload[0] = (char)(code >> 8);
    payload[1] = (char)(code & 0xff);
    if (text_len > 0) {
        memcpy(payload + 2, text.at, text_len);
    }
    return ws_frame_try_create(WS_CLOSE, bytes_make(payload, 2 + text_len));
}
