// Live: no worker hangs; a process that is not live should be started anew. Ready: it takes
// clients; one that is not ready is to be left alone by balancers, and no more than that. Owner:
// none; any thread, reading what the workers and the main thread write. Invariant: a worker that
// has not begun is neither a hanging one nor one that is ready.
#include "health.h"

#include "tidegate/codec/json_write.h"

static int64_t heartbeat(const struct admin_options *options, unsigned worker)
{
    return atomic_load_explicit(&options->heartbeats_ms[worker], memory_order_relaxed);
}

// The first worker whose last turn is too long ago, or -1.
static int find_stalled(const struct admin_options *options, int64_t now_ms)
{
    for (unsigned i = 0; i < options->worker_count; i++) {
        int64_t last_ms = heartbeat(options, i);
        if (last_ms != 0 && now_ms - last_ms > HEALTH_TURN_MAX_MS) {
            return (int)i;
        }
    }
    return -1;
}

static bool all_have_begun(const struct admin_options *options)
{
    for (unsigned i = 0; i < options->worker_count; i++) {
        if (heartbeat(options, i) == 0) {
            return false;
        }
    }
    return true;
}

// {"status":"..."}, with the worker it is about unless that is negative.
static int print(struct buf *out, int status, const char *text, int worker)
{
    struct json_writer writer;
    json_write_begin(&writer, out);
    json_open_object(&writer);
    json_field_string(&writer, "status", bytes_str(text));
    if (worker >= 0) {
        json_field_number(&writer, "worker", worker);
    }
    json_close_object(&writer);
    int r = json_write_end(&writer);
    return r < 0 ? r : status;
}

int health_live(const struct admin_options *options, int64_t now_ms, struct buf *out)
{
    int stalled = find_stalled(options, now_ms);
    return stalled < 0 ? print(out, 200, "ok", -1) : print(out, 503, "stalled", stalled);
}

int health_ready(const struct admin_options *options, int64_t now_ms, struct buf *out)
{
    int readiness = atomic_load_explicit(options->readiness, memory_order_relaxed);
    if (readiness == ADMIN_DRAINING) {
        return print(out, 503, "draining", -1);
    }
    if (readiness == ADMIN_FULL) {
        return print(out, 503, "memory", -1);
    }
    if (readiness != ADMIN_READY || !all_have_begun(options)) {
        return print(out, 503, "starting", -1);
    }
    return health_live(options, now_ms, out);
}
