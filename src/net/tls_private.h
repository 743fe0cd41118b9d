// What the TLS files share. OpenSSL's types are only named here, so that who begins connections
// needs none of its headers.
// Owner: see tls.h.
#ifndef TIDEGATE_NET_TLS_PRIVATE_H
#define TIDEGATE_NET_TLS_PRIVATE_H

#include "transport.h"

#include "tidegate/net/conn.h"
#include "tidegate/net/tls.h"

#include <stdatomic.h>

struct ssl_st;
struct ssl_ctx_st;
struct bio_st;

// One certificate and the names it is good for.
struct tls_certificate {
    struct ssl_ctx_st *context; // owned (counted by OpenSSL)
    char **names;               // owned
    size_t name_count;
};

struct tls {
    _Atomic uint32_t refs;
    struct tls_common *common; // borrowed
    int64_t handshake_timeout_ms;
    uint32_t handshakes_max;
    bool uses_kernel; // for records
    size_t count;
    struct tls_certificate certificates[];
};

// The certificate for the name a client asks for: the exact name first, then a wildcard; 0 where
// none fits. RFC 6125 §6.4.
size_t tls_choose(const struct tls *tls, struct bytes name);

// Whether `name` is `pattern`, or its first label is what the `*` of `pattern` stands for.
bool tls_name_matches(struct bytes pattern, struct bytes name);

// Counts a handshake in and takes a reference (false: the limit is reached), and out again.
bool tls_enter(struct tls *tls);
void tls_leave(struct tls *tls);

// --- tls_ticket.c ---

struct tls_tickets; // opaque: the keys sessions are sealed with; any thread

struct tls_tickets *tls_tickets_create(void);
void tls_tickets_destroy(struct tls_tickets *tickets);

// Lets `context` seal and open tickets with them.
void tls_tickets_install(struct tls_tickets *tickets, struct ssl_ctx_st *context);

// --- tls_reason.c ---

// Logs the error OpenSSL has left for this thread, counts it when a handshake failed of it, and
// forgets it.
void tls_report(const struct conn *conn, bool in_handshake);

// --- tls_socket.c ---

struct tls_socket {
    int fd;          // borrowed
    bool is_drained; // it gave less than it was asked for, last time
};

// What OpenSSL reads and writes through; NULL: no memory. `socket` must outlive it.
struct bio_st *tls_socket_open(struct tls_socket *socket);

// --- transport_tls.c ---

extern const struct transport transport_tls;

// Makes `conn` speak TLS from its next byte on: 0, -EBUSY: too many handshakes, or -ENOMEM.
int transport_tls_begin(struct conn *conn, struct tls *tls) ATTR_MUST_CHECK;

// Lets `context` count what its connections send after their handshake.
void transport_tls_watch(struct ssl_ctx_st *context);

// Whether the handshake failed because the peer spoke plain HTTP.
bool transport_tls_is_http(const struct conn *conn);

#endif
