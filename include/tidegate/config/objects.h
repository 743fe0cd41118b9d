// What the lists of the settings are made of: listeners, routes, namespaces, texts. Part of a
// snapshot (config.h): owned by it, immutable. Any thread that holds the snapshot.
#ifndef TIDEGATE_CONFIG_OBJECTS_H
#define TIDEGATE_CONFIG_OBJECTS_H

#include "tidegate/base/bytes.h"

#include <stdint.h>

#define CONFIG_STRINGS_MAX 64

// A list of strings, in the snapshot's memory.
struct config_strings {
    char **items; // owned by the snapshot
    size_t count;
};

enum config_client_verify { CLIENT_VERIFY_OFF, CLIENT_VERIFY_REQUEST, CLIENT_VERIFY_REQUIRE };
enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };

struct config_certificate {
    char *certificate; // PEM file, with its chain
    char *key;         // PEM file
};

struct config_listener_tls {
    struct config_certificate *certificates; // none: no TLS
    size_t certificate_count;
    char *client_ca;
    int64_t client_verify; // enum config_client_verify
    int64_t min_version;   // enum config_tls_version
    char *ciphers;         // of TLS 1.2; "" = the good ones
    bool session_tickets;
};

enum config_proxy_protocol { PROXY_PROTOCOL_OFF, PROXY_PROTOCOL_REQUIRED };

struct config_listener {
    char *name;
    char *address;                // IPv4 or IPv6 literal; "" with path
    int64_t port;                 // 0 = any free port
    char *path;                   // Unix socket; "" with address
    struct config_strings serves; // "public", "internal"
    int64_t backlog;
    int64_t proxy_protocol;              // enum config_proxy_protocol
    struct config_strings proxy_trusted; // networks
    int64_t proxy_timeout_ms;
    struct config_listener_tls tls;
};

enum config_route_kind { ROUTE_ECHO, ROUTE_CHANNEL, ROUTE_FILES };
enum config_queue_policy { QUEUE_DISCONNECT, QUEUE_DROP_OLDEST, QUEUE_CONFLATE };

struct config_route {
    char *path;
    char *host;    // "" = any
    int64_t kind;  // enum config_route_kind
    char *channel; // kind channel: template, e.g. "news:{topic}"
    int64_t initial_messages;
    bool client_publish;
    bool exclude_sender;
    int64_t queue_policy;  // enum config_queue_policy
    bool visible_refusals; // kinds echo, channel: accept and close with 1013 instead of a status
    char *root;            // kind files: folder
    char *index;           // kind files: file served for a folder, "index.html"
    struct config_strings subprotocols; // offered ones the server accepts, in order of preference
};

// Options of the channels of a namespace (reference: Centrifugo, channel options).
struct config_namespace {
    char *name; // "" for channel.without_namespace
    int64_t history_size;
    int64_t history_ttl_ms;
    int64_t history_meta_ttl_ms; // 0 = channel.history_meta_ttl
};

#endif
