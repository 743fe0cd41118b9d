// Stands between the gateway and the system (LD_PRELOAD) and makes calls of the workers' threads
// short, interrupted or refused by a seeded plan:
//
//   TIDEGATE_FAULTS="seed=7,rate=50,fatal=2,kinds=short+eintr+again,report=FILE"
//
// `rate` and `fatal` are in thousandths of the calls; `report` gets a line "kind count" each.
// A decision depends on the seed, the thread's number (in order of creation) and how often that
// thread decided on that kind before: nothing else, so a seed replays as far as threads allow.
//
// Invariant: nothing happens here that a kernel could not do. An edge that the program has not seen
// the end of (a short or refused call) is raised again by modifying the watch, since with
// edge-triggered epoll the kernel would otherwise never speak again; until then the wait is cut
// short and called interrupted. A connection that was reset stays so.
// Owner: an entry of `fds` belongs to the thread that watches the descriptor.

#include "faults.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS 65536
#define WAITING_MAX 4096
#define REARM_WAIT_MS 1

enum fd_kind { FD_OTHER, FD_CONNECTION, FD_LISTENER, FD_EVENT };

struct fd_state {
    struct epoll_event event; // as it is watched
    int epoll_fd;             // -1 or 0: not watched
    uint8_t kind;             // enum fd_kind
    bool is_reset;
    bool waits; // in its thread's list, to be raised again
};

static struct fd_state fds[FDS];

struct waiting {
    int fds[WAITING_MAX];
    int count;
};

static _Thread_local struct waiting waiting;

static struct fd_state *state_of(int fd)
{
    static struct fd_state nobody;

    return fd >= 0 && fd < FDS ? &fds[fd] : &nobody;
}

// Has the edge of `fd` raised again, later.
static void raise_later(int fd)
{
    struct fd_state *state = state_of(fd);

    if (!state->waits && state->epoll_fd > 0 && waiting.count < WAITING_MAX) {
        state->waits = true;
        waiting.fds[waiting.count++] = fd;
    }
}

// Raises some of the edges that wait; true when others still do.
static bool raise_some(void)
{
    int kept = 0;

    for (int i = 0; i < waiting.count; i++) {
        int fd = waiting.fds[i];
        struct fd_state *state = state_of(fd);
        if (!state->waits) {
            continue; // closed meanwhile
        }
        if (plan_pick(KIND_AGAIN, 3) == 0) {
            waiting.fds[kept++] = fd;
            continue;
        }
        state->waits = false;
        struct epoll_event event = state->event;
        real.epoll_ctl(state->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    }
    waiting.count = kept;
    return kept > 0;
}

static ssize_t fail(int error)
{
    errno = error;
    return -1;
}

// --- epoll ---

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    struct fd_state *state = state_of(fd);

    if (operation == EPOLL_CTL_ADD) {
        int listening = 0;
        socklen_t len = sizeof(listening);
        if (state->kind == FD_CONNECTION && plan_roll(KIND_WATCH)) {
            return (int)fail(plan_pick(KIND_WATCH, 2) == 0 ? ENOMEM : ENOSPC);
        }
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening) {
            state->kind = FD_LISTENER;
        }
        state->event = *event;
        state->epoll_fd = epoll_fd;
    } else if (operation == EPOLL_CTL_DEL) {
        *state = (struct fd_state){.epoll_fd = -1};
    } else {
        state->event = *event;
    }
    return real.epoll_ctl(epoll_fd, operation, fd, event);
}

int epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout_ms)
{
    plan_enter();
    bool others_wait = raise_some();
    if (plan_roll(KIND_EINTR)) {
        return (int)fail(EINTR);
    }
    if (others_wait && (timeout_ms < 0 || timeout_ms > REARM_WAIT_MS)) {
        timeout_ms = REARM_WAIT_MS;
    }
    if (plan_roll(KIND_EPOLL)) {
        max = 1 + (int)plan_pick(KIND_EPOLL, max < 4 ? (unsigned)max : 4);
    }
    int count = real.epoll_wait(epoll_fd, events, max, timeout_ms);
    if (count == 0 && others_wait) {
        return (int)fail(EINTR);
    }
    // Their order means nothing, so another one is as good.
    for (int i = 0; i + 1 < count && plan_roll(KIND_EPOLL); i++) {
        int other = i + (int)plan_pick(KIND_EPOLL, (unsigned)(count - i));
        struct epoll_event event = events[i];
        events[i] = events[other];
        events[other] = event;
    }
    return count;
}

// --- connections ---

static const int reset_errors[] = {ECONNRESET, ETIMEDOUT, EHOSTUNREACH};
static const int read_errors[] = {ENOMEM, ENOBUFS};
static const int broken_errors[] = {EPIPE, ECONNRESET, ETIMEDOUT};
static const int write_errors[] = {ENOBUFS, ENOMEM};
static const int accept_errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
static const int lost_errors[] = {ECONNABORTED, EPROTO, ENETDOWN};

#define PICK(kind, list) (list)[plan_pick(kind, sizeof(list) / sizeof(*(list)))]

// A length to do with instead of `len`: 0 leaves it as it is.
static size_t shorter(size_t len)
{
    if (len < 2 || !plan_roll(KIND_SHORT)) {
        return 0;
    }
    switch (plan_pick(KIND_SHORT, 4)) {
    case 0:
        return 1;
    case 1:
        return 1 + plan_pick(KIND_SHORT, len - 1 < 16 ? len - 1 : 16);
    case 2:
        return len / 2;
    default:
        return 1 + plan_pick(KIND_SHORT, len - 1);
    }
}

// What happens to a read before it is made: 0 nothing, or an error.
static int read_fault(int fd, struct fd_state *state)
{
    if (plan_roll(KIND_EINTR)) {
        return EINTR;
    }
    if (plan_roll(KIND_RESET)) {
        state->is_reset = true;
        return PICK(KIND_RESET, reset_errors);
    }
    if (plan_roll(KIND_NOBUFS)) {
        return PICK(KIND_NOBUFS, read_errors);
    }
    if (plan_roll(KIND_AGAIN)) {
        raise_later(fd);
        return EAGAIN;
    }
    return 0;
}

static int write_fault(int fd, struct fd_state *state)
{
    if (plan_roll(KIND_EINTR)) {
        return EINTR;
    }
    if (plan_roll(KIND_RESET)) {
        state->is_reset = true;
        return PICK(KIND_RESET, broken_errors);
    }
    if (plan_roll(KIND_NOBUFS)) {
        return PICK(KIND_NOBUFS, write_errors);
    }
    if (plan_roll(KIND_AGAIN)) {
        raise_later(fd);
        return EAGAIN;
    }
    return 0;
}

static bool is_ours(const struct fd_state *state)
{
    return state->kind == FD_CONNECTION && state->epoll_fd > 0 && plan_is_on();
}

ssize_t recv(int fd, void *to, size_t len, int flags)
{
    struct fd_state *state = state_of(fd);

    if (!is_ours(state) || len == 0) {
        return real.recv(fd, to, len, flags);
    }
    if (state->is_reset) {
        return 0; // the error was told once already
    }
    int error = read_fault(fd, state);
    if (error != 0) {
        return fail(error);
    }
    size_t some = shorter(len);
    ssize_t got = real.recv(fd, to, some > 0 ? some : len, flags);
    // An edge too many is as legal as one call too short.
    if ((some > 0 && got == (ssize_t)some) || (got > 0 && plan_roll(KIND_EDGE))) {
        raise_later(fd);
    }
    return got;
}

ssize_t send(int fd, const void *from, size_t len, int flags)
{
    struct fd_state *state = state_of(fd);

    if (!is_ours(state) || len == 0) {
        return real.send(fd, from, len, flags);
    }
    int error = state->is_reset ? EPIPE : write_fault(fd, state);
    if (error != 0) {
        return fail(error);
    }
    size_t some = shorter(len);
    ssize_t sent = real.send(fd, from, some > 0 ? some : len, flags);
    if (some > 0 && sent == (ssize_t)some) {
        raise_later(fd);
    }
    return sent;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct fd_state *state = state_of(fd);
    size_t len = 0;

    for (size_t i = 0; i < message->msg_iovlen; i++) {
        len += message->msg_iov[i].iov_len;
    }
    if (!is_ours(state) || len == 0 || message->msg_iovlen > IOV_COPY_MAX ||
        message->msg_controllen > 0) {
        return real.sendmsg(fd, message, flags);
    }
    int error = state->is_reset ? EPIPE : write_fault(fd, state);
    if (error != 0) {
        return fail(error);
    }
    size_t some = shorter(len);
    if (some == 0) {
        return real.sendmsg(fd, message, flags);
    }
    struct iovec iov[IOV_COPY_MAX];
    struct msghdr less = *message;
    less.msg_iov = iov;
    less.msg_iovlen = plan_cut(message->msg_iov, iov, some);
    ssize_t sent = real.sendmsg(fd, &less, flags);
    if (sent == (ssize_t)some) {
        raise_later(fd);
    }
    return sent;
}

int accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags)
{
    struct fd_state *state = state_of(fd);

    if (plan_is_on() && state->kind == FD_LISTENER) {
        if (plan_roll(KIND_EINTR)) {
            return (int)fail(EINTR);
        }
        if (plan_roll(KIND_ACCEPT)) {
            return (int)fail(PICK(KIND_ACCEPT, accept_errors));
        }
        // A watch that is exclusive cannot be modified, and so no edge of it raised again.
        if ((state->event.events & EPOLLEXCLUSIVE) == 0 && plan_roll(KIND_AGAIN)) {
            raise_later(fd);
            return (int)fail(EAGAIN);
        }
    }
    int accepted = real.accept4(fd, peer, len, flags);
    if (accepted < 0 || !plan_is_on()) {
        return accepted;
    }
    if (plan_roll(KIND_LOST)) {
        real.close(accepted);
        return (int)fail(PICK(KIND_LOST, lost_errors));
    }
    *state_of(accepted) = (struct fd_state){.kind = FD_CONNECTION};
    return accepted;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (plan_is_on() && state_of(fd)->kind == FD_CONNECTION && plan_roll(KIND_OPTION)) {
        return (int)fail(ENOMEM);
    }
    return real.setsockopt(fd, level, name, value, len);
}

// --- read and write: sockets (of a TLS library), wake-ups, files ---

int eventfd(unsigned first, int flags)
{
    int fd = real.eventfd(first, flags);

    if (fd >= 0) {
        *state_of(fd) = (struct fd_state){.kind = FD_EVENT};
    }
    return fd;
}

static bool is_file(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

ssize_t read(int fd, void *to, size_t len)
{
    const struct fd_state *state = state_of(fd);

    if (!plan_is_on()) {
        return real.read(fd, to, len);
    }
    if (state->kind == FD_CONNECTION) {
        return recv(fd, to, len, 0);
    }
    if (state->kind == FD_EVENT && plan_roll(KIND_WAKE)) {
        // The wake-up was a spurious one; the true one is still to come.
        raise_later(fd);
        return fail(EAGAIN);
    }
    if (state->kind == FD_OTHER && is_file(fd)) {
        size_t some = shorter(len);
        return plan_roll(KIND_EINTR) ? fail(EINTR) : real.read(fd, to, some > 0 ? some : len);
    }
    return real.read(fd, to, len);
}

ssize_t write(int fd, const void *from, size_t len)
{
    const struct fd_state *state = state_of(fd);

    if (plan_is_on() && state->kind == FD_CONNECTION) {
        return send(fd, from, len, MSG_NOSIGNAL);
    }
    ssize_t written = real.write(fd, from, len);
    if (plan_is_on() && state->kind == FD_EVENT && written > 0 && plan_roll(KIND_WAKE)) {
        // The counter was full: whoever is to wake is woken, only not by this call.
        return fail(EAGAIN);
    }
    return written;
}
