// A call's answers as JSON, and the response they make.
#ifndef TIDEGATE_API_ANSWER_H
#define TIDEGATE_API_ANSWER_H

#include "call.h"
#include "tidegate/codec/json_write.h"

// Appends the body of the response to `out`. Returns the HTTP status, or a buffer's error.
int answer_print(const struct api_call *call, struct buf *out) ATTR_MUST_CHECK;

// Responds to the call's exchange, which is not used afterwards.
void answer_send(struct api_call *call);

// Responds with an error for a request that did not become a call. `is_bare`: the error alone.
void answer_error(struct http_exchange *exchange, enum api_error error, bool is_bare);

// Results, as rows of the table of methods.
void answer_print_position(const struct api_call *call, uint32_t index, struct json_writer *writer);
void answer_print_responses(const struct api_call *call, uint32_t index,
                            struct json_writer *writer);
void answer_print_history(const struct api_call *call, uint32_t index, struct json_writer *writer);
void answer_print_nothing(const struct api_call *call, uint32_t index, struct json_writer *writer);
void answer_print_channels(const struct api_call *call, uint32_t index, struct json_writer *writer);

#endif
