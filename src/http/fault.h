// Why a request is refused before anybody could answer it: a status and a sentence for the peer.
// A value with literal text; any thread.
#ifndef TIDEGATE_HTTP_FAULT_H
#define TIDEGATE_HTTP_FAULT_H

struct http_fault {
    int status;
    const char *message; // literal
};

#endif
