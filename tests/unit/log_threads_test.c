/* Doors append, read and commit from many threads while topics change and segments roll. A race would lose a record, give
 * one twice, or hand out bytes that are not on disk yet.
 * How: several threads append numbered records and wait for them, others follow the partitions and check what they see,
 * one trims, one makes and deletes topics, one commits offsets; the room for unsynced bytes is small, so that appenders wait
 * for the disk. Run it under ThreadSanitizer for more. */
#include <pthread.h>
#include <stdatomic.h>

#include "log_helpers.h"

enum { APPENDERS = 3, READERS = 2, RECORDS = 1500, VALUE_BYTES = 600 };

static struct log *the_log;
static _Atomic bool done;

static struct partition *the_partition(int number)
{
    struct partition *partition = log_partition(the_log, "t", number);

    assert_non_null(partition);
    return partition;
}

/* Each value begins with its appender and number; of an appender they stand in order. */
static void *append_many(void *arg)
{
    int appender = (int)(intptr_t)arg;
    struct partition *partition = the_partition(appender % 2);
    struct buf buf = buf_init(1 << 20);
    struct append append;

    for (int i = 0; i < RECORDS; i++) {
        char value[VALUE_BYTES] = {0};
        struct batch_writer writer;
        struct bytes batch;
        snprintf(value, sizeof(value), "%d %d", appender, i);
        buf_clear(&buf);
        ok(batch_begin(&writer, &buf));
        ok(batch_add(&writer, &(struct record){.timestamp_ms = i,
                                               .value = bytes_of((uint8_t *)value, sizeof(value))}));
        ok(batch_finish(&writer, &batch));
        ok(partition_append(partition, batch, &append));
        if (i % 7 == 0) {
            ok(partition_wait(partition, append.end_offset, -1));
            assert_true(partition_end_offset(partition) >= append.end_offset);
        }
    }
    ok(partition_wait(partition, append.end_offset, -1));
    partition_put(partition);
    buf_release(&buf);
    return NULL;
}

static void *follow(void *arg)
{
    int number = (int)(intptr_t)arg, next[APPENDERS] = {0};
    struct partition *partition = the_partition(number);
    struct buf buf = buf_init(1 << 20);
    int64_t offset = 0;

    while (!atomic_load(&done) || offset < partition_end_offset(partition)) {
        struct batch_reader reader;
        struct record record;
        int64_t time_offset, time_ms;
        enum err err;
        buf_clear(&buf);
        err = partition_read(partition, offset, 5000, &buf);
        if (err == ERR_RANGE) { /* trimmed under us */
            assert_true(partition_start_offset(partition) > offset);
            offset = partition_start_offset(partition);
            memset(next, -1, sizeof(next));
            continue;
        }
        ok(err);
        reader = batch_reader(buf_bytes(&buf));
        while (!(err = batch_read(&reader, &record))) {
            int appender, i;
            assert_int_equal(record.offset, offset);
            offset++;
            assert_int_equal(sscanf((const char *)record.value.at, "%d %d", &appender, &i), 2);
            assert_in_range(appender, 0, APPENDERS - 1);
            assert_true(next[appender] < 0 || i == next[appender]);
            next[appender] = i + 1;
        }
        assert_int_equal(err, ERR_END);
        batch_reader_release(&reader);
        err = partition_find_time(partition, offset % 100, &time_offset, &time_ms);
        assert_true(err == ERR_OK || err == ERR_END);
        if (buf.size == 0)
            usleep(200);
    }
    partition_put(partition);
    buf_release(&buf);
    return NULL;
}

static void *trim_sometimes(void *arg)
{
    struct partition *partition = the_partition(1);

    while (!atomic_load(&done)) {
        ok(partition_trim(partition, partition_end_offset(partition) / 2));
        usleep(3000);
    }
    partition_put(partition);
    return NULL;
}

static void *change_topics(void *arg)
{
    struct topic_setting setting = {"segment.bytes", "3000"};
    struct arena arena = arena_init(1 << 24);
    struct topic_info *list;
    size_t count;

    for (int i = 0; !atomic_load(&done); i++) {
        struct partition *partition;
        int64_t id;
        ok(log_topic_create(the_log, "passing", 2, &setting, 1));
        partition = log_partition(the_log, "passing", 1);
        append_records(partition, "x", 3, 1);
        ok(log_topic_grow(the_log, "passing", 3));
        snprintf(setting.value, sizeof(setting.value), "%d", 2000 + i % 7 * 1000);
        ok(log_topic_set(the_log, "t", &setting, 1));
        ok(log_topic_list(the_log, &arena, &list, &count));
        assert_int_equal(count, 4);
        ok(log_topic_delete(the_log, "passing"));
        ok(log_new_producer_id(the_log, &id));
        partition_put(partition);
        arena_release(&arena);
    }
    return NULL;
}

static void *commit_offsets(void *arg)
{
    struct arena arena = arena_init(1 << 20);
    struct committed committed;

    for (int64_t i = 0; !atomic_load(&done); i++) {
        struct partition *where;
        int64_t end;
        ok(log_offset_commit(the_log, "g", "t", 0, i, -1, BYTES(""), &where, &end));
        ok(partition_wait(where, end, -1));
        partition_put(where);
        ok(log_offset_fetch(the_log, "g", "t", 0, &arena, &committed));
        assert_int_equal(committed.offset, i);
        arena_release(&arena);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    struct log_options options = {
        .dir = test_dir, .disk = disk_real(), .segment_bytes = 200000, .unsynced_most_bytes = 200000};
    pthread_t appenders[APPENDERS], others[READERS + 3];
    struct partition *partition;

    ok(log_open(&the_log, &options));
    ok(log_topic_create(the_log, "t", 2, NULL, 0));
    for (int i = 0; i < READERS; i++)
        pthread_create(&others[i], NULL, follow, (void *)(intptr_t)i);
    pthread_create(&others[READERS], NULL, trim_sometimes, NULL);
    pthread_create(&others[READERS + 1], NULL, change_topics, NULL);
    pthread_create(&others[READERS + 2], NULL, commit_offsets, NULL);
    for (int i = 0; i < APPENDERS; i++)
        pthread_create(&appenders[i], NULL, append_many, (void *)(intptr_t)i);
    for (int i = 0; i < APPENDERS; i++)
        pthread_join(appenders[i], NULL);
    atomic_store(&done, true);
    for (int i = 0; i < READERS + 3; i++)
        pthread_join(others[i], NULL);
    for (int opening = 0; opening < 2; opening++) {
        partition = the_partition(0);
        assert_int_equal(partition_end_offset(partition), 2 * RECORDS);
        assert_int_equal(read_records(partition, 0, 10000, NULL, NULL), 2 * RECORDS);
        partition_put(partition);
        log_close(the_log);
        ok(log_open(&the_log, &options));
    }
    log_close(the_log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_lost_between_threads, make_test_dir, remove_test_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
