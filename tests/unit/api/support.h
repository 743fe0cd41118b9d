// A worker's API on the memory broker, without HTTP: a request's JSON in, the response's JSON out.
// Owner: the test. Epochs are random; in answers they read "########".
#ifndef TIDEGATE_TESTS_UNIT_API_SUPPORT_H
#define TIDEGATE_TESTS_UNIT_API_SUPPORT_H

#include "../../support/leaks.h"
#include "../channel/support.h"

#include "answer.h"
#include "method.h"

struct scene {
    struct stage stage;
    struct slots slots;
    struct config config;
    struct config_namespace kept;
    struct session_worker session;
    struct api_node node;
    struct api_worker worker;
    int status; // of the last answer
    char text[4096];
};

static inline void scene_begin(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    stage_begin(&scene->stage, 100, 10);
    slots_init(&scene->slots, 0);
    scene->kept = (struct config_namespace){mem_strdup("kept"), 5, STAGE_TTL_MS, STAGE_META_TTL_MS};
    scene->config.channel.max_length = 255;
    scene->config.channel.without_namespace.name = mem_strdup("");
    scene->config.channel.namespaces = &scene->kept;
    scene->config.channel.namespace_count = 1;
    scene->config.http_api.batch_limit = 10;
    scene->session.slots = &scene->slots;
    scene->session.config = &scene->config;
    scene->session.broker = broker_memory_create(scene->stage.hub, scene->stage.mailboxes);
    api_node_init(&scene->node);
    api_worker_init(&scene->worker,
                    &(struct api_options){.session = &scene->session, .node = &scene->node});
}

static inline void scene_end(struct scene *scene)
{
    scene->session.broker->ops->destroy(scene->session.broker);
    slots_finish(&scene->slots);
    mem_free(scene->kept.name);
    mem_free(scene->config.channel.without_namespace.name);
    stage_end(&scene->stage);
}

// Hands the broker's answers to who asked.
static inline void scene_deliver(struct scene *scene)
{
    struct message *message;
    while ((message = stage_take(&scene->stage, 0)) != NULL) {
        cr_assert_eq(message->kind, MESSAGE_REPLY);
        slots_deliver(&scene->slots, message);
    }
}

static inline void hide_epochs(char *text)
{
    static const char key[] = "\"epoch\":\"";
    for (char *at = strstr(text, key); at != NULL; at = strstr(at + 1, key)) {
        char *epoch = at + sizeof(key) - 1;
        if (strcspn(epoch, "\"") == EPOCH_LEN) {
            memset(epoch, '#', EPOCH_LEN);
        }
    }
}

// The response to `body`, good until the next one.
static inline const char *ask_in_mode(struct scene *scene, enum api_method method, const char *body,
                                      bool has_transport_errors)
{
    struct buf out;
    buf_init(&out, sizeof(scene->text) - 1);
    struct api_call *call = call_create(&scene->worker, NULL);
    call->has_transport_errors = has_transport_errors;
    method_start(call, method, bytes_str(body));
    scene_deliver(scene);
    cr_assert_eq(call->waiting, 1, "%u answers are missing", call->waiting - 1);
    scene->status = answer_print(call, &out);
    cr_assert_gt(scene->status, 0);
    memcpy(scene->text, out.at, out.len);
    scene->text[out.len] = '\0';
    buf_finish(&out);
    call_destroy(call);
    cr_assert(json_is_valid(bytes_str(scene->text), 64), "no JSON: %s", scene->text);
    hide_epochs(scene->text);
    return scene->text;
}

static inline const char *ask(struct scene *scene, enum api_method method, const char *body)
{
    return ask_in_mode(scene, method, body, false);
}

#define expect(scene, method, body, response) \
    do { \
        const char *got_ = ask(scene, method, body); \
        cr_assert_str_eq(got_, response, "%s gave %s", body, got_); \
    } while (0)

// Epoch of a channel, to ask with.
static inline struct position position_of(struct scene *scene, const char *channel)
{
    struct history_result result;
    cr_assert_eq(hub_history(scene->stage.hub, bytes_str(channel), &scene->stage.history,
                             &(struct history_query){.limit = 0}, &result),
                 0);
    struct position top = result.top;
    history_result_finish(&result);
    return top;
}

#define BAD_REQUEST "{\"error\":{\"code\":107,\"message\":\"bad request\"}}"
#define UNKNOWN_CHANNEL "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}}"
#define NOT_AVAILABLE "{\"error\":{\"code\":108,\"message\":\"not available\"}}"
#define UNRECOVERABLE "{\"error\":{\"code\":112,\"message\":\"unrecoverable position\"}}"

#endif
