// The settings of a process as one counted, immutable snapshot. Built and checked whole by the main
// thread, then posted to the workers; a reload makes another one. Any thread may hold a reference.
// Each member is a row of src/config/table.c: name, default, bounds, help; see
// docs/configuration.md.
#ifndef TIDEGATE_CONFIG_CONFIG_H
#define TIDEGATE_CONFIG_CONFIG_H

#include "tidegate/config/objects.h"

#include <stdatomic.h>

struct config {
    _Atomic uint32_t refs;
    int64_t workers; // 0 = the CPUs this process may use
    struct {
        int64_t level;      // enum log_level
        int64_t format;     // enum log_format
        int64_t rate_limit; // lines a second of what peers can trigger
    } log;
    struct config_listener *listeners;
    size_t listener_count;
    struct config_route *routes;
    size_t route_count;
    struct {
        struct config_strings allowed_origins;
        int64_t ping_interval_ms;
        int64_t pong_timeout_ms;
        int64_t close_timeout_ms;              // the peer's time to answer a close frame
        int64_t queue_max_size;                // bytes
        int64_t connection_limit;              // open at once, 0 = none
        int64_t connections_per_address;       // 0 = none
        int64_t connection_rate_limit;         // new in a second, 0 = any
        int64_t connection_rate_per_address;   // new in a second from one, 0 = any
        struct config_strings trusted_proxies; // networks
        struct config_strings proxy_headers;   // that those write: "x-forwarded-for" and so on
        int64_t memory_watermark;              // resident bytes, 0 = none
        int64_t messages_per_second;           // of one connection, 0 = any
        int64_t bytes_per_second;              // from one connection, 0 = any
        int64_t pings_per_second;              // of one connection, 0 = any
        int64_t connection_lifetime_ms;        // about so long, 0 = for ever
        int64_t channel_limit;                 // subscriptions of one connection
        int64_t recovery_max_publication_limit;
    } client;
    struct {
        int64_t message_size_limit; // bytes
        int64_t fragments_limit;    // of one message
        int64_t message_timeout_ms; // from its first byte to its last, 0 = any
        bool compression;           // permessage-deflate is accepted
        bool compression_context_takeover;
        int64_t compression_level;
        int64_t compression_min_size;    // bytes
        int64_t compression_ratio_limit; // inflated : compressed
    } websocket;
    struct {
        int64_t handshake_timeout_ms;
        int64_t handshakes_max; // under way at once in the process
        bool kernel;            // the kernel makes the records, where it can
    } tls;
    struct {
        int64_t heartbeat_interval_ms;
        int64_t retry_ms; // sent as the retry: field
    } sse;
    struct {
        int64_t head_timeout_ms;
        int64_t body_timeout_ms;
        int64_t idle_timeout_ms; // keep-alive
        int64_t request_line_limit;
        int64_t header_bytes_limit;
        int64_t header_count_limit;
        int64_t body_size_limit;
    } http;
    struct {
        char *key;                    // secret; "" = every call is refused
        bool insecure;                // no key needed
        int64_t error_mode_transport; // bool as the contract's error_mode: "" or "transport"
        int64_t batch_limit;          // commands in one batch, channels in one broadcast
    } http_api;
    struct {
        int64_t max_length;
        int64_t max_channels;     // held by the process
        int64_t history_max_size; // bytes of all channels' entries together
        int64_t history_meta_ttl_ms;
        int64_t idempotency_keys_limit; // a channel
        struct config_namespace without_namespace;
        struct config_namespace *namespaces;
        size_t namespace_count;
    } channel;
    struct {
        int64_t mailbox_max_size; // bytes waiting for one worker
    } worker;
    struct {
        int64_t delay_ms;         // not ready, still accepting
        int64_t drain_timeout_ms; // closes are spread over it
    } shutdown;
};

struct config *config_ref(struct config *config);
void config_unref(struct config *config); // NULL is allowed

// The namespace of `channel` ("" part: without_namespace), or NULL when its name is not configured.
const struct config_namespace *config_namespace_find(const struct config *config,
                                                     struct bytes namespace_name);

#endif
