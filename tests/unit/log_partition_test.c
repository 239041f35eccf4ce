/* What was settled must be read back, in order, whatever the size of the reads, across segments and openings; and
 * what is not a good batch must be refused without a trace.
 * How: small segments so that there are many, every read size, every field of a batch made wrong. */
#include "log_helpers.h"

static struct partition *new_topic(struct log *log, const char *segment_bytes)
{
    struct topic_setting setting = {"segment.bytes", ""};
    struct partition *partition;

    snprintf(setting.value, sizeof(setting.value), "%s", segment_bytes);
    ok(log_topic_create(log, "t", 1, &setting, 1));
    partition = log_partition(log, "t", 0);
    assert_non_null(partition);
    return partition;
}

static void check_value(void *arg, const struct record *record)
{
    char value[64];

    snprintf(value, sizeof(value), "batch-%lld-%lld", (long long)record->offset / 3,
             (long long)record->offset % 3);
    assert_true(bytes_equal(record->value, bytes_of_text(value)));
}

static void records_come_back_across_segments_and_openings(void **state)
{
    struct log *log = open_log();
    struct partition *partition = new_topic(log, "1000");
    struct buf buf = buf_init(1 << 20);

    for (int i = 0; i < 200; i++) {
        char prefix[32];
        snprintf(prefix, sizeof(prefix), "batch-%d", i);
        assert_int_equal(append_records(partition, prefix, 3, 1000 + i * 10), i * 3);
    }
    for (int opening = 0; opening < 3; opening++) {
        const size_t sizes[] = {1, 100, 500, 5000, 1 << 20};
        assert_int_equal(partition_end_offset(partition), 600);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
            assert_int_equal(read_records(partition, 0, sizes[i], check_value, NULL), 600);
        for (int64_t offset = 0; offset < 600; offset++) {
            struct batch_head head;
            buf_clear(&buf);
            ok(partition_read(partition, offset, 1, &buf));
            ok(batch_head(buf_bytes(&buf), &head));
            assert_int_equal(head.size, buf.size); /* one batch, the one that holds it */
            assert_int_equal(head.base_offset, offset / 3 * 3);
        }
        buf_clear(&buf);
        ok(partition_read(partition, 600, 1000, &buf));
        assert_int_equal(buf.size, 0);
        assert_int_equal(partition_read(partition, 601, 1000, &buf), ERR_RANGE);
        assert_int_equal(partition_read(partition, -1, 1000, &buf), ERR_RANGE);
        partition_put(partition);
        log_close(log);
        log = open_log();
        partition = log_partition(log, "t", 0);
    }
    partition_put(partition);
    log_close(log);
    buf_release(&buf);
}

static void malformed_batches_are_refused(void **state)
{
    struct log *log = open_log();
    struct partition *partition = new_topic(log, "1000000");
    struct buf buf = buf_init(1 << 24);
    struct append append;
    struct bytes batch = make_batch(&buf, "good", 3, 5);
    uint8_t *copy = malloc(batch.size);

    for (size_t size = 0; size < batch.size; size++) /* cut anywhere */
        assert_int_equal(
            partition_append(partition, bytes_of(memcpy(copy, batch.at, batch.size), size), &append),
            ERR_INVALID);
    for (size_t at = BATCH_AT_LENGTH; at < batch.size; at++) { /* any byte wrong but the leader epoch */
        if (at >= BATCH_AT_LEADER_EPOCH && at < BATCH_AT_MAGIC)
            continue;
        memcpy(copy, batch.at, batch.size);
        copy[at] ^= 0x41;
        assert_int_not_equal(partition_append(partition, bytes_of(copy, batch.size), &append), ERR_OK);
    }
    for (size_t at = BATCH_AT_ATTRIBUTES; at < batch.size; at++) { /* and with a checksum that holds */
        enum err err;
        memcpy(copy, batch.at, batch.size);
        copy[at] ^= 0x41;
        put_u32(copy + BATCH_AT_CRC,
                crc32c(bytes_of(copy + BATCH_AT_ATTRIBUTES, batch.size - BATCH_AT_ATTRIBUTES)));
        err = partition_append(partition, bytes_of(copy, batch.size), &append);
        if (!err) /* a change of what records hold is no business of the log */
            ok(partition_wait(partition, append.end_offset, -1));
        else
            assert_true(err == ERR_INVALID || err == ERR_CORRUPT || err == ERR_UNSUPPORTED ||
                        err == ERR_TOO_LARGE);
    }
    read_records(partition, 0, 1000, NULL, NULL); /* whatever was taken can be read */
    make_batch(&buf, "large", 100000, 0);
    assert_int_equal(partition_append(partition, buf_bytes(&buf), &append), ERR_TOO_LARGE);
    free(copy);
    buf_release(&buf);
    partition_put(partition);
    log_close(log);
}

/* The maximum in a client's head is what time searches go by. */
static void a_wrong_maximum_time_is_mended(void **state)
{
    struct log *log = open_log();
    struct partition *partition = new_topic(log, "1000000");
    struct buf buf = buf_init(1 << 20);
    struct bytes batch = make_batch(&buf, "x", 3, 100);
    struct append append;
    int64_t offset, time_ms;

    put_u64((uint8_t *)batch.at + BATCH_AT_MAX_TIME, 7);
    set_producer(batch, -1, -1, -1); /* and its checksum */
    ok(partition_append(partition, batch, &append));
    ok(partition_wait(partition, append.end_offset, -1));
    ok(partition_find_time(partition, 102, &offset, &time_ms));
    assert_int_equal(offset, 2);
    assert_int_equal(read_records(partition, 0, 1000, NULL, NULL), 3);
    buf_release(&buf);
    partition_put(partition);
    log_close(log);
}

static void the_log_can_set_the_times(void **state)
{
    struct topic_setting setting = {"message.timestamp.type", "LogAppendTime"};
    struct log *log = open_log();
    struct partition *partition = new_topic(log, "1000000");
    int64_t offset, time_ms;

    ok(log_topic_set(log, "t", &setting, 1));
    append_records(partition, "x", 3, 100);
    ok(partition_find_time(partition, 1000000, &offset, &time_ms));
    assert_int_equal(offset, 0);
    assert_true(time_ms > 1600000000000);
    partition_put(partition);
    log_close(log);
}

static void a_second_process_is_kept_out(void **state)
{
    struct log_options options = {.dir = test_dir, .disk = disk_real()};
    struct log *log = open_log(), *second = NULL;

    assert_int_equal(log_open(&second, &options), ERR_BUSY);
    log_close(log);
    log = open_log();
    log_close(log);
}

static void trimming_forgets_what_is_below(void **state)
{
    struct log *log = open_log();
    struct partition *partition = new_topic(log, "1000");
    int64_t size, offset, time_ms;
    struct buf buf = buf_init(1 << 20);

    for (int i = 0; i < 200; i++)
        append_records(partition, "x", 3, 1000 - i);
    size = partition_size_bytes(partition);
    ok(partition_trim(partition, 301));
    assert_int_equal(partition_trim(partition, 601), ERR_RANGE);
    ok(partition_trim(partition, 10)); /* below the start: nothing to do */
    assert_true(partition_size_bytes(partition) < size * 6 / 10);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(partition_start_offset(partition), 301);
        assert_int_equal(partition_read(partition, 300, 100, &buf), ERR_RANGE);
        assert_int_equal(read_records(partition, 301, 1000, NULL, NULL), 299);
        ok(partition_find_time(partition, 0, &offset, &time_ms));
        assert_int_equal(offset, 301);
        ok(partition_max_time(partition, &offset, &time_ms));
        assert_int_equal(offset, 302); /* of the batch at 300 with times 900, 901, 902 */
        assert_int_equal(time_ms, 902);
        partition_put(partition);
        log_close(log);
        log = open_log();
        partition = log_partition(log, "t", 0);
    }
    ok(partition_trim(partition, 600));
    assert_int_equal(partition_find_time(partition, 0, &offset, &time_ms), ERR_END);
    assert_int_equal(partition_max_time(partition, &offset, &time_ms), ERR_END);
    partition_put(partition);
    log_close(log);
    log = open_log();
    partition = log_partition(log, "t", 0);
    assert_int_equal(append_records(partition, "next", 1, 1), 600);
    partition_put(partition);
    log_close(log);
    buf_release(&buf);
}

/* By time, against looking at every record. */
static void times_are_found(void **state)
{
    enum { COUNT = 900 };
    static int64_t times[COUNT];
    struct log *log = open_log();
    struct partition *partition = new_topic(log, "100000");
    struct buf buf = buf_init(1 << 20);
    uint32_t seed = 7;

    for (int i = 0; i < COUNT / 3;
         i++) { /* rising on the whole, with steps back, and large enough for many entries */
        struct batch_writer writer;
        struct bytes batch;
        struct append append;
        static uint8_t filler[1500];
        buf_clear(&buf);
        ok(batch_begin(&writer, &buf));
        for (int j = 0; j < 3; j++) {
            seed = seed * 1664525 + 1013904223;
            times[i * 3 + j] = i * 10 + (seed >> 24) % 100;
            ok(batch_add(&writer, &(struct record){.timestamp_ms = times[i * 3 + j],
                                                   .value = bytes_of(filler, sizeof(filler))}));
        }
        ok(batch_finish(&writer, &batch));
        ok(partition_append(partition, batch, &append));
        ok(partition_wait(partition, append.end_offset, -1));
    }
    for (int opening = 0; opening < 2; opening++) {
        int64_t offset, time_ms, best = 0;
        for (int64_t wanted = -1; wanted < 3200; wanted++) {
            int64_t expected = 0;
            enum err err = partition_find_time(partition, wanted, &offset, &time_ms);
            while (expected < COUNT && times[expected] < wanted)
                expected++;
            assert_int_equal(err, expected < COUNT ? ERR_OK : ERR_END);
            if (!err) {
                assert_int_equal(offset, expected);
                assert_int_equal(time_ms, times[expected]);
            }
        }
        for (int i = 1; i < COUNT; i++)
            best = times[i] > times[best] ? i : best;
        ok(partition_max_time(partition, &offset, &time_ms));
        assert_int_equal(offset, best);
        assert_int_equal(time_ms, times[best]);
        partition_put(partition);
        log_close(log);
        log = open_log();
        partition = log_partition(log, "t", 0);
    }
    partition_put(partition);
    log_close(log);
    buf_release(&buf);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_test_dir, remove_test_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(records_come_back_across_segments_and_openings),
        test(malformed_batches_are_refused),
        test(a_wrong_maximum_time_is_mended),
        test(the_log_can_set_the_times),
        test(a_second_process_is_kept_out),
        test(trimming_forgets_what_is_below),
        test(times_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
