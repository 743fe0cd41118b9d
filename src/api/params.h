// The members of a request's JSON object, read where they stand: no tree is built, and what is
// published is passed on as it came. Owner: the function that handles the request.
// Every params_ reader returns 1: there; 0: not there, or null; -EINVAL: of another type.
#ifndef TIDEGATE_API_PARAMS_H
#define TIDEGATE_API_PARAMS_H

#include "tidegate/base/attr.h"
#include "tidegate/codec/json_read.h"

#define PARAMS_STRINGS_MAX 8

struct params {
    struct bytes text;                        // a valid JSON object; borrowed
    struct json *decoded[PARAMS_STRINGS_MAX]; // owned: strings that had escapes
    size_t decoded_count;
};

// `text`: a valid JSON value. A value that is no object has no members.
void params_init(struct params *params, struct bytes text);
void params_finish(struct params *params);

// The member as it stands, whatever it is; null counts. Returns whether it is there.
bool params_raw(const struct params *params, const char *key, struct bytes *ret_raw);

int params_object(const struct params *params, const char *key,
                  struct bytes *ret_raw) ATTR_MUST_CHECK;
int params_array(const struct params *params, const char *key,
                 struct bytes *ret_raw) ATTR_MUST_CHECK;

// The text lives as long as `params` and the request do.
int params_string(struct params *params, const char *key, struct bytes *ret_text) ATTR_MUST_CHECK;

int params_bool(const struct params *params, const char *key, bool *ret_value) ATTR_MUST_CHECK;

// Whole numbers, written without point and exponent.
int params_int64(const struct params *params, const char *key, int64_t *ret_value) ATTR_MUST_CHECK;
int params_uint64(const struct params *params, const char *key,
                  uint64_t *ret_value) ATTR_MUST_CHECK;

// The text of a raw JSON string: 1 or -EINVAL. At most PARAMS_STRINGS_MAX with params_string().
int params_text_of(struct params *params, struct bytes raw, struct bytes *ret_text) ATTR_MUST_CHECK;

#endif
