// TLS of one listener: its certificates, chosen by the name a client asks for, and everything its
// handshakes need. Made whole by the main thread from one snapshot of the settings, immutable and
// counted from then on: a reload makes another one, and connections that began with the old one
// keep it. What must outlive that (ticket keys, the number of handshakes under way) is tls_common.
// OpenSSL is known to the .c files alone. Private keys are neither logged nor kept outside OpenSSL.
#ifndef TIDEGATE_NET_TLS_H
#define TIDEGATE_NET_TLS_H

#include "tidegate/base/attr.h"
#include "tidegate/base/bytes.h"

#include <stdint.h>

struct tls;        // opaque; counted
struct tls_common; // opaque

// PEM files: the certificate with its chain, and its key.
struct tls_pair {
    const char *certificate;
    const char *key;
};

// What is asked of a client: nothing, a certificate if it has one, a certificate.
enum tls_verify { TLS_VERIFY_OFF, TLS_VERIFY_REQUEST, TLS_VERIFY_REQUIRE };

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };

// All borrowed for the call, but `common`, which must outlive the listener and its connections.
struct tls_options {
    struct tls_common *common;
    const char *name;             // the listener's: tickets of one are no good at another
    const struct tls_pair *pairs; // the first one serves whoever names none of them
    size_t pair_count;            // at least 1
    const char *client_ca;        // PEM file of what signs clients' certificates; "" with OFF
    enum tls_verify verify;
    enum tls_version min_version;
    const char *ciphers; // OpenSSL's list for TLS 1.2; "": forward secret, authenticated ones
    bool has_tickets;    // sessions are resumed
    bool may_use_kernel; // records are made by the kernel where it can
    int64_t handshake_timeout_ms;
    uint32_t handshakes_max; // under way at once in the whole process
};

// What is wrong, in one line that names the file.
struct tls_error {
    char text[512];
};

// What all listeners of the process share. Destroyed after the last connection; NULL is allowed.
struct tls_common *tls_common_create(void);
void tls_common_destroy(struct tls_common *common);

// Reads the files: one reference, or -EINVAL with *ret_error filled. A certificate that has expired
// is logged and served.
int tls_create(const struct tls_options *options, struct tls **ret_tls,
               struct tls_error *ret_error) ATTR_MUST_CHECK;

// Any thread; unref takes NULL.
struct tls *tls_ref(struct tls *tls);
void tls_unref(struct tls *tls);

// Whether this kernel makes TLS records.
bool tls_has_kernel(void);

#endif
