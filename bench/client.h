// The load generator's connections: one thread, one edge-triggered epoll, one receive buffer for
// all. A mode (echo, fanout, idle, accept) is a set of functions the connections call. Anything a
// right server never does ends the program (probe_fail), unless the mode says it expects it.
#ifndef TIDEGATE_BENCH_CLIENT_H
#define TIDEGATE_BENCH_CLIENT_H

#include "message.h"
#include "probe.h"
#include "wire.h"

#include <netinet/in.h>
#include <stdbool.h>

struct client_options {
    const char *mode;
    const char *path;         // of echo, of subscribers, of idle connections
    const char *publish_path; // of the publisher, WebSocket or POST
    const char *http_key;     // X-API-Key; with it the publisher speaks HTTP
    uint16_t port;
    unsigned connections;
    unsigned in_flight;
    enum message_kind message_kind;
    unsigned message_len;
    unsigned opcode;
    unsigned parallel;   // handshakes under way at once
    bool offers_deflate; // all but publishers; each message to them must come compressed
    bool is_tls;
    unsigned sources; // source addresses 127.0.0.1 ...
    double warm_seconds;
    double seconds;
};

enum { SLICES_MAX = 1000 };

enum client_state {
    CLIENT_CLOSED,
    CLIENT_SECURING, // the TLS handshake
    CLIENT_SHAKING,  // the one of WebSocket
    CLIENT_OPEN,
    CLIENT_CLOSING,
};

enum client_role { CLIENT_PLAIN, CLIENT_WS_PUBLISHER, CLIENT_HTTP_PUBLISHER };

struct client {
    int fd;
    enum client_state state;
    enum client_role role;
    uint32_t rest_len;
    struct ssl_st *ssl;   // owned; NULL: plain
    uint8_t *rest;        // the beginning of a frame whose end has not come; NULL when none
    uint64_t next_number; // of the message expected next
    uint64_t since_ns;    // the connection was begun
};

struct load;

struct load_mode {
    const char *name;
    bool is_broadcast; // a message is the same for all connections
    void (*run)(struct load *load);
    void (*on_open)(struct load *load, struct client *client);
    void (*on_message)(struct load *load, struct client *client, const struct wire_frame *frame);
    void (*on_gone)(struct load *load, struct client *client); // NULL: it may not go
};

struct load {
    struct client_options options;
    struct probe probe;
    const struct load_mode *mode;
    int epoll_fd;
    struct client *clients;
    size_t open_count;
    uint64_t now_ns;     // as of the connection being read
    uint64_t ping_count; // pings of the server that were answered
    uint64_t pong_count; // answers to pings of ours
    bool is_draining;    // nothing new is sent; missing_count messages are to come
    uint64_t missing_count;
    uint64_t message_count;  // in the measured window
    uint64_t received_bytes; // from sockets, TLS not yet removed; in the measured window too
    uint64_t window_bytes;   // received_bytes when the window ended
    struct histogram latency;
    double slice_cpu_ns_each[SLICES_MAX]; // server CPU over messages, by slice
    size_t slice_count;
    struct probe_reading from;
    struct probe_reading to;
    void *mode_state;
};

extern const struct load_mode mode_echo;
extern const struct load_mode mode_fanout;
extern const struct load_mode mode_idle;
extern const struct load_mode mode_accept;

// Connects and sends the request; the connection is open when mode->on_open is called.
void client_begin(struct load *load, struct client *client, enum client_role role);

void client_end(struct load *load, struct client *client);

// Sends all of it, or fails the run: windows are small, a full socket means a stuck server.
void client_send(struct client *client, const uint8_t *bytes, size_t len);

void client_send_frame(struct client *client, unsigned opcode, const uint8_t *payload, size_t len);

// Waits for events for at most `wait_ms` and serves them.
void load_turn(struct load *load, int wait_ms);

// Opens clients[first..last) with at most options.parallel handshakes under way.
void load_open(struct load *load, size_t first, size_t last);

// Turns until `seconds` have gone by.
void load_run_for(struct load *load, double seconds);

// Measures options.seconds of run_for, in slices: a disturbance spoils some of them, not the
// median.
void load_measure(struct load *load, void (*run_for)(struct load *load, double seconds));

void load_measure_begin(struct load *load);
void load_measure_end(struct load *load);

// Prints the fields all modes have, without the closing brace of the JSON object.
void load_print(const struct load *load, const char *unit);

#endif
