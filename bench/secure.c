// TLS for the load generator; see secure.h.

#include "secure.h"

#include "probe.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

// struct secure is OpenSSL's SSL under a name that needs no header of it.
static SSL *ssl_of(struct secure *secure)
{
    return (SSL *)secure;
}

static SSL_CTX *context_get(void)
{
    static SSL_CTX *context;

    if (context == NULL) {
        context = SSL_CTX_new(TLS_client_method());
        if (context == NULL) {
            probe_fail("no TLS");
        }
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
        SSL_CTX_set_read_ahead(context, 1);
    }
    return context;
}

struct secure *secure_begin(int fd)
{
    SSL *ssl = SSL_new(context_get());

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
        probe_fail("TLS handshake: %s", ERR_reason_error_string(ERR_peek_last_error()));
    }
    return (struct secure *)ssl;
}

void secure_end(struct secure *secure)
{
    SSL_free(ssl_of(secure));
}

ssize_t secure_read(struct secure *secure, uint8_t *to, size_t room)
{
    size_t total = 0;

    while (total < room) {
        size_t got = 0;
        if (SSL_read_ex(ssl_of(secure), to + total, room - total, &got) == 1) {
            total += got;
            continue;
        }
        if (total > 0) {
            break;
        }
        switch (SSL_get_error(ssl_of(secure), 0)) {
        case SSL_ERROR_WANT_READ:
            errno = EAGAIN;
            return -1;
        case SSL_ERROR_ZERO_RETURN:
            return 0;
        default:
            errno = ECONNRESET;
            return -1;
        }
    }
    return (ssize_t)total;
}

ssize_t secure_write(struct secure *secure, const uint8_t *from, size_t len)
{
    size_t sent = 0;

    if (SSL_write_ex(ssl_of(secure), from, len, &sent) != 1) {
        errno = EAGAIN;
        return -1;
    }
    return (ssize_t)sent;
}
