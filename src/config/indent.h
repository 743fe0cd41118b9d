// Compact JSON to indented JSON, for people. Pure function, any thread.
#ifndef TIDEGATE_CONFIG_INDENT_H
#define TIDEGATE_CONFIG_INDENT_H

#include "tidegate/base/attr.h"
#include "tidegate/base/buf.h"

// Appends `json`, which is valid and has no white space outside its strings, with line breaks, an
// indent of four spaces a level and a line end: 0 or buf_append's errors.
int indent_json(struct bytes json, struct buf *out) ATTR_MUST_CHECK;

#endif
