/* A committed offset that is lost makes a consumer read again; one that comes back from the past, too; one that belongs
 * to another group makes it lose records. And commits go on for months: they must not fill the disk.
 * How: commits, deletions and many of both against a plain table, before and after opening again. */
#include "log_helpers.h"

static void commit(struct log *log, const char *group, const char *topic, int32_t partition, int64_t offset)
{
    struct partition *where;
    int64_t end;

    ok(log_offset_commit(log, group, topic, partition, offset, 3, BYTES("meta"), &where, &end));
    ok(partition_wait(where, end, -1));
    partition_put(where);
}

static int64_t fetch(struct log *log, const char *group, const char *topic, int32_t partition)
{
    struct arena arena = arena_init(1 << 16);
    struct committed committed;
    enum err err = log_offset_fetch(log, group, topic, partition, &arena, &committed);

    if (!err) {
        assert_string_equal(committed.metadata, "meta");
        assert_int_equal(committed.leader_epoch, 3);
        assert_true(committed.commit_ms > 1600000000000);
    } else {
        assert_int_equal(err, ERR_NOT_FOUND);
    }
    arena_release(&arena);
    return err ? -1 : committed.offset;
}

static struct log *reopen(struct log *log)
{
    log_close(log);
    return open_log();
}

static void commits_are_kept_and_listed(void **state)
{
    struct arena arena = arena_init(1 << 20);
    struct log *log = open_log();
    struct committed_entry *list;
    char **groups;
    size_t count;

    commit(log, "g", "t", 0, 5);
    commit(log, "g", "t", 0, 7);
    commit(log, "g", "t", 1, 9);
    commit(log, "g", "s", 0, 1);
    commit(log, "another", "t", 0, 100);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(fetch(log, "g", "t", 0), 7);
        assert_int_equal(fetch(log, "g", "t", 1), 9);
        assert_int_equal(fetch(log, "another", "t", 0), 100);
        assert_int_equal(fetch(log, "another", "t", 1), -1);
        ok(log_offset_list(log, "g", &arena, &list, &count));
        assert_int_equal(count, 3);
        assert_string_equal(list[0].topic, "s");
        assert_string_equal(list[2].topic, "t");
        assert_int_equal(list[2].partition, 1);
        assert_int_equal(list[2].committed.offset, 9);
        ok(log_group_list(log, &arena, &groups, &count));
        assert_int_equal(count, 2);
        assert_string_equal(groups[0], "another");
        assert_string_equal(groups[1], "g");
        log = reopen(log);
    }
    ok(log_offset_delete(log, "g", "t", 1));
    assert_int_equal(log_offset_delete(log, "g", "t", 1), ERR_NOT_FOUND);
    assert_int_equal(fetch(log, "g", "t", 1), -1);
    ok(log_offset_delete(log, "another", NULL, 0));
    log = reopen(log);
    assert_int_equal(fetch(log, "g", "t", 1), -1);
    assert_int_equal(fetch(log, "g", "t", 0), 7);
    assert_int_equal(fetch(log, "another", "t", 0), -1);
    log_close(log);
    arena_release(&arena);
}

static void bad_commits_are_refused(void **state)
{
    struct log *log = open_log();
    struct partition *where;
    int64_t end;
    static uint8_t large[4097];

    memset(large, 'x', sizeof(large));
    assert_int_equal(log_offset_commit(log, "g", "", 0, 1, -1, BYTES(""), &where, &end), ERR_INVALID);
    assert_int_equal(log_offset_commit(log, "g", "a/b", 0, 1, -1, BYTES(""), &where, &end), ERR_INVALID);
    assert_int_equal(log_offset_commit(log, "g", "t", 0, 1, -1, bytes_of(large, 4097), &where, &end),
                     ERR_TOO_LARGE);
    assert_int_equal(log_offset_commit(log, "g", "t", 0, 1, -1, BYTES("a\0b"), &where, &end), ERR_INVALID);
    ok(log_offset_commit(log, "g", "t", 0, 1, -1, bytes_of(large, 4096), &where, &end));
    partition_put(where);
    log_close(log);
}

static void a_deleted_topic_takes_its_offsets_along(void **state)
{
    struct log *log = open_log();

    ok(log_topic_create(log, "t", 1, NULL, 0));
    commit(log, "g", "t", 0, 5);
    commit(log, "g", "u", 0, 5);
    ok(log_topic_delete(log, "t"));
    assert_int_equal(fetch(log, "g", "t", 0), -1);
    log = reopen(log);
    assert_int_equal(fetch(log, "g", "t", 0), -1);
    assert_int_equal(fetch(log, "g", "u", 0), 5);
    log_close(log);
}

/* A month of a commit a second would be 2.6 million records of some 120 bytes. */
static void many_commits_take_little_room(void **state)
{
    enum { GROUPS = 40, COMMITS = 300000 };
    static int64_t table[GROUPS];
    struct log *log = open_log();
    struct partition *where = NULL;
    int64_t end = 0, size, largest = 0;
    uint32_t seed = 3;

    for (int i = 0; i < COMMITS; i++) {
        char group[32];
        seed = seed * 1664525 + 1013904223;
        int g = (int)(seed >> 8) % GROUPS;
        snprintf(group, sizeof(group), "group-%d", g);
        ok(log_offset_commit(log, group, "demo.pin", 0, i, 3, BYTES("meta"), &where, &end));
        table[g] = i;
        if (i % 1000 == 0) {
            ok(partition_wait(where, end, -1));
            size = partition_size_bytes(where);
            largest = size > largest ? size : largest;
        }
        partition_put(where);
        if (i % 100000 == 50000)
            log = reopen(log);
    }
    assert_true(largest < 8 << 20);
    log = reopen(log);
    for (int g = 0; g < GROUPS; g++) {
        char group[32];
        snprintf(group, sizeof(group), "group-%d", g);
        assert_int_equal(fetch(log, group, "demo.pin", 0), table[g]);
    }
    log_close(log);
}

/* Deleting from the middle of the table's runs must not hide what comes behind. */
static void deletions_hide_nothing(void **state)
{
    enum { KEYS = 600 };
    static int64_t table[KEYS];
    struct log *log = open_log();
    uint32_t seed = 11;

    for (int i = 0; i < KEYS; i++)
        table[i] = -1;
    for (int i = 0; i < 2000; i++) {
        seed = seed * 1664525 + 1013904223;
        int key = (int)(seed >> 8) % KEYS;
        if (table[key] >= 0 && i % 2) {
            ok(log_offset_delete(log, "g", "t", key));
            table[key] = -1;
        } else {
            struct partition *where;
            int64_t end;
            ok(log_offset_commit(log, "g", "t", key, i, 3, BYTES("meta"), &where, &end));
            partition_put(where);
            table[key] = i;
        }
    }
    for (int opening = 0; opening < 2; opening++) {
        for (int i = 0; i < KEYS; i++)
            assert_int_equal(fetch(log, "g", "t", i), table[i]);
        log = reopen(log);
    }
    log_close(log);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_test_dir, remove_test_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(commits_are_kept_and_listed),
        test(bad_commits_are_refused),
        test(a_deleted_topic_takes_its_offsets_along),
        test(many_commits_take_little_room),
        test(deletions_hide_nothing),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
