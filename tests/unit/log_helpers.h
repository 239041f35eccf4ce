/* log_helpers.h - what the tests of the log share: a folder of their own, batches, and reading all there is. */
#ifndef TESTS_LOG_HELPERS_H
#define TESTS_LOG_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/trace.h"
#include "log/batch.h"

/* Like assert_int_equal(err, ERR_OK), with the sentence. */
#define ok(call)                                                                                             \
    do {                                                                                                     \
        enum err ok_err = (call);                                                                            \
        if (ok_err)                                                                                          \
            fail_msg("%s: %s (%s)", #call, err_name(ok_err), err_sentence());                                \
    } while (0)

static char test_dir[256];

static inline int make_test_dir(void **state)
{
    const char *base = getenv("TMPDIR");

    snprintf(test_dir, sizeof(test_dir), "%s/pinrail-log-XXXXXX", base ? base : "/tmp");
    trace_set_level(TRACE_ERROR);
    return mkdtemp(test_dir) ? 0 : -1;
}

static inline int remove_test_dir(void **state)
{
    return disk_remove_tree(disk_real(), test_dir) ? -1 : 0;
}

static inline struct log *open_log(void)
{
    struct log_options options = {.dir = test_dir, .disk = disk_real()};
    struct log *log = NULL;

    ok(log_open(&log, &options));
    return log;
}

/* A batch of `count` records "PREFIX-0", "PREFIX-1"..., times from `time_ms` on, in `out`. */
static inline struct bytes make_batch(struct buf *out, const char *prefix, int count, int64_t time_ms)
{
    struct batch_writer writer;
    struct bytes batch;

    buf_clear(out);
    ok(batch_begin(&writer, out));
    for (int i = 0; i < count; i++) {
        char value[128];
        struct record record = {.timestamp_ms = time_ms + i};
        snprintf(value, sizeof(value), "%s-%d", prefix, i);
        record.value = bytes_of_text(value);
        ok(batch_add(&writer, &record));
    }
    ok(batch_finish(&writer, &batch));
    return batch;
}

/* Make the batch an idempotent producer's. */
static inline void set_producer(struct bytes batch, int64_t id, int16_t epoch, int32_t sequence)
{
    uint8_t *at = (uint8_t *)batch.at;

    put_u64(at + BATCH_AT_PRODUCER_ID, (uint64_t)id);
    put_u16(at + BATCH_AT_PRODUCER_EPOCH, (uint16_t)epoch);
    put_u32(at + BATCH_AT_SEQUENCE, (uint32_t)sequence);
    put_u32(at + BATCH_AT_CRC, crc32c(bytes_of(at + BATCH_AT_ATTRIBUTES, batch.size - BATCH_AT_ATTRIBUTES)));
}

/* Append `count` records and wait until they are durable. Returns the first one's offset. */
static inline int64_t append_records(struct partition *partition, const char *prefix, int count,
                                     int64_t time_ms)
{
    struct buf buf = buf_init(1 << 24);
    struct append append;

    ok(partition_append(partition, make_batch(&buf, prefix, count, time_ms), &append));
    ok(partition_wait(partition, append.end_offset, -1));
    assert_int_equal(append.end_offset, append.base_offset + count);
    buf_release(&buf);
    return append.base_offset;
}

/* Read from `offset` to the end, at most `max_bytes` at once, calling `each` for every record at or above `offset`.
 * Offsets must follow each other without a gap. Returns how many there were. */
static inline int64_t read_records(struct partition *partition, int64_t offset, size_t max_bytes,
                                   void (*each)(void *arg, const struct record *record), void *arg)
{
    struct buf buf = buf_init(1 << 28);
    int64_t next = offset, end = partition_end_offset(partition);

    while (next < end) {
        struct batch_reader reader;
        struct record record;
        enum err err;
        buf_clear(&buf);
        ok(partition_read(partition, next, max_bytes, &buf));
        assert_true(buf.size > 0);
        reader = batch_reader(buf_bytes(&buf));
        while (!(err = batch_read(&reader, &record))) {
            if (record.offset < next)
                continue;
            assert_int_equal(record.offset, next);
            next++;
            if (each)
                each(arg, &record);
        }
        assert_int_equal(err, ERR_END);
        batch_reader_release(&reader);
    }
    buf_release(&buf);
    return next - offset;
}

#endif
