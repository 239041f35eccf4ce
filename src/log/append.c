/* append.c - a batch on its way: checked, put into the tail, written, synced, published.
 *
 * A door's thread does the first two, the committer the others. The order of the last three is the promise of the
 * whole program: written, then synced, then published; only what is published may be read or acknowledged. A new
 * segment begins only when the one before is on disk as a whole, so that a crash can tear nothing but the last. */
#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/trace.h"
#include "log/partition.h"

/* ---- what may be appended ---- */

static enum err check_batch(struct partition *partition, struct bytes batch, struct batch_head *head,
                            int64_t *max_ms)
{
    size_t most = atomic_load(&partition->batch_max_bytes);
    enum err err = batch_head(batch, head);

    if (err == ERR_END || (!err && head->size != batch.size))
        return err_note(ERR_INVALID, "a record batch of %zu bytes is cut short, or more follows it",
                        batch.size);
    if (err)
        return err;
    if (batch.size > most)
        return err_note(ERR_TOO_LARGE,
                        "a record batch of %zu bytes is over the limit of %zu (message.max.bytes)",
                        batch.size, most);
    if (!batch_crc_holds(batch))
        return err_note(ERR_CORRUPT, "a record batch fails its checksum; it was damaged on its way");
    if (head->count < 1 || head->end_offset - head->base_offset != head->count)
        return err_note(ERR_INVALID, "a record batch counts %d records, but its offsets %lld", head->count,
                        (long long)(head->end_offset - head->base_offset));
    if (head->attributes & (BATCH_CONTROL | BATCH_APPEND_TIME))
        return err_note(ERR_INVALID, "a record batch has attributes that only a broker sets");
    if (head->attributes & BATCH_TRANSACTIONAL)
        return err_note(ERR_UNSUPPORTED,
                        "a record batch belongs to a transaction, which this log does not take");
    if (head->producer_id >= 0 && (head->producer_epoch < 0 || head->sequence < 0))
        return err_note(ERR_INVALID, "a record batch of producer %lld has no epoch or sequence",
                        (long long)head->producer_id);
    return batch_check_records(batch, head, max_ms);
}

/* ---- into the tail ---- */

/* Room for `size` bytes at the end of the tail. Under the lock. */
static struct chunk *tail_with_room(struct partition *partition, size_t size)
{
    struct chunk *chunk = partition->tail_last;

    if (chunk && !partition->begin_segment && size <= chunk->room - chunk->size)
        return chunk;
    chunk = chunk_take(partition->committer, size);
    if (!chunk)
        return NULL;
    chunk->base_offset = chunk->end_offset = partition->next_offset;
    chunk->begins_segment = partition->begin_segment;
    partition->begin_segment = false;
    if (partition->tail_last)
        partition->tail_last->next = chunk;
    else
        partition->tail = chunk;
    partition->tail_last = chunk;
    return chunk;
}

/* Set the stored copy's times: the log's own, or the maximum that a client's head had wrong. */
static void set_times(uint8_t *at, size_t size, bool append_time, int64_t max_ms)
{
    if (append_time)
        put_u16(at + BATCH_AT_ATTRIBUTES, get_u16(at + BATCH_AT_ATTRIBUTES) | BATCH_APPEND_TIME);
    put_u64(at + BATCH_AT_MAX_TIME, (uint64_t)max_ms);
    put_u32(at + BATCH_AT_CRC, crc32c(bytes_of(at + BATCH_AT_ATTRIBUTES, size - BATCH_AT_ATTRIBUTES)));
}

enum err partition_append(struct partition *partition, struct bytes batch, struct append *out)
{
    int64_t now_ms = clock_wall_ms(), max_ms, first_offset;
    bool append_time = atomic_load(&partition->append_time);
    struct batch_head head;
    struct chunk *chunk;
    uint8_t *at;
    enum err err = check_batch(partition, batch, &head, &max_ms);

    if (err)
        return err;
    committer_wait_for_room(partition->committer);
    pthread_mutex_lock(&partition->lock);
    err = partition_check_state(partition);
    if (err)
        goto out;
    if (head.producer_id >= 0) {
        err = producers_check(&partition->producers, &head, now_ms, &first_offset);
        if (err == ERR_DUPLICATE) {
            *out = (struct append){first_offset, first_offset + head.count, now_ms, true};
            err = ERR_OK;
            goto out;
        }
        if (err)
            goto out;
    }
    chunk = tail_with_room(partition, batch.size);
    if (!chunk) {
        err = err_note(ERR_NO_MEMORY, "out of memory for a record batch");
        goto out;
    }
    at = chunk->at + chunk->size;
    memcpy(at, batch.at, batch.size);
    put_u64(at, (uint64_t)partition->next_offset);
    put_u32(at + BATCH_AT_LEADER_EPOCH, 0);
    if (append_time || max_ms != head.max_ms)
        set_times(at, batch.size, append_time, append_time ? now_ms : max_ms);
    chunk->size += batch.size;
    *out = (struct append){partition->next_offset, partition->next_offset + head.count, now_ms, false};
    partition->next_offset = chunk->end_offset = out->end_offset;
    if (head.producer_id >= 0) {
        head.base_offset = out->base_offset;
        producers_note(&partition->producers, &head, now_ms);
    }
    if (!partition->dirty) {
        partition->dirty = true;
        partition_get(partition); /* the committer's */
        committer_add(partition->committer, partition);
    }
out:
    pthread_mutex_unlock(&partition->lock);
    return err;
}

int64_t partition_begin_segment(struct partition *partition)
{
    int64_t offset;

    pthread_mutex_lock(&partition->lock);
    partition->begin_segment = true;
    offset = partition->next_offset;
    pthread_mutex_unlock(&partition->lock);
    return offset;
}

/* ---- the committer's part; io_lock is held throughout ---- */

static struct segment *last_segment(struct partition *partition)
{
    return partition->segment_count ? partition->segments[partition->segment_count - 1] : NULL;
}

static void give_all(struct partition *partition, struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;
        chunk_give(partition->committer, chunk);
        chunk = next;
    }
}

/* No trust any more: offline, and nothing of what waits will be acknowledged. The file is cut to what was synced, so
 * that the next opening does not take for stored what the kernel only remembers. */
static void fail(struct partition *partition)
{
    struct segment *last = last_segment(partition);
    struct chunk *tail = NULL;

    pthread_mutex_lock(&partition->lock);
    if (atomic_load(&partition->state) == PARTITION_ONLINE) {
        snprintf(partition->why_offline, sizeof(partition->why_offline), "%s", err_sentence());
        atomic_store(&partition->state, PARTITION_OFFLINE);
        trace_error("log", "%s-%d is offline until the next start: %s", partition->topic, partition->number,
                    partition->why_offline);
    }
    tail = partition->tail;
    partition->tail = partition->tail_last = NULL;
    pthread_mutex_unlock(&partition->lock);
    give_all(partition, tail);
    give_all(partition, partition->writing);
    partition->writing = partition->writing_last = NULL;
    if (last && last->file && !last->sealed && disk_truncate(last->file, last->index.size))
        trace_error("log", "%s-%d: %s", partition->topic, partition->number, err_sentence());
}

/* Sync what is written, then let everybody see it. */
static enum err sync_and_publish(struct partition *partition)
{
    struct chunk *chunk = partition->writing, *next;
    struct batch_head head;
    enum err err;

    if (!chunk)
        return ERR_OK;
    err = disk_sync(last_segment(partition)->file);
    if (err)
        return err;
    for (; chunk; chunk = next) { /* a chunk at a time, so that appenders get the lock in between */
        next = chunk->next;
        pthread_mutex_lock(&partition->lock);
        for (size_t at = 0; at < chunk->size; at += head.size) {
            err = batch_head(bytes_of(chunk->at + at, chunk->size - at), &head);
            assert(!err);
            index_add(&chunk->segment->index, &head);
        }
        partition->size_bytes += (int64_t)chunk->size;
        atomic_store(&partition->durable_end, chunk->end_offset);
        pthread_mutex_unlock(&partition->lock);
        chunk_give(partition->committer, chunk);
    }
    partition->writing = partition->writing_last = NULL;
    return ERR_OK;
}

static enum err begin_segment(struct partition *partition, int64_t base_offset)
{
    struct segment *last = last_segment(partition), *segment = NULL;
    enum err err = ERR_OK;

    if (last) {
        err = sync_and_publish(partition);
        if (err)
            return err;
        partition_seal_last(partition);
    }
    err = segment_create(&segment, partition->disk, partition->dir, base_offset);
    if (err)
        return err;
    pthread_mutex_lock(&partition->lock);
    err = partition_add_segment(partition, segment);
    pthread_mutex_unlock(&partition->lock);
    if (err)
        segment_free(segment);
    return err;
}

static enum err write_chunk(struct partition *partition, struct chunk *chunk)
{
    struct segment *last = last_segment(partition);
    bool full = last && last->written > 0 &&
                (chunk->begins_segment ||
                 last->written + (int64_t)chunk->size > atomic_load(&partition->segment_bytes));
    enum err err = ERR_OK;

    if (!last || full)
        err = begin_segment(partition, chunk->base_offset);
    if (err)
        return err;
    last = last_segment(partition);
    err = disk_write(last->file, last->written, bytes_of(chunk->at, chunk->size));
    if (err)
        return err;
    chunk->segment = last;
    last->written += (int64_t)chunk->size;
    return ERR_OK;
}

void partition_write_tail(struct partition *partition)
{
    struct chunk *chunk, *next;
    enum err err;

    pthread_mutex_lock(&partition->io_lock);
    pthread_mutex_lock(&partition->lock);
    chunk = partition->tail;
    partition->tail = partition->tail_last = NULL;
    partition->dirty = false;
    err = partition_check_state(partition);
    pthread_mutex_unlock(&partition->lock);
    for (; chunk && !err; chunk = next) {
        next = chunk->next;
        err = write_chunk(partition, chunk);
        if (err)
            break;
        chunk->next = NULL;
        if (partition->writing_last)
            partition->writing_last->next = chunk;
        else
            partition->writing = chunk;
        partition->writing_last = chunk;
    }
    if (err)
        fail(partition);
    give_all(partition, chunk);
    pthread_mutex_unlock(&partition->io_lock);
}

void partition_sync_tail(struct partition *partition)
{
    pthread_mutex_lock(&partition->io_lock);
    if (atomic_load(&partition->state) != PARTITION_ONLINE || sync_and_publish(partition))
        fail(partition);
    pthread_mutex_unlock(&partition->io_lock);
}

void partition_after_commit(struct partition *partition)
{
    int64_t below = 0;

    pthread_mutex_lock(&partition->lock);
    if (partition->drop_below > 0 && atomic_load(&partition->durable_end) >= partition->drop_once_durable) {
        below = partition->drop_below;
    }
    pthread_mutex_unlock(&partition->lock);
    if (below == 0)
        return;
    if (partition_drop_below(partition, below))
        trace_warn("log", "%s-%d keeps what it no longer needs: %s", partition->topic, partition->number,
                   err_sentence());
    pthread_mutex_lock(&partition->lock);
    if (partition->drop_below == below)
        partition->drop_below = 0;
    pthread_mutex_unlock(&partition->lock);
}
