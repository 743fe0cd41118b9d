// Server-Sent Events over a socket pair: golden bytes (WHATWG HTML §9.2). Owner: the test.
#include "../session/support.h"

#include "../http/rig.h"

#include "channel_request.h"

TestSuite(sse, .fini = leaks_check);

struct stream {
    struct scene scene;
    struct rig rig;
    struct websocket_worker worker;
    struct config_route route;
    struct channel_target channel;
};

static void stream_run(struct stream *stream)
{
    scene_deliver(&stream->scene);
    rig_run(&stream->rig);
}

// What came since the last time, with epochs that read "########".
static void expect_sent(struct stream *stream, const char *expected)
{
    struct buf *out = &stream->rig.out;
    stream_run(stream);
    for (size_t i = 0; i + 4 + EPOCH_LEN <= out->len; i++) {
        if (memcmp(out->at + i, "id: ", 4) == 0) {
            memset(out->at + i + 4, '#', EPOCH_LEN);
        }
    }
    cr_assert(bytes_equal(buf_bytes(out), bytes_str(expected)), "sent \"%.*s\", not \"%s\"",
              (int)out->len, out->at, expected);
    buf_clear(out);
}

static void stream_open(struct stream *stream, const char *path, const char *more)
{
    char request[500];
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n%s\r\n", path, more);
    rig_send(&stream->rig, bytes_str(request));
    cr_assert_eq(rig_status(&stream->rig), 200);
    cr_assert(rig_saw(&stream->rig, "\r\nContent-Type: text/event-stream"));
    struct buf *out = &stream->rig.out;
    const char *body = memmem(out->at, out->len, "\r\n\r\n", 4);
    cr_assert_not_null(body);
    buf_consume(out, (size_t)(body + 4 - out->at));
}

static void stream_begin(struct stream *stream)
{
    memset(stream, 0, sizeof(*stream));
    scene_begin(&stream->scene);
    stream->scene.config.sse.retry_ms = 1500;
    stream->scene.config.sse.heartbeat_interval_ms = 20000;
    stream->scene.config.client.queue_max_size = 100000;
    rig_begin(&stream->rig);
    stream->worker.session = &stream->scene.worker;
    stream->route.channel = mem_strdup("kept:{topic}");
    channel_init(&stream->channel, &stream->worker, &stream->route);
    stream->channel.target.serves = 1;
    cr_assert_eq(router_add(stream->rig.router, NULL, "/c/{topic}", &stream->channel.target), 0);
}

static void stream_end(struct stream *stream)
{
    rig_end(&stream->rig);
    scene_end(&stream->scene);
    mem_free(stream->route.channel);
}

static void publish_as(struct stream *stream, struct bytes data, bool is_binary)
{
    scene_publish_parts(&stream->scene, &(struct publication_parts){.channel = BYTES_OF("kept:a"),
                                                                    .data = data,
                                                                    .is_binary = is_binary});
}

Test(sse, it_begins_with_when_to_retry_and_where_to_resume)
{
    struct stream stream;
    stream_begin(&stream);
    publish_as(&stream, BYTES_OF("before"), false);
    stream_open(&stream, "/c/a", "");
    expect_sent(&stream, "retry: 1500\n\nid: ########:1\n\n");
    stream_end(&stream);
}

Test(sse, every_kind_of_line_end_begins_another_data_line)
{
    static const struct {
        const char *data;
        const char *lines;
    } rows[] = {
        {"one", "data: one\n"},
        {"a\nb", "data: a\ndata: b\n"},
        {"a\rb", "data: a\ndata: b\n"},
        {"a\r\nb", "data: a\ndata: b\n"},
        {"a\n\rb", "data: a\ndata: \ndata: b\n"},
        {"a\r\r\nb", "data: a\ndata: \ndata: b\n"},
        {"a\n", "data: a\ndata: \n"},
        {"a\r\n", "data: a\ndata: \n"},
        {"\na", "data: \ndata: a\n"},
        {"\n", "data: \ndata: \n"},
        {"", "data: \n"},
        {" spaced", "data:  spaced\n"},
        {":comment", "data: :comment\n"},
    };
    struct stream stream;
    char expected[200];
    stream_begin(&stream);
    stream_open(&stream, "/c/a", "");
    expect_sent(&stream, "retry: 1500\n\nid: ########:0\n\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        publish_as(&stream, bytes_str(rows[i].data), false);
        snprintf(expected, sizeof(expected), "id: ########:%zu\n%s\n", i + 1, rows[i].lines);
        expect_sent(&stream, expected);
    }
    stream_end(&stream);
}

Test(sse, data_cannot_pass_for_a_field)
{
    struct stream stream;
    stream_begin(&stream);
    stream_open(&stream, "/c/a", "");
    stream_run(&stream);
    buf_clear(&stream.rig.out);
    publish_as(&stream, BYTES_OF("event: x\n\nretry: 1\ndata"), false);
    expect_sent(&stream, "id: ########:1\ndata: event: x\ndata: \ndata: retry: 1\ndata: data\n\n");
    stream_end(&stream);
}

Test(sse, a_long_message_of_nothing_but_line_ends_fits)
{
    static char ends[20000];
    struct stream stream;
    memset(ends, '\n', sizeof(ends));
    stream_begin(&stream);
    stream.scene.config.client.queue_max_size = 10000000;
    stream_open(&stream, "/c/a", "");
    stream_run(&stream);
    buf_clear(&stream.rig.out);
    publish_as(&stream, bytes_make(ends, sizeof(ends)), false);
    for (int i = 0; i < 10; i++) {
        stream_run(&stream);
    }
    cr_assert_eq(rig_count(&stream.rig, "data: \n"), 20001);
    stream_end(&stream);
}

Test(sse, binary_comes_as_base64)
{
    struct stream stream;
    stream_begin(&stream);
    stream_open(&stream, "/c/a", "");
    expect_sent(&stream, "retry: 1500\n\nid: ########:0\n\n");
    publish_as(&stream, BYTES_OF("\x00\xff\n"), true);
    expect_sent(&stream, "id: ########:1\ndata: AP8K\n\n");
    stream_end(&stream);
}

Test(sse, without_history_there_is_no_id)
{
    struct stream stream;
    stream_begin(&stream);
    mem_free(stream.route.channel);
    stream.route.channel = mem_strdup("plain");
    stream_open(&stream, "/c/a", "");
    expect_sent(&stream, "retry: 1500\n\n");
    scene_publish(&stream.scene, "plain", "x");
    expect_sent(&stream, "data: x\n\n");
    stream_end(&stream);
}

Test(sse, a_reconnecting_browser_gets_what_it_missed)
{
    struct stream stream;
    stream_begin(&stream);
    publish_as(&stream, BYTES_OF("x"), false);
    publish_as(&stream, BYTES_OF("y"), false);
    stream_open(&stream, "/c/a", "Last-Event-ID: :1\r\n");
    expect_sent(&stream, "retry: 1500\n\nid: ########:1\n\nid: ########:2\ndata: y\n\n");
    stream_end(&stream);
}

Test(sse, the_envelope_stands_in_one_data_line)
{
    struct stream stream;
    stream_begin(&stream);
    mem_free(stream.route.channel);
    stream.route.channel = mem_strdup("plain");
    stream_open(&stream, "/c/a?format=json", "");
    expect_sent(&stream, "retry: 1500\n\n"
                         "data: {\"recovered\":false,\"offset\":0,\"epoch\":\"\"}\n\n");
    scene_publish(&stream.scene, "plain", "a\nb");
    expect_sent(&stream, "data: {\"offset\":0,\"epoch\":\"\",\"data\":\"a\\nb\"}\n\n");
    stream_end(&stream);
}

Test(sse, a_quiet_stream_is_kept_open_with_comments)
{
    struct stream stream;
    stream_begin(&stream);
    stream_open(&stream, "/c/a", "");
    expect_sent(&stream, "retry: 1500\n\nid: ########:0\n\n");
    rig_pass(&stream.rig, 20010);
    expect_sent(&stream, ":\n\n");
    rig_pass(&stream.rig, 20010);
    expect_sent(&stream, ":\n\n");
    stream_end(&stream);
}

Test(sse, who_leaves_is_forgotten)
{
    struct stream stream;
    stream_begin(&stream);
    stream_open(&stream, "/c/a", "");
    stream_run(&stream);
    cr_assert_eq(stream.scene.fanout.subscribers, 1);
    rig_hang_up(&stream.rig);
    cr_assert_eq(stream.scene.fanout.subscribers, 0);
    publish_as(&stream, BYTES_OF("late"), false);
    stream_run(&stream);
    stream_end(&stream);
}
