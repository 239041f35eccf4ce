/* internal.c - reading and writing internal topics. */
#include "log/internal.h"

#include "base/clock.h"

enum { READ_BYTES = 1 << 20 };

enum err internal_replay(struct partition *partition,
                         enum err (*each)(void *arg, const struct record *record), void *arg)
{
    struct buf batches = buf_init(BATCH_MOST_BYTES);
    int64_t offset = partition_start_offset(partition), end = partition_end_offset(partition);
    enum err err = partition_check_state(partition);

    while (!err && offset < end) {
        struct batch_reader reader;
        struct record record;
        buf_clear(&batches);
        err = partition_read(partition, offset, READ_BYTES, &batches);
        if (err)
            break;
        reader = batch_reader(buf_bytes(&batches));
        while (!err && !(err = batch_read(&reader, &record))) {
            offset = record.offset + 1;
            err = each(arg, &record);
        }
        batch_reader_release(&reader);
        if (err == ERR_END)
            err = ERR_OK;
    }
    buf_release(&batches);
    return err;
}

void internal_begin(struct internal_writer *writer, struct partition *partition, struct buf *buf)
{
    buf_clear(buf);
    *writer = (struct internal_writer){.partition = partition};
    writer->err = batch_begin(&writer->batch, buf);
}

/* Append the batch that was gathered. */
static void flush(struct internal_writer *writer)
{
    struct append append;
    struct bytes batch;

    if (writer->err || writer->batch.count == 0)
        return;
    writer->err = batch_finish(&writer->batch, &batch);
    if (!writer->err)
        writer->err = partition_append(writer->partition, batch, &append);
    if (!writer->err)
        writer->end_offset = append.end_offset;
}

void internal_add(struct internal_writer *writer, struct bytes key, struct bytes value)
{
    struct record record = {.timestamp_ms = clock_wall_ms(), .key = key, .value = value};
    struct buf *buf = writer->batch.out;

    if (!writer->err && buf->size >= INTERNAL_BATCH_BYTES) {
        flush(writer);
        if (!writer->err) {
            buf_clear(buf);
            writer->err = batch_begin(&writer->batch, buf);
        }
    }
    if (!writer->err)
        writer->err = batch_add(&writer->batch, &record);
}

enum err internal_end(struct internal_writer *writer)
{
    flush(writer);
    return writer->err;
}

bool internal_has_grown(struct partition *partition, int64_t live_bytes)
{
    bool grown;

    pthread_mutex_lock(&partition->lock);
    grown = partition->drop_below == 0 && partition->size_bytes > INTERNAL_SLACK_BYTES + 4 * live_bytes;
    pthread_mutex_unlock(&partition->lock);
    return grown;
}
