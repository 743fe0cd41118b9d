// Requests and responses on one connection: routing, bodies, keep-alive, pipelining, take-over.
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

TestSuite(server, .init = begin, .fini = end);

#define HOST "Host: a\r\n"
#define GET "GET /echo HTTP/1.1\r\n" HOST
#define LATE "GET /late HTTP/1.1\r\n" HOST
#define POST "POST /echo HTTP/1.1\r\n" HOST

static void send_text(const char *text)
{
    rig_send(&rig, bytes_str(text));
}

Test(server, a_response_says_its_length_date_and_server)
{
    send_text(GET "\r\n");
    cr_assert_eq(rig_status(&rig), 200);
    cr_assert(rig_saw(&rig, "Content-Length: 5\r\n"));
    cr_assert(rig_saw(&rig, "Server: tidegate\r\n"));
    cr_assert(rig_saw(&rig, "Content-Type: text/plain\r\n"));
    cr_assert(rig_saw(&rig, " GMT\r\n"));
    cr_assert(rig_saw(&rig, "\r\n\r\n/echo"));
    cr_assert_not(rig_saw(&rig, "Connection:"));
    cr_assert_not(rig.is_closed);
}

Test(server, unknown_paths_are_404_in_json_and_keep_the_connection)
{
    send_text("GET /nothing HTTP/1.1\r\n" HOST "\r\n");
    cr_assert_eq(rig_status(&rig), 404);
    cr_assert(rig_saw(&rig, "\r\n\r\n{\"error\":{\"status\":404,\"message\":\"nothing here\"}}"));
    cr_assert(rig_saw(&rig, "Content-Type: application/json\r\n"));
    send_text(GET "\r\n");
    cr_assert(rig_saw(&rig, "200 OK"));
}

Test(server, a_target_of_another_listener_is_404)
{
    rig.echo.serves = 2;
    send_text(GET "\r\n");
    cr_assert_eq(rig_status(&rig), 404);
}

Test(server, methods_that_are_not_allowed_are_told_which_are)
{
    send_text("DELETE /echo HTTP/1.1\r\n" HOST "\r\n");
    cr_assert_eq(rig_status(&rig), 405);
    cr_assert(rig_saw(&rig, "Allow: GET, HEAD, POST\r\n"));
}

Test(server, head_gets_the_head_alone)
{
    send_text("HEAD /echo HTTP/1.1\r\n" HOST "\r\n" GET "\r\n");
    cr_assert(rig_saw(&rig, "Content-Length: 5\r\n"));
    cr_assert_eq(rig_count(&rig, "\r\n\r\n/echo"), 1);
    cr_assert_eq(rig_count(&rig, "\r\n\r\nHTTP/1.1 200"), 1);
}

Test(server, sized_and_chunked_bodies_arrive_whole)
{
    send_text(POST "Content-Length: 5\r\n\r\nhello");
    send_text(POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nA: b\r\n\r\n");
    cr_assert(rig_saw(&rig, "\r\n\r\nhello"));
    cr_assert(rig_saw(&rig, "\r\n\r\nabcde"));
    cr_assert_eq(rig_count(&rig, "200 OK"), 2);
}

Test(server, pipelined_requests_are_answered_in_order)
{
    send_text(GET "\r\n" POST "Content-Length: 1\r\n\r\nx" GET "\r\n" POST
                  "Transfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\n\r\n");
    cr_assert_eq(rig_count(&rig, "200 OK"), 4);
    cr_assert(rig_saw(&rig, "\r\n\r\nxHTTP/1.1"));
    cr_assert_eq(rig.out.at[rig.out.len - 1], 'y');
}

Test(server, what_is_pipelined_behind_a_late_answer_waits_for_it)
{
    send_text(LATE "\r\n" GET "\r\n" LATE "\r\n" GET "\r\n");
    cr_assert_eq(rig.out.len, 0);
    rig_answer_late(&rig, "first");
    cr_assert_eq(rig_count(&rig, "200 OK"), 2);
    rig_answer_late(&rig, "second");
    cr_assert_eq(rig_count(&rig, "200 OK"), 4);
    cr_assert_not(rig.is_closed);
}

Test(server, thousands_of_pipelined_requests_need_no_stack)
{
    struct buf many;
    buf_init(&many, 1u << 20);
    for (int i = 0; i < 3000; i++) {
        cr_assert_eq(buf_append(&many, BYTES_OF(GET "\r\n")), 0);
    }
    rig_send(&rig, buf_bytes(&many));
    for (int i = 0; i < 400; i++) {
        rig_run(&rig);
    }
    cr_assert_eq(rig_count(&rig, "200 OK"), 3000);
    buf_finish(&many);
}

Test(server, a_peer_that_reads_nothing_gets_no_more_answered)
{
    int answered = 0;
    for (int i = 0; i < 20000; i++) {
        ssize_t n = send(rig.peer, GET "\r\n", sizeof(GET "\r\n") - 1, MSG_DONTWAIT);
        for (int turn = 0; n < 0 && turn < 3; turn++) {
            rig_turn(&rig);
        }
        answered += n > 0;
    }
    cr_assert_lt(answered, 20000);
    cr_assert_not_null(rig.conn);
    cr_assert_lt(rig.conn->outbox.bytes, 1u << 20);
    for (int i = 0; i < 2000; i++) {
        rig_run(&rig);
    }
    cr_assert_eq(rig_count(&rig, "200 OK"), rig_count(&rig, "\r\n\r\n/echo"));
    cr_assert_geq(rig_count(&rig, "200 OK"), answered - 1);
}

Test(server, connection_close_is_honoured_and_told)
{
    send_text(GET "Connection: close\r\n\r\n" GET "\r\n");
    cr_assert_eq(rig_count(&rig, "200 OK"), 1);
    cr_assert(rig_saw(&rig, "Connection: close\r\n"));
    cr_assert(rig.is_closed);
}

Test(server, http_1_0_closes_unless_asked_to_keep_alive)
{
    send_text("GET /echo HTTP/1.0\r\n\r\n");
    cr_assert(rig_saw(&rig, "Connection: close\r\n"));
    cr_assert(rig.is_closed);
    rig_hang_up(&rig);
    rig_connect(&rig);
    send_text("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    cr_assert(rig_saw(&rig, "Connection: keep-alive\r\n"));
    cr_assert_not(rig.is_closed);
}

Test(server, draining_closes_after_every_response)
{
    rig.server.is_draining = true;
    send_text(GET "\r\n");
    cr_assert(rig_saw(&rig, "Connection: close\r\n"));
    cr_assert(rig.is_closed);
}

Test(server, a_body_that_is_expected_is_asked_for)
{
    send_text(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    cr_assert(rig_saw(&rig, "HTTP/1.1 100 Continue\r\n\r\n"));
    cr_assert_not(rig_saw(&rig, "200 OK"));
    send_text("ab");
    cr_assert(rig_saw(&rig, "200 OK"));
}

Test(server, a_refused_head_is_not_asked_for_its_body)
{
    send_text("POST /guard HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    cr_assert_eq(rig_status(&rig), 401);
    cr_assert_not(rig_saw(&rig, "100 Continue"));
    cr_assert(rig.is_closed);
}

Test(server, a_refused_head_without_a_body_keeps_the_connection)
{
    send_text("GET /guard HTTP/1.1\r\n" HOST "\r\n" GET "\r\n");
    cr_assert_eq(rig_status(&rig), 401);
    cr_assert(rig_saw(&rig, "200 OK"));
}

static struct bytes taken;

static void taken_on_bytes(struct conn *conn)
{
    taken = conn->in;
    cr_assert(bytes_equal(conn->in, BYTES_OF("\x81 frame")));
    conn_consume(conn, conn->in.len);
    (void)conn_send_bytes(conn, BYTES_OF("streaming"));
}

static void taken_on_closed(struct conn *conn, enum close_reason reason)
{
    (void)conn;
    (void)reason;
}

static const struct conn_handler taken_handler = {.on_bytes = taken_on_bytes,
                                                  .on_closed = taken_on_closed};

static void take(struct http_exchange *exchange)
{
    struct conn *conn = http_take_over(exchange);
    cr_assert_eq(conn->state, CONN_STREAMING);
    conn->in_max = 100;
    conn_set_handler(conn, &taken_handler, NULL);
}

static void take_on_request(struct http_target *target, struct http_exchange *exchange)
{
    (void)target;
    take(exchange);
}

Test(server, a_taken_over_connection_gets_the_bytes_behind_the_head)
{
    rig.echo.on_request = take_on_request;
    rig_send(&rig, BYTES_OF(GET "\r\n\x81 frame"));
    cr_assert(rig_saw(&rig, "streaming"));
}

Test(server, a_connection_can_be_taken_over_late)
{
    rig_send(&rig, BYTES_OF(LATE "\r\n\x81 frame"));
    cr_assert_eq(rig.out.len, 0);
    take(rig.waiting);
    rig_run(&rig);
    cr_assert(rig_saw(&rig, "streaming"));
}

static void close_on_request(struct http_target *target, struct http_exchange *exchange)
{
    (void)target;
    conn_close(exchange->conn, CLOSE_HARD_STOP);
}

Test(server, a_target_may_close_the_connection)
{
    rig.echo.on_request = close_on_request;
    send_text(GET "\r\n" GET "\r\n");
    cr_assert(rig.is_closed);
    cr_assert_eq(rig.end_reason, CLOSE_HARD_STOP);
}

static void blob_on_request(struct http_target *target, struct http_exchange *exchange)
{
    (void)target;
    struct http_response response = {.status = 200, .body_blob = blob_try_create(3u << 20)};
    memset(response.body_blob->data, 'b', response.body_blob->len);
    http_respond(exchange, &response);
}

Test(server, a_large_body_is_sent_as_the_peer_takes_it)
{
    rig.echo.on_request = blob_on_request;
    send_text("HEAD /echo HTTP/1.1\r\n" HOST "\r\n" GET "\r\n" GET "\r\n");
    for (int i = 0; i < 500; i++) {
        rig_run(&rig);
    }
    cr_assert_eq(rig_count(&rig, "Content-Length: 3145728\r\n"), 3);
    cr_assert_gt(rig.out.len, 6u << 20);
    cr_assert_not(rig.is_closed);
}

Test(server, an_idle_connection_keeps_no_input)
{
    send_text(GET "\r\n");
    cr_assert_null(rig.conn->kept);
}
