// Sessions: starting, recovering, publishing, healing, ending. The wire format is the test's own:
// "started OFFSET[!]", "OFFSET:DATA", "gap N". Owner: the test.
#include "support.h"

TestSuite(session, .fini = leaks_check);

static void note_open(struct session *session, const struct session_options *options)
{
    struct bytes rest = options->channel;
    struct bytes channel;
    while (!session->is_closed && rest.len > 0 && bytes_next_part(&rest, ',', &channel)) {
        enum close_reason reason =
            command_run(session, &(struct command){.kind = COMMAND_SUBSCRIBE,
                                                   .channel = channel,
                                                   .recover = options->recover,
                                                   .since = options->since,
                                                   .initial = options->initial});
        if (reason != CLOSE_NONE) {
            session->sink->close(session, reason);
        }
    }
}

// "CHANNEL DATA" publishes, "-CHANNEL" unsubscribes, anything else is no command.
static int note_receive(struct session *session, struct bytes message, bool is_binary,
                        struct command *ret_command)
{
    ptrdiff_t space = bytes_find(message, ' ');
    (void)session;
    if (bytes_starts_with(message, BYTES_OF("-"))) {
        *ret_command =
            (struct command){.kind = COMMAND_UNSUBSCRIBE, .channel = bytes_skip(message, 1)};
        return 0;
    }
    if (space < 0) {
        return -EINVAL;
    }
    *ret_command = (struct command){.kind = COMMAND_PUBLISH,
                                    .channel = bytes_make(message.at, (size_t)space),
                                    .data = bytes_skip(message, (size_t)space + 1),
                                    .is_binary = is_binary};
    return 0;
}

static int note_encode(const struct event *event, struct buf *out)
{
    int error = 0;
    switch (event->kind) {
    case EVENT_STARTED:
        error = buf_printf(out, "started %llu%s", (unsigned long long)event->position.offset,
                           event->recovered ? "!" : "");
        break;
    case EVENT_PUBLICATION:
        error = buf_printf(out, "%llu:%.*s", (unsigned long long)event->publication->offset,
                           (int)event->publication->data.len, event->publication->data.at);
        break;
    case EVENT_GAP:
        error = buf_printf(out, "gap %u", event->dropped);
        break;
    }
    return error < 0 ? error : 1;
}

static void note_close(struct session *session)
{
    (void)session;
}

static const struct session_protocol note_protocol = {.name = "note",
                                                      .index = 0,
                                                      .open = note_open,
                                                      .receive = note_receive,
                                                      .encode = note_encode,
                                                      .close = note_close};

static void join_with(struct client *client, struct scene *scene,
                      const struct session_options *options)
{
    client_begin(client, scene, &note_protocol, &client_sink, options);
}

static void join(struct client *client, struct scene *scene, const char *channel)
{
    join_with(client, scene, &(struct session_options){.channel = bytes_str(channel)});
    scene_deliver(scene);
}

Test(session, a_subscriber_is_told_where_it_starts_and_what_follows)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    scene_publish(&scene, "kept:a", "before");
    join_with(&client, &scene, &(struct session_options){.channel = BYTES_OF("kept:a")});
    client_expect(&client, ""); // answers come through the mailbox, never from within the call
    scene_deliver(&scene);
    client_expect(&client, "=started 1 ");
    scene_publish(&scene, "kept:a", "x");
    scene_publish(&scene, "kept:b", "not mine");
    scene_publish(&scene, "kept:a", "y");
    scene_deliver(&scene);
    client_expect(&client, "=2:x =3:y ");
    client_end(&client);
    scene_end(&scene);
}

Test(session, the_newest_messages_come_first_when_asked_for)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    for (int i = 0; i < 4; i++) {
        scene_publish(&scene, "kept:a", "old");
    }
    join_with(&client, &scene,
              &(struct session_options){.channel = BYTES_OF("kept:a"), .initial = 2});
    scene_publish(&scene, "kept:a", "new");
    scene_deliver(&scene);
    client_expect(&client, "=started 2 =3:old =4:old =5:new ");
    client_end(&client);
    scene_end(&scene);
}

Test(session, recovering_delivers_what_was_missed_once_and_in_order)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    for (int i = 0; i < 4; i++) {
        scene_publish(&scene, "kept:a", "m");
    }
    join_with(&client, &scene,
              &(struct session_options){
                  .channel = BYTES_OF("kept:a"), .recover = true, .since = {.offset = 2}});
    scene_publish(&scene, "kept:a", "n");
    scene_deliver(&scene);
    client_expect(&client, "=started 2! =3:m =4:m =5:n ");
    client_end(&client);
    scene_end(&scene);
}

Test(session, what_history_does_not_hold_is_not_recovered_and_said_so)
{
    struct scene scene;
    struct client clients[2];
    scene_begin(&scene);
    for (int i = 0; i < 9; i++) {
        scene_publish(&scene, "kept:a", "m");
    }
    join_with(&clients[0], &scene,
              &(struct session_options){
                  .channel = BYTES_OF("kept:a"), .recover = true, .since = {.offset = 2}});
    join_with(&clients[1], &scene,
              &(struct session_options){.channel = BYTES_OF("kept:a"),
                                        .recover = true,
                                        .since = {.offset = 8, .epoch = "another"}});
    scene_deliver(&scene);
    client_expect(&clients[0], "=started 9 ");
    client_expect(&clients[1], "=started 9 ");
    client_end(&clients[0]);
    client_end(&clients[1]);
    scene_end(&scene);
}

Test(session, a_wire_form_is_built_once_and_shared_by_all_of_its_form)
{
    struct scene scene;
    struct client same[3];
    struct client other;
    scene_begin(&scene);
    for (int i = 0; i < 3; i++) {
        join(&same[i], &scene, "kept:a");
    }
    client_begin(&other, &scene, &note_protocol, &other_sink,
                 &(struct session_options){.channel = BYTES_OF("kept:a")});
    scene_deliver(&scene);
    scene.frames = 0;
    scene_publish(&scene, "kept:a", "shared");
    scene_deliver(&scene);
    cr_assert_eq(scene.frames, 2, "framed %u times for two forms", scene.frames);
    cr_assert_eq(same[0].last, same[1].last);
    cr_assert_eq(same[0].last, same[2].last);
    cr_assert_neq(same[0].last, other.last);
    for (int i = 0; i < 3; i++) {
        client_expect(&same[i], "=started 0 =1:shared ");
        client_end(&same[i]);
    }
    client_end(&other);
    scene_end(&scene);
}

// --- publishing ---

static enum close_reason say(struct client *client, const char *message)
{
    return session_receive(&client->session, bytes_str(message), false);
}

Test(session, a_client_that_may_not_publish_is_refused)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "kept:a");
    client_expect(&client, "=started 0 ");
    cr_assert_eq(say(&client, "kept:a hello"), CLOSE_PERMISSION_DENIED);
    scene_deliver(&scene);
    client_expect(&client, "");
    client_end(&client);
    scene_end(&scene);
}

Test(session, what_a_client_publishes_reaches_all_or_all_but_itself)
{
    for (int excludes = 0; excludes <= 1; excludes++) {
        struct scene scene;
        struct client sender;
        struct client reader;
        scene_begin(&scene);
        join_with(&sender, &scene,
                  &(struct session_options){.channel = BYTES_OF("kept:a"),
                                            .client_publish = true,
                                            .exclude_sender = excludes == 1});
        join(&reader, &scene, "kept:a");
        cr_assert_eq(say(&sender, "kept:a hello"), CLOSE_NONE);
        client_expect(&sender, "=started 0 "); // not from within the call
        scene_deliver(&scene);
        client_expect(&sender, excludes ? "" : "=1:hello ");
        client_expect(&reader, "=started 0 =1:hello ");
        // Its own message counts as seen: the next one is no gap.
        scene_publish(&scene, "kept:a", "next");
        scene_deliver(&scene);
        client_expect(&sender, "=2:next ");
        client_end(&sender);
        client_end(&reader);
        scene_end(&scene);
    }
}

Test(session, messages_that_are_no_commands_or_name_no_channel_violate_the_policy)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join_with(&client, &scene,
              &(struct session_options){.channel = BYTES_OF("kept:a"), .client_publish = true});
    cr_assert_eq(say(&client, "nonsense"), CLOSE_POLICY_VIOLATION);
    cr_assert_eq(say(&client, "unknown:a hello"), CLOSE_POLICY_VIOLATION);
    cr_assert_eq(say(&client, " hello"), CLOSE_POLICY_VIOLATION);
    scene_deliver(&scene);
    client_end(&client);
    cr_assert_eq(say(&client, "kept:a hello"), CLOSE_NONE, "after the end nothing is run");
    scene_end(&scene);
}

// --- limits ---

Test(session, past_the_channel_limit_it_is_closed)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "kept:a,kept:b");
    cr_assert_eq(client.closes, 0);
    cr_assert_eq(client.session.subscription_count, 2);
    client_end(&client);
    join(&client, &scene, "kept:a,kept:b,kept:c");
    cr_assert_eq(client.reason, CLOSE_CHANNEL_LIMIT);
    cr_assert_eq(client.session.subscription_count, 0);
    client_expect(&client, "");
    client_end(&client);
    scene_end(&scene);
}

Test(session, an_unknown_namespace_closes)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "unknown:a");
    cr_assert_eq(client.closes, 1);
    cr_assert_eq(client.reason, CLOSE_POLICY_VIOLATION);
    client_end(&client);
    scene_end(&scene);
}

Test(session, leaving_a_channel_gives_its_place_back)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "kept:a,kept:b");
    cr_assert_eq(say(&client, "-kept:a"), CLOSE_NONE);
    cr_assert_eq(client.session.subscription_count, 1);
    client_expect(&client, "=started 0 =started 0 ");
    scene_publish(&scene, "kept:a", "x");
    scene_publish(&scene, "kept:b", "y");
    scene_deliver(&scene);
    client_expect(&client, "=1:y ");
    client_end(&client);
    scene_end(&scene);
}

// --- gaps ---

// Takes the next message away, as a full mailbox would.
static void lose_one(struct scene *scene)
{
    struct message *message = stage_take(&scene->stage, 0);
    cr_assert_not_null(message);
    cr_assert_eq(message->kind, MESSAGE_PUBLICATION);
    message->destroy(message);
}

Test(session, a_gap_in_the_offsets_heals_from_history)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "kept:a");
    scene_publish(&scene, "kept:a", "one");
    scene_deliver(&scene);
    scene_publish(&scene, "kept:a", "two");
    lose_one(&scene);
    scene_publish(&scene, "kept:a", "three");
    scene_publish(&scene, "kept:a", "four");
    scene_deliver(&scene);
    scene_publish(&scene, "kept:a", "five");
    scene_deliver(&scene);
    client_expect(&client, "=started 0 =1:one =2:two =3:three =4:four =5:five ");
    client_end(&client);
    scene_end(&scene);
}

Test(session, a_gap_that_history_does_not_cover_is_told)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "kept:a");
    for (int i = 0; i < 8; i++) {
        scene_publish(&scene, "kept:a", "lost");
        lose_one(&scene);
    }
    scene_publish(&scene, "kept:a", "nine");
    scene_deliver(&scene);
    client_expect(&client, "=started 0 =gap 0 ");
    scene_publish(&scene, "kept:a", "ten");
    scene_deliver(&scene);
    client_expect(&client, "=10:ten ");
    client_end(&client);
    scene_end(&scene);
}

Test(session, a_new_epoch_is_a_gap_too)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "kept:a");
    scene_publish(&scene, "kept:a", "one");
    scene_deliver(&scene);
    memcpy(list_entry(client.session.subscriptions.next, struct subscription, link)->epoch,
           "elsewher", EPOCH_LEN);
    scene_publish(&scene, "kept:a", "two");
    scene_deliver(&scene);
    client_expect(&client, "=started 0 =1:one =gap 0 ");
    scene_publish(&scene, "kept:a", "three");
    scene_deliver(&scene);
    client_expect(&client, "=3:three ");
    client_end(&client);
    scene_end(&scene);
}

Test(session, what_was_said_to_be_lost_heals_without_waiting_for_the_next_message)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "kept:a");
    scene_publish(&scene, "kept:a", "one");
    lose_one(&scene);
    fanout_each(&scene.fanout, BYTES_OF("kept:a"), session_on_lost);
    scene_deliver(&scene);
    client_expect(&client, "=started 0 =1:one ");
    client_end(&client);
    scene_end(&scene);
}

Test(session, without_history_messages_have_no_offset_and_no_gap)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "plain");
    scene_publish(&scene, "plain", "a");
    lose_one(&scene);
    scene_publish(&scene, "plain", "b");
    scene_deliver(&scene);
    client_expect(&client, "=started 0 =0:b ");
    client_end(&client);
    scene_end(&scene);
}

Test(session, messages_its_queue_dropped_are_told_when_it_is_empty_again)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join(&client, &scene, "plain");
    session_on_drained(&client.session);
    client_expect(&client, "=started 0 ");
    client.drops = 3;
    scene_publish(&scene, "plain", "a");
    scene_deliver(&scene);
    client.drops = 2;
    scene_publish(&scene, "plain", "b");
    scene_deliver(&scene);
    session_on_drained(&client.session);
    session_on_drained(&client.session);
    client_expect(&client, "=0:a =0:b =gap 5 ");
    client_end(&client);
    scene_end(&scene);
}

// --- catching up ---

Test(session, what_was_missed_comes_in_portions_and_nothing_twice)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    for (int i = 0; i < 5; i++) {
        scene_publish(&scene, "kept:a", "m");
    }
    join_with(&client, &scene,
              &(struct session_options){.channel = BYTES_OF("kept:a"), .recover = true});
    client.room = 3;
    scene_deliver(&scene);
    client_expect(&client, "=started 0! =1:m =2:m ");
    // While it is behind, what is published waits in history.
    scene_publish(&scene, "kept:a", "n");
    scene_deliver(&scene);
    client_expect(&client, "");
    client.room = 2;
    session_on_drained(&client.session);
    client_expect(&client, "");
    scene_deliver(&scene);
    client_expect(&client, "=3:m =4:m ");
    client.room = 100;
    session_on_drained(&client.session);
    scene_publish(&scene, "kept:a", "o");
    scene_deliver(&scene);
    client_expect(&client, "=5:m =6:n =7:o ");
    session_on_drained(&client.session);
    scene_deliver(&scene);
    client_expect(&client, "");
    client_end(&client);
    scene_end(&scene);
}

Test(session, who_is_behind_for_longer_than_history_lasts_is_told_of_the_gap)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    for (int i = 0; i < 3; i++) {
        scene_publish(&scene, "kept:a", "m");
    }
    join_with(&client, &scene,
              &(struct session_options){.channel = BYTES_OF("kept:a"), .recover = true});
    client.room = 2;
    scene_deliver(&scene);
    client_expect(&client, "=started 0! =1:m ");
    for (int i = 0; i < 6; i++) {
        scene_publish(&scene, "kept:a", "n");
    }
    client.room = 100;
    session_on_drained(&client.session);
    scene_deliver(&scene);
    client_expect(&client, "=gap 0 ");
    scene_publish(&scene, "kept:a", "o");
    scene_deliver(&scene);
    client_expect(&client, "=10:o ");
    client_end(&client);
    scene_end(&scene);
}

// --- ending ---

Test(session, a_late_answer_finds_nobody)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join_with(&client, &scene, &(struct session_options){.channel = BYTES_OF("kept:a")});
    session_close(&client.session);
    session_close(&client.session);
    struct client next;
    join_with(&next, &scene, &(struct session_options){.channel = BYTES_OF("kept:b")});
    scene_deliver(&scene);
    client_expect(&client, "");
    client_expect(&next, "=started 0 ");
    cr_assert_eq(scene.fanout.subscribers, 1);
    client_end(&client);
    client_end(&next);
    cr_assert_eq(scene.fanout.subscribers, 0);
    scene_end(&scene);
}

Test(session, a_session_that_ends_while_it_is_told_touches_nothing_of_it_any_more)
{
    for (int after = 1; after <= 4; after++) {
        struct scene scene;
        struct client client;
        scene_begin(&scene);
        for (int i = 0; i < 3; i++) {
            scene_publish(&scene, "kept:a", "m");
        }
        join_with(&client, &scene,
                  &(struct session_options){.channel = BYTES_OF("kept:a"), .initial = 3});
        client.slow_after = after;
        scene_publish(&scene, "kept:a", "n");
        scene_deliver(&scene);
        cr_assert_eq(client.closes, 1);
        cr_assert_eq(client.reason, CLOSE_SLOW);
        client_end(&client);
        scene_end(&scene);
    }
}

Test(session, a_publication_that_no_memory_is_left_for_closes_instead_of_missing)
{
    struct scene scene;
    struct client client;
    scene_begin(&scene);
    join_with(&client, &scene, &(struct session_options){.channel = BYTES_OF("kept:a")});
    scene_deliver(&scene);
    scene.has_no_memory = true;
    scene_publish(&scene, "kept:a", "m");
    scene_deliver(&scene);
    cr_assert_eq(client.closes, 1);
    cr_assert_eq(client.reason, CLOSE_INSUFFICIENT_STATE);
    scene.has_no_memory = false;
    scene_publish(&scene, "kept:a", "n");
    scene_deliver(&scene);
    cr_assert_eq(client.closes, 1);
    client_end(&client);
    scene_end(&scene);
}

Test(session, a_hub_without_room_closes_with_try_again_later)
{
    struct scene scene;
    struct client client;
    char name[32];
    scene_begin(&scene);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "kept:%d", i);
        scene_publish(&scene, name, "m");
    }
    join(&client, &scene, "kept:one_too_many");
    cr_assert_eq(client.reason, CLOSE_TRY_AGAIN_LATER);
    client_end(&client);
    scene_end(&scene);
}
