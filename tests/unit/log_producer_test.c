/* An idempotent producer sends a batch again when it heard no answer. Stored twice, the record is there twice for ever;
 * refused, the producer stops. Both must be right after the process was killed, too.
 * How: repeats, gaps and epochs, with the log opened again in between, with and without indexes, across segments. */
#include "log_helpers.h"

static enum err send(struct partition *partition, int64_t id, int16_t epoch, int32_t sequence, int count,
                     struct append *append)
{
    struct buf buf = buf_init(1 << 20);
    struct bytes batch = make_batch(&buf, "x", count, 1);
    enum err err;

    set_producer(batch, id, epoch, sequence);
    err = partition_append(partition, batch, append);
    if (!err)
        ok(partition_wait(partition, append->end_offset, -1));
    buf_release(&buf);
    return err;
}

static void expect_new(struct partition *partition, int64_t id, int16_t epoch, int32_t sequence, int count)
{
    struct append append;

    ok(send(partition, id, epoch, sequence, count, &append));
    assert_false(append.duplicate);
}

static void expect_repeat(struct partition *partition, int64_t id, int16_t epoch, int32_t sequence, int count,
                          int64_t offset)
{
    struct append append;
    int64_t end = partition_end_offset(partition);

    ok(send(partition, id, epoch, sequence, count, &append));
    assert_true(append.duplicate);
    assert_int_equal(append.base_offset, offset);
    assert_int_equal(append.end_offset, offset + count);
    assert_int_equal(partition_end_offset(partition), end);
}

static void expect_refusal(struct partition *partition, int64_t id, int16_t epoch, int32_t sequence,
                           enum err expected)
{
    struct append append;

    assert_int_equal(send(partition, id, epoch, sequence, 1, &append), expected);
}

/* What must hold after five batches of 2 from sequence 0 on by producer 7, epoch 1, and one by producer 8. */
static void check_state(struct partition *partition)
{
    for (int i = 0; i < 5; i++)
        expect_repeat(partition, 7, 1, i * 2, 2, i * 2);
    expect_repeat(partition, 8, 0, 0, 1, 10);
    expect_refusal(partition, 7, 1, 12, ERR_SEQUENCE);
    expect_refusal(partition, 7, 1, 9, ERR_SEQUENCE);
    expect_refusal(partition, 7, 0, 10, ERR_FENCED);
    expect_refusal(partition, 7, 2, 3, ERR_SEQUENCE);
    expect_refusal(partition, 7, -1, 0, ERR_INVALID);
    expect_refusal(partition, 7, 1, -1, ERR_INVALID);
}

/* Open again, as after a clean end or (without the index that it leaves) after a kill. */
static struct partition *reopen(struct log **log, struct partition *partition, bool killed)
{
    char command[600];

    partition_put(partition);
    log_close(*log);
    snprintf(command, sizeof(command), "rm -f %s/t-0/*.index", test_dir);
    if (killed)
        assert_int_equal(system(command), 0);
    *log = open_log();
    partition = log_partition(*log, "t", 0);
    assert_non_null(partition);
    return partition;
}

static void state_survives(const char *segment_bytes)
{
    struct topic_setting setting = {"segment.bytes", ""};
    struct log *log = open_log();
    struct partition *partition;

    snprintf(setting.value, sizeof(setting.value), "%s", segment_bytes);
    ok(log_topic_create(log, "t", 1, &setting, 1));
    partition = log_partition(log, "t", 0);
    for (int i = 0; i < 5; i++)
        expect_new(partition, 7, 1, i * 2, 2);
    expect_new(partition, 8, 0, 0, 1);
    check_state(partition);
    for (int opening = 0; opening < 4; opening++) {
        trace_set_level((enum trace_level) - 1);
        partition = reopen(&log, partition, opening % 2);
        trace_set_level(TRACE_ERROR);
        check_state(partition);
        append_records(partition, "without a producer", 1, 1);
    }
    expect_new(partition, 7, 1, 10, 1);
    expect_repeat(partition, 7, 1, 2, 2, 2); /* one of the last five still, the very first is not */
    expect_refusal(partition, 7, 1, 0, ERR_SEQUENCE);
    expect_new(partition, 7, 2, 0, 1);
    expect_refusal(partition, 7, 1, 11, ERR_FENCED);
    partition_put(partition);
    log_close(log);
}

static void state_survives_in_one_segment(void **state)
{
    state_survives("1000000");
}

static void state_survives_across_segments(void **state)
{
    state_survives("100");
}

static void sequences_wrap(void **state)
{
    struct log *log = open_log();
    struct partition *partition;

    ok(log_topic_create(log, "t", 1, NULL, 0));
    partition = log_partition(log, "t", 0);
    expect_new(partition, 1, 0, INT32_MAX - 1, 2); /* one we know nothing of may begin anywhere */
    expect_new(partition, 1, 0, 0, 1);
    expect_repeat(partition, 1, 0, INT32_MAX - 1, 2, 0);
    expect_new(partition, 2, 0, INT32_MAX, 3); /* MAX, 0, 1 */
    expect_new(partition, 2, 0, 2, 1);
    partition_put(partition);
    log_close(log);
}

/* Each producer that ever was cannot be remembered; those heard of last must be. */
static void the_longest_silent_are_forgotten(void **state)
{
    enum { PRODUCERS = 20000 };
    struct log *log = open_log();
    struct partition *partition;
    struct buf buf = buf_init(1 << 16);
    struct append append = {0};

    ok(log_topic_create(log, "t", 1, NULL, 0));
    partition = log_partition(log, "t", 0);
    for (int i = 0; i < PRODUCERS; i++) {
        struct bytes batch = make_batch(&buf, "x", 1, i);
        set_producer(batch, i, 0, 0);
        ok(partition_append(partition, batch, &append));
        if (i % 1000 == 0)
            usleep(2000); /* so that they are not all of one millisecond */
    }
    ok(partition_wait(partition, append.end_offset, -1));
    for (int i = PRODUCERS - 1000; i < PRODUCERS; i++)
        expect_repeat(partition, i, 0, 0, 1, i);
    expect_new(partition, 0, 0, 55, 1);
    partition_put(partition);
    log_close(log);
    buf_release(&buf);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_test_dir, remove_test_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(state_survives_in_one_segment),
        test(state_survives_across_segments),
        test(sequences_wrap),
        test(the_longest_silent_are_forgotten),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
