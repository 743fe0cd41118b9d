// One channel's recent publications in a ring that grows as it fills, so that a large history_size
// costs nothing until it is used.
// Owner: the channel record, under its hub shard's lock; nothing here locks.
// Invariant: the kept entries are consecutive and the newest has offset `top`. So the place of an
// offset is arithmetic, and "nothing is missing" is one comparison.
// `bytes` and the history_bytes gauge move together, in history_account() alone.
#include "tidegate/channel/history.h"

#include "tidegate/base/mem.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rand.h"

#include <errno.h>

#define RING_FIRST_CAPACITY 4u

// Of all histories of the process.
static _Atomic int64_t history_total;

static void history_account(struct history *history, const struct publication *publication,
                            int sign)
{
    size_t size = publication_size(publication);
    history->bytes = sign > 0 ? history->bytes + size : history->bytes - size;
    metric_add(METRIC_HISTORY_BYTES, sign * (int64_t)size);
    atomic_fetch_add_explicit(&history_total, sign * (int64_t)size, memory_order_relaxed);
}

// Entry `i`, 0 being the oldest.
static struct publication *history_at(const struct history *history, uint32_t i)
{
    uint64_t at = (uint64_t)history->first + i;
    return history->ring[at < history->capacity ? at : at - history->capacity];
}

static void history_drop_oldest(struct history *history)
{
    struct publication *oldest = history->ring[history->first];
    history->first = history->first + 1 == history->capacity ? 0 : history->first + 1;
    history->count--;
    history_account(history, oldest, -1);
    publication_unref(oldest);
}

// Moves the entries to a ring of `capacity` >= count. Without memory everything stays as it was.
static void history_resize(struct history *history, uint32_t capacity)
{
    struct publication **ring = mem_try_alloc(capacity * sizeof(struct publication *));
    if (ring == NULL) {
        return;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        ring[i] = history_at(history, i);
    }
    mem_free(history->ring);
    history->ring = ring;
    history->capacity = capacity;
    history->first = 0;
}

// Makes room for one more entry of at most `size`; count < size already.
static void history_make_room(struct history *history, uint32_t size)
{
    if (history->capacity == 0) {
        history->capacity = size < RING_FIRST_CAPACITY ? size : RING_FIRST_CAPACITY;
        history->ring = mem_alloc(history->capacity * sizeof(struct publication *));
        history->first = 0;
        return;
    }
    if (history->capacity > size) {
        history_resize(history, size); // the setting became smaller
    } else if (history->count == history->capacity) {
        uint64_t doubled = (uint64_t)history->capacity * 2;
        history_resize(history, doubled < size ? (uint32_t)doubled : size);
    }
    if (history->count == history->capacity) {
        history_drop_oldest(history); // no memory to grow: the ring stays as long as it is
    }
}

void history_init(struct history *history)
{
    memset(history, 0, sizeof(*history));
    rand_letters(history->epoch, EPOCH_LEN);
}

void history_finish(struct history *history)
{
    history_clear(history);
}

void history_clear(struct history *history)
{
    while (history->count > 0) {
        history_drop_oldest(history);
    }
    mem_free(history->ring);
    history->ring = NULL;
    history->capacity = 0;
    history->first = 0;
    history->expires_ms = 0;
}

void history_expire(struct history *history, int64_t now_ms)
{
    if (history->count > 0 && now_ms >= history->expires_ms) {
        history_clear(history);
    }
}

void history_append(struct history *history, struct publication *publication, uint32_t size,
                    int64_t ttl_ms, int64_t now_ms)
{
    history_expire(history, now_ms);
    history->top++;
    publication->offset = history->top;
    memcpy(publication->epoch, history->epoch, sizeof(publication->epoch));
    if (size == 0) {
        history_clear(history);
        return;
    }
    while (history->count >= size) {
        history_drop_oldest(history);
    }
    history_make_room(history, size);
    uint64_t end = (uint64_t)history->first + history->count;
    history->ring[end < history->capacity ? end : end - history->capacity] =
        publication_ref(publication);
    history->count++;
    history_account(history, publication, 1);
    history->expires_ms = now_ms + ttl_ms;
}

void history_trim(struct history *history, int64_t total_max)
{
    while (history->count > 0 &&
           atomic_load_explicit(&history_total, memory_order_relaxed) > total_max) {
        history_drop_oldest(history);
        metric_add(METRIC_HISTORY_TRIMMED, 1);
    }
}

static struct position history_top(const struct history *history)
{
    struct position top = {.offset = history->top};
    memcpy(top.epoch, history->epoch, sizeof(top.epoch));
    return top;
}

static bool history_is_epoch(const struct history *history, const struct position *since)
{
    return since->epoch[0] == '\0' || strcmp(since->epoch, history->epoch) == 0;
}

// How many of the kept entries have an offset of at most `offset`.
static uint32_t history_count_until(const struct history *history, uint64_t offset)
{
    uint64_t dropped = history->top - history->count;
    if (offset <= dropped) {
        return 0;
    }
    return offset >= history->top ? history->count : (uint32_t)(offset - dropped);
}

// References to `count` entries: from index `from` upwards, or from below `from` downwards.
static int history_collect(const struct history *history, uint32_t from, uint32_t count,
                           bool reverse, struct history_result *ret_result)
{
    struct history_result result = {.items = NULL, .count = count, .top = history_top(history)};
    if (count > 0) {
        result.items = mem_try_alloc(count * sizeof(struct publication *));
        if (result.items == NULL) {
            return -ENOMEM;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = reverse ? from - 1 - i : from + i;
        result.items[i] = publication_ref(history_at(history, at));
    }
    *ret_result = result;
    return 0;
}

int history_read(const struct history *history, const struct history_query *query,
                 struct history_result *ret_result)
{
    uint32_t begin = 0;
    uint32_t end = history->count;
    if (query->has_since) {
        if (query->reverse && query->since.offset == 0) {
            return -EINVAL;
        }
        if (!history_is_epoch(history, &query->since)) {
            return -ESTALE;
        }
        if (query->reverse) {
            end = history_count_until(history, query->since.offset - 1);
        } else {
            begin = history_count_until(history, query->since.offset);
        }
    }
    uint32_t count = end - begin;
    if (query->limit >= 0 && (uint64_t)query->limit < count) {
        count = (uint32_t)query->limit;
    }
    return history_collect(history, query->reverse ? end : begin, count, query->reverse,
                           ret_result);
}

void history_read_newest(const struct history *history, uint32_t max,
                         struct history_result *ret_result)
{
    uint32_t count = max < history->count ? max : history->count;
    if (history_collect(history, history->count - count, count, false, ret_result) < 0) {
        *ret_result = (struct history_result){.top = history_top(history)};
    }
}

int history_recover(const struct history *history, struct position since, size_t max,
                    struct history_result *ret_result)
{
    bool is_whole = history_is_epoch(history, &since) && since.offset <= history->top;
    uint64_t missed = is_whole ? history->top - since.offset : 0;
    is_whole = is_whole && missed <= history->count && missed <= max;
    if (is_whole && history_collect(history, history->count - (uint32_t)missed, (uint32_t)missed,
                                    false, ret_result) == 0) {
        return 1;
    }
    *ret_result = (struct history_result){.top = history_top(history)};
    return 0;
}

void history_result_finish(struct history_result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        publication_unref(result->items[i]);
    }
    mem_free(result->items);
    result->items = NULL;
    result->count = 0;
}
