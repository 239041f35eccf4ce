/* Topics outlive the process and nothing else of them does: a deleted one must not come back, nor its records in one
 * that is made again; what a crash left of either must go.
 * How: each change, then what is found before and after opening again. */
#include <sys/stat.h>

#include "log_helpers.h"

static bool exists(const char *name)
{
    char path[512];
    struct stat info;

    snprintf(path, sizeof(path), "%s/%s", test_dir, name);
    return stat(path, &info) == 0;
}

static struct log *reopen(struct log *log)
{
    log_close(log);
    return open_log();
}

static void names_and_counts_are_checked(void **state)
{
    struct log *log = open_log();
    char longest[TOPIC_NAME_MOST + 2];

    memset(longest, 'x', sizeof(longest));
    longest[TOPIC_NAME_MOST + 1] = 0;
    assert_int_equal(log_topic_create(log, longest, 1, NULL, 0), ERR_INVALID);
    longest[TOPIC_NAME_MOST] = 0;
    ok(log_topic_create(log, longest, 1, NULL, 0));
    assert_int_equal(log_topic_create(log, "", 1, NULL, 0), ERR_INVALID);
    assert_int_equal(log_topic_create(log, ".", 1, NULL, 0), ERR_INVALID);
    assert_int_equal(log_topic_create(log, "..", 1, NULL, 0), ERR_INVALID);
    assert_int_equal(log_topic_create(log, "a/b", 1, NULL, 0), ERR_INVALID);
    assert_int_equal(log_topic_create(log, "a b", 1, NULL, 0), ERR_INVALID);
    assert_int_equal(log_topic_create(log, "a", 0, NULL, 0), ERR_INVALID);
    assert_int_equal(log_topic_create(log, "a", TOPIC_PARTITIONS_MOST + 1, NULL, 0), ERR_INVALID);
    ok(log_topic_create(log, "a", 1, NULL, 0));
    assert_int_equal(log_topic_create(log, "a", 1, NULL, 0), ERR_EXISTS);
    assert_int_equal(log_topic_delete(log, "b"), ERR_NOT_FOUND);
    assert_int_equal(log_topic_delete(log, "__consumer_offsets"), ERR_DENIED);
    assert_int_equal(log_topic_grow(log, "a", 1), ERR_INVALID);
    assert_null(log_partition(log, "a", 1));
    assert_null(log_partition(log, "a", -1));
    assert_null(log_partition(log, "b", 0));
    log_close(log);
}

static void topics_and_settings_are_kept(void **state)
{
    const struct topic_setting settings[] = {
        {"retention.ms", "3600000"},
        {"cleanup.policy", "delete"},
    };
    const struct topic_setting changes[] = {
        {"retention.ms", ""},
        {"segment.bytes", "\"odd\" \\"},
    };
    struct arena arena = arena_init(1 << 20);
    struct log *log = open_log();
    struct topic_info before, info, *list;
    size_t count;

    ok(log_topic_create(log, "demo.pin", 3, settings, 2));
    ok(log_topic_create(log, "a", 1, NULL, 0));
    ok(log_topic_find(log, "demo.pin", &arena, &before));
    log = reopen(log);
    ok(log_topic_find(log, "demo.pin", &arena, &info));
    assert_int_equal(info.partition_count, 3);
    assert_memory_equal(info.id, before.id, TOPIC_ID_BYTES);
    assert_int_equal(info.created_ms, before.created_ms);
    assert_int_equal(info.setting_count, 2);
    assert_string_equal(info.settings[0].name, "retention.ms");
    assert_string_equal(info.settings[0].value, "3600000");
    ok(log_topic_find_id(log, before.id, &arena, &info));
    assert_string_equal(info.name, "demo.pin");

    ok(log_topic_set(log, "demo.pin", changes, 2));
    ok(log_topic_grow(log, "demo.pin", 5));
    log = reopen(log);
    ok(log_topic_find(log, "demo.pin", &arena, &info));
    assert_int_equal(info.partition_count, 5);
    assert_memory_equal(info.id, before.id, TOPIC_ID_BYTES);
    assert_int_equal(info.setting_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(info.settings[i].value,
                            strcmp(info.settings[i].name, "segment.bytes") == 0 ? "\"odd\" \\" : "delete");

    ok(log_topic_list(log, &arena, &list, &count));
    assert_int_equal(count, 4);
    assert_string_equal(list[0].name, "__consumer_offsets");
    assert_true(list[0].internal);
    assert_string_equal(list[1].name, "__pinrail_topics");
    assert_true(list[1].internal);
    assert_string_equal(list[2].name, "a");
    assert_false(list[2].internal);
    assert_string_equal(list[3].name, "demo.pin");
    log_close(log);
    arena_release(&arena);
}

static void a_deleted_topic_is_gone(void **state)
{
    struct arena arena = arena_init(1 << 20);
    struct log *log = open_log();
    struct partition *old, *partition;
    struct buf buf = buf_init(1 << 16);
    struct append append;
    struct topic_info info;

    ok(log_topic_create(log, "t", 2, NULL, 0));
    old = log_partition(log, "t", 1);
    append_records(old, "old", 5, 1);
    ok(log_topic_delete(log, "t"));
    assert_false(exists("t-0"));
    assert_false(exists("t-1"));
    assert_int_equal(log_topic_find(log, "t", &arena, &info), ERR_NOT_FOUND);
    assert_int_equal(partition_append(old, make_batch(&buf, "x", 1, 1), &append), ERR_NOT_FOUND);
    assert_int_equal(partition_settled(old, 6), ERR_NOT_FOUND);
    buf_clear(&buf);
    assert_int_equal(partition_read(old, 0, 100, &buf), ERR_NOT_FOUND);

    ok(log_topic_create(log, "t", 2, NULL, 0));
    partition = log_partition(log, "t", 1);
    assert_int_equal(partition_end_offset(partition), 0);
    assert_int_equal(append_records(partition, "new", 1, 1), 0);
    partition_put(partition);
    partition_put(old);
    ok(log_topic_delete(log, "t"));
    log = reopen(log);
    assert_int_equal(log_topic_find(log, "t", &arena, &info), ERR_NOT_FOUND);
    log_close(log);
    buf_release(&buf);
    arena_release(&arena);
}

static void a_topic_deleted_with_appends_under_way_lets_waiters_go(void **state)
{
    struct log *log = open_log();
    struct buf buf = buf_init(1 << 16);

    for (int i = 0; i < 50; i++) {
        struct partition *partition;
        struct append append;
        enum err err;
        ok(log_topic_create(log, "t", 1, NULL, 0));
        partition = log_partition(log, "t", 0);
        ok(partition_append(partition, make_batch(&buf, "x", 1, 1), &append));
        ok(log_topic_delete(log, "t"));
        err = partition_wait(partition, append.end_offset, 10000);
        assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
        partition_put(partition);
    }
    log_close(log);
    buf_release(&buf);
}

static void what_a_crash_left_behind_is_removed(void **state)
{
    struct log *log = open_log();
    char path[512];

    ok(log_topic_create(log, "t", 1, NULL, 0));
    log_close(log);
    snprintf(path, sizeof(path), "%s/gone-0", test_dir);
    ok(disk_make_dirs(disk_real(), path));
    snprintf(path, sizeof(path), "%s/gone-0/00000000000000000000.log", test_dir);
    ok(disk_write_file(disk_real(), path, BYTES("rest")));
    snprintf(path, sizeof(path), "%s/t-1", test_dir);
    ok(disk_make_dirs(disk_real(), path));
    snprintf(path, sizeof(path), "%s/notes", test_dir); /* not ours to remove */
    ok(disk_make_dirs(disk_real(), path));
    log = open_log();
    assert_false(exists("gone-0"));
    assert_false(exists("t-1"));
    assert_true(exists("t-0"));
    assert_true(exists("notes"));
    log_close(log);
}

/* A topic whose folder somebody removed must not come back empty, as if nothing had been in it. */
static void a_missing_folder_is_noticed(void **state)
{
    struct log *log = open_log();
    struct partition *partition;
    struct buf buf = buf_init(100);
    char path[512];

    ok(log_topic_create(log, "t", 1, NULL, 0));
    log_close(log);
    snprintf(path, sizeof(path), "%s/t-0", test_dir);
    ok(disk_remove_tree(disk_real(), path));
    trace_set_level((enum trace_level) - 1);
    log = open_log();
    partition = log_partition(log, "t", 0);
    assert_int_equal(partition_read(partition, 0, 100, &buf), ERR_IO);
    partition_put(partition);
    ok(log_topic_delete(log, "t"));
    log_close(log);
}

/* Many changes must not make the metadata grow for ever, nor may writing it anew lose a topic. */
static void metadata_stays_small(void **state)
{
    struct topic_setting settings[40];
    struct arena arena = arena_init(1 << 20);
    struct log *log = open_log();
    struct partition *metadata = log_partition(log, "__pinrail_topics", 0);
    struct topic_info info;
    int64_t id, last_id;

    for (int i = 0; i < 40; i++) {
        snprintf(settings[i].name, sizeof(settings[i].name), "note-%d", i);
        memset(settings[i].value, 'x', sizeof(settings[i].value));
        settings[i].value[sizeof(settings[i].value) - 1] = 0;
    }
    ok(log_topic_create(log, "kept", 2, NULL, 0));
    ok(log_new_producer_id(log, &last_id));
    ok(log_topic_create(log, "t", 1, NULL, 0));
    for (int i = 0; i < 1200; i++) {
        settings[0].value[0] = (char)('a' + i % 26);
        ok(log_topic_set(log, "t", settings, 40));
    }
    assert_true(partition_size_bytes(metadata) < 6 << 20);
    assert_true(partition_start_offset(metadata) > 0);
    partition_put(metadata);
    log = reopen(log);
    ok(log_topic_find(log, "kept", &arena, &info));
    assert_int_equal(info.partition_count, 2);
    ok(log_topic_find(log, "t", &arena, &info));
    assert_int_equal(info.setting_count, 40);
    assert_string_equal(info.settings[0].value, settings[0].value);
    ok(log_new_producer_id(log, &id));
    assert_true(id > last_id);
    log_close(log);
    arena_release(&arena);
}

static void producer_ids_are_never_given_twice(void **state)
{
    struct log *log = open_log();
    int64_t id, last = -1;

    for (int i = 0; i < 2500; i++) {
        ok(log_new_producer_id(log, &id));
        assert_true(id > last);
        last = id;
        if (i % 700 == 0)
            log = reopen(log);
    }
    log_close(log);
}

static void doors_are_woken(void **state)
{
    struct log *log = open_log();
    struct partition *partition;
    uint64_t count;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    ok(log_wake_on_commit(log, ends[1]));
    ok(log_topic_create(log, "t", 1, NULL, 0));
    assert_int_equal(read(ends[0], &count, 8), 8);
    partition = log_partition(log, "t", 0);
    append_records(partition, "x", 1, 1);
    assert_int_equal(read(ends[0], &count, 8), 8);
    log_wake_forget(log, ends[1]);
    close(ends[1]);
    append_records(partition, "x", 1, 1);
    while (read(ends[0], &count, 8) == 8) { /* until the end of the pipe, which is closed */
    }
    close(ends[0]);
    partition_put(partition);
    log_close(log);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_test_dir, remove_test_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(names_and_counts_are_checked),
        test(topics_and_settings_are_kept),
        test(a_deleted_topic_is_gone),
        test(a_topic_deleted_with_appends_under_way_lets_waiters_go),
        test(what_a_crash_left_behind_is_removed),
        test(a_missing_folder_is_noticed),
        test(metadata_stays_small),
        test(producer_ids_are_never_given_twice),
        test(doors_are_woken),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
