// The API's errors: one row each, with the code and message services see and the HTTP status of
// the transport error mode. Constant; any thread.
#ifndef TIDEGATE_API_ERROR_H
#define TIDEGATE_API_ERROR_H

enum api_error {
    API_OK,
    API_INTERNAL,
    API_CHANNEL_LIMIT, // the process holds as many channels as it may
    API_TOO_LARGE,     // the answer, not the request
    API_UNKNOWN_CHANNEL,
    API_NOT_FOUND,
    API_BAD_REQUEST,
    API_NOT_AVAILABLE,
    API_UNRECOVERABLE,
    API_ERRORS
};

struct api_error_row {
    int code;
    int status;
    const char *message;
};

const struct api_error_row *api_error_row(enum api_error error);

// What an -Exxx of the broker or of the channel's settings is to a service; 0 is API_OK.
enum api_error api_error_of(int error);

#endif
