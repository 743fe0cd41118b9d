// Collecting the answers of one call. Owner: the worker; everything here runs on it.
// Lifetime: a call dies with its response or with its exchange, whichever comes first; its name in
// the slot table dies with it, so the broker's later answers are dropped.
// Invariant: `waiting` counts what was asked and not answered yet, plus one until the request has
// been read to its end, so a call is never answered before all of it was asked.
#include "call.h"

#include "answer.h"
#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"

#include <errno.h>

static void call_on_reply(struct slot_owner *owner, struct message *message)
{
    struct api_call *call = container_of(owner, struct api_call, owner);
    struct broker_reply *reply = container_of(message, struct broker_reply, reply.message);
    assert_always(reply->reply.type == REPLY_BROKER && reply->token < call->answer_count);
    struct api_answer *answer = &call->answers[reply->token];
    assert_always(answer->reply == NULL);
    answer->position = reply->position;
    if (reply->error < 0) {
        call_fail(call, reply->token, api_error_of(reply->error));
    }
    if (reply->kind == BROKER_HISTORY || reply->kind == BROKER_CHANNELS) {
        answer->reply = reply;
    } else {
        broker_reply_destroy(message);
    }
    call_settle(call);
}

static void call_on_abandoned(struct http_exchange *exchange)
{
    call_destroy(exchange->owner);
}

struct api_call *call_create(struct api_worker *worker, struct http_exchange *exchange)
{
    struct api_call *call = mem_zalloc(sizeof(*call));
    call->owner.on_reply = call_on_reply;
    call->self = slots_add(worker->options.session->slots, &call->owner);
    call->worker = worker;
    call->exchange = exchange;
    call->waiting = 1;
    if (exchange != NULL) {
        exchange->owner = call;
        exchange->on_abandoned = call_on_abandoned;
    }
    return call;
}

void call_destroy(struct api_call *call)
{
    slots_remove(call->worker->options.session->slots, call->self);
    for (uint32_t i = 0; i < call->answer_count; i++) {
        if (call->answers[i].reply != NULL) {
            broker_reply_destroy(&call->answers[i].reply->reply.message);
        }
    }
    mem_free(call->answers);
    mem_free(call);
}

int call_reserve(struct api_call *call, size_t more)
{
    size_t room = (size_t)call->answer_count + call->reserved + more;
    if (room > UINT32_MAX / 2) {
        return -ENOMEM;
    }
    if (room > call->answer_room) {
        // At least doubled: each broadcast of a batch comes here.
        size_t grown = (size_t)call->answer_room * 2 > room ? (size_t)call->answer_room * 2 : room;
        struct api_answer *answers =
            mem_try_realloc(call->answers, grown * sizeof(struct api_answer));
        if (answers == NULL) {
            return -ENOMEM;
        }
        call->answers = answers;
        call->answer_room = (uint32_t)grown;
    }
    call->reserved += (uint32_t)more;
    return 0;
}

uint32_t call_add(struct api_call *call, enum api_method method)
{
    assert_always(call->reserved > 0 && call->answer_count < call->answer_room);
    call->reserved--;
    call->answers[call->answer_count] = (struct api_answer){.method = method};
    return call->answer_count++;
}

struct broker_caller call_expect(struct api_call *call, uint32_t index)
{
    call->waiting++;
    return (struct broker_caller){call->self, index};
}

void call_fail(struct api_call *call, uint32_t index, enum api_error error)
{
    call->answers[index].error = error;
    call->has_error = true;
}

void call_settle(struct api_call *call)
{
    assert_always(call->waiting > 0);
    call->waiting--;
    if (call->waiting == 0) {
        answer_send(call);
        call_destroy(call);
    }
}
