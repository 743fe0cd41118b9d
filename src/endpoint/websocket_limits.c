// Limits on what one connection sends: so many messages, bytes and pings in a second, a message
// within its time, a stay within its lifetime. A second is one of the clock's, so a burst over its
// border may be twice as large; what is kept is four numbers a connection and no timer. Owner: the
// connection's worker.

#include "websocket_limits.h"

#include "tidegate/base/metrics.h"
#include "tidegate/base/rand.h"

uint32_t limits_spread_lifetime(int64_t lifetime_ms)
{
    int64_t tenth = lifetime_ms / 10;

    if (lifetime_ms == 0) {
        return 0;
    }
    lifetime_ms += (int64_t)rand_below((uint64_t)tenth * 2 + 1) - tenth;
    return lifetime_ms < UINT32_MAX ? (uint32_t)lifetime_ms : UINT32_MAX;
}

int64_t limits_time_left(const struct conn *conn, uint32_t lifetime_ms)
{
    int64_t left = conn->opened_ms + lifetime_ms - conn->net->options.loop->now_ms;

    return lifetime_ms == 0 ? INT64_MAX : left > 0 ? left : 0;
}

// A new second begins with nothing used.
static void quota_turn(struct websocket *websocket)
{
    uint32_t second = (uint32_t)(websocket->conn->net->options.loop->now_ms / 1000);

    if (websocket->quota_second != second) {
        websocket->quota_second = second;
        websocket->quota_messages = 0;
        websocket->quota_bytes = 0;
        websocket->quota_pings = 0;
    }
}

static enum close_reason quota_refuse(enum metric_id metric)
{
    metric_add(metric, 1);
    return CLOSE_TOO_MANY_REQUESTS;
}

enum close_reason limits_count_bytes(struct websocket *websocket, size_t n)
{
    int64_t max = websocket->worker->session->config->client.bytes_per_second;

    if (max == 0) {
        return CLOSE_NONE;
    }
    quota_turn(websocket);
    websocket->quota_bytes += (uint32_t)n; // a read is far smaller than what is left to 4 GiB
    return websocket->quota_bytes > max ? quota_refuse(METRIC_BYTE_RATE_REFUSED) : CLOSE_NONE;
}

enum close_reason limits_count_message(struct websocket *websocket)
{
    int64_t max = websocket->worker->session->config->client.messages_per_second;

    if (max == 0) {
        return CLOSE_NONE;
    }
    quota_turn(websocket);
    return ++websocket->quota_messages > max ? quota_refuse(METRIC_MESSAGE_RATE_REFUSED)
                                             : CLOSE_NONE;
}

enum close_reason limits_count_ping(struct websocket *websocket)
{
    int64_t max = websocket->worker->session->config->client.pings_per_second;

    if (max == 0) {
        return CLOSE_NONE;
    }
    quota_turn(websocket);
    return ++websocket->quota_pings > max ? quota_refuse(METRIC_PING_RATE_REFUSED) : CLOSE_NONE;
}

enum close_reason limits_check_message_time(struct websocket *websocket)
{
    int64_t max = websocket->worker->session->config->websocket.message_timeout_ms;
    uint32_t now_ms = (uint32_t)websocket->conn->net->options.loop->now_ms | 1; // 0 = none

    if (websocket->stream.lease == NULL) {
        websocket->message_began_ms = 0;
    } else if (websocket->message_began_ms == 0) {
        websocket->message_began_ms = now_ms;
    } else if (max > 0 && now_ms - websocket->message_began_ms > max) {
        metric_add(METRIC_MESSAGE_TIME_REFUSED, 1);
        return CLOSE_MESSAGE_TIMEOUT;
    }
    return CLOSE_NONE;
}
