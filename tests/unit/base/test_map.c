// The map: finding, growing, shrinking down to nothing, walking while removing, hostile hashes.
#include "../../support/leaks.h"

#include "tidegate/base/map.h"
#include "tidegate/base/mem.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(map, .fini = leaks_check);

#define ITEMS 5000

struct item {
    struct map_node node; // of the test's map
    bool is_in;
    int visits;
    char key[16];
};

static bool item_equal(const struct map_node *node, struct bytes key)
{
    return bytes_equal(bytes_str(((const struct item *)node)->key), key);
}

static struct item *items_create(struct map *map)
{
    map_init(map, item_equal);
    struct item *items = mem_zalloc(ITEMS * sizeof(*items));
    for (int i = 0; i < ITEMS; i++) {
        snprintf(items[i].key, sizeof(items[i].key), "key-%d", i);
    }
    return items;
}

static struct bytes key_of(const struct item *item)
{
    return bytes_str(item->key);
}

static void add(struct map *map, struct item *item)
{
    map_add(map, &item->node, map_hash(key_of(item)));
    item->is_in = true;
}

static struct map_node *find(const struct map *map, const struct item *item)
{
    return map_find(map, map_hash(key_of(item)), key_of(item));
}

Test(map, an_empty_one_has_no_memory_finds_nothing_and_walks_nowhere)
{
    struct map map;
    map_init(&map, item_equal);
    cr_assert_null(map_find(&map, map_hash(BYTES_OF("a")), BYTES_OF("a")));
    cr_assert_null(map_next(&map, NULL));
    cr_assert_null(map.buckets);
    map_finish(&map);
}

Test(map, finds_each_node_by_its_key_and_no_other)
{
    struct map map;
    struct item *items = items_create(&map);
    for (int i = 0; i < ITEMS; i += 2) {
        add(&map, &items[i]);
    }
    cr_assert_eq(map.count, ITEMS / 2);
    for (int i = 0; i < ITEMS; i++) {
        cr_assert_eq(find(&map, &items[i]), i % 2 == 0 ? &items[i].node : NULL);
    }
    map_finish(&map);
    mem_free(items);
}

Test(map, frees_everything_when_the_last_node_goes)
{
    struct map map;
    struct item *items = items_create(&map);
    for (int i = 0; i < ITEMS; i++) {
        add(&map, &items[i]);
    }
    size_t at_most = map.bucket_count;
    for (int i = 0; i < ITEMS; i++) {
        map_remove(&map, &items[i].node);
        cr_assert_null(find(&map, &items[i]));
        cr_assert(map.count == 0 || map.bucket_count <= 4 || map.bucket_count <= map.count * 4);
    }
    cr_assert_geq(at_most, ITEMS / 2);
    cr_assert_null(map.buckets);
    cr_assert_eq(map.bucket_count, 0);
    add(&map, &items[0]);
    cr_assert_eq(find(&map, &items[0]), &items[0].node);
    map_finish(&map);
    mem_free(items);
}

Test(map, a_walk_visits_every_node_once)
{
    struct map map;
    struct item *items = items_create(&map);
    for (int i = 0; i < ITEMS; i++) {
        add(&map, &items[i]);
    }
    size_t visits = 0;
    for (struct map_node *node = map_next(&map, NULL); node != NULL; node = map_next(&map, node)) {
        cr_assert_eq(((struct item *)node)->visits++, 0);
        visits++;
    }
    cr_assert_eq(visits, ITEMS);
    map_finish(&map);
    mem_free(items);
}

Test(map, a_walk_that_removes_visits_every_node_once_though_the_table_shrinks)
{
    for (int keep_every = 2; keep_every < 200; keep_every += 33) {
        struct map map;
        struct item *items = items_create(&map);
        for (int i = 0; i < ITEMS; i++) {
            add(&map, &items[i]);
        }
        size_t buckets_before = map.bucket_count;
        size_t visits = 0;
        struct map_node *node = map_next(&map, NULL);
        while (node != NULL) {
            struct map_node *next = map_next(&map, node);
            cr_assert_eq(((struct item *)node)->visits++, 0);
            if (visits++ % (size_t)keep_every != 0) {
                map_remove(&map, node);
            }
            node = next;
        }
        cr_assert_eq(visits, ITEMS);
        cr_assert(keep_every < 5 || map.bucket_count < buckets_before, "it did shrink");
        map_finish(&map);
        mem_free(items);
    }
}

Test(map, removing_everything_in_a_walk_leaves_nothing)
{
    struct map map;
    struct item *items = items_create(&map);
    for (int i = 0; i < ITEMS; i++) {
        add(&map, &items[i]);
    }
    struct map_node *node = map_next(&map, NULL);
    while (node != NULL) {
        struct map_node *next = map_next(&map, node);
        map_remove(&map, node);
        node = next;
    }
    cr_assert_eq(map.count, 0);
    cr_assert_null(map.buckets);
    mem_free(items);
}

Test(map, equal_hashes_are_told_apart_by_key)
{
    struct map map;
    struct item *items = items_create(&map);
    const uint64_t hashes[] = {0, UINT64_MAX, 1, UINT64_MAX / 2};
    for (int i = 0; i < 100; i++) {
        map_add(&map, &items[i].node, hashes[i % 4]);
    }
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(map_find(&map, hashes[i % 4], key_of(&items[i])), &items[i].node);
        cr_assert_null(map_find(&map, hashes[(i + 1) % 4], key_of(&items[i])));
    }
    size_t visits = 0;
    for (struct map_node *node = map_next(&map, NULL); node != NULL; node = map_next(&map, node)) {
        visits++;
    }
    cr_assert_eq(visits, 100);
    for (int i = 0; i < 100; i += 3) {
        map_remove(&map, &items[i].node);
    }
    for (int i = 0; i < 100; i++) {
        struct map_node *found = map_find(&map, hashes[i % 4], key_of(&items[i]));
        cr_assert_eq(found, i % 3 == 0 ? NULL : &items[i].node);
    }
    map_finish(&map);
    mem_free(items);
}

Test(map, random_adds_and_removes_agree_with_a_plain_table)
{
    srand(42);
    struct map map;
    struct item *items = items_create(&map);
    size_t count = 0;
    for (int round = 0; round < 100000; round++) {
        // The share of adds swings, so that the table grows and shrinks several times.
        bool mostly_add = round / 10000 % 2 == 0;
        struct item *item = &items[rand() % ITEMS];
        bool want = rand() % 10 < (mostly_add ? 8 : 2);
        if (want && !item->is_in) {
            add(&map, item);
            count++;
        } else if (!want && item->is_in) {
            map_remove(&map, &item->node);
            item->is_in = false;
            count--;
        }
        cr_assert_eq(map.count, count);
        cr_assert_eq(find(&map, item), item->is_in ? &item->node : NULL);
    }
    for (int i = 0; i < ITEMS; i++) {
        cr_assert_eq(find(&map, &items[i]), items[i].is_in ? &items[i].node : NULL);
    }
    map_finish(&map);
    mem_free(items);
}

Test(map, removing_a_node_that_is_not_in_the_map_aborts, .signal = SIGABRT)
{
    struct map map;
    struct item *items = items_create(&map);
    add(&map, &items[0]);
    items[1].node.hash = items[0].node.hash;
    map_remove(&map, &items[1].node);
}

Test(map, hash_depends_on_every_byte_and_on_the_length)
{
    char zeros[40] = {0};
    uint64_t seen[200];
    size_t count = 0;
    for (size_t len = 0; len <= 40; len++) {
        seen[count++] = map_hash(bytes_make(zeros, len));
    }
    for (size_t i = 0; i < 40; i++) {
        char other[40] = {0};
        other[i] = 1;
        seen[count++] = map_hash(bytes_make(other, 40));
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            cr_assert_neq(seen[i], seen[k]);
        }
    }
    cr_assert_eq(map_hash(BYTES_EMPTY), map_hash(BYTES_OF("")));
    cr_assert_eq(map_hash(BYTES_OF("same")), map_hash(BYTES_OF("same")));
}

// In a program started by hash_in_new_process(): answers instead of running tests.
ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    const char *fd = getenv("TEST_MAP_HASH_FD");
    if (fd != NULL) {
        uint64_t hash = map_hash(BYTES_OF("key"));
        ssize_t written = write(atoi(fd), &hash, sizeof(hash));
        _exit(written == (ssize_t)sizeof(hash) ? 0 : 1);
    }
}

static uint64_t hash_in_new_process(void)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        // An environment of its own: Criterion's would make it this test once more.
        char fd[40];
        snprintf(fd, sizeof(fd), "TEST_MAP_HASH_FD=%d", ends[1]);
        execle("/proc/self/exe", "test_map", (char *)NULL, (char *const[]){fd, NULL});
        _exit(1);
    }
    close(ends[1]);
    uint64_t hash = 0;
    cr_assert_eq(read(ends[0], &hash, sizeof(hash)), (ssize_t)sizeof(hash));
    cr_assert_eq(waitpid(child, NULL, 0), child);
    close(ends[0]);
    return hash;
}

Test(map, each_process_hashes_under_a_seed_of_its_own)
{
    uint64_t one = hash_in_new_process();
    uint64_t two = hash_in_new_process();
    cr_assert_neq(one, two);
    cr_assert_neq(one, map_hash(BYTES_OF("key")));
}
