// Sessions of one worker on the real hub, broker and mailbox, with a sink that writes down what is
// sent. Owner: the test; time stands still, and messages wait until scene_deliver().
#ifndef TIDEGATE_TESTS_UNIT_SESSION_SUPPORT_H
#define TIDEGATE_TESTS_UNIT_SESSION_SUPPORT_H

#include "../../support/leaks.h"
#include "../channel/support.h"

#include "tidegate/session/command.h"
#include "tidegate/session/event.h"

#include <limits.h>

struct scene {
    struct stage stage;
    struct slots slots;
    struct fanout fanout;
    struct config config;
    struct config_namespace kept; // "kept:": five entries of history
    struct session_worker worker;
    unsigned frames;    // framed by the sink
    bool has_no_memory; // then nothing can be framed
};

// A session and what it was told: "started ... ".
struct client {
    struct session session;
    struct scene *scene;
    struct buf told;
    struct blob *last; // borrowed: the last wire form
    enum close_reason reason;
    int closes;
    int slow_after; // messages until its queue is full; 0: never
    uint32_t drops; // told by the next send
    int room;       // messages until it is behind, and below that it is
};

static struct scene *scene_here;

static inline struct blob *client_frame(struct session *session, const struct event *event,
                                        struct bytes payload, bool is_binary)
{
    (void)session;
    scene_here->frames++;
    if (scene_here->has_no_memory || (payload.len == 0 && event->kind != EVENT_PUBLICATION)) {
        return NULL;
    }
    struct blob *blob = blob_try_create(payload.len + 1);
    blob->data[0] = is_binary ? '#' : '=';
    memcpy(blob->data + 1, payload.at, payload.len);
    return blob;
}

static inline uint32_t client_send(struct session *session, struct blob *wire, uint32_t key)
{
    struct client *client = container_of(session, struct client, session);
    uint32_t drops = client->drops;
    (void)key;
    client->drops = 0;
    client->last = wire;
    cr_assert(!session->is_closed, "sent to a session that ended");
    cr_assert_eq(buf_append(&client->told, blob_bytes(wire)), 0);
    cr_assert_eq(buf_append(&client->told, BYTES_OF(" ")), 0);
    blob_unref(wire);
    client->room--;
    if (client->slow_after > 0 && --client->slow_after == 0) {
        session->sink->close(session, CLOSE_SLOW);
    }
    return drops;
}

static inline bool client_is_behind(struct session *session, size_t next)
{
    return container_of(session, struct client, session)->room <= 0;
}

static inline void client_close(struct session *session, enum close_reason reason)
{
    struct client *client = container_of(session, struct client, session);
    client->closes++;
    client->reason = reason;
    session_close(session);
}

static const struct session_sink client_sink = {.index = 0,
                                                .frame = client_frame,
                                                .send = client_send,
                                                .is_behind = client_is_behind,
                                                .close = client_close};
static const struct session_sink other_sink = {.index = 1,
                                               .frame = client_frame,
                                               .send = client_send,
                                               .is_behind = client_is_behind,
                                               .close = client_close};

static inline void scene_begin(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    scene_here = scene;
    stage_begin(&scene->stage, 100, 10);
    slots_init(&scene->slots, 0);
    fanout_init(&scene->fanout, session_on_publication);
    scene->kept = (struct config_namespace){mem_strdup("kept"), 5, STAGE_TTL_MS, STAGE_META_TTL_MS};
    scene->config.refs = 1;
    scene->config.channel.max_length = 100;
    scene->config.channel.without_namespace.name = mem_strdup("");
    scene->config.channel.namespaces = &scene->kept;
    scene->config.channel.namespace_count = 1;
    scene->config.client.channel_limit = 2;
    scene->config.client.recovery_max_publication_limit = 100;
    session_worker_init(&scene->worker, 0, &scene->slots, &scene->fanout,
                        broker_memory_create(scene->stage.hub, scene->stage.mailboxes),
                        &scene->config);
}

static inline void scene_end(struct scene *scene)
{
    struct broker *broker = scene->worker.broker;
    session_worker_finish(&scene->worker);
    broker->ops->destroy(broker);
    fanout_finish(&scene->fanout);
    slots_finish(&scene->slots);
    mem_free(scene->kept.name);
    mem_free(scene->config.channel.without_namespace.name);
    stage_end(&scene->stage);
}

// One message from worker 0's mailbox, as the turn does it; false when there was none.
static inline bool scene_step(struct scene *scene)
{
    struct message *message = stage_take(&scene->stage, 0);
    if (message == NULL) {
        return false;
    }
    if (message->kind == MESSAGE_PUBLICATION) {
        fanout_deliver(&scene->fanout,
                       container_of(message, struct hub_message, message)->publication);
        blob_stock_finish(&scene->worker.stock);
        message->destroy(message);
    } else {
        slots_deliver(&scene->slots, message);
        blob_stock_finish(&scene->worker.stock);
    }
    return true;
}

static inline void scene_deliver(struct scene *scene)
{
    while (scene_step(scene)) {
    }
}

static inline void scene_publish_parts(struct scene *scene, const struct publication_parts *parts)
{
    struct channel_settings settings = {
        .history_size = bytes_starts_with(parts->channel, BYTES_OF("kept:")) ? 5 : 0,
        .history_ttl_ms = STAGE_TTL_MS,
        .history_meta_ttl_ms = STAGE_META_TTL_MS};
    struct hub_publish_request request = {.publication = publication_try_create(parts),
                                          .settings = &settings};
    struct position position;
    cr_assert_eq(hub_publish(scene->stage.hub, &request, &position), 1);
}

static inline void scene_publish(struct scene *scene, const char *channel, const char *data)
{
    scene_publish_parts(
        scene, &(struct publication_parts){.channel = bytes_str(channel), .data = bytes_str(data)});
}

static inline void client_begin(struct client *client, struct scene *scene,
                                const struct session_protocol *protocol,
                                const struct session_sink *sink,
                                const struct session_options *options)
{
    *client = (struct client){.scene = scene, .room = INT_MAX};
    buf_init(&client->told, 1 << 20);
    session_open(&client->session, &scene->worker, protocol, sink, options);
}

static inline void client_end(struct client *client)
{
    session_close(&client->session);
    buf_finish(&client->told);
}

// Expects exactly this since the last time. Epochs read "########".
static inline void client_expect(struct client *client, const char *expected)
{
    for (size_t i = 0; i + 10 + EPOCH_LEN <= client->told.len; i++) {
        if (memcmp(client->told.at + i, "\"epoch\":\"", 9) == 0 && client->told.at[i + 9] != '"') {
            memset(client->told.at + i + 9, '#', EPOCH_LEN);
        }
    }
    cr_assert(bytes_equal(buf_bytes(&client->told), bytes_str(expected)),
              "told \"%.*s\", not \"%s\"", (int)client->told.len, client->told.at, expected);
    buf_clear(&client->told);
}

#endif
