// Accepting. The listener is edge-triggered, so a batch that was cut short, or a pause for want of
// descriptors, must come back by itself: the ready list and the timer do that.
//
// Owner: opened by the main thread, then the worker's.

#include "tidegate/net/listener.h"

#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/metrics.h"

#include "listener_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPT_BATCH 128
#define STOP_BATCHES 64 // more than a queue of the kernel's usual limit holds
#define PAUSE_MS 100

static struct log_gate listener_gate;

static void listener_pause(struct listener *listener, int error)
{
    uint32_t suppressed;

    listener->paused = true;
    metric_add(METRIC_ACCEPT_PAUSED, 1);
    timer_arm(listener->net->options.timers, &listener->resume,
              listener->net->options.loop->now_ms + PAUSE_MS);
    if (log_gate_pass(&listener_gate, 1, &suppressed)) {
        log_at(LOG_WARN, "accepting paused", log_text("listener", listener->name),
               log_text("error", strerror(error)), log_num("suppressed", suppressed));
    }
}

void listener_accept(struct listener *listener)
{
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof(from);
        int fd = accept4(listener->watch.fd, (struct sockaddr *)&from, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            struct addr peer = addr_from_sockaddr((struct sockaddr *)&from);
            if (listener->is_unix) {
                peer.family = ADDR_UNIX;
            }
            net_adopt(listener->net, fd, &peer, listener);
            continue;
        }
        switch (errno) {
        case EAGAIN:
            return;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            listener_pause(listener, errno);
            return;
        default:
            // ECONNABORTED and the network errors accept(2) passes on: that peer is gone.
            break;
        }
    }
    list_remove(&listener->ready);
    list_append(&listener->net->ready_listeners, &listener->ready);
}

static void listener_on_event(struct watch *watch, uint32_t events)
{
    struct listener *listener = container_of(watch, struct listener, watch);

    (void)events;
    if (!listener->paused && !list_is_linked(&listener->ready)) {
        listener_accept(listener);
    }
}

static void listener_on_resume(struct timer *timer)
{
    struct listener *listener = container_of(timer, struct listener, resume);

    listener->paused = false;
    list_remove(&listener->ready);
    list_append(&listener->net->ready_listeners, &listener->ready);
}

static int listener_fail(int fd)
{
    int error = -errno;

    close(fd);
    return error;
}

int listener_open_tcp(struct addr *addr, int backlog)
{
    struct sockaddr_storage to;
    socklen_t len = addr_to_sockaddr(addr, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0) {
        return -errno;
    }
    // IPv6 listeners take IPv6 only: "::" and "0.0.0.0" may both be configured.
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
        (to.ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
        bind(fd, (struct sockaddr *)&to, len) < 0 || listen(fd, backlog) < 0 ||
        getsockname(fd, (struct sockaddr *)&to, &len) < 0) {
        return listener_fail(fd);
    }
    addr->port = addr_from_sockaddr((struct sockaddr *)&to).port;
    return fd;
}

// Whether somebody answers at the socket file; a file nobody answers at was left by a crash.
static bool listener_is_live(const struct sockaddr_un *to)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_live = fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return is_live;
}

int listener_open_unix(const char *path, int backlog)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct stat status;

    if (strlen(path) >= sizeof(to.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(to.sun_path, path, strlen(path));
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode)) {
        if (listener_is_live(&to)) {
            return -EADDRINUSE;
        }
        unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(fd, backlog) < 0) {
        return listener_fail(fd);
    }
    return fd;
}

int listener_start(struct listener *listener, struct net *net, int fd)
{
    listener->net = net;
    listener->watch = (struct watch){.fd = fd, .on_event = listener_on_event};
    listener->paused = false;
    list_init(&listener->ready);
    timer_init(&listener->resume, listener_on_resume);
    // A Unix socket is one queue for all workers: only one of them is woken for a connection.
    return loop_add(net->options.loop, &listener->watch,
                    listener->is_unix ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
}

void listener_stop(struct listener *listener)
{
    if (listener->watch.fd < 0) {
        return;
    }
    // Who is in the queue already was told "connected" by the kernel: they are served, but not
    // without end who comes meanwhile.
    for (int i = 0; i < STOP_BATCHES && !listener->paused; i++) {
        list_remove(&listener->ready);
        listener_accept(listener);
        if (!list_is_linked(&listener->ready)) {
            break;
        }
    }
    loop_remove(listener->net->options.loop, &listener->watch);
    close(listener->watch.fd);
    listener->watch.fd = -1;
    timer_cancel(&listener->resume);
    list_remove(&listener->ready);
}
