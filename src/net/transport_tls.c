// Bytes through OpenSSL. Only the handshake and the end of stream are written outside step 4.
//
// Owner: the connection's worker. Lifetime: from transport_tls_begin() to the connection's burial.
// Invariants: the error queue is empty before each call of OpenSSL, since errors are the thread's
// and not the connection's. Reading goes on until the socket gave less than it was asked for and
// OpenSSL holds nothing back, so that a short read proves both empty. A record that the socket did
// not take is shown again byte for byte: the outbox keeps what it is made of (outbox_pin).

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/net/conn.h"

#include "tls_private.h"
#include "transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define RECORD_MAX 16384u // RFC 8446 §5.1
#define MESSAGES_MAX 32   // handshake messages (key updates) in one read, once established

struct tls_link {
    SSL *ssl; // owned
    struct tls_socket socket;
    struct tls *tls; // entered; until the handshake is done
    int end;         // what reading comes to once it has ended: 0 or -errno
    uint16_t record_max;
    uint16_t retry_len; // of the record the socket has not taken; 0: none
    uint8_t messages;   // handshake messages of the read that runs
    bool is_ended;      // nothing can be read any more
    bool is_broken;     // nothing can be sent any more, a goodbye included
    bool is_shut;       // our end of stream was sent
    bool is_http;       // the peer spoke plain HTTP
    bool is_kernel;     // the kernel makes the records we send
};

// --- errors ---

static int tls_on_broken(struct conn *conn, struct tls_link *link)
{
    link->is_broken = true;
    link->is_http = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST;
    tls_report(conn, link->tls != NULL);
    return -EPROTO;
}

// What the last call came to: -EAGAIN, -EINTR (call again), 0 for the end of the stream, or -errno.
static int tls_result(struct conn *conn, struct tls_link *link, int returned)
{
    int error = errno;

    switch (SSL_get_error(link->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        // OpenSSL takes an interrupted call for a socket that has nothing, and no edge would
        // follow.
        return error == EINTR ? -EINTR : -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return link->messages > MESSAGES_MAX ? -EPROTO : 0;
    case SSL_ERROR_SYSCALL:
        link->is_broken = true;
        if (link->tls != NULL) {
            metric_add(METRIC_TLS_FAILED_CLOSED, 1);
        }
        return error == 0 ? 0 : -error;
    default:
        return tls_on_broken(conn, link);
    }
}

// Before each call of OpenSSL.
static void tls_prepare(void)
{
    ERR_clear_error();
    errno = 0;
}

// --- handshake ---

// OpenSSL's: its state machine moved. One read can meet any number of key updates, each of which
// has to be answered: whoever sends them by the dozen is taken for ended.
static void on_state(const SSL *ssl, int where, int value)
{
    struct tls_link *link = SSL_get_app_data(ssl);

    (void)value;
    if (where != SSL_CB_ACCEPT_LOOP || link == NULL || link->tls != NULL) {
        return;
    }
    if (++link->messages > MESSAGES_MAX) {
        link->messages = MESSAGES_MAX + 1;
        SSL_set_shutdown((SSL *)ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    }
}

void transport_tls_watch(SSL_CTX *context)
{
    SSL_CTX_set_info_callback(context, on_state);
}

bool transport_tls_is_http(const struct conn *conn)
{
    const struct tls_link *link = conn->transport_state;

    return link->is_http;
}

static bool tls_connect_socket(SSL *ssl, const struct tls *tls, struct tls_socket *socket)
{
    if (tls->uses_kernel) {
        return SSL_set_fd(ssl, socket->fd) == 1;
    }
    BIO *bio = tls_socket_open(socket);
    SSL_set_bio(ssl, bio, bio);
    return bio != NULL;
}

int transport_tls_begin(struct conn *conn, struct tls *tls)
{
    if (!tls_enter(tls)) {
        return -EBUSY;
    }
    tls_prepare();
    struct tls_link *link = mem_zalloc(sizeof(*link));
    SSL *ssl = SSL_new(tls->certificates[0].context);
    link->socket.fd = conn->watch.fd;
    if (ssl == NULL || !tls_connect_socket(ssl, tls, &link->socket)) {
        SSL_free(ssl);
        mem_free(link);
        tls_leave(tls);
        return -ENOMEM;
    }
    link->ssl = ssl;
    link->tls = tls;
    SSL_set_app_data(ssl, link);
    SSL_set_accept_state(ssl);
    conn->transport_state = link;
    conn->transport = &transport_tls;
    return 0;
}

static void tls_on_established(struct tls_link *link)
{
    uint8_t fragment = SSL_SESSION_get_max_fragment_length(SSL_get0_session(link->ssl));

    // Each write makes one record of a known size; a client may have asked for small ones (RFC 6066
    // §4: 2^9 to 2^12).
    link->record_max = (uint16_t)(fragment == 0 ? RECORD_MAX : 256u << fragment);
    link->is_kernel = BIO_get_ktls_send(SSL_get_wbio(link->ssl));
    metric_add(SSL_session_reused(link->ssl) ? METRIC_TLS_RESUMED : METRIC_TLS_FULL, 1);
    metric_add(METRIC_TLS_KERNEL, link->is_kernel);
    tls_leave(link->tls);
    link->tls = NULL;
}

static int tls_handshake(struct conn *conn)
{
    struct tls_link *link = conn->transport_state;
    int result;

    do {
        tls_prepare();
        int returned = SSL_do_handshake(link->ssl);
        if (returned == 1) {
            tls_on_established(link);
            return 1;
        }
        result = tls_result(conn, link, returned);
    } while (result == -EINTR);
    if (result == 0) {
        metric_add(METRIC_TLS_FAILED_CLOSED, !link->is_broken);
        return -ECONNRESET;
    }
    conn->writable &= !SSL_want_write(link->ssl);
    return result == -EAGAIN ? 0 : result;
}

// --- reading ---

static ssize_t tls_read(struct conn *conn, void *to, size_t len)
{
    struct tls_link *link = conn->transport_state;
    size_t total = 0;

    link->messages = 0;
    while (total < len && !link->is_ended) {
        size_t n = 0;
        tls_prepare();
        if (SSL_read_ex(link->ssl, (char *)to + total, len - total, &n) == 1) {
            total += n;
            if (link->socket.is_drained && !SSL_has_pending(link->ssl)) {
                return (ssize_t)total;
            }
            continue;
        }
        int result = tls_result(conn, link, 0);
        if (result == -EAGAIN) {
            // An answer to a key update may find the socket full: the edge that there is room again
            // is the one to go on at.
            conn->writable &= !SSL_want_write(link->ssl);
            return total > 0 ? (ssize_t)total : -EAGAIN;
        }
        if (result != -EINTR) {
            link->is_ended = true;
            link->end = result;
        }
    }
    if (link->is_ended) {
        // No edge tells of an end that OpenSSL has read already.
        conn->eof_seen = true;
        return total > 0 ? (ssize_t)total : link->end;
    }
    return (ssize_t)total;
}

// --- writing ---

// What is left of the pieces to be written.
struct tls_pieces {
    const struct iovec *iov;
    int count;
    size_t skip; // of the first piece
};

static void pieces_skip(struct tls_pieces *pieces, size_t n)
{
    pieces->skip += n;
    while (pieces->count > 0 && pieces->skip >= pieces->iov->iov_len) {
        pieces->skip -= pieces->iov->iov_len;
        pieces->iov++;
        pieces->count--;
    }
}

// The next at most `max` bytes in one place: where they are, or gathered in the worker's buffer.
static struct bytes pieces_next(const struct tls_pieces *pieces, size_t max, char *buffer)
{
    const char *first = (const char *)pieces->iov->iov_base + pieces->skip;
    size_t len = pieces->iov->iov_len - pieces->skip;

    if (len >= max || pieces->count == 1) {
        return bytes_make(first, len < max ? len : max);
    }
    memcpy(buffer, first, len);
    for (int i = 1; i < pieces->count && len < max; i++) {
        size_t left = max - len;
        size_t n = pieces->iov[i].iov_len < left ? pieces->iov[i].iov_len : left;
        memcpy(buffer + len, pieces->iov[i].iov_base, n);
        len += n;
    }
    return bytes_make(buffer, len);
}

static ssize_t tls_writev(struct conn *conn, const struct iovec *iov, int count)
{
    struct tls_link *link = conn->transport_state;
    struct tls_pieces pieces = {iov, count, 0};
    size_t total = 0;

    if (link->is_kernel) {
        return transport_plain.writev(conn, iov, count);
    }
    pieces_skip(&pieces, 0);
    while (pieces.count > 0) {
        size_t max = link->retry_len > 0 ? link->retry_len : link->record_max;
        struct bytes record = pieces_next(&pieces, max, conn->net->send_buffer);
        size_t n = 0;
        assert_always(link->retry_len == 0 || record.len == link->retry_len);
        tls_prepare();
        if (SSL_write_ex(link->ssl, record.at, record.len, &n) == 1) {
            link->retry_len = 0;
            total += n;
            pieces_skip(&pieces, n);
            continue;
        }
        link->retry_len = (uint16_t)record.len;
        int result = tls_result(conn, link, 0);
        if (result == -EINTR) {
            continue;
        }
        if (result != -EAGAIN) {
            link->is_broken = true;
            return result == 0 ? -EPIPE : result;
        }
        conn->write_waits = SSL_want_read(link->ssl);
        outbox_pin(&conn->outbox, (uint32_t)(total + record.len));
        return total > 0 ? (ssize_t)total : -EAGAIN;
    }
    return (ssize_t)total;
}

// --- the end ---

// Says goodbye, so that the peer knows nothing was cut off (RFC 8446 §6.1).
static int tls_say_goodbye(struct conn *conn, struct tls_link *link)
{
    int result = 0;

    if (link->is_broken || link->is_shut || !SSL_is_init_finished(link->ssl)) {
        return 0;
    }
    do {
        tls_prepare();
        int returned = SSL_shutdown(link->ssl);
        result = returned < 0 ? tls_result(conn, link, returned) : 0;
    } while (result == -EINTR);
    if (result == -EAGAIN && SSL_want_write(link->ssl)) {
        return -EAGAIN;
    }
    link->is_shut = true;
    return 0;
}

static int tls_shutdown(struct conn *conn)
{
    int result = tls_say_goodbye(conn, conn->transport_state);

    return result < 0 ? result : transport_plain.shutdown(conn);
}

static void tls_destroy(struct conn *conn)
{
    struct tls_link *link = conn->transport_state;

    // Nobody is there to hear it when the peer ended first; a record half sent cannot be overtaken.
    if (!link->is_ended && link->retry_len == 0) {
        tls_say_goodbye(conn, link);
    }
    SSL_free(link->ssl);
    if (link->tls != NULL) {
        tls_leave(link->tls);
    }
    mem_free(link);
    conn->transport_state = NULL;
}

const struct transport transport_tls = {
    .read = tls_read,
    .writev = tls_writev,
    .handshake = tls_handshake,
    .shutdown = tls_shutdown,
    .destroy = tls_destroy,
};
