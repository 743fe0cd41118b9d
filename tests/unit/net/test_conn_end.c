// How a connection ends: by the peer, by its handler, in order or at once. Owner: the test.
#include "rig.h"

#include <netinet/in.h>

TestSuite(conn_end, .fini = leaks_check);

Test(conn_end, a_half_close_is_told_once_and_output_still_goes_out)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    peer->holds_eof = true;
    peer_send(peer, "question");
    shutdown(peer->fd, SHUT_WR);
    rig_run(&rig);
    peer_expect_in(peer, "question");
    cr_assert_eq(peer->eofs, 1);
    cr_assert_eq(peer->closed, 0);
    // More than the socket takes: each time there is room again epoll tells the peer's end, too.
    cr_assert_eq(conn_send(peer->conn, pattern_blob(200000, 1), OUTBOX_KEY_FIRST, NULL), 0);
    rig_drain(&rig, peer);
    peer_expect_pattern(peer, 200000, 1);
    cr_assert_eq(peer->eofs, 1, "told %d times", peer->eofs);
    rig_end(&rig);
}

Test(conn_end, a_peer_that_leaves_after_its_half_close_is_noticed)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    peer->holds_eof = true;
    shutdown(peer->fd, SHUT_WR);
    rig_run(&rig);
    cr_assert_eq(peer->closed, 0);
    peer_hang_up(peer);
    rig_run(&rig);
    peer_expect_closed(peer, CLOSE_PEER_RESET);
    rig_end(&rig);
}

Test(conn_end, without_on_eof_a_half_close_closes)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_set_handler(peer->conn, &bare_handler, peer);
    shutdown(peer->fd, SHUT_WR);
    rig_run(&rig);
    peer_expect_closed(peer, CLOSE_PEER_CLOSED);
    rig_end(&rig);
}

Test(conn_end, a_peer_that_leaves_unread_bytes_behind_has_reset)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_send_bytes(peer->conn, BYTES_OF("never read"));
    rig_run(&rig);
    peer_hang_up(peer);
    rig_run(&rig);
    peer_expect_closed(peer, CLOSE_PEER_RESET);
    rig_end(&rig);
}

Test(conn_end, a_paused_connection_whose_peer_is_gone_closes_at_once)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_pause(peer->conn);
    peer_hang_up(peer);
    rig_run(&rig);
    peer_expect_closed(peer, CLOSE_PEER_RESET);
    rig_end(&rig);
}

Test(conn_end, writing_to_a_peer_that_is_gone_is_a_reset_and_no_signal)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    struct conn *conn = peer->conn;
    conn_send_bytes(conn, BYTES_OF("lost"));
    peer_hang_up(peer);
    net_flush(&rig.net); // before any event tells
    peer_expect_closed(peer, CLOSE_PEER_RESET);
    rig_run(&rig);
    rig_end(&rig);
}

Test(conn_end, the_first_reason_wins_and_on_closed_is_called_once)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    struct conn *conn = peer->conn;
    conn_close(conn, CLOSE_PROTOCOL_ERROR);
    conn_close(conn, CLOSE_NORMAL);
    conn_finish(conn, CLOSE_SHUTDOWN, 1000);
    peer_expect_closed(peer, CLOSE_PROTOCOL_ERROR);
    cr_assert_eq(conn->reason, CLOSE_PROTOCOL_ERROR);
    cr_assert_eq(rig.ended, 1);
    cr_assert_eq(rig.net.open, 0);
    rig_run(&rig);
    rig_end(&rig);
}

Test(conn_end, a_closed_connection_stays_in_memory_until_it_is_buried)
{
    struct rig rig;
    struct blob *blob = pattern_blob(10, 0);
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    struct conn *conn = peer->conn;
    peer_send(peer, "arrives in the turn in which it is closed");
    conn_close(conn, CLOSE_NORMAL);
    cr_assert_eq(conn_send(conn, blob_ref(blob), OUTBOX_KEY_FIRST, NULL), -ENOTCONN);
    cr_assert_eq(atomic_load(&blob->refs), 1, "a refused reference is dropped");
    cr_assert(conn_is_closed(conn));
    conn_resume(conn);
    conn_pause(conn);
    loop_poll(&rig.loop, 0);
    net_run_ready(&rig.net);
    net_flush(&rig.net);
    cr_assert_eq(conn->state, CONN_CLOSED); // AddressSanitizer looks
    char byte;
    cr_assert_eq(recv(peer->fd, &byte, 1, MSG_DONTWAIT), -1, "the descriptor is still open");
    net_bury(&rig.net);
    cr_assert_leq(recv(peer->fd, &byte, 1, MSG_DONTWAIT), 0);
    cr_assert_neq(errno, EAGAIN);
    cr_assert_eq(peer->shows, 0);
    blob_unref(blob);
    rig_end(&rig);
}

static void close_on_bytes(struct conn *conn)
{
    conn_close(conn, CLOSE_UNSUPPORTED_DATA);
}

Test(conn_end, a_handler_may_close_while_it_is_shown_bytes)
{
    static const struct conn_handler closing = {.on_bytes = close_on_bytes,
                                                .on_closed = peer_on_closed};
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_set_handler(peer->conn, &closing, peer);
    peer_send(peer, "bytes");
    rig_run(&rig);
    peer_expect_closed(peer, CLOSE_UNSUPPORTED_DATA);
    rig_end(&rig);
}

// --- finishing ---

Test(conn_end, finishing_sends_everything_then_the_end_and_waits_for_the_peers)
{
    enum { LEN = 200000 };
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    struct conn *conn = peer->conn;
    cr_assert_eq(conn_send(conn, pattern_blob(LEN, 9), OUTBOX_KEY_FIRST, NULL), 0);
    conn_finish(conn, CLOSE_RESPONSE_SENT, 1000);
    cr_assert_eq(conn->state, CONN_DRAINING);
    cr_assert_eq(conn_send_bytes(conn, BYTES_OF("late")), -ENOTCONN);
    rig_drain(&rig, peer);
    peer_expect_pattern(peer, LEN, 9);
    cr_assert(peer->is_ended);
    cr_assert_eq(peer->closed, 0, "it lingers for what the peer still sends");
    peer_send(peer, "ignored");
    rig_run(&rig);
    cr_assert_eq(peer->shows, 0);
    cr_assert_eq(peer->closed, 0);
    peer_hang_up(peer);
    rig_run(&rig);
    peer_expect_closed(peer, CLOSE_RESPONSE_SENT);
    rig_end(&rig);
}

Test(conn_end, finishing_with_nothing_to_send_ends_the_stream_in_the_same_turn)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_finish(peer->conn, CLOSE_NORMAL, 1000);
    rig_turn(&rig);
    peer_read(peer, SIZE_MAX);
    cr_assert(peer->is_ended);
    rig_end(&rig);
}

Test(conn_end, a_peer_that_neither_reads_nor_leaves_is_waited_for_so_long_only)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    cr_assert_eq(conn_send(peer->conn, pattern_blob(200000, 0), OUTBOX_KEY_FIRST, NULL), 0);
    conn_finish(peer->conn, CLOSE_SHUTDOWN, 1000);
    rig_pass(&rig, 999);
    cr_assert_eq(peer->closed, 0);
    rig_pass(&rig, 9);
    // Draining has its reason already; its handler is not asked any more.
    peer_expect_closed(peer, CLOSE_SHUTDOWN);
    cr_assert_eq(peer->deadlines, 0);
    rig_end(&rig);
}

Test(conn_end, a_peer_that_half_closed_before_still_gets_everything)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    peer->holds_eof = true;
    shutdown(peer->fd, SHUT_WR);
    rig_run(&rig);
    cr_assert_eq(conn_send(peer->conn, pattern_blob(150000, 3), OUTBOX_KEY_FIRST, NULL), 0);
    conn_finish(peer->conn, CLOSE_RESPONSE_SENT, 1000);
    rig_drain(&rig, peer);
    peer_expect_pattern(peer, 150000, 3);
    cr_assert(peer->is_ended);
    peer_expect_closed(peer, CLOSE_RESPONSE_SENT);
    rig_end(&rig);
}

Test(conn_end, a_peer_that_half_closes_while_it_drains_still_gets_everything)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    cr_assert_eq(conn_send(peer->conn, pattern_blob(150000, 4), OUTBOX_KEY_FIRST, NULL), 0);
    conn_finish(peer->conn, CLOSE_RESPONSE_SENT, 1000);
    rig_run(&rig);
    shutdown(peer->fd, SHUT_WR);
    rig_run(&rig);
    cr_assert_eq(peer->closed, 0);
    rig_drain(&rig, peer);
    peer_expect_pattern(peer, 150000, 4);
    peer_expect_closed(peer, CLOSE_RESPONSE_SENT);
    rig_end(&rig);
}

Test(conn_end, a_paused_connection_finishes_too)
{
    struct rig rig;
    rig_begin(&rig);
    struct peer *peer = rig_connect(&rig);
    conn_pause(peer->conn);
    peer_send(peer, "unread");
    conn_finish(peer->conn, CLOSE_SHUTDOWN, 1000);
    rig_run(&rig);
    shutdown(peer->fd, SHUT_WR);
    rig_run(&rig);
    peer_expect_closed(peer, CLOSE_SHUTDOWN);
    cr_assert_eq(peer->shows, 0);
    rig_end(&rig);
}
