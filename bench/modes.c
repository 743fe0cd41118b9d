// What the load generator can do to a server: echo, fanout, idle, accept. Each is a run function
// with a warm-up and a measured window, and the answers its connections wait for.

#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND_NS = 1000000000, STUCK_SECONDS = 10, SETTLE_MS = 500 };

// ---- echo: each connection has in_flight messages on their way, and expects its own in order

static void echo_send(struct load *load, struct client *client, uint64_t number)
{
    uint8_t message[WIRE_MESSAGE_MAX];

    message_put(load->options.message_kind, message, load->options.message_len, number,
                load->now_ns);
    client_send_frame(client, load->options.opcode, message, load->options.message_len);
}

static void open_quietly(struct load *load, struct client *client)
{
    (void)load;
    (void)client;
}

// Checks that this is the message the client waits for. Returns when it was sent.
static uint64_t take_expected(struct load *load, struct client *client,
                              const struct wire_frame *frame)
{
    uint64_t number = 0;
    uint64_t sent_ns = 0;

    if (frame->opcode != load->options.opcode || frame->len != load->options.message_len ||
        message_get(load->options.message_kind, frame->payload, frame->len, &number, &sent_ns) !=
            0) {
        probe_fail("connection %zu got a message that was not sent: opcode %u, %zu bytes: %.*s",
                   (size_t)(client - load->clients), frame->opcode, frame->len, (int)frame->len,
                   frame->payload);
    }
    if (number != client->next_number) {
        probe_fail("connection %zu expected message %llu and got %llu",
                   (size_t)(client - load->clients), (unsigned long long)client->next_number,
                   (unsigned long long)number);
    }
    client->next_number++;
    return sent_ns;
}

// What comes after the window was sent in it, but is no part of its figures.
static void count_message(struct load *load, uint64_t sent_ns)
{
    if (load->is_draining) {
        load->missing_count--;
        return;
    }
    load->message_count++;
    histogram_add(&load->latency, load->now_ns - sent_ns);
}

static void echo_on_message(struct load *load, struct client *client,
                            const struct wire_frame *frame)
{
    uint64_t sent_ns = take_expected(load, client, frame);

    count_message(load, sent_ns);
    if (!load->is_draining) {
        echo_send(load, client, client->next_number + load->options.in_flight - 1);
    }
}

// What is on its way when the window ends must come too: a lost message fails the run.
static void drain(struct load *load)
{
    uint64_t end_ns = probe_now_ns() + (uint64_t)STUCK_SECONDS * SECOND_NS;

    load->is_draining = true;
    while (load->missing_count > 0) {
        load_turn(load, 100);
        if (probe_now_ns() > end_ns) {
            probe_fail("%llu messages never came", (unsigned long long)load->missing_count);
        }
    }
}

static void echo_run(struct load *load)
{
    load_open(load, 0, load->options.connections);
    load->now_ns = probe_now_ns();
    for (size_t i = 0; i < load->options.connections; i++) {
        for (unsigned k = 0; k < load->options.in_flight; k++) {
            echo_send(load, &load->clients[i], k);
        }
    }
    load_run_for(load, load->options.warm_seconds);
    load_measure(load, load_run_for);
    load->missing_count = (uint64_t)load->options.connections * load->options.in_flight;
    drain(load);
    load_print(load, "message");
    puts("}");
}

const struct load_mode mode_echo = {
    .name = "echo",
    .run = echo_run,
    .on_open = open_quietly,
    .on_message = echo_on_message,
};

// ---- fanout: the next is published when every subscriber has the oldest of in_flight

struct fanout {
    uint64_t published; // numbers below this one were sent
    uint64_t completed; // numbers below this one every subscriber has
    uint64_t moved_ns;
    unsigned *received; // by number % in_flight: how many subscribers have it
    uint8_t *batch;
};

static void fanout_on_message(struct load *load, struct client *client,
                              const struct wire_frame *frame)
{
    struct fanout *fanout = load->mode_state;
    uint64_t number = client->next_number;
    uint64_t sent_ns = take_expected(load, client, frame);

    if (number >= fanout->published) {
        probe_fail("publication %llu came before it was published", (unsigned long long)number);
    }
    count_message(load, sent_ns);
    fanout->received[number % load->options.in_flight]++;
}

static uint64_t fanout_missing_count(const struct load *load)
{
    const struct fanout *fanout = load->mode_state;
    uint64_t count = 0;

    for (uint64_t number = fanout->completed; number < fanout->published; number++) {
        count += load->options.connections - fanout->received[number % load->options.in_flight];
    }
    return count;
}

static size_t put_publication(const struct load *load, uint8_t *to, uint64_t number, uint64_t now)
{
    uint8_t message[WIRE_MESSAGE_MAX];
    size_t len = load->options.message_len;
    int head;

    message_put(load->options.message_kind, message, len, number, now);
    if (load->options.http_key == NULL) {
        return wire_put_client_frame(to, load->options.opcode, message, len);
    }
    head = sprintf((char *)to,
                   "POST %s HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n"
                   "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                   load->options.publish_path, load->options.http_key, len);
    memcpy(to + head, message, len);
    return (size_t)head + len;
}

// Publishes as many as may be on their way, with one send: what a busy publisher's socket does.
static void fanout_publish(struct load *load, struct client *publisher)
{
    struct fanout *fanout = load->mode_state;
    unsigned width = load->options.in_flight;
    uint64_t now_ns = probe_now_ns();
    size_t len = 0;

    while (fanout->completed < fanout->published &&
           fanout->received[fanout->completed % width] == load->options.connections) {
        fanout->received[fanout->completed % width] = 0;
        fanout->completed++;
    }
    while (fanout->published - fanout->completed < width) {
        len += put_publication(load, fanout->batch + len, fanout->published, now_ns);
        fanout->published++;
    }
    if (len > 0) {
        client_send(publisher, fanout->batch, len);
        fanout->moved_ns = now_ns;
    } else if (now_ns - fanout->moved_ns > (uint64_t)STUCK_SECONDS * SECOND_NS) {
        probe_fail("publication %llu reached %u of %u subscribers, then nothing came",
                   (unsigned long long)fanout->completed,
                   fanout->received[fanout->completed % width], load->options.connections);
    }
}

static void fanout_run_for(struct load *load, double seconds)
{
    struct client *publisher = &load->clients[load->options.connections];
    uint64_t end_ns = probe_now_ns() + (uint64_t)(seconds * 1e9);

    while (probe_now_ns() < end_ns) {
        fanout_publish(load, publisher);
        load_turn(load, 100);
    }
}

static void fanout_run(struct load *load)
{
    struct client *publisher = &load->clients[load->options.connections];
    bool is_http = load->options.http_key != NULL;
    struct fanout fanout = {
        .received = calloc(load->options.in_flight, sizeof(unsigned)),
        .batch = calloc(load->options.in_flight, load->options.message_len + 1024),
    };

    if (fanout.received == NULL || fanout.batch == NULL) {
        probe_fail("out of memory");
    }
    load->mode_state = &fanout;
    load_open(load, 0, load->options.connections);
    client_begin(load, publisher, is_http ? CLIENT_HTTP_PUBLISHER : CLIENT_WS_PUBLISHER);
    // A server may answer 101 before its subscription counts: publish after a moment.
    load_run_for(load, SETTLE_MS / 1e3);
    if (publisher->state != CLIENT_OPEN) {
        probe_fail("the publisher was not let in");
    }
    fanout.moved_ns = probe_now_ns();
    fanout_run_for(load, load->options.warm_seconds);
    load_measure(load, fanout_run_for);
    load->missing_count = fanout_missing_count(load);
    drain(load);
    load_print(load, "delivery");
    puts("}");
    free(fanout.received);
    free(fanout.batch);
}

const struct load_mode mode_fanout = {
    .name = "fanout",
    .is_broadcast = true,
    .run = fanout_run,
    .on_open = open_quietly,
    .on_message = fanout_on_message,
};

// ---- idle: open, hold, answer pings, ping each once; what does a connection weigh

static void idle_on_message(struct load *load, struct client *client,
                            const struct wire_frame *frame)
{
    probe_fail("connection %zu got a message nobody sent: %.*s", (size_t)(client - load->clients),
               (int)frame->len, frame->payload);
}

static void idle_ping_all(struct load *load)
{
    enum { AT_ONCE = 100 };

    for (size_t i = 0; i < load->options.connections; i++) {
        client_send_frame(&load->clients[i], WIRE_PING, (const uint8_t *)"bench", 5);
        if (i % AT_ONCE == AT_ONCE - 1) {
            load_turn(load, 1);
        }
    }
}

static void idle_run(struct load *load)
{
    uint64_t before = probe_resident_bytes(&load->probe);
    uint64_t after;

    load_open(load, 0, load->options.connections);
    load_measure_begin(load);
    load_run_for(load, load->options.seconds / 2);
    idle_ping_all(load);
    load_run_for(load, load->options.seconds / 2);
    load_measure_end(load);
    after = probe_resident_bytes(&load->probe);
    if (load->pong_count != load->options.connections) {
        probe_fail("%llu of %u pings were answered", (unsigned long long)load->pong_count,
                   load->options.connections);
    }
    load_print(load, "connection");
    printf(",\"resident_before\":%llu,\"bytes_each\":%.1f,\"pongs\":%llu}\n",
           (unsigned long long)before, ((double)after - (double)before) / load->options.connections,
           (unsigned long long)load->pong_count);
}

const struct load_mode mode_idle = {
    .name = "idle",
    .run = idle_run,
    .on_open = open_quietly,
    .on_message = idle_on_message,
};

// ---- accept: connect, shake hands, close in order, again

static void accept_on_open(struct load *load, struct client *client)
{
    static const uint8_t normal_closure[2] = {1000 >> 8, 1000 & 0xff};

    (void)load;
    client_send_frame(client, WIRE_CLOSE, normal_closure, sizeof(normal_closure));
    client->state = CLIENT_CLOSING;
}

static void accept_on_gone(struct load *load, struct client *client)
{
    if (client->state != CLIENT_CLOSING) {
        probe_fail("the server closed a connection before its handshake was done");
    }
    load->message_count++;
    histogram_add(&load->latency, load->now_ns - client->since_ns);
    client_end(load, client);
}

static void accept_run_for(struct load *load, double seconds)
{
    uint64_t end_ns = probe_now_ns() + (uint64_t)(seconds * 1e9);
    uint64_t now_ns;

    while ((now_ns = probe_now_ns()) < end_ns) {
        for (unsigned i = 0; i < load->options.parallel; i++) {
            struct client *client = &load->clients[i];
            if (client->state == CLIENT_CLOSED) {
                client_begin(load, client, CLIENT_PLAIN);
            } else if (now_ns > client->since_ns + (uint64_t)STUCK_SECONDS * SECOND_NS) {
                probe_fail("a connection took more than %d seconds", STUCK_SECONDS);
            }
        }
        load_turn(load, 100);
    }
}

static void accept_run(struct load *load)
{
    accept_run_for(load, load->options.warm_seconds);
    load_measure(load, accept_run_for);
    load_print(load, "connection");
    puts("}");
}

const struct load_mode mode_accept = {
    .name = "accept",
    .run = accept_run,
    .on_open = accept_on_open,
    .on_message = idle_on_message,
    .on_gone = accept_on_gone,
};
