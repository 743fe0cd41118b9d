// Accepting over loopback and Unix sockets; want of descriptors. Owner: the test.
#include "rig.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

TestSuite(listener, .fini = leaks_check);

static struct addr loopback(void)
{
    struct addr addr;
    cr_assert_eq(addr_parse("127.0.0.1", 0, &addr), 0);
    return addr;
}

static void listen_tcp(struct rig *rig, struct addr *addr, int backlog)
{
    *addr = loopback();
    int fd = listener_open_tcp(addr, backlog);
    cr_assert_geq(fd, 0);
    cr_assert_neq(addr->port, 0, "the port the kernel chose is told");
    rig->listener.name = "test";
    cr_assert_eq(listener_start(&rig->listener, &rig->net, fd), 0);
}

static int connect_to(const struct addr *addr)
{
    struct sockaddr_storage to;
    socklen_t len = addr_to_sockaddr(addr, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, len), 0);
    return fd;
}

Test(listener, a_connection_is_accepted_with_the_peers_address)
{
    struct rig rig;
    struct addr addr;
    char text[ADDR_TEXT_MAX];
    rig_begin(&rig);
    listen_tcp(&rig, &addr, 16);
    struct peer *peer = &rig.peers[0];
    peer->fd = connect_to(&addr);
    rig_run(&rig);
    cr_assert_not_null(peer->conn);
    cr_assert_eq(peer->conn->listener, &rig.listener);
    cr_assert_str_eq(addr_print_ip(&peer->conn->peer, text), "127.0.0.1");
    cr_assert_neq(peer->conn->peer.port, 0);
    peer_send(peer, "over TCP");
    rig_run(&rig);
    peer_expect_in(peer, "over TCP");
    listener_stop(&rig.listener);
    rig_end(&rig);
}

Test(listener, a_tcp_reset_ends_the_connection)
{
    struct rig rig;
    struct addr addr;
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    rig_begin(&rig);
    listen_tcp(&rig, &addr, 16);
    struct peer *peer = &rig.peers[0];
    peer->fd = connect_to(&addr);
    rig_run(&rig);
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    peer_hang_up(peer);
    rig_run(&rig);
    peer_expect_closed(peer, CLOSE_PEER_RESET);
    listener_stop(&rig.listener);
    rig_end(&rig);
}

Test(listener, the_response_survives_a_peer_that_goes_on_sending)
{
    struct rig rig;
    struct addr addr;
    rig_begin(&rig);
    listen_tcp(&rig, &addr, 16);
    struct peer *peer = &rig.peers[0];
    peer->fd = connect_to(&addr);
    rig_run(&rig);
    peer_send(peer, "a body that is not wanted");
    conn_send_bytes(peer->conn, BYTES_OF("refused"));
    conn_finish(peer->conn, CLOSE_HTTP_REFUSED, 1000);
    rig_run(&rig);
    peer_send(peer, "and more of it");
    rig_run(&rig);
    peer_read(peer, SIZE_MAX);
    cr_assert(bytes_equal(buf_bytes(&peer->out), BYTES_OF("refused")));
    cr_assert(peer->is_ended, "an end, not a reset");
    peer_hang_up(peer);
    rig_run(&rig);
    peer_expect_closed(peer, CLOSE_HTTP_REFUSED);
    listener_stop(&rig.listener);
    rig_end(&rig);
}

Test(listener, a_full_batch_is_continued_in_the_next_turn)
{
    enum { COUNT = 300 };
    static int fds[COUNT];
    struct rig rig;
    struct addr addr;
    rig_begin(&rig);
    listen_tcp(&rig, &addr, 512);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = connect_to(&addr);
    }
    loop_poll(&rig.loop, 0);
    cr_assert_lt(rig.accepted, COUNT);
    cr_assert_gt(rig.accepted, 0);
    cr_assert(net_has_ready(&rig.net), "the next wait must not sleep");
    for (int i = 0; i < 5; i++) {
        rig_turn(&rig);
    }
    cr_assert_eq(rig.accepted, COUNT);
    cr_assert(!net_has_ready(&rig.net));
    for (int i = 0; i < COUNT; i++) {
        close(fds[i]);
    }
    listener_stop(&rig.listener);
    rig_end(&rig);
}

Test(listener, stopping_takes_all_who_are_in_the_queue_and_refuses_the_rest)
{
    enum { COUNT = 300 };
    static int fds[COUNT];
    struct rig rig;
    struct addr addr;
    rig_begin(&rig);
    listen_tcp(&rig, &addr, 512);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = connect_to(&addr);
    }
    listener_stop(&rig.listener);
    cr_assert_eq(rig.accepted, COUNT, "%d of %d were taken", rig.accepted, COUNT);
    listener_stop(&rig.listener); // a second time is harmless
    struct sockaddr_storage to;
    socklen_t len = addr_to_sockaddr(&addr, &to);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(late, (struct sockaddr *)&to, len), -1);
    close(late);
    for (int i = 0; i < COUNT; i++) {
        close(fds[i]);
    }
    rig_end(&rig);
}

Test(listener, out_of_descriptors_it_pauses_and_comes_back_by_itself)
{
    struct rig rig;
    struct addr addr;
    struct rlimit limit;
    rig_begin(&rig);
    log_configure(LOG_ERROR, LOG_TEXT);
    listen_tcp(&rig, &addr, 16);
    rig.peers[0].fd = connect_to(&addr);
    rig_run(&rig);
    cr_assert_eq(rig.accepted, 1);
    rig.peers[1].fd = connect_to(&addr);
    rig.peers[2].fd = connect_to(&addr);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit low = {.rlim_cur = (rlim_t)rig.peers[2].fd + 1, .rlim_max = limit.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    // Whatever is free below goes, so that the next descriptor would be past the limit.
    int filler[64];
    int fillers = 0;
    for (int fd = dup(0); fd >= 0 && fillers < 64; fd = dup(0)) {
        filler[fillers++] = fd;
    }
    rig_run(&rig);
    cr_assert_eq(rig.accepted, 1);
    cr_assert_eq(metric_value(METRIC_ACCEPT_PAUSED), 1);
    // Others go on.
    peer_send(&rig.peers[0], "still here");
    rig_run(&rig);
    peer_expect_in(&rig.peers[0], "still here");
    rig_pass(&rig, 90);
    cr_assert_eq(metric_value(METRIC_ACCEPT_PAUSED), 1, "no turn is wasted on trying");
    rig_pass(&rig, 20);
    cr_assert_eq(metric_value(METRIC_ACCEPT_PAUSED), 2);
    cr_assert_eq(rig.accepted, 1);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    rig_pass(&rig, 120);
    cr_assert_eq(rig.accepted, 3, "both who waited are accepted without a new event");
    while (fillers > 0) {
        close(filler[--fillers]);
    }
    listener_stop(&rig.listener);
    rig_end(&rig);
}

Test(listener, two_workers_may_listen_at_one_address_and_a_foreign_socket_may_not)
{
    struct addr addr = loopback();
    int first = listener_open_tcp(&addr, 16);
    int second = listener_open_tcp(&addr, 16);
    cr_assert_geq(first, 0);
    cr_assert_geq(second, 0);
    close(first);
    close(second);
    struct addr nowhere;
    cr_assert_eq(addr_parse("192.0.2.1", 0, &nowhere), 0);
    cr_assert_eq(listener_open_tcp(&nowhere, 16), -EADDRNOTAVAIL);
}

static char socket_path[64];

static int connect_unix(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(to.sun_path, socket_path, strlen(socket_path));
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void choose_path(void)
{
    snprintf(socket_path, sizeof(socket_path), "/tmp/tidegate-test-%d.sock", (int)getpid());
    unlink(socket_path);
}

Test(listener, a_unix_socket_accepts_peers_without_an_address)
{
    struct rig rig;
    rig_begin(&rig);
    choose_path();
    int fd = listener_open_unix(socket_path, 16);
    cr_assert_geq(fd, 0);
    rig.listener.is_unix = true;
    cr_assert_eq(listener_start(&rig.listener, &rig.net, fd), 0);
    rig.peers[0].fd = connect_unix();
    rig_run(&rig);
    cr_assert_not_null(rig.peers[0].conn);
    cr_assert_eq(rig.peers[0].conn->peer.family, ADDR_UNIX);
    listener_stop(&rig.listener);
    unlink(socket_path);
    rig_end(&rig);
}

Test(listener, a_stale_socket_file_is_replaced_and_a_live_one_is_not)
{
    choose_path();
    int fd = listener_open_unix(socket_path, 16);
    cr_assert_geq(fd, 0);
    cr_assert_eq(listener_open_unix(socket_path, 16), -EADDRINUSE);
    close(fd); // the file stays, as after a crash
    fd = listener_open_unix(socket_path, 16);
    cr_assert_geq(fd, 0);
    close(fd);
    unlink(socket_path);
}

Test(listener, a_file_that_is_no_socket_is_not_touched)
{
    struct stat status;
    choose_path();
    FILE *file = fopen(socket_path, "w");
    cr_assert_not_null(file);
    fclose(file);
    cr_assert_eq(listener_open_unix(socket_path, 16), -EADDRINUSE);
    cr_assert_eq(stat(socket_path, &status), 0);
    cr_assert(S_ISREG(status.st_mode));
    unlink(socket_path);
}

Test(listener, a_path_that_is_too_long_is_refused)
{
    char path[200];
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = 0;
    cr_assert_eq(listener_open_unix(path, 16), -ENAMETOOLONG);
}
