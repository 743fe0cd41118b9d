// A growing table of owners; a free list through the unused entries. Slot 0 stays unused, so that a
// zeroed slot_ref names nobody.
//
// Owner: the worker's thread. Invariant: a generation is never used twice for a slot until 2^32
// owners came and went.

#include "tidegate/loop/slots.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/mem.h"

#define SLOTS_MIN 64

void slots_init(struct slots *slots, uint16_t worker)
{
    *slots = (struct slots){.worker = worker};
}

void slots_finish(struct slots *slots)
{
    mem_free(slots->table);
    *slots = (struct slots){0};
}

static void slots_grow(struct slots *slots)
{
    uint32_t old = slots->capacity;
    uint32_t capacity = old == 0 ? SLOTS_MIN : old + old / 2;
    struct slot *table = mem_try_realloc(slots->table, capacity * sizeof(*table));

    assert_always(table != NULL);
    slots->table = table;
    slots->capacity = capacity;
    // Chained from the lowest up, so that low slots are used first; slot 0 is nobody's.
    for (uint32_t i = capacity; i-- > (old == 0 ? 1 : old);) {
        table[i] = (struct slot){.generation = 1, .next_free = slots->first_free};
        slots->first_free = i;
    }
    if (old == 0) {
        table[0] = (struct slot){0};
    }
}

struct slot_ref slots_add(struct slots *slots, struct slot_owner *owner)
{
    if (slots->first_free == 0) {
        slots_grow(slots);
    }
    uint32_t index = slots->first_free;
    struct slot *slot = &slots->table[index];
    slots->first_free = slot->next_free;
    slot->owner = owner;
    return (struct slot_ref){slots->worker, index, slot->generation};
}

struct slot_owner *slots_get(const struct slots *slots, struct slot_ref ref)
{
    if (ref.slot == 0 || ref.slot >= slots->capacity || ref.worker != slots->worker) {
        return NULL;
    }
    const struct slot *slot = &slots->table[ref.slot];
    return slot->generation == ref.generation ? slot->owner : NULL;
}

void slots_remove(struct slots *slots, struct slot_ref ref)
{
    if (slots_get(slots, ref) == NULL) {
        return;
    }
    struct slot *slot = &slots->table[ref.slot];
    slot->owner = NULL;
    slot->generation++;
    slot->next_free = slots->first_free;
    slots->first_free = ref.slot;
}

void slots_deliver(struct slots *slots, struct message *message)
{
    struct reply *reply = container_of(message, struct reply, message);
    struct slot_owner *owner = slots_get(slots, reply->to);

    if (owner == NULL) {
        message->destroy(message);
        return;
    }
    owner->on_reply(owner, message);
}
