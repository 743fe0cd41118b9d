// How OpenSSL reads and writes the socket where the kernel makes no records: as the plain transport
// does, without a signal, and noting when the socket has given all it had. OpenSSL's own way keeps
// that to itself, and costs a second read for each message.
//
// Owner: the connection's worker. Lifetime: the SSL owns the BIO, which borrows the tls_socket.

#include "tls_private.h"

#include "tidegate/base/assert.h"

#include <errno.h>
#include <openssl/bio.h>
#include <pthread.h>
#include <sys/socket.h>

static BIO_METHOD *socket_method;
static pthread_once_t socket_once = PTHREAD_ONCE_INIT;

static int on_read(BIO *bio, char *to, int room)
{
    struct tls_socket *socket = BIO_get_data(bio);
    ssize_t n;

    do {
        n = recv(socket->fd, to, (size_t)room, 0);
    } while (n < 0 && errno == EINTR);
    socket->is_drained = n < room;
    BIO_clear_retry_flags(bio);
    if (n < 0 && errno == EAGAIN) {
        BIO_set_retry_read(bio);
    } else if (n == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return (int)n;
}

static int on_write(BIO *bio, const char *from, int len)
{
    struct tls_socket *socket = BIO_get_data(bio);
    ssize_t n;

    do {
        n = send(socket->fd, from, (size_t)len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (n < 0 && errno == EAGAIN) {
        BIO_set_retry_write(bio);
    }
    return (int)n;
}

static long on_control(BIO *bio, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (what) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static void make_method(void)
{
    socket_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tidegate socket");
    assert_always(socket_method != NULL);
    BIO_meth_set_read(socket_method, on_read);
    BIO_meth_set_write(socket_method, on_write);
    BIO_meth_set_ctrl(socket_method, on_control);
}

BIO *tls_socket_open(struct tls_socket *socket)
{
    pthread_once(&socket_once, make_method);
    BIO *bio = BIO_new(socket_method);
    if (bio != NULL) {
        BIO_set_data(bio, socket);
        BIO_set_init(bio, 1);
    }
    return bio;
}
