// The byte side of a worker as a whole: shares, refusals, graves. Owner: the test.
#include "rig.h"

TestSuite(net, .fini = leaks_check);

#define TURN_SHARE (256u << 10)

Test(net, a_huge_queue_takes_its_share_of_a_turn_and_does_not_starve_another)
{
    enum { LEN = 3 << 20 };
    struct rig rig;
    int size = 4 << 20;
    rig_begin(&rig);
    struct peer *huge = rig_connect(&rig);
    struct peer *small = rig_connect(&rig);
    // A socket that takes more than a turn's share.
    setsockopt(huge->conn->watch.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    for (unsigned i = 0; i < LEN / 4096; i++) {
        cr_assert_eq(conn_send(huge->conn, pattern_blob(4096, i), OUTBOX_KEY_FIRST, NULL), 0);
    }
    conn_send_bytes(small->conn, BYTES_OF("me too"));
    rig_turn(&rig);
    cr_assert_leq(huge->conn->bytes_out, TURN_SHARE);
    cr_assert_gt(huge->conn->bytes_out, 0);
    peer_read(small, SIZE_MAX);
    cr_assert(bytes_equal(buf_bytes(&small->out), BYTES_OF("me too")));
    if (huge->conn->writable) {
        cr_assert(net_has_ready(&rig.net), "the next wait must not sleep");
        uint64_t before = huge->conn->bytes_out;
        rig_turn(&rig);
        cr_assert_gt(huge->conn->bytes_out, before);
        cr_assert_leq(huge->conn->bytes_out - before, TURN_SHARE);
    }
    rig_drain(&rig, huge);
    cr_assert_eq(huge->out.len, LEN);
    rig_end(&rig);
}

Test(net, a_peer_that_never_stops_sending_does_not_starve_another)
{
    static char flood[300000];
    struct rig rig;
    int size = 1 << 20;
    rig_begin(&rig);
    struct peer *loud = rig_connect(&rig);
    struct peer *quiet = rig_connect(&rig);
    setsockopt(loud->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    setsockopt(loud->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    cr_assert_gt(send(loud->fd, flood, sizeof(flood), MSG_DONTWAIT), 131072);
    peer_send(quiet, "me too");
    rig_turn(&rig);
    peer_expect_in(quiet, "me too");
    cr_assert_leq(loud->in.len, 131072);
    rig_end(&rig);
}

static void send_on_drained(struct conn *conn)
{
    struct peer *peer = conn->handler_state;
    peer->drained++;
    conn_send_bytes(conn, BYTES_OF("more"));
    conn->want_drained = true;
}

Test(net, a_handler_that_goes_on_when_drained_waits_for_the_next_turn)
{
    static const struct conn_handler endless = {
        .on_bytes = peer_on_bytes, .on_drained = send_on_drained, .on_closed = peer_on_closed};
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_set_handler(peer->conn, &endless, peer);
    peer->conn->want_drained = true;
    conn_send_bytes(peer->conn, BYTES_OF("begin"));
    rig_turn(&rig);
    cr_assert_eq(peer->drained, 1);
    cr_assert(net_has_ready(&rig.net));
    rig_turn(&rig);
    cr_assert_eq(peer->drained, 2);
    peer_read(peer, SIZE_MAX);
    cr_assert(bytes_equal(buf_bytes(&peer->out), BYTES_OF("beginmore")));
    rig_end(&rig);
}

Test(net, connections_are_counted_while_they_are_open)
{
    struct rig rig;
    struct addr from;
    rig_begin(&rig);
    cr_assert_eq(addr_parse("192.0.2.7", 5, &from), 0);
    struct peer *peer = rig_connect_from(&rig, &from);
    rig_connect(&rig);
    cr_assert_eq(rig.net.open, 2);
    cr_assert_eq(census_total(rig.census), 2);
    cr_assert_eq(metric_value(METRIC_CONNECTIONS), 2);
    conn_close(peer->conn, CLOSE_NORMAL);
    cr_assert_eq(rig.net.open, 1);
    cr_assert_eq(census_total(rig.census), 1);
    cr_assert_eq(metric_value(METRIC_CONNECTIONS), 1);
    cr_assert_eq(rig.ended, 1);
    net_bury(&rig.net);
    rig_end(&rig);
    cr_assert_eq(rig.ended, 2, "finishing closes who is left");
    cr_assert_eq(metric_value(METRIC_CONNECTIONS), 0);
}

struct stone {
    struct grave grave;
    struct conn *conn;
    int *ret_state;
};

static void stone_bury(struct grave *grave)
{
    struct stone *stone = container_of(grave, struct stone, grave);
    *stone->ret_state = stone->conn->state; // the connection is still there
    mem_free(stone);
}

Test(net, what_a_handler_leaves_is_buried_after_the_turn_and_before_its_connection)
{
    struct rig rig;
    int state = -1;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    struct stone *stone = mem_zalloc(sizeof(*stone));
    *stone = (struct stone){.grave.bury = stone_bury, .conn = peer->conn, .ret_state = &state};
    net_inter(&rig.net, &stone->grave);
    conn_close(peer->conn, CLOSE_NORMAL);
    net_flush(&rig.net);
    cr_assert_eq(state, -1);
    net_bury(&rig.net);
    cr_assert_eq(state, CONN_CLOSED);
    rig_end(&rig);
}

static void close_when_accepted(void *context, struct conn *conn)
{
    rig_on_accepted(context, conn);
    conn_close(conn, CLOSE_SHUTDOWN);
}

Test(net, a_connection_may_be_closed_when_it_is_accepted)
{
    struct rig rig;
    static const struct addr local = {.family = ADDR_UNIX};
    rig_begin(&rig);
    rig.net.options.on_accepted = close_when_accepted;
    struct peer *peer = rig_connect_from(&rig, &local);
    peer_expect_closed(peer, CLOSE_SHUTDOWN);
    rig_run(&rig);
    peer_read(peer, SIZE_MAX);
    cr_assert(peer->is_ended);
    rig_end(&rig);
}

Test(net, whom_a_limit_refuses_is_marked_not_counted_and_may_be_told)
{
    struct rig rig;
    static const struct addr local = {.family = ADDR_UNIX};
    rig_begin(&rig);
    census_configure(rig.census, &(struct census_limits){.total_max = 1});
    struct peer *first = rig_connect(&rig);
    cr_assert_eq(first->conn->refusal, CENSUS_OK);
    struct peer *second = rig_connect_from(&rig, &local);
    cr_assert_not_null(second->conn);
    cr_assert_eq(second->conn->refusal, CENSUS_TOTAL_LIMIT);
    cr_assert_eq(census_total(rig.census), 1);
    cr_assert_eq(metric_value(METRIC_CONNECTIONS), 1);
    cr_assert_eq(metric_value(METRIC_ACCEPT_REFUSED_LIMIT), 1);
    cr_assert_eq(rig.net.refusing, 1);
    conn_send_bytes(second->conn, BYTES_OF("HTTP/1.1 503 full"));
    conn_finish(second->conn, CLOSE_HTTP_REFUSED, 1000);
    rig_drain(&rig, second);
    cr_assert(bytes_equal(buf_bytes(&second->out), BYTES_OF("HTTP/1.1 503 full")));
    cr_assert(second->is_ended);
    peer_hang_up(second);
    rig_run(&rig);
    peer_expect_closed(second, CLOSE_HTTP_REFUSED);
    cr_assert_eq(rig.net.refusing, 0);
    cr_assert_eq(rig.ended, 0, "who was never counted in does not end in the log");
    cr_assert_eq(census_total(rig.census), 1);
    rig_end(&rig);
}

Test(net, when_too_many_are_being_refused_the_next_are_closed_at_once)
{
    enum { COUNT = 300 };
    struct rig rig;
    static const struct addr local = {.family = ADDR_UNIX};
    static int fds[COUNT];
    rig_begin(&rig);
    census_configure(rig.census, &(struct census_limits){.total_max = 1});
    rig_connect(&rig);
    int first_fd = rig.peers[0].fd;
    for (int i = 0; i < COUNT; i++) {
        struct peer *peer = rig_connect_from(&rig, &local);
        fds[i] = peer->fd;
        peer->fd = -1;
    }
    cr_assert_eq(rig.net.refusing, 256);
    cr_assert_eq(rig.net.open, 257);
    cr_assert_eq(metric_value(METRIC_ACCEPT_REFUSED_LIMIT), COUNT);
    for (int i = 0; i < COUNT; i++) {
        close(fds[i]);
    }
    close(first_fd);
    rig_run(&rig);
    cr_assert_eq(rig.net.refusing, 0);
    cr_assert_eq(rig.net.open, 0);
    rig_end(&rig);
}
