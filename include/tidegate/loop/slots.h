// Names for things that may be gone by the time an answer arrives: a slot and a generation. What
// outlives a callback, or crosses threads, holds a slot_ref and never a pointer.
// Owner: one worker; a slot_ref itself is a value any thread may carry.
#ifndef TIDEGATE_LOOP_SLOTS_H
#define TIDEGATE_LOOP_SLOTS_H

#include "tidegate/loop/mailbox.h"

struct slot_ref {
    uint16_t worker; // whose table
    uint32_t slot;   // 0 = nobody
    uint32_t generation;
};

#define SLOT_REF_NONE ((struct slot_ref){0, 0, 0})

// Embedded in whatever can be answered late.
struct slot_owner {
    // A late reply for this owner; it owns the message. Owner thread.
    void (*on_reply)(struct slot_owner *owner, struct message *message);
};

// Which structure embeds a reply: lets an owner of several kinds of requests tell them apart.
enum reply_type { REPLY_BROKER, REPLY_SUBSCRIBED };

// A late result: kind MESSAGE_REPLY; whoever makes one embeds this first.
struct reply {
    struct message message;
    struct slot_ref to;
    enum reply_type type;
};

struct slots {
    struct slot {
        struct slot_owner *owner; // borrowed; NULL = free
        uint32_t generation;      // of the current or the next owner
        uint32_t next_free;
    } * table; // owned
    uint32_t capacity;
    uint32_t first_free; // 0 = none
    uint16_t worker;
};

void slots_init(struct slots *slots, uint16_t worker);
void slots_finish(struct slots *slots);

// Gives `owner` a name.
struct slot_ref slots_add(struct slots *slots, struct slot_owner *owner);

// Ends the name; harmless for SLOT_REF_NONE. Later replies for it find nobody.
void slots_remove(struct slots *slots, struct slot_ref ref);

// Whose name it is, or NULL when it ended or belongs to another worker.
struct slot_owner *slots_get(const struct slots *slots, struct slot_ref ref);

// Hands a reply to its owner, or destroys it.
void slots_deliver(struct slots *slots, struct message *message);

static inline bool slot_ref_equal(struct slot_ref a, struct slot_ref b)
{
    return a.slot == b.slot && a.generation == b.generation && a.worker == b.worker;
}

#endif
