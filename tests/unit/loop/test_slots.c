// Names that outlive what they name. Owner: the test.
#include "../../support/leaks.h"

#include "tidegate/base/mem.h"
#include "tidegate/loop/slots.h"

TestSuite(slots, .fini = leaks_check);

#define WORKER 3

struct answered {
    struct slot_owner owner;
    int replies;
};

static int destroyed;

static void reply_destroy(struct message *message)
{
    destroyed++;
    mem_free(container_of(message, struct reply, message));
}

static void answered_on_reply(struct slot_owner *owner, struct message *message)
{
    container_of(owner, struct answered, owner)->replies++;
    message->destroy(message);
}

static struct message *reply_to(struct slot_ref ref)
{
    struct reply *reply = mem_zalloc(sizeof(*reply));
    reply->message.kind = MESSAGE_REPLY;
    reply->message.destroy = reply_destroy;
    reply->to = ref;
    return &reply->message;
}

Test(slots, a_name_finds_its_owner_until_it_is_removed)
{
    struct slots slots;
    struct slot_owner owner = {0};
    slots_init(&slots, WORKER);
    struct slot_ref ref = slots_add(&slots, &owner);
    cr_assert_eq(ref.worker, WORKER);
    cr_assert_neq(ref.slot, 0);
    cr_assert_eq(slots_get(&slots, ref), &owner);
    slots_remove(&slots, ref);
    cr_assert_null(slots_get(&slots, ref));
    slots_remove(&slots, ref); // a second time is harmless
    cr_assert_null(slots_get(&slots, ref));
    slots_finish(&slots);
}

Test(slots, a_stale_name_neither_finds_nor_removes_the_next_owner_of_its_slot)
{
    struct slots slots;
    struct slot_owner first = {0};
    struct slot_owner second = {0};
    slots_init(&slots, WORKER);
    struct slot_ref old = slots_add(&slots, &first);
    slots_remove(&slots, old);
    struct slot_ref next = slots_add(&slots, &second);
    cr_assert_eq(next.slot, old.slot, "the slot is used again");
    cr_assert(!slot_ref_equal(next, old));
    cr_assert_null(slots_get(&slots, old));
    slots_remove(&slots, old);
    cr_assert_eq(slots_get(&slots, next), &second);
    slots_remove(&slots, next);
    slots_finish(&slots);
}

Test(slots, removing_twice_does_not_hand_a_slot_out_twice)
{
    struct slots slots;
    struct slot_owner owners[2] = {0};
    slots_init(&slots, WORKER);
    struct slot_ref old = slots_add(&slots, &owners[0]);
    slots_remove(&slots, old);
    slots_remove(&slots, old);
    struct slot_ref a = slots_add(&slots, &owners[0]);
    struct slot_ref b = slots_add(&slots, &owners[1]);
    cr_assert_neq(a.slot, b.slot);
    cr_assert_eq(slots_get(&slots, a), &owners[0]);
    cr_assert_eq(slots_get(&slots, b), &owners[1]);
    slots_finish(&slots);
}

Test(slots, nobody_and_names_made_up_find_nobody)
{
    struct slots slots;
    struct slot_owner owner = {0};
    slots_init(&slots, WORKER);
    cr_assert_null(slots_get(&slots, SLOT_REF_NONE));
    cr_assert_null(slots_get(&slots, (struct slot_ref){WORKER, 1, 1}));
    slots_remove(&slots, SLOT_REF_NONE);
    struct slot_ref ref = slots_add(&slots, &owner);
    cr_assert_null(slots_get(&slots, (struct slot_ref){WORKER, 0, 0}));
    cr_assert_null(slots_get(&slots, (struct slot_ref){WORKER, 0, 1}));
    cr_assert_null(slots_get(&slots, (struct slot_ref){WORKER, UINT32_MAX, 1}));
    cr_assert_null(slots_get(&slots, (struct slot_ref){WORKER, slots.capacity, 1}));
    cr_assert_null(slots_get(&slots, (struct slot_ref){WORKER, ref.slot + 1, ref.generation}));
    slots_finish(&slots);
}

Test(slots, another_workers_name_finds_nobody_here)
{
    struct slots here;
    struct slots there;
    struct slot_owner owner = {0};
    slots_init(&here, 0);
    slots_init(&there, 1);
    slots_add(&here, &owner);
    struct slot_ref ref = slots_add(&there, &owner);
    cr_assert_null(slots_get(&here, ref));
    slots_remove(&here, ref);
    cr_assert_eq(slots_get(&there, ref), &owner);
    slots_finish(&here);
    slots_finish(&there);
}

Test(slots, growing_keeps_every_name)
{
    enum { COUNT = 5000 };
    static struct slot_owner owners[COUNT];
    static struct slot_ref refs[COUNT];
    static bool is_used[COUNT * 2];
    struct slots slots;
    slots_init(&slots, WORKER);
    for (int i = 0; i < COUNT; i++) {
        refs[i] = slots_add(&slots, &owners[i]);
        cr_assert_lt(refs[i].slot, COUNT * 2);
        cr_assert(!is_used[refs[i].slot], "slot %u is given twice", refs[i].slot);
        is_used[refs[i].slot] = true;
    }
    for (int i = 0; i < COUNT; i += 2) {
        slots_remove(&slots, refs[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(slots_get(&slots, refs[i]), i % 2 == 0 ? NULL : &owners[i]);
    }
    uint32_t capacity = slots.capacity;
    for (int i = 0; i < COUNT; i += 2) {
        struct slot_ref again = slots_add(&slots, &owners[i]);
        cr_assert_null(slots_get(&slots, refs[i]));
        cr_assert_eq(slots_get(&slots, again), &owners[i]);
    }
    cr_assert_eq(slots.capacity, capacity, "freed slots are used before the table grows");
    slots_finish(&slots);
}

Test(slots, a_reply_reaches_its_owner_and_a_late_one_is_destroyed)
{
    struct slots slots;
    struct answered answered = {.owner.on_reply = answered_on_reply};
    slots_init(&slots, WORKER);
    struct slot_ref ref = slots_add(&slots, &answered.owner);
    slots_deliver(&slots, reply_to(ref));
    cr_assert_eq(answered.replies, 1);
    cr_assert_eq(destroyed, 1);
    slots_remove(&slots, ref);
    slots_deliver(&slots, reply_to(ref));
    slots_deliver(&slots, reply_to(SLOT_REF_NONE));
    slots_deliver(&slots, reply_to((struct slot_ref){WORKER + 1, ref.slot, ref.generation + 1}));
    cr_assert_eq(answered.replies, 1);
    cr_assert_eq(destroyed, 4);
    slots_finish(&slots);
}
