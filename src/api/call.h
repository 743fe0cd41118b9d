// One call of the API from its body to its response. It may need many answers of the broker (a
// broadcast, a batch), which come later: each has its place in `answers`, and its index is the
// token asked with. Owner: the worker. Lifetime: until the response, or until the exchange is
// abandoned; answers that come later find nobody.
#ifndef TIDEGATE_API_CALL_H
#define TIDEGATE_API_CALL_H

#include "error.h"
#include "tidegate/api/api.h"

enum api_method {
    API_PUBLISH,
    API_BROADCAST,
    API_HISTORY,
    API_HISTORY_REMOVE,
    API_CHANNELS,
    API_INFO,
    API_BATCH,
    API_METHODS
};

// The answer to one command, or to one channel of a broadcast.
struct api_answer {
    enum api_method method;
    enum api_error error;
    uint32_t children;          // of a broadcast: the answers behind it are its channels'
    struct position position;   // of a publication
    struct broker_reply *reply; // owned; history and channels
};

struct api_call {
    struct slot_owner owner;
    struct slot_ref self;
    struct api_worker *worker;      // borrowed
    struct http_exchange *exchange; // borrowed
    struct api_answer *answers;     // owned array
    uint32_t answer_count;
    uint32_t answer_room;
    uint32_t reserved; // answers promised room and not made yet
    uint32_t waiting;  // answers still to come, and one while the request is being read
    bool is_batch;
    bool has_error;            // some answer is one
    bool has_transport_errors; // an error is told by the HTTP status
};

// A call for `exchange` (NULL in tests), which waits for call_settle().
struct api_call *call_create(struct api_worker *worker, struct http_exchange *exchange);

// Forgets the exchange and every answer that is still to come.
void call_destroy(struct api_call *call);

// Promises room for `more` answers: 0 or -ENOMEM.
int call_reserve(struct api_call *call, size_t more) ATTR_MUST_CHECK;

// The index of a new answer; takes one of the promised places.
uint32_t call_add(struct api_call *call, enum api_method method);

// Who asks the broker for answer `index`; the call waits for it from here on.
struct broker_caller call_expect(struct api_call *call, uint32_t index);

// Answer `index` is this error.
void call_fail(struct api_call *call, uint32_t index, enum api_error error);

// One answer less to wait for; after the last one the response is sent and the call is gone.
void call_settle(struct api_call *call);

#endif
