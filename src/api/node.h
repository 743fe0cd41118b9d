// What this process tells about itself.
#ifndef TIDEGATE_API_NODE_H
#define TIDEGATE_API_NODE_H

#include "call.h"
#include "tidegate/codec/json_write.h"

// The result of `info`, as a row of the table of methods.
void node_print(const struct api_call *call, uint32_t index, struct json_writer *writer);

#endif
