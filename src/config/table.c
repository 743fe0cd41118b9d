// The rows: every setting of the program, once. To add one, add a member to its structure in
// config.h and a row here; everything else follows, except checks that concern several rows
// (check.c) and docs/configuration.md, which is `tidegate config --reference`.
// Rows of one section stand together, since the file is printed in this order.
// Constant data; any thread.
#include "table.h"

#include "tidegate/base/attr.h"
#include "tidegate/config/config.h"

#include <stdio.h>

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

// ROW_OF is the structure that the table being written describes.
#define ROW(key_, kind_, member_, fallback_, min_, max_, flags_, help_) \
    { \
        .key = (key_), .kind = ROW_##kind_, .flags = (flags_), \
        .offset = offsetof(ROW_OF, member_), .fallback = (fallback_), .min = (min_), \
        .max = (max_), .help = (help_) \
    }
#define CHOICE(key_, member_, fallback_, choices_, flags_, help_) \
    { \
        .key = (key_), .kind = ROW_ENUM, .flags = (flags_), .offset = offsetof(ROW_OF, member_), \
        .fallback = (fallback_), .choices = (choices_), .help = (help_) \
    }
#define CHOICES(key_, member_, fallback_, choices_, min_, max_, flags_, help_) \
    { \
        .key = (key_), .kind = ROW_STRINGS, .flags = (flags_), \
        .offset = offsetof(ROW_OF, member_), .fallback = (fallback_), .min = (min_), \
        .max = (max_), .choices = (choices_), .help = (help_) \
    }
#define GROUP(key_, member_, sub_, flags_, help_) \
    { \
        .key = (key_), .kind = ROW_GROUP, .flags = (flags_), .offset = offsetof(ROW_OF, member_), \
        .fallback = "{}", .sub = &(sub_), .help = (help_) \
    }
#define LIST(key_, member_, count_, fallback_, sub_, min_, max_, flags_, help_) \
    { \
        .key = (key_), .kind = ROW_LIST, .flags = (flags_), .offset = offsetof(ROW_OF, member_), \
        .count_offset = offsetof(ROW_OF, count_), .fallback = (fallback_), .min = (min_), \
        .max = (max_), .sub = &(sub_), .help = (help_) \
    }
#define TABLE(rows_) \
    { \
        .rows = (rows_), .count = ARRAY_LEN(rows_), .size = sizeof(ROW_OF) \
    }

// The order of each is the order of its enum.
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const formats[] = {"text", "json", NULL};
static const char *const serves[] = {"public", "internal", NULL};
static const char *const route_kinds[] = {"echo", "channel", "files", NULL};
static const char *const queue_policies[] = {"disconnect", "drop_oldest", "conflate", NULL};
static const char *const verify_modes[] = {"off", "request", "require", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const proxy_modes[] = {"off", "required", NULL};
static const char *const proxy_headers[] = {"x-forwarded-for", "forwarded", "x-real-ip", NULL};
static const char *const error_modes[] = {"", "transport", NULL};

#define ROW_OF struct config_certificate
static const struct row certificate_rows[] = {
    ROW("certificate", STRING, certificate, NULL, 1, 4095, RELOAD | REQUIRED,
        "PEM file of the certificate, followed by those between it and its authority."),
    ROW("key", STRING, key, NULL, 1, 4095, RELOAD | REQUIRED,
        "PEM file of its private key, without a passphrase."),
};
static const struct table certificate_table = TABLE(certificate_rows);
#undef ROW_OF

#define ROW_OF struct config_listener_tls
static const struct row listener_tls_rows[] = {
    LIST("certificates", certificates, certificate_count, "[]", certificate_table, 0, 64, RELOAD,
         "With one or more, the listener speaks TLS. The one whose names fit what a client asks "
         "for is shown, the first one to everybody else. The files are read again on SIGHUP."),
    CHOICE("client_verify", client_verify, "off", verify_modes, RELOAD,
           "Whether clients are asked for a certificate: `request` takes those that have none, "
           "`require` does not."),
    ROW("client_ca", STRING, client_ca, "", 0, 4095, RELOAD,
        "PEM file of the authorities that sign clients' certificates; needed for `client_verify`."),
    CHOICE("min_version", min_version, "1.2", tls_versions, RELOAD, "The oldest version spoken."),
    ROW("ciphers", STRING, ciphers, "", 0, 1024, RELOAD,
        "Ciphers of TLS 1.2 in OpenSSL's notation; empty is those with forward secrecy and "
        "authenticated encryption."),
    ROW("session_tickets", BOOL, session_tickets, "true", 0, 0, RELOAD,
        "Whether a client that comes back may resume its session."),
};
static const struct table listener_tls_table = TABLE(listener_tls_rows);
#undef ROW_OF

#define ROW_OF struct config_listener
static const struct row listener_rows[] = {
    ROW("name", STRING, name, NULL, 1, 64, RESTART | REQUIRED,
        "Name in logs and metrics; unique; letters, digits and `-_.`."),
    ROW("address", STRING, address, "", 0, 45, RESTART,
        "IPv4 or IPv6 address to listen on. Left empty it is `0.0.0.0`, unless `path` is set."),
    ROW("port", INTEGER, port, "8000", 0, 65535, RESTART, "TCP port; 0 takes any free one."),
    ROW("path", STRING, path, "", 0, 107, RESTART,
        "Unix socket to listen on instead of an address and port."),
    CHOICES("serves", serves, "public", serves, 1, 2, RESTART,
            "What is answered here: `public` is the clients' routes; `internal` is API, metrics "
            "and health, which leave the public listeners once a listener has it."),
    ROW("backlog", INTEGER, backlog, "4096", 1, 65535, RESTART,
        "Connections the kernel may hold until they are accepted."),
    CHOICE("proxy_protocol", proxy_protocol, "off", proxy_modes, RESTART,
           "`required`: each connection begins with a PROXY header, version 1 or 2, that names the "
           "client."),
    ROW("proxy_trusted", STRINGS, proxy_trusted, "", 0, CONFIG_STRINGS_MAX, RESTART,
        "Networks of the balancers whose PROXY header is believed, as `10.0.0.0/8`, or `unix`; "
        "others are closed."),
    ROW("proxy_timeout", DURATION, proxy_timeout_ms, "3s", 50, MINUTE, RESTART,
        "Time for a whole PROXY header."),
    GROUP("tls", tls, listener_tls_table, RELOAD, "TLS of this listener."),
};
static const struct table listener_table = TABLE(listener_rows);
#undef ROW_OF

#define ROW_OF struct config_route
static const struct row route_rows[] = {
    ROW("path", STRING, path, NULL, 1, 512, RELOAD | REQUIRED,
        "Path pattern: literal segments, `{name}` for one segment, a final `*` for the rest. Where "
        "several match, the most specific one is taken."),
    ROW("host", STRING, host, "", 0, 255, RELOAD, "Host the route is for; empty is any."),
    CHOICE("kind", kind, NULL, route_kinds, RELOAD | REQUIRED,
           "`echo` returns each message, `channel` connects a plain client to a channel, `files` "
           "serves a folder."),
    ROW("channel", STRING, channel, "", 0, 255, RELOAD,
        "Kind `channel`: the channel's name; `{name}` stands for that segment of the path."),
    ROW("initial_messages", INTEGER, initial_messages, "0", 0, 100000, RELOAD,
        "Kind `channel`: how many of the newest publications a client gets first."),
    ROW("client_publish", BOOL, client_publish, "false", 0, 0, RELOAD,
        "Kind `channel`: a client's message is published to the channel."),
    ROW("exclude_sender", BOOL, exclude_sender, "false", 0, 0, RELOAD,
        "Kind `channel`: a client does not get its own messages back."),
    CHOICE("queue_policy", queue_policy, "disconnect", queue_policies, RELOAD,
           "Kind `channel`: what becomes of a client too slow for `client.queue_max_size`: it is "
           "disconnected, loses the oldest messages, or gets only the newest one of each channel."),
    ROW("visible_refusals", BOOL, visible_refusals, "false", 0, 0, RELOAD,
        "Kinds `echo` and `channel`: a WebSocket that would be refused is accepted and closed with "
        "1013 and the reason, which a page can see."),
    ROW("root", STRING, root, "", 0, 4095, RELOAD, "Kind `files`: the folder."),
    ROW("index", STRING, index, "index.html", 0, 255, RELOAD,
        "Kind `files`: the file served for a folder."),
    ROW("subprotocols", STRINGS, subprotocols, "", 0, 16, RELOAD,
        "WebSocket subprotocols accepted, the preferred one first."),
};
static const struct table route_table = TABLE(route_rows);
#undef ROW_OF

#define ROW_OF struct config_namespace
static const struct row namespace_rows[] = {
    // The name is left out of channel.without_namespace, so it stands first.
    ROW("name", STRING, name, NULL, 2, 100, RELOAD | REQUIRED,
        "What stands before the `:` in its channels; two or more letters, digits and `-_.`."),
    ROW("history_size", INTEGER, history_size, "0", 0, 1000000, RELOAD,
        "Publications kept for each channel; 0 keeps none."),
    ROW("history_ttl", DURATION, history_ttl_ms, "0", 0, 8760 * HOUR, RELOAD,
        "How long they are kept, in whole seconds. Set together with `history_size`."),
    ROW("history_meta_ttl", DURATION, history_meta_ttl_ms, "0", 0, 87600 * HOUR, RELOAD,
        "How long a channel's offset and epoch are remembered after its last publication; 0 is "
        "`channel.history_meta_ttl`."),
};
static const struct table namespace_table = TABLE(namespace_rows);
static const struct table unnamed_table = {
    .rows = namespace_rows + 1, .count = ARRAY_LEN(namespace_rows) - 1, .size = sizeof(ROW_OF)};
#undef ROW_OF

#define ROW_OF struct config
static const struct row rows[] = {
    ROW("workers", INTEGER, workers, "0", 0, 64, RESTART,
        "Worker threads; 0 is one for each CPU this process may use."),

    CHOICE("log.level", log.level, "info", levels, RELOAD, "The least serious line written."),
    CHOICE("log.format", log.format, "text", formats, RELOAD, "`key=value` text, or JSON."),
    ROW("log.rate_limit", INTEGER, log.rate_limit, "20", 0, 1000000, RELOAD,
        "Lines a second of each kind that a peer can cause; the rest are counted."),

    LIST("listeners", listeners, listener_count,
         "[{\"name\":\"main\",\"address\":\"0.0.0.0\",\"port\":8000,"
         "\"serves\":[\"public\",\"internal\"]}]",
         listener_table, 1, 16, RESTART, "Where connections are accepted."),

    LIST("routes", routes, route_count, "[]", route_table, 0, 1024, RELOAD,
         "What the public listeners answer, by path."),

    ROW("client.allowed_origins", STRINGS, client.allowed_origins, "", 0, CONFIG_STRINGS_MAX,
        RELOAD,
        "Origins that browsers may connect from, `*` standing for any run of characters. A request "
        "without Origin is not a browser's and is allowed."),
    ROW("client.ping_interval", DURATION, client.ping_interval_ms, "25s", 100, HOUR, RELOAD | ZERO,
        "Time between pings to a client; 0 sends none."),
    ROW("client.pong_timeout", DURATION, client.pong_timeout_ms, "8s", 50, HOUR, RELOAD,
        "Time for the answer to a ping; shorter than `client.ping_interval`."),
    ROW("client.close_timeout", DURATION, client.close_timeout_ms, "5s", 10, 10 * MINUTE, RELOAD,
        "Time for a peer to answer a close frame."),
    ROW("client.queue_max_size", SIZE, client.queue_max_size, "1MiB", 4 * KIB, GIB, RELOAD,
        "Output that may wait for one connection; past it the route's `queue_policy` decides."),
    ROW("client.connection_limit", INTEGER, client.connection_limit, "0", 0, 100000000, RELOAD,
        "Connections open at once; 0 sets no limit."),
    ROW("client.connections_per_address", INTEGER, client.connections_per_address, "0", 0,
        100000000, RELOAD, "Connections open at once from one address; 0 sets no limit."),
    ROW("client.connection_rate_limit", INTEGER, client.connection_rate_limit, "0", 0, 10000000,
        RELOAD, "New connections in a second; more are told 503. 0 is any number."),
    ROW("client.connection_rate_per_address", INTEGER, client.connection_rate_per_address, "0", 0,
        10000000, RELOAD,
        "New connections in a second from one address (IPv6: a /64); more are told 429. 0 is any "
        "number."),
    ROW("client.trusted_proxies", STRINGS, client.trusted_proxies, "", 0, CONFIG_STRINGS_MAX,
        RELOAD,
        "Networks of the proxies whose headers say who the client is, as `10.0.0.0/8`, or `unix`; "
        "limits by address then count that client, not them."),
    CHOICES("client.proxy_headers", client.proxy_headers, "x-forwarded-for forwarded x-real-ip",
            proxy_headers, 1, 3, RELOAD,
            "The headers that those proxies set themselves. Of several in a request, one counts: "
            "X-Forwarded-For before Forwarded before X-Real-IP."),
    ROW("client.memory_watermark", SIZE, client.memory_watermark, "0", 0, 1024 * GIB, RELOAD,
        "Resident memory above which new connections are told 503 and /readyz fails; 0 is none."),
    ROW("client.messages_per_second", INTEGER, client.messages_per_second, "0", 0, 10000000, RELOAD,
        "Messages a connection may send in a second; more close with 3013. 0 is any number."),
    ROW("client.bytes_per_second", SIZE, client.bytes_per_second, "0", 0, GIB, RELOAD,
        "Bytes a connection may send in a second; more close with 3013. 0 is any number."),
    ROW("client.pings_per_second", INTEGER, client.pings_per_second, "20", 0, 60000, RELOAD,
        "Ping frames a connection may send in a second; more close with 3013. 0 is any number."),
    ROW("client.connection_lifetime", DURATION, client.connection_lifetime_ms, "0", 100, 720 * HOUR,
        RELOAD | ZERO,
        "About how long a stream may stay (10% more or less, at random) before it is told to come "
        "back, 3011; 0 is for ever."),
    ROW("client.channel_limit", INTEGER, client.channel_limit, "128", 1, 100000, RELOAD,
        "Subscriptions of one connection."),
    ROW("client.recovery_max_publication_limit", INTEGER, client.recovery_max_publication_limit,
        "300", 1, 1000000, RELOAD, "Publications that one recovery may bring back."),

    ROW("websocket.message_size_limit", SIZE, websocket.message_size_limit, "64KiB", 1, GIB, RELOAD,
        "The largest message taken from a client; a larger one closes with 1009."),
    ROW("websocket.message_timeout", DURATION, websocket.message_timeout_ms, "30s", 100, HOUR,
        RELOAD | ZERO,
        "Time a message may take to arrive once it began; later closes with 1008. 0 is any time."),
    ROW("websocket.fragments_limit", INTEGER, websocket.fragments_limit, "1024", 1, 1000000, RELOAD,
        "Frames that one message may come in; more close with 1008."),
    ROW("websocket.compression", BOOL, websocket.compression, "true", 0, 0, RELOAD,
        "Whether permessage-deflate is accepted."),
    ROW("websocket.compression_context_takeover", BOOL, websocket.compression_context_takeover,
        "false", 0, 0, RELOAD,
        "Whether contexts are kept between messages: better ratios for up to 300 KB a connection, "
        "and broadcasts are compressed for each receiver."),
    ROW("websocket.compression_level", INTEGER, websocket.compression_level, "1", 1, 9, RELOAD,
        "zlib's level: 1 is the fastest, 9 the smallest."),
    ROW("websocket.compression_min_size", SIZE, websocket.compression_min_size, "128", 0, GIB,
        RELOAD, "Messages smaller than this are sent as they are."),
    ROW("websocket.compression_ratio_limit", INTEGER, websocket.compression_ratio_limit, "200", 1,
        10000, RELOAD,
        "Inflated bytes allowed for a compressed one, past the first MiB of a message."),

    ROW("tls.handshake_timeout", DURATION, tls.handshake_timeout_ms, "10s", 50, 10 * MINUTE, RELOAD,
        "Time for a whole TLS handshake."),
    ROW("tls.handshakes_max", INTEGER, tls.handshakes_max, "1024", 1, 1000000, RELOAD,
        "TLS handshakes under way at once; further connections are closed."),
    ROW("tls.kernel", BOOL, tls.kernel, "true", 0, 0, RELOAD,
        "Lets the kernel encrypt where it can (`tls` module); elsewhere it changes nothing."),

    ROW("sse.heartbeat_interval", DURATION, sse.heartbeat_interval_ms, "15s", 100, HOUR,
        RELOAD | ZERO, "Time between comments on a quiet event stream; 0 sends none."),
    ROW("sse.retry", DURATION, sse.retry_ms, "1s", 1, HOUR, RELOAD,
        "How long a browser is told to wait before it reconnects."),

    ROW("http.head_timeout", DURATION, http.head_timeout_ms, "10s", 50, 10 * MINUTE, RELOAD,
        "Time for a whole request head to arrive."),
    ROW("http.body_timeout", DURATION, http.body_timeout_ms, "30s", 50, HOUR, RELOAD,
        "Time for a whole request body to arrive."),
    ROW("http.idle_timeout", DURATION, http.idle_timeout_ms, "60s", 50, 24 * HOUR, RELOAD,
        "How long a kept-alive connection may wait for its next request."),
    ROW("http.request_line_limit", SIZE, http.request_line_limit, "8KiB", 64, MIB, RELOAD,
        "The longest request line; past it the answer is 414."),
    ROW("http.header_bytes_limit", SIZE, http.header_bytes_limit, "16KiB", 256, MIB, RELOAD,
        "All header fields of a request together; past it the answer is 431."),
    ROW("http.header_count_limit", INTEGER, http.header_count_limit, "100", 1, 1000, RELOAD,
        "Header fields of a request; past it the answer is 431."),
    ROW("http.body_size_limit", SIZE, http.body_size_limit, "1MiB", 1, GIB, RELOAD,
        "The largest request body; past it the answer is 413."),

    ROW("http_api.key", STRING, http_api.key, "", 0, 1024, RELOAD | SECRET,
        "Key that services send with each call of the API. With none, every call is refused."),
    ROW("http_api.insecure", BOOL, http_api.insecure, "false", 0, 0, RELOAD,
        "Lets anyone call the API without a key."),
    CHOICE("http_api.error_mode", http_api.error_mode_transport, "", error_modes, RELOAD,
           "`transport` answers errors with an HTTP status that fits; empty always answers 200 "
           "and an error object."),
    ROW("http_api.batch_limit", INTEGER, http_api.batch_limit, "1000", 1, 100000, RELOAD,
        "Commands in one batch, and channels in one broadcast."),

    ROW("channel.max_length", INTEGER, channel.max_length, "255", 1, 255, RELOAD,
        "Bytes of a channel's name."),
    ROW("channel.max_channels", INTEGER, channel.max_channels, "1000000", 1, 100000000, RESTART,
        "Channels this process may hold at once."),
    ROW("channel.history_max_size", SIZE, channel.history_max_size, "1GiB", 4096, 1024 * GIB,
        RESTART,
        "Bytes that the histories of all channels may hold together; past it a channel that is "
        "published to keeps fewer of its own."),
    ROW("channel.history_meta_ttl", DURATION, channel.history_meta_ttl_ms, "720h", SECOND,
        87600 * HOUR, RELOAD,
        "How long a channel's offset and epoch are remembered after its last publication, in "
        "whole seconds."),
    ROW("channel.idempotency_keys_limit", INTEGER, channel.idempotency_keys_limit, "1000", 0,
        1000000, RESTART, "Idempotency keys remembered for each channel."),
    GROUP("channel.without_namespace", channel.without_namespace, unnamed_table, RELOAD,
          "Channels whose name has no `:`."),
    LIST("channel.namespaces", channel.namespaces, channel.namespace_count, "[]", namespace_table,
         0, 1024, RELOAD,
         "Channels by the part of their name before the `:`; a channel of a namespace that is not "
         "here is refused."),

    ROW("worker.mailbox_max_size", SIZE, worker.mailbox_max_size, "64MiB", 64 * KIB, 64 * GIB,
        RESTART, "Publications that may wait for one worker; past it they are dropped."),

    ROW("shutdown.delay", DURATION, shutdown.delay_ms, "0s", 0, 10 * MINUTE, RELOAD,
        "How long to answer not ready, and still accept, before the listeners close."),
    ROW("shutdown.drain_timeout", DURATION, shutdown.drain_timeout_ms, "10s", 0, HOUR, RELOAD,
        "Time over which the closing of connections is spread."),
};
const struct table config_table = TABLE(rows);
#undef ROW_OF

const struct row *table_find(const struct table *table, struct bytes key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (bytes_equal(bytes_str(table->rows[i].key), key)) {
            return &table->rows[i];
        }
    }
    return NULL;
}

bool table_has_section(const struct table *table, struct bytes name)
{
    for (size_t i = 0; i < table->count; i++) {
        struct bytes key = bytes_str(table->rows[i].key);
        if (key.len > name.len && key.at[name.len] == '.' && bytes_starts_with(key, name)) {
            return true;
        }
    }
    return false;
}

int table_each(const struct table *table, const char *prefix, table_visit_fn *visit, void *context)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        char key[KEY_MAX];
        snprintf(key, sizeof key, "%s%s%s", prefix, *prefix != '\0' ? "." : "", row->key);
        int result = row->kind == ROW_GROUP ? table_each(row->sub, key, visit, context)
                                            : visit(context, key, row);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

// Whether row `i` begins with the same `len` bytes and a dot as row `first`.
static bool same_section(const struct table *table, size_t first, size_t i, size_t len)
{
    const char *key = table->rows[i].key;
    return strncmp(key, table->rows[first].key, len) == 0 && key[len] == '.';
}

// Walks rows [begin, end), which share the first `skip` bytes of their keys.
static void walk_range(const struct table *table, size_t begin, size_t end, size_t skip,
                       const struct table_walker *walker)
{
    for (size_t i = begin; i < end;) {
        const struct row *row = &table->rows[i];
        const char *name = row->key + skip;
        const char *dot = strchr(name, '.');
        if (dot == NULL) {
            walker->on_row(walker->context, bytes_str(name), row);
            i++;
            continue;
        }
        size_t len = (size_t)(dot - row->key);
        size_t last = i + 1;
        while (last < end && same_section(table, i, last, len)) {
            last++;
        }
        walker->on_open(walker->context, bytes_make(name, (size_t)(dot - name)));
        walk_range(table, i, last, len + 1, walker);
        walker->on_close(walker->context);
        i = last;
    }
}

void table_walk(const struct table *table, const struct table_walker *walker)
{
    walk_range(table, 0, table->count, 0, walker);
}
