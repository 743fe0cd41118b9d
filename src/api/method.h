// The methods of the API: a row each.
#ifndef TIDEGATE_API_METHOD_H
#define TIDEGATE_API_METHOD_H

#include "call.h"
#include "params.h"
#include "tidegate/codec/json_write.h"

struct api_method_row {
    const char *name;
    // Does it, or asks the broker to: answer `index` of the call is its result or its error. NULL:
    // only possible as a whole request.
    void (*run)(struct api_call *call, uint32_t index, struct params *params);
    // Writes the result, an object, once every answer is there.
    void (*print)(const struct api_call *call, uint32_t index, struct json_writer *writer);
};

const struct api_method_row *method_row(enum api_method method);

// The method called `name`: 0, or -ENOENT.
int method_find(struct bytes name, enum api_method *ret_method) ATTR_MUST_CHECK;

// Runs the request `body` (a valid JSON object) of a new call. The caller settles the call then.
void method_start(struct api_call *call, enum api_method method, struct bytes body);

// publish.c
void publish_run(struct api_call *call, uint32_t index, struct params *params);
void publish_run_many(struct api_call *call, uint32_t index, struct params *params);

#endif
