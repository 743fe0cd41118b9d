// One channel's recent publications: a ring bounded by count and age, with a top offset and an
// epoch that outlive the entries (reference: Centrifugo, "History and recovery"). Owner: the
// channel record, under its hub shard's lock.
#ifndef TIDEGATE_CHANNEL_HISTORY_H
#define TIDEGATE_CHANNEL_HISTORY_H

#include "tidegate/channel/publication.h"

struct position {
    uint64_t offset;
    char epoch[EPOCH_LEN + 1]; // "" = whichever it is
};

struct history {
    struct publication **ring; // owned array of counted publications; NULL while empty
    uint32_t capacity;
    uint32_t first;
    uint32_t count;
    size_t bytes; // of the publications kept
    uint64_t top; // offset of the newest publication ever made; 0 = none
    char epoch[EPOCH_LEN + 1];
    int64_t expires_ms; // monotonic; entries are dropped then; 0 = no entries
};

// What a reader asks for.
struct history_query {
    bool has_since;
    struct position since; // after it (forward) or before it (reverse)
    int64_t limit;         // 0 = position only, negative = all
    bool reverse;
};

// What a reader gets. `items` are counted references, owned by the holder: history_result_finish().
struct history_result {
    struct publication **items; // owned array
    size_t count;
    struct position top;
};

// An empty history with a new random epoch.
void history_init(struct history *history);
void history_finish(struct history *history);

// Gives `publication` the next offset and the epoch, and keeps a reference to it when `size` > 0.
// Entries past `size` go, oldest first; all go `ttl_ms` after the last publication.
void history_append(struct history *history, struct publication *publication, uint32_t size,
                    int64_t ttl_ms, int64_t now_ms);

// Drops entries, oldest first, while all histories of the process together hold more than
// `total_max` bytes.
void history_trim(struct history *history, int64_t total_max);

// Drops the entries if their time has come.
void history_expire(struct history *history, int64_t now_ms);

// Drops the entries; offset and epoch stay.
void history_clear(struct history *history);

// Reads entries: 0, or -ESTALE when `since` names another epoch, or -EINVAL for reverse from 0, or
// -ENOMEM.
int history_read(const struct history *history, const struct history_query *query,
                 struct history_result *ret_result) ATTR_MUST_CHECK;

// The newest `max` entries, oldest of them first; without memory none.
void history_read_newest(const struct history *history, uint32_t max,
                         struct history_result *ret_result);

// What a subscriber at `since` missed: 1 and all of it, in order, when nothing is missing (epoch
// equal or empty, and either nothing new or the first kept is since.offset + 1 and at most `max`
// entries); 0 and no entries otherwise. Never a part.
int history_recover(const struct history *history, struct position since, size_t max,
                    struct history_result *ret_result);

void history_result_finish(struct history_result *result);

#endif
