// How connections end: refusals, deadlines, the peer's end; nothing is lost that could be told.
#include "rig.h"

static struct rig rig;

static void begin(void)
{
    rig_begin(&rig);
}

static void end(void)
{
    rig_end(&rig);
}

TestSuite(server_end, .init = begin, .fini = end);

#define HOST "Host: a\r\n"
#define GET "GET /echo HTTP/1.1\r\n" HOST
#define LATE "GET /late HTTP/1.1\r\n" HOST
#define POST "POST /echo HTTP/1.1\r\n" HOST

static void send_text(const char *text)
{
    rig_send(&rig, bytes_str(text));
}

static int64_t counted(enum metric_id id)
{
    return metrics_here->values[id];
}

Test(server_end, a_refused_head_is_answered_and_the_connection_closed)
{
    int64_t before = counted(METRIC_HTTP_REFUSED_400);
    send_text("GET / HTTP/1.1\r\n\r\n");
    cr_assert_eq(rig_status(&rig), 400);
    cr_assert(rig_saw(&rig, "{\"error\":{\"status\":400,\"message\":\"missing Host header\"}}"));
    cr_assert(rig_saw(&rig, "Connection: close\r\n"));
    cr_assert(rig.is_closed);
    cr_assert_eq(counted(METRIC_HTTP_REFUSED_400), before + 1);
    rig_hang_up(&rig);
    cr_assert_eq(rig.end_reason, CLOSE_HTTP_REFUSED);
}

Test(server_end, a_refusal_reaches_a_peer_that_is_still_sending)
{
    char junk[4096];
    memset(junk, 'x', sizeof(junk));
    send_text("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        rig_send(&rig, bytes_make(junk, sizeof(junk)));
    }
    cr_assert_eq(rig_status(&rig), 413);
    cr_assert(rig.is_closed);
    cr_assert_eq(rig.ended, 0); // still listening, so that the peer is not reset
    rig_hang_up(&rig);
    cr_assert_eq(rig.ended, 1);
}

Test(server_end, a_closing_connection_is_not_waited_for_without_end)
{
    send_text(GET "Connection: close\r\n\r\n");
    cr_assert(rig.is_closed);
    rig_pass(&rig, 60000);
    cr_assert_eq(rig.ended, 1);
}

Test(server_end, body_limits_are_413)
{
    send_text(POST "Content-Length: 1001\r\n\r\n");
    cr_assert_eq(rig_status(&rig), 413);
    rig_hang_up(&rig);
    rig_connect(&rig);
    send_text(POST "Transfer-Encoding: chunked\r\n\r\n3E9\r\n");
    cr_assert_eq(rig_status(&rig), 413);
    cr_assert(rig.is_closed);
}

Test(server_end, a_head_that_takes_too_long_is_408)
{
    send_text("GET /echo HTTP/1.1\r\n");
    rig_pass(&rig, 900);
    send_text(HOST);
    cr_assert_eq(rig.out.len, 0);
    rig_pass(&rig, 200);
    cr_assert_eq(rig_status(&rig), 408);
    cr_assert(rig.is_closed);
}

Test(server_end, the_second_head_has_its_own_time)
{
    send_text(GET "\r\n");
    rig_pass(&rig, 4000);
    send_text("G");
    rig_pass(&rig, 900);
    cr_assert_eq(rig_count(&rig, "408"), 0);
    rig_pass(&rig, 200);
    cr_assert_eq(rig_count(&rig, "408 Request Timeout"), 1);
}

Test(server_end, a_body_that_takes_too_long_is_408)
{
    send_text(POST "Content-Length: 5\r\n\r\nhell");
    rig_pass(&rig, 1900);
    send_text("");
    cr_assert_eq(rig.out.len, 0);
    rig_pass(&rig, 200);
    cr_assert_eq(rig_status(&rig), 408);
}

Test(server_end, an_idle_connection_is_closed_without_a_word)
{
    send_text(GET "\r\n");
    size_t len = rig.out.len;
    rig_pass(&rig, 4900);
    cr_assert_not(rig.is_closed);
    rig_pass(&rig, 200);
    cr_assert(rig.is_closed);
    cr_assert_eq(rig.out.len, len);
    cr_assert_eq(rig.end_reason, CLOSE_IDLE_TIMEOUT);
}

Test(server_end, a_late_answer_has_no_deadline_of_the_connection)
{
    send_text(LATE "\r\n");
    rig_pass(&rig, 100000);
    cr_assert_eq(rig.ended, 0);
    rig_answer_late(&rig, "at last");
    cr_assert_eq(rig_status(&rig), 200);
}

Test(server_end, a_target_is_told_when_its_connection_is_gone)
{
    send_text(LATE "\r\n");
    conn_close(rig.conn, CLOSE_HARD_STOP);
    cr_assert_eq(rig.abandoned, 1);
    rig_run(&rig);
    cr_assert_eq(rig.ended, 1);
}

Test(server_end, a_peer_that_half_closes_still_gets_its_answers)
{
    send_text(GET "\r\n" LATE "\r\n" GET "\r\n");
    shutdown(rig.peer, SHUT_WR);
    rig_run(&rig);
    cr_assert_eq(rig_count(&rig, "200 OK"), 1);
    rig_answer_late(&rig, "late");
    cr_assert_eq(rig_count(&rig, "200 OK"), 3);
    rig_run(&rig);
    cr_assert(rig.is_closed);
    cr_assert_eq(rig.ended, 1);
}

Test(server_end, a_peer_that_leaves_in_the_middle_is_forgotten)
{
    send_text("GET /echo");
    rig_hang_up(&rig);
    cr_assert_eq(rig.ended, 1);
    cr_assert_eq(rig.end_reason, CLOSE_PEER_CLOSED);
    rig_connect(&rig);
    send_text(POST "Content-Length: 5\r\n\r\nhe");
    rig_hang_up(&rig);
    cr_assert_eq(rig.ended, 2);
}

Test(server_end, a_peer_that_stops_reading_its_response_is_closed)
{
    struct http_response response = {.status = 200};
    send_text(LATE "\r\n");
    response.body_blob = blob_try_create(8u << 20);
    memset(response.body_blob->data, 'x', 8u << 20);
    http_respond(rig.waiting, &response);
    for (int i = 0; i < 5; i++) {
        rig_turn(&rig);
    }
    for (int i = 0; i < 3 && rig.ended == 0; i++) {
        rig.now_us += 6000 * 1000;
        clock_set_fake_us(rig.now_us);
        rig_turn(&rig);
    }
    cr_assert_eq(rig.ended, 1);
}

Test(server_end, requests_are_counted_by_head)
{
    int64_t before = counted(METRIC_HTTP_REQUESTS);
    send_text(GET "\r\n" GET "\r\n" POST "Content-Length: 5\r\n\r\n");
    cr_assert_eq(counted(METRIC_HTTP_REQUESTS), before + 3);
}
