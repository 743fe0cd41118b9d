// The TLS of every listener as one snapshot of the settings wants it, files read. Made by the main
// thread, counted, immutable: each worker holds one, and takes the next between two turns.
#ifndef TIDEGATE_APP_SECRETS_H
#define TIDEGATE_APP_SECRETS_H

#include "tidegate/config/config.h"
#include "tidegate/net/tls.h"

struct secrets {
    _Atomic uint32_t refs;
    size_t count;
    struct tls *items[]; // by listener, counted; NULL: no TLS
};

// One line that names setting and file.
struct secrets_error {
    char text[640];
};

// Reads the files: one reference, or -EINVAL with *ret_error filled. `common` must outlive it.
int secrets_create(const struct config *config, struct tls_common *common,
                   struct secrets **ret_secrets, struct secrets_error *ret_error) ATTR_MUST_CHECK;

// Any thread; unref takes NULL.
struct secrets *secrets_ref(struct secrets *secrets);
void secrets_unref(struct secrets *secrets);

#endif
