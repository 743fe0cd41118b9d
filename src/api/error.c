// The table of errors (reference: docs/api.md, "Errors"). Owner: none, constant; any thread.
// Several of our reasons share a code: services decide by the code, people read the message.
// Invariant: every enum value but API_OK has a row.
#include "error.h"

#include "tidegate/base/assert.h"

#include <errno.h>

static const struct api_error_row rows[API_ERRORS] = {
    [API_INTERNAL] = {100, 500, "internal server error"},
    [API_CHANNEL_LIMIT] = {100, 500, "channel limit reached"},
    [API_TOO_LARGE] = {100, 500, "answer too large"},
    [API_UNKNOWN_CHANNEL] = {102, 404, "unknown channel"},
    [API_NOT_FOUND] = {104, 404, "not found"},
    [API_BAD_REQUEST] = {107, 400, "bad request"},
    [API_NOT_AVAILABLE] = {108, 400, "not available"},
    [API_UNRECOVERABLE] = {112, 416, "unrecoverable position"},
};

const struct api_error_row *api_error_row(enum api_error error)
{
    assert_always(error > API_OK && error < API_ERRORS);
    return &rows[error];
}

enum api_error api_error_of(int error)
{
    switch (error) {
    case 0:
        return API_OK;
    case -EINVAL:
        return API_BAD_REQUEST;
    case -ENOENT:
        return API_UNKNOWN_CHANNEL;
    case -ESTALE:
        return API_UNRECOVERABLE;
    case -ENOSPC:
        return API_CHANNEL_LIMIT;
    default:
        return API_INTERNAL;
    }
}
