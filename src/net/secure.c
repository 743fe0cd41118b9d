// From an accepted socket to the first byte of what is spoken under TLS. Handshakes have a deadline
// and a limit of their own, over all workers: they are what costs the most and proves the least.
//
// Owner: the connection's worker. Invariant: while conn->handshaking is set the transport is TLS,
// and every event of the socket goes here.

#include "secure.h"
#include "transport.h"

#include "tidegate/base/metrics.h"
#include "tidegate/net/listener.h"

#include "net_private.h"
#include "tls_private.h"

#include <errno.h>

#define FAREWELL_MS 1000 // for the peer to read why it failed

static void secure_on_bytes(struct conn *conn)
{
    conn_consume(conn, conn->in.len);
}

static void secure_on_deadline(struct conn *conn)
{
    metric_add(METRIC_TLS_FAILED_TIMEOUT, 1);
    conn_close(conn, CLOSE_TLS_TIMEOUT);
}

static void secure_on_closed(struct conn *conn, enum close_reason reason)
{
    (void)conn;
    (void)reason;
}

static const struct conn_handler secure_handler = {
    .on_bytes = secure_on_bytes,
    .on_deadline = secure_on_deadline,
    .on_closed = secure_on_closed,
};

// Without the TLS that came to nothing: an alert of it may be on its way, which closing at once
// could destroy, and a peer that spoke HTTP is answered in HTTP.
static void secure_fail(struct conn *conn, int error)
{
    struct blob *refusal = conn->net->options.refusal_plain;
    bool is_http = transport_tls_is_http(conn);

    if (error != -EPROTO) {
        conn_close(conn, CLOSE_PEER_RESET);
        return;
    }
    conn->transport->destroy(conn);
    conn->transport = &transport_plain;
    if (is_http && refusal != NULL) {
        conn_send(conn, blob_ref(refusal), OUTBOX_KEY_CONTROL, NULL);
    }
    conn->readable = true;
    conn_finish(conn, CLOSE_TLS_FAILED, FAREWELL_MS);
}

void secure_begin(struct conn *conn)
{
    struct tls *tls = conn->listener->tls;

    conn_set_handler(conn, &secure_handler, NULL);
    int error = transport_tls_begin(conn, tls);
    if (error < 0) {
        bool is_limit = error == -EBUSY;
        metric_add(is_limit ? METRIC_TLS_FAILED_LIMIT : METRIC_TLS_FAILED_OTHER, 1);
        conn_close(conn, is_limit ? CLOSE_TLS_LIMIT : CLOSE_INTERNAL_ERROR);
        return;
    }
    conn->handshaking = true;
    conn_set_deadline(conn, tls->handshake_timeout_ms);
    // Who read from the socket before has taken the edge that would tell of the rest.
    if (conn->readable) {
        list_append(&conn->net->ready, &conn->ready);
    }
}

void secure_go_on(struct conn *conn)
{
    int result = conn_is_closed(conn) ? 0 : conn->transport->handshake(conn);

    if (result == 0) {
        return;
    }
    conn->handshaking = false;
    if (result < 0) {
        secure_fail(conn, result);
        return;
    }
    conn_set_deadline(conn, 0);
    // OpenSSL may hold what came with the last message of the handshake.
    conn->readable = true;
    conn->net->options.on_accepted(conn->net->options.context, conn);
    conn_on_readable(conn);
}
