// Bytes straight to and from the socket.
// Owner: the connection's worker.

#include "tidegate/net/conn.h"

#include "transport.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

static ssize_t plain_read(struct conn *conn, void *to, size_t len)
{
    ssize_t n;

    do {
        n = recv(conn->watch.fd, to, len, 0);
    } while (n < 0 && errno == EINTR);
    return n >= 0 ? n : -errno;
}

static ssize_t plain_writev(struct conn *conn, const struct iovec *iov, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
    ssize_t n;

    do {
        // One piece is the common case, and send() has less to check than sendmsg().
        n = count == 1 ? send(conn->watch.fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                       : sendmsg(conn->watch.fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n >= 0 ? n : -errno;
}

static int plain_shutdown(struct conn *conn)
{
    shutdown(conn->watch.fd, SHUT_WR);
    return 0;
}

static void plain_destroy(struct conn *conn)
{
    (void)conn;
}

const struct transport transport_plain = {
    .read = plain_read,
    .writev = plain_writev,
    .handshake = NULL,
    .shutdown = plain_shutdown,
    .destroy = plain_destroy,
};
