// Publishing with one POST: the body, byte for byte, under the API key. The answer waits for the
// broker. Owner: the connection's worker. Lifetime: from the request to the broker's answer or the
// end of the connection, whichever is first; a late answer then finds nobody.

#include "channel_request.h"

#include "tidegate/base/mem.h"
#include "tidegate/codec/json_write.h"
#include "tidegate/codec/utf8.h"
#include "tidegate/session/api_key.h"
#include "tidegate/session/settings.h"

#include <errno.h>

#define ANSWER_MAX 256

struct post {
    struct slot_owner owner;
    struct slot_ref self;
    struct http_exchange *exchange; // borrowed until answered or abandoned
    struct session_worker *worker;  // borrowed
};

int channel_post_check(struct channel_target *channel, const struct http_exchange *exchange)
{
    const struct config *config = channel->worker->session->config;
    char room[HTTP_API_KEY_ROOM];

    return api_key_is_valid(config, http_request_api_key(&exchange->request, room)) ? 0 : 401;
}

static void post_destroy(struct post *post)
{
    slots_remove(post->worker->slots, post->self);
    mem_free(post);
}

static void post_on_abandoned(struct http_exchange *exchange)
{
    post_destroy(exchange->owner);
}

static void post_answer(struct post *post, const struct broker_reply *reply)
{
    struct json_writer writer;
    struct buf body;

    buf_init(&body, ANSWER_MAX);
    json_write_begin(&writer, &body);
    json_open_object(&writer);
    json_key(&writer, "result");
    json_open_object(&writer);
    if (reply->position.offset > 0) {
        json_field_unsigned(&writer, "offset", reply->position.offset);
        json_field_string(&writer, "epoch", bytes_str(reply->position.epoch));
    }
    json_close_object(&writer);
    json_close_object(&writer);
    if (json_write_end(&writer) == 0) {
        struct http_response response = {
            .status = 200, .content_type = "application/json", .body = buf_bytes(&body)};
        http_respond(post->exchange, &response);
    }
    buf_finish(&body);
}

static void post_on_reply(struct slot_owner *owner, struct message *message)
{
    struct post *post = container_of(owner, struct post, owner);
    struct broker_reply *reply = container_of(message, struct broker_reply, reply.message);

    post->exchange->on_abandoned = NULL;
    if (reply->error < 0) {
        http_refuse(post->exchange, 503, "the limit on channels is reached", BYTES_EMPTY);
    } else {
        post_answer(post, reply);
    }
    message->destroy(message);
    post_destroy(post);
}

// Bytes that are no text would break every client that gets them in a text frame.
static bool post_is_binary(const struct http_request *request)
{
    struct bytes type = BYTES_EMPTY;

    http_request_header(request, "Content-Type", &type);
    return bytes_equal_nocase(type, BYTES_OF("application/octet-stream")) ||
           !utf8_is_valid(request->body);
}

static void post_publish(struct channel_target *channel, struct http_exchange *exchange,
                         struct bytes name, const struct channel_settings *settings)
{
    struct session_worker *worker = channel->worker->session;
    struct publication_parts parts = {
        .channel = name,
        .data = exchange->request.body,
        .is_binary = post_is_binary(&exchange->request),
    };
    struct hub_publish_request request = {
        .publication = publication_try_create(&parts),
        .settings = settings,
    };

    if (request.publication == NULL) {
        http_refuse(exchange, 503, "no memory for this publication", BYTES_EMPTY);
        return;
    }
    struct post *post = mem_alloc(sizeof(*post));
    *post = (struct post){.owner.on_reply = post_on_reply, .exchange = exchange, .worker = worker};
    post->self = slots_add(worker->slots, &post->owner);
    exchange->owner = post;
    exchange->on_abandoned = post_on_abandoned;
    worker->broker->ops->publish(worker->broker, &request, (struct broker_caller){post->self, 0});
}

void channel_post(struct channel_target *channel, struct http_exchange *exchange)
{
    struct channel_settings settings;
    char name[CHANNEL_NAME_MAX];
    size_t name_len = 0;
    int error = channel_request_name(channel, &exchange->match, name, &name_len);

    if (error == 0) {
        error = settings_of_channel(channel->worker->session->config, bytes_make(name, name_len),
                                    &settings);
    }
    if (error < 0) {
        bool is_unknown = error == -ENOENT;
        http_refuse(exchange, is_unknown ? 404 : 400,
                    is_unknown ? "unknown namespace" : "not a channel name", BYTES_EMPTY);
        return;
    }
    post_publish(channel, exchange, bytes_make(name, name_len), &settings);
}
