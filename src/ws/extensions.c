// Reading Sec-WebSocket-Extensions (RFC 6455 §9.1) for the one extension spoken here. Linear, no
// memory. What breaks the grammar ends the handshake, as §9.1 demands; what is only wrong for this
// extension makes its offer unacceptable.
// Pure functions, any thread.

#include "tidegate/ws/deflate.h"

#include <errno.h>

enum { PARAM_SERVER_NCT, PARAM_CLIENT_NCT, PARAM_SERVER_BITS, PARAM_CLIENT_BITS, PARAMS };

static const char *const param_names[PARAMS] = {
    [PARAM_SERVER_NCT] = "server_no_context_takeover",
    [PARAM_CLIENT_NCT] = "client_no_context_takeover",
    [PARAM_SERVER_BITS] = "server_max_window_bits",
    [PARAM_CLIENT_BITS] = "client_max_window_bits",
};

struct offer {
    bool has[PARAMS];
    uint8_t bits[PARAMS]; // 0: no value
};

// --- the grammar ---

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static struct bytes skip_spaces(struct bytes a)
{
    while (a.len > 0 && (a.at[0] == ' ' || a.at[0] == '\t')) {
        a = bytes_skip(a, 1);
    }
    return a;
}

static bool take_char(struct bytes *rest, char c)
{
    struct bytes a = skip_spaces(*rest);

    if (a.len == 0 || a.at[0] != c) {
        return false;
    }
    *rest = bytes_skip(a, 1);
    return true;
}

static bool take_token(struct bytes *rest)
{
    struct bytes a = skip_spaces(*rest);
    size_t len = 0;

    while (len < a.len && is_token_char(a.at[len])) {
        len++;
    }
    *rest = bytes_skip(a, len);
    return len > 0;
}

// A token, or one in quotes: what is quoted must be a token too (§9.1).
static bool take_value(struct bytes *rest)
{
    if (!take_char(rest, '"')) {
        return take_token(rest);
    }
    return rest->len > 0 && is_token_char(rest->at[0]) && take_token(rest) && rest->len > 0 &&
           rest->at[0] == '"' && take_char(rest, '"');
}

static bool extensions_are_good(struct bytes rest)
{
    for (;;) {
        while (take_char(&rest, ',')) {
        }
        if (skip_spaces(rest).len == 0) {
            return true;
        }
        if (!take_token(&rest)) {
            return false;
        }
        while (take_char(&rest, ';')) {
            if (!take_token(&rest) || (take_char(&rest, '=') && !take_value(&rest))) {
                return false;
            }
        }
        rest = skip_spaces(rest);
        if (rest.len > 0 && rest.at[0] != ',') {
            return false;
        }
    }
}

bool ws_extensions_are_good(const struct http_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (bytes_equal_nocase(header->name, BYTES_OF("Sec-WebSocket-Extensions")) &&
            !extensions_are_good(header->value)) {
            return false;
        }
    }
    return true;
}

// --- the offers ---

// A window size: two digits at most, no leading zero (§7.1.2.1).
static int offer_bits(struct bytes value, uint8_t *ret_bits)
{
    uint64_t bits;

    if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"') {
        value = bytes_make(value.at + 1, value.len - 2);
    }
    if (value.len == 0 || value.at[0] == '0' ||
        bytes_to_u64(value, WS_WINDOW_BITS_MAX, &bits) < 0 || bits < WS_WINDOW_BITS_MIN) {
        return -EINVAL;
    }
    *ret_bits = (uint8_t)bits;
    return 0;
}

static int offer_read_param(struct offer *offer, struct bytes text)
{
    ptrdiff_t equals = bytes_find(text, '=');
    bool has_value = equals >= 0;
    struct bytes name = bytes_trim(has_value ? bytes_make(text.at, (size_t)equals) : text);
    int param = 0;

    while (param < PARAMS && !bytes_equal_nocase(name, bytes_str(param_names[param]))) {
        param++;
    }
    if (param == PARAMS || offer->has[param]) {
        return -EINVAL; // unknown, or twice
    }
    offer->has[param] = true;
    bool wants_value = param == PARAM_SERVER_BITS || (param == PARAM_CLIENT_BITS && has_value);
    if (wants_value != has_value) {
        return -EINVAL;
    }
    return has_value
               ? offer_bits(bytes_trim(bytes_skip(text, (size_t)equals + 1)), &offer->bits[param])
               : 0;
}

// 0 when `text` is a well-formed offer of permessage-deflate.
static int offer_read(struct bytes text, struct offer *ret_offer)
{
    struct offer offer = {0};
    struct bytes part;

    if (!bytes_next_part(&text, ';', &part) ||
        !bytes_equal_nocase(bytes_trim(part), BYTES_OF("permessage-deflate"))) {
        return -EINVAL;
    }
    while (bytes_next_part(&text, ';', &part)) {
        if (offer_read_param(&offer, bytes_trim(part)) < 0) {
            return -EINVAL;
        }
    }
    *ret_offer = offer;
    return 0;
}

static struct ws_deflate offer_accept(const struct offer *offer, bool may_take_over)
{
    uint8_t server_bits = offer->bits[PARAM_SERVER_BITS];
    uint8_t client_bits = offer->bits[PARAM_CLIENT_BITS];

    return (struct ws_deflate){
        .is_on = true,
        .server_takeover = may_take_over && !offer->has[PARAM_SERVER_NCT],
        .client_takeover = may_take_over && !offer->has[PARAM_CLIENT_NCT],
        .has_server_bits = offer->has[PARAM_SERVER_BITS],
        .server_bits = server_bits != 0 ? server_bits : WS_WINDOW_BITS_MAX,
        .client_bits = client_bits != 0 ? client_bits : WS_WINDOW_BITS_MAX,
    };
}

struct ws_deflate ws_deflate_negotiate(const struct http_request *request, bool may_take_over)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        struct bytes rest = header->value;
        struct bytes part;
        struct offer offer;
        if (!bytes_equal_nocase(header->name, BYTES_OF("Sec-WebSocket-Extensions"))) {
            continue;
        }
        while (bytes_next_part(&rest, ',', &part)) {
            if (offer_read(bytes_trim(part), &offer) == 0) {
                return offer_accept(&offer, may_take_over);
            }
        }
    }
    return (struct ws_deflate){0};
}

int ws_deflate_print(const struct ws_deflate *deflate, struct buf *out)
{
    int error = buf_printf(out, "permessage-deflate%s%s",
                           deflate->server_takeover ? "" : "; server_no_context_takeover",
                           deflate->client_takeover ? "" : "; client_no_context_takeover");

    if (error == 0 && deflate->has_server_bits) {
        error = buf_printf(out, "; server_max_window_bits=%u", deflate->server_bits);
    }
    if (error == 0 && deflate->client_bits != WS_WINDOW_BITS_MAX) {
        error = buf_printf(out, "; client_max_window_bits=%u", deflate->client_bits);
    }
    return error;
}
