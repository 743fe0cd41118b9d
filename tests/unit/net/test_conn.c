// A connection while it lives: reading, keeping, holding back, writing on. Owner: the test.
#include "rig.h"

TestSuite(conn, .fini = leaks_check);

Test(conn, bytes_reach_the_handler_and_its_answer_the_peer)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    peer_send(peer, "hello");
    rig_turn(&rig);
    peer_expect_in(peer, "hello");
    cr_assert_eq(conn_send_bytes(peer->conn, BYTES_OF("good day")), 0);
    peer_read(peer, SIZE_MAX);
    cr_assert_eq(peer->out.len, 0, "nothing is written before the flush");
    rig_turn(&rig);
    peer_read(peer, SIZE_MAX);
    cr_assert(bytes_equal(buf_bytes(&peer->out), BYTES_OF("good day")));
    cr_assert_eq(peer->conn->bytes_in, 5);
    cr_assert_eq(peer->conn->bytes_out, 8);
    cr_assert_null(peer->conn->kept, "nothing is kept between turns");
    rig_end(&rig);
}

Test(conn, what_is_not_taken_is_shown_again_with_what_follows)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    peer->keeps = true;
    peer_send(peer, "abc");
    rig_turn(&rig);
    cr_assert_eq(peer->shown, 3);
    int shows = peer->shows;
    rig_run(&rig);
    cr_assert_eq(peer->shows, shows, "shown again though nothing new came");
    peer->take_max = 4;
    peer->keeps = false;
    peer_send(peer, "def");
    rig_turn(&rig);
    cr_assert_eq(peer->shown, 6);
    peer_expect_in(peer, "abcd");
    peer_send(peer, "ghi");
    rig_run(&rig);
    cr_assert_eq(peer->shown, 5);
    peer_expect_in(peer, "abcdefgh");
    peer->take_max = 0;
    peer_send(peer, "j");
    rig_run(&rig);
    peer_expect_in(peer, "abcdefghij");
    cr_assert_null(peer->conn->kept);
    rig_end(&rig);
}

static void send_many(struct rig *rig, struct peer *peer, size_t len)
{
    static const char part[1000] = {0};
    while (len > 0) {
        ssize_t n = send(peer->fd, part, len < sizeof(part) ? len : sizeof(part),
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN) {
            return;
        }
        len -= n > 0 ? (size_t)n : 0;
        if (n < 0) {
            rig_run(rig);
        }
    }
    rig_run(rig);
}

Test(conn, kept_input_is_bounded)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    peer->keeps = true;
    for (int i = 0; i < 10; i++) {
        send_many(&rig, peer, 100);
    }
    cr_assert_not_null(peer->conn, "just the limit is kept");
    cr_assert_eq(peer->shown, 1000);
    send_many(&rig, peer, 1);
    peer_expect_closed(peer, CLOSE_POLICY_VIOLATION);
    rig_end(&rig);
}

Test(conn, one_read_larger_than_what_may_be_kept_closes_too)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    peer->keeps = true;
    send_many(&rig, peer, 5000);
    peer_expect_closed(peer, CLOSE_POLICY_VIOLATION);
    rig_end(&rig);
}

Test(conn, more_than_a_receive_buffer_is_read_over_several_turns)
{
    enum { LEN = 200000 };
    struct rig rig;
    static char big[LEN];
    int size = 2 * LEN;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    ssize_t sent = send(peer->fd, big, LEN, MSG_DONTWAIT);
    cr_assert_gt(sent, 65536);
    rig_turn(&rig);
    cr_assert_leq(peer->in.len, 2 * 65536, "a turn reads a bounded amount");
    for (int i = 0; i < 10 && peer->in.len < (size_t)sent; i++) {
        cr_assert(net_has_ready(&rig.net), "the next wait must not sleep");
        rig_turn(&rig);
    }
    cr_assert_eq(peer->in.len, (size_t)sent);
    cr_assert(!net_has_ready(&rig.net));
    rig_end(&rig);
}

Test(conn, a_paused_connection_reads_nothing_and_goes_on_when_resumed)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    peer->keeps = true;
    peer_send(peer, "kept ");
    rig_run(&rig);
    conn_pause(peer->conn);
    peer->keeps = false;
    peer_send(peer, "unread ");
    rig_run(&rig);
    peer_send(peer, "later");
    rig_run(&rig);
    cr_assert_eq(peer->shows, 1);
    conn_resume(peer->conn);
    cr_assert_eq(peer->shows, 1, "shown next turn, not from within");
    cr_assert(net_has_ready(&rig.net));
    rig_run(&rig);
    peer_expect_in(peer, "kept unread later");
    peer_send(peer, "!");
    rig_run(&rig);
    peer_expect_in(peer, "kept unread later!");
    rig_end(&rig);
}

static void pause_on_bytes(struct conn *conn)
{
    peer_on_bytes(conn);
    conn_pause(conn);
}

Test(conn, a_handler_that_pauses_within_a_large_read_keeps_the_rest)
{
    static const struct conn_handler pausing = {.on_bytes = pause_on_bytes,
                                                .on_closed = peer_on_closed};
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_set_handler(peer->conn, &pausing, peer);
    peer->take_max = 1000;
    send_many(&rig, peer, 6000); // far past what a handler that does not wait may leave
    cr_assert_not_null(peer->conn);
    cr_assert_eq(peer->in.len, 1000);
    for (int i = 0; i < 20; i++) {
        conn_resume(peer->conn);
        rig_run(&rig);
    }
    cr_assert_eq(peer->in.len, 6000);
    rig_end(&rig);
}

Test(conn, the_peers_end_is_seen_after_a_pause)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_pause(peer->conn);
    peer_send(peer, "last words");
    shutdown(peer->fd, SHUT_WR);
    rig_run(&rig);
    cr_assert_eq(peer->closed, 0);
    conn_resume(peer->conn);
    rig_run(&rig);
    peer_expect_in(peer, "last words");
    cr_assert_eq(peer->eofs, 1);
    peer_expect_closed(peer, CLOSE_PEER_CLOSED);
    rig_end(&rig);
}

static struct peer *next_peer;

static void take_over_on_bytes(struct conn *conn)
{
    conn_consume(conn, 3);
    conn_set_handler(conn, &peer_handler, next_peer);
}

Test(conn, a_new_handler_gets_what_the_old_one_left)
{
    static const struct conn_handler first = {.on_bytes = take_over_on_bytes,
                                              .on_closed = peer_on_closed};
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    next_peer = peer;
    conn_set_handler(peer->conn, &first, NULL);
    peer_send(peer, "GETframe");
    rig_turn(&rig);
    peer_expect_in(peer, "frame");
    rig_end(&rig);
}

Test(conn, a_short_write_goes_on_when_the_peer_reads)
{
    enum { LEN = 300000 };
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    cr_assert_eq(conn_send(peer->conn, pattern_blob(LEN, 5), OUTBOX_KEY_FIRST, NULL), 0);
    rig_run(&rig);
    cr_assert(!peer->conn->writable);
    cr_assert(!net_has_ready(&rig.net), "a full socket is waited for, not tried again");
    cr_assert_lt(peer->conn->bytes_out, LEN);
    rig_drain(&rig, peer);
    peer_expect_pattern(peer, LEN, 5);
    cr_assert_eq(peer->conn->bytes_out, LEN);
    cr_assert(outbox_is_empty(&peer->conn->outbox));
    rig_end(&rig);
}

Test(conn, many_messages_of_all_sizes_arrive_whole_and_in_order)
{
    struct rig rig;
    struct buf expected;
    rig_begin(&rig);
    buf_init(&expected, 64u << 20);
    struct peer *peer = rig_connect(&rig);
    for (unsigned i = 0; i < 400; i++) {
        static const size_t sizes[] = {0, 1, 7, 100, 2047, 2048, 2049, 5000, 20000};
        struct blob *blob = pattern_blob(sizes[i * 7 % 9], i);
        cr_assert_eq(buf_append(&expected, blob_bytes(blob)), 0);
        cr_assert_eq(conn_send(peer->conn, blob, OUTBOX_KEY_FIRST, NULL), 0);
        if (i % 10 == 0) {
            rig_turn(&rig);
            peer_read(peer, 3000);
        }
    }
    rig_drain(&rig, peer);
    cr_assert(bytes_equal(buf_bytes(&peer->out), buf_bytes(&expected)));
    cr_assert_eq(metric_value(METRIC_QUEUE_BYTES), 0);
    buf_finish(&expected);
    rig_end(&rig);
}

Test(conn, on_drained_is_called_once_when_asked_for)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_send_bytes(peer->conn, BYTES_OF("one"));
    rig_run(&rig);
    cr_assert_eq(peer->drained, 0);
    cr_assert_eq(conn_send(peer->conn, pattern_blob(100000, 0), OUTBOX_KEY_FIRST, NULL), 0);
    peer->conn->want_drained = true;
    rig_run(&rig);
    cr_assert_eq(peer->drained, 0, "output is left");
    rig_drain(&rig, peer);
    cr_assert_eq(peer->drained, 1);
    conn_send_bytes(peer->conn, BYTES_OF("two"));
    rig_run(&rig);
    cr_assert_eq(peer->drained, 1);
    rig_end(&rig);
}

Test(conn, the_gauge_of_waiting_bytes_follows_the_queues)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_send(peer->conn, pattern_blob(100000, 0), OUTBOX_KEY_FIRST, NULL);
    rig_run(&rig);
    cr_assert_eq(metric_value(METRIC_QUEUE_BYTES), (int64_t)peer->conn->outbox.bytes);
    cr_assert_gt(metric_value(METRIC_QUEUE_BYTES), 0);
    conn_close(peer->conn, CLOSE_NORMAL);
    cr_assert_eq(metric_value(METRIC_QUEUE_BYTES), 0);
    rig_end(&rig);
}

Test(conn, the_deadline_of_a_state_is_told_to_the_handler_or_closes)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_set_state(peer->conn, CONN_HTTP, 1000);
    rig_pass(&rig, 999);
    cr_assert_eq(peer->deadlines, 0);
    rig_pass(&rig, 9);
    cr_assert_eq(peer->deadlines, 1);
    rig_pass(&rig, 10000);
    cr_assert_eq(peer->deadlines, 1);
    conn_set_state(peer->conn, CONN_STREAMING, 1000);
    conn_set_deadline(peer->conn, 0);
    rig_pass(&rig, 10000);
    cr_assert_eq(peer->deadlines, 1);
    conn_set_handler(peer->conn, &bare_handler, peer);
    conn_set_deadline(peer->conn, 500);
    rig_pass(&rig, 508);
    peer_expect_closed(peer, CLOSE_IDLE_TIMEOUT);
    rig_end(&rig);
}

Test(conn, each_state_has_a_name)
{
    cr_assert_str_eq(conn_state_name(CONN_ACCEPTED), "ACCEPTED");
    cr_assert_str_eq(conn_state_name(CONN_CLOSED), "CLOSED");
}
