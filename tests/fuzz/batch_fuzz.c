/* Any bytes as record batches must be refused or walked without harm; and whatever the log takes in, a reader must be
 * able to walk, with as many records as the offsets say.
 * The first byte says how the rest is used: as batches, or as the fields and records of a batch whose length, magic
 * and checksum are made right, so that the checks behind them are reached. */
#include <assert.h>

#include "../unit/faulty_disk.h"
#include "base/crc32c.h"
#include "log/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static struct log *open_fresh(struct disk **disk)
{
    struct log_options options = {.dir = "/log", .segment_bytes = 1 << 30};
    struct log *log = NULL;
    enum err err;

    options.disk = *disk = faulty_disk_new();
    err = log_open(&log, &options);
    assert(!err);
    err = log_topic_create(log, "t", 1, NULL, 0);
    assert(!err);
    return log;
}

/* Read every byte, so that a sanitizer sees those that are not there. */
static void touch(struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        volatile uint8_t byte = bytes.at[i];
        (void)byte;
    }
}

/* Walk all there is; returns how many records came before the end or an error, which is put into *end. */
static int64_t walk(struct bytes batches, enum err *end)
{
    struct batch_reader reader = batch_reader(batches);
    struct record record;
    int64_t count = 0;

    while (!(*end = batch_read(&reader, &record))) {
        count++;
        touch(record.key);
        touch(record.value);
        for (size_t i = 0; i < record.header_count; i++)
            touch(record.headers[i].value);
    }
    batch_reader_release(&reader);
    return count;
}

static void append_and_read(struct bytes batch)
{
    static struct disk *disk;
    static struct log *log;
    static struct partition *partition;
    static int appended;
    struct buf buf = buf_init(1 << 24);
    struct append append;
    enum err err;

    if (appended++ % 2000 == 0) {
        partition_put(partition);
        log_close(log);
        if (disk)
            faulty_disk_free(disk);
        log = open_fresh(&disk);
        partition = log_partition(log, "t", 0);
    }
    if (!partition_append(partition, batch, &append) && !append.duplicate) {
        int64_t count;
        assert(!partition_wait(partition, append.end_offset, -1));
        assert(!partition_read(partition, append.base_offset, 1, &buf));
        assert(buf.size == batch.size);
        count = walk(buf_bytes(&buf), &err);
        assert(err == ERR_END && count == append.end_offset - append.base_offset);
    }
    buf_release(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    uint8_t *copy;
    enum err err;

    if (size < 1 + BATCH_HEADER_BYTES)
        return 0;
    copy = malloc(size - 1);
    assert(copy);
    memcpy(copy, at + 1, size - 1);
    if (*at % 2) {
        walk(bytes_of(copy, size - 1), &err);
    } else {
        put_u32(copy + BATCH_AT_LENGTH, (uint32_t)(size - 1 - BATCH_LENGTH_FROM));
        copy[BATCH_AT_MAGIC] = BATCH_MAGIC;
        put_u32(copy + BATCH_AT_CRC,
                crc32c(bytes_of(copy + BATCH_AT_ATTRIBUTES, size - 1 - BATCH_AT_ATTRIBUTES)));
    }
    append_and_read(bytes_of(copy, size - 1));
    free(copy);
    return 0;
}
