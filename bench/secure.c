// TLS of the load generator; see secure.h. Buffers are released while a connection is quiet, so
// that many idle ones fit; a receive reads ahead, so that what lies in the socket costs few calls.

#include "secure.h"

#include "probe.h"

#include <errno.h>

#if defined(BENCH_TLS)

#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *make_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL) {
        probe_fail("TLS: no context");
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

struct ssl_st *secure_begin(int fd)
{
    static SSL_CTX *context;
    SSL *ssl;

    if (context == NULL) {
        context = make_context();
    }
    ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        probe_fail("TLS: out of memory");
    }
    SSL_set_tlsext_host_name(ssl, "localhost");
    SSL_set_connect_state(ssl);
    return ssl;
}

__attribute__((noreturn)) static void fail(const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    probe_fail("TLS: %s: %s", what, reason != NULL ? reason : "the connection is gone");
}

int secure_shake(struct ssl_st *ssl)
{
    int status;

    ERR_clear_error();
    status = SSL_do_handshake(ssl);
    if (status == 1) {
        return 1;
    }
    if (SSL_get_error(ssl, status) != SSL_ERROR_WANT_READ) {
        fail("handshake");
    }
    return 0;
}

ssize_t secure_recv(struct ssl_st *ssl, uint8_t *to, size_t room, uint64_t *wire_bytes)
{
    uint64_t before = BIO_number_read(SSL_get_rbio(ssl));
    size_t got = 0;
    int status;

    ERR_clear_error();
    status = SSL_read_ex(ssl, to, room, &got);
    *wire_bytes += BIO_number_read(SSL_get_rbio(ssl)) - before;
    if (status == 1) {
        return (ssize_t)got;
    }
    switch (SSL_get_error(ssl, status)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_SYSCALL:
        return -1;
    default:
        fail("read");
    }
}

ssize_t secure_send(struct ssl_st *ssl, const uint8_t *from, size_t len)
{
    size_t sent = 0;

    ERR_clear_error();
    if (SSL_write_ex(ssl, from, len, &sent) != 1) {
        errno = EAGAIN;
        return -1;
    }
    return (ssize_t)sent;
}

void secure_end(struct ssl_st *ssl)
{
    ERR_clear_error();
    if (SSL_is_init_finished(ssl)) {
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

#else

struct ssl_st *secure_begin(int fd)
{
    (void)fd;
    probe_fail("--tls: this was built without OpenSSL");
}

int secure_shake(struct ssl_st *ssl)
{
    (void)ssl;
    return 0;
}

ssize_t secure_recv(struct ssl_st *ssl, uint8_t *to, size_t room, uint64_t *wire_bytes)
{
    (void)ssl, (void)to, (void)room, (void)wire_bytes;
    errno = ENOTSUP;
    return -1;
}

ssize_t secure_send(struct ssl_st *ssl, const uint8_t *from, size_t len)
{
    (void)ssl, (void)from, (void)len;
    errno = ENOTSUP;
    return -1;
}

void secure_end(struct ssl_st *ssl)
{
    (void)ssl;
}

#endif
