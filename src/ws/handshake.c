// The opening handshake, checked in the order in which a refusal helps most: is it WebSocket, is it
// well formed, may this page talk to us.
// Pure functions; OpenSSL for SHA-1, which the protocol uses as a fingerprint and not as a secret.

#include "tidegate/ws/handshake.h"

#include "tidegate/codec/base64.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 §1.3
#define KEY_LEN 24

bool ws_handshake_is_asked(const struct http_request *request)
{
    return http_request_has_token(request, "Upgrade", "websocket");
}

static size_t handshake_count(const struct http_request *request, const char *name,
                              struct bytes *ret_value)
{
    size_t count = 0;

    for (size_t i = 0; i < request->header_count; i++) {
        if (bytes_equal_nocase(request->headers[i].name, bytes_str(name))) {
            *ret_value = request->headers[i].value;
            count++;
        }
    }
    return count;
}

static bool handshake_key_is_good(struct bytes key)
{
    char raw[KEY_LEN / 4 * 3];

    return key.len == KEY_LEN && base64_decode(key, raw) == 16;
}

// Fetched once: asking for it by name at every handshake costs more than the digest does.
static EVP_MD *handshake_sha1;

static int handshake_accept(struct bytes key, char *to)
{
    char text[KEY_LEN + sizeof(WS_GUID) - 1];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_len = 0;

    memcpy(text, key.at, KEY_LEN);
    memcpy(text + KEY_LEN, WS_GUID, sizeof(WS_GUID) - 1);
    if (EVP_Digest(text, sizeof(text), digest, &digest_len, handshake_sha1, NULL) != 1) {
        return -EIO;
    }
    base64_encode(bytes_make(digest, digest_len), to);
    to[28] = '\0';
    return 0;
}

int ws_handshake_setup(void)
{
    char accept[29];

    if (handshake_sha1 == NULL) {
        handshake_sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    }
    // The example of RFC 6455 §1.3: what does not agree with it will not agree with any client.
    if (handshake_sha1 == NULL ||
        handshake_accept(BYTES_OF("dGhlIHNhbXBsZSBub25jZQ=="), accept) < 0 ||
        strcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != 0) {
        return -ENOTSUP;
    }
    return 0;
}

// Whether it could be an origin: a scheme, a host, a port (RFC 6454 §6.1). A star in a pattern must
// not find its match in a path, a user or a fragment, behind another host.
static bool origin_is_plain(struct bytes origin)
{
    ptrdiff_t mark = bytes_find(origin, ':');
    struct bytes host = mark < 0 ? origin : bytes_skip(origin, (size_t)mark + 1);

    if (bytes_starts_with(host, BYTES_OF("//"))) {
        host = bytes_skip(host, 2);
    }
    for (size_t i = 0; i < host.len; i++) {
        if (strchr("/\\?#@, \t", host.at[i]) != NULL) {
            return false;
        }
    }
    return true;
}

bool ws_origin_is_allowed(struct bytes origin, char *const *globs, size_t count)
{
    char lower[512];

    if (origin.len > sizeof(lower)) {
        return false;
    }
    bool is_plain = origin_is_plain(origin);
    for (size_t i = 0; i < origin.len; i++) {
        lower[i] = (char)tolower((unsigned char)origin.at[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_plain && strcmp(globs[i], "*") != 0) {
            continue;
        }
        if (bytes_glob(bytes_str(globs[i]), bytes_make(lower, origin.len))) {
            return true;
        }
    }
    return false;
}

// Unlike tokens of HTTP's own fields, names of subprotocols are compared with their case (§4.1).
static bool handshake_offers(const struct http_request *request, struct bytes name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct bytes rest = request->headers[i].value;
        struct bytes part;
        if (!bytes_equal_nocase(request->headers[i].name, BYTES_OF("Sec-WebSocket-Protocol"))) {
            continue;
        }
        while (bytes_next_part(&rest, ',', &part)) {
            if (bytes_equal(bytes_trim(part), name)) {
                return true;
            }
        }
    }
    return false;
}

// The server's first choice among what the client offered (§4.2.2 /subprotocol/).
static const char *handshake_subprotocol(const struct http_request *request,
                                         const struct ws_handshake_options *options)
{
    for (size_t i = 0; i < options->subprotocol_count; i++) {
        if (handshake_offers(request, bytes_str(options->subprotocols[i]))) {
            return options->subprotocols[i];
        }
    }
    return NULL;
}

static enum ws_handshake_verdict handshake_check_form(const struct http_request *request,
                                                      struct ws_handshake *handshake,
                                                      struct bytes *ret_key)
{
    struct bytes version = BYTES_EMPTY;

    if (request->method != HTTP_GET) {
        handshake->problem = "a WebSocket handshake is a GET request";
        return WS_HANDSHAKE_BAD_METHOD;
    }
    handshake->problem = "not a WebSocket handshake";
    if (request->minor < 1 || !ws_handshake_is_asked(request) ||
        !http_request_has_token(request, "Connection", "upgrade")) {
        return WS_HANDSHAKE_BAD_REQUEST;
    }
    if (handshake_count(request, "Sec-WebSocket-Version", &version) != 1 ||
        !bytes_equal(version, BYTES_OF("13"))) {
        handshake->problem = "only WebSocket version 13 is spoken here";
        return WS_HANDSHAKE_BAD_VERSION;
    }
    if (handshake_count(request, "Sec-WebSocket-Key", ret_key) != 1 ||
        !handshake_key_is_good(*ret_key)) {
        handshake->problem = "Sec-WebSocket-Key must be 16 bytes in base64, once";
        return WS_HANDSHAKE_BAD_REQUEST;
    }
    if (request->content_length > 0 || request->is_chunked) {
        handshake->problem = "a WebSocket handshake has no body";
        return WS_HANDSHAKE_BAD_REQUEST;
    }
    if (!ws_extensions_are_good(request)) {
        handshake->problem = "Sec-WebSocket-Extensions is malformed";
        return WS_HANDSHAKE_BAD_REQUEST;
    }
    return WS_HANDSHAKE_OK;
}

enum ws_handshake_verdict ws_handshake_check(const struct http_request *request,
                                             const struct ws_handshake_options *options,
                                             struct ws_handshake *ret_handshake)
{
    struct bytes key = BYTES_EMPTY;
    struct bytes origin = BYTES_EMPTY;

    *ret_handshake = (struct ws_handshake){0};
    enum ws_handshake_verdict verdict = handshake_check_form(request, ret_handshake, &key);
    if (verdict != WS_HANDSHAKE_OK) {
        return verdict;
    }
    size_t origins = handshake_count(request, "Origin", &origin);
    if (origins > 1 || (origins == 1 && !ws_origin_is_allowed(origin, options->allowed_origins,
                                                              options->allowed_origin_count))) {
        ret_handshake->problem = "this origin is not in client.allowed_origins";
        return WS_HANDSHAKE_BAD_ORIGIN;
    }
    if (handshake_accept(key, ret_handshake->accept) < 0) {
        ret_handshake->problem = "the handshake could not be computed";
        return WS_HANDSHAKE_BAD_REQUEST;
    }
    ret_handshake->subprotocol = handshake_subprotocol(request, options);
    if (options->may_compress) {
        ret_handshake->deflate = ws_deflate_negotiate(request, options->may_take_over);
    }
    ret_handshake->problem = NULL;
    return WS_HANDSHAKE_OK;
}

int ws_handshake_print(const struct ws_handshake *handshake, struct buf *out)
{
    const char *protocol = handshake->subprotocol;
    int error = buf_printf(out,
                           "HTTP/1.1 101 Switching Protocols\r\n"
                           "Upgrade: websocket\r\n"
                           "Connection: Upgrade\r\n"
                           "Sec-WebSocket-Accept: %s\r\n",
                           handshake->accept);

    if (error == 0 && protocol != NULL) {
        error = buf_printf(out, "Sec-WebSocket-Protocol: %s\r\n", protocol);
    }
    if (error == 0 && handshake->deflate.is_on) {
        error = buf_append(out, BYTES_OF("Sec-WebSocket-Extensions: "));
        error = error < 0 ? error : ws_deflate_print(&handshake->deflate, out);
        error = error < 0 ? error : buf_append(out, BYTES_OF("\r\n"));
    }
    return error < 0 ? error : buf_append(out, BYTES_OF("\r\n"));
}
