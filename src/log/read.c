/* read.c - what is durable, by offset and by time. Reading takes no lock while it waits for the disk. */
#include <assert.h>
#include <stdio.h>

#include "log/partition.h"

/* ---- where to begin ---- */

/* Where in the segment reading for `offset` begins: at its batch, or before it. -1: the index file must tell. Under
 * the lock. */
static int64_t known_position(const struct partition *partition, const struct segment *segment,
                              int64_t offset)
{
    if (offset <= segment->index.base_offset)
        return 0;
    for (int i = 0; i < READ_HINTS; i++) {
        const struct read_hint *hint = &partition->hints[i];
        if (hint->offset == offset && hint->base_offset == segment->index.base_offset &&
            hint->position < segment->index.size)
            return hint->position;
    }
    if (segment->index.count > 0)
        return index_by_offset(&segment->index, offset).position;
    return segment->sealed ? -1 : 0;
}

/* The index of a closed segment, from its file. Without it, from the start on will do. */
static int64_t stored_position(struct partition *partition, int64_t base_offset, int64_t offset,
                               int64_t time_ms, bool by_time)
{
    char path[SEGMENT_PATH_BYTES];
    struct index index = {0};
    int64_t position = 0;

    if (!segment_path(partition->dir, base_offset, ".index", path) &&
        !index_read(partition->disk, path, &index, NULL))
        position =
            by_time ? index_by_time(&index, time_ms).position : index_by_offset(&index, offset).position;
    index_release(&index);
    return position;
}

static enum err damaged(const struct partition *partition, const struct segment *segment, int64_t position)
{
    return err_note(ERR_CORRUPT, "segment %020lld of %s-%d is damaged at byte %lld",
                    (long long)segment->index.base_offset, partition->topic, partition->number,
                    (long long)position);
}

/* ---- by offset ---- */

/* Of the `size` bytes at `at`, which begin with a batch: how many hold batches that end at or before `offset`
 * (*skip), and how many behind those whole batches, at most `most` but one at least (*take). *next: the offset behind
 * them. *need: what the batch takes that did not fit. False: damaged. */
static bool choose_batches(const uint8_t *at, size_t size, int64_t offset, size_t most, size_t *skip,
                           size_t *take, size_t *need, int64_t *next)
{
    struct batch_head head;

    *skip = *take = *need = 0;
    for (size_t done = 0; done < size; done += head.size) {
        if (size - done < BATCH_HEADER_BYTES) {
            *need = BATCH_HEADER_BYTES;
            return true;
        }
        if (batch_head(bytes_of(at + done, size - done), &head) || head.size > BATCH_MOST_BYTES)
            return false;
        *need = head.size;
        if (head.size > size - done)
            return true;
        if (head.end_offset <= offset) {
            *skip = done + head.size;
        } else {
            if (*take > 0 && *take + head.size > most)
                return true;
            *take += head.size;
            *next = head.end_offset;
            if (*take >= most)
                return true;
        }
    }
    return true;
}

/* Read from `position` on, where a batch at or before `offset` begins. *position: behind what was read. */
static enum err read_batches(struct partition *partition, struct segment *segment, int64_t *position,
                             int64_t end, int64_t offset, size_t max_bytes, struct buf *out, int64_t *next)
{
    size_t want = max_bytes < BATCH_HEADER_BYTES ? BATCH_HEADER_BYTES : max_bytes;
    size_t got, skip, take, need;

    for (;;) {
        size_t room = out->most - out->size;
        enum err err;
        if ((int64_t)want > end - *position)
            want = (size_t)(end - *position);
        if (want > room)
            want = room;
        err = buf_reserve(out, want);
        if (!err)
            err = disk_read(segment->file, *position, out->at + out->size, want, &got);
        if (err)
            return err;
        if (got < want || want == 0 ||
            !choose_batches(out->at + out->size, got, offset, max_bytes, &skip, &take, &need, next))
            return want == 0 && room == 0 ? err_note(ERR_FULL, "no room for a record batch")
                                          : damaged(partition, segment, *position);
        if (take > 0) {
            if (skip > 0)
                memmove(out->at + out->size, out->at + out->size + skip, take);
            out->size += take;
            *position += (int64_t)(skip + take);
            return ERR_OK;
        }
        if (skip == 0 && (need <= want || (int64_t)want == end - *position))
            return damaged(partition, segment, *position);
        if (need > room)
            return err_note(ERR_FULL, "no room for a record batch of %zu bytes", need);
        *position += (int64_t)skip;
        want = need > want ? need : want;
    }
}

static void keep_hint(struct partition *partition, struct read_hint hint)
{
    pthread_mutex_lock(&partition->lock);
    partition->hints[partition->next_hint++ % READ_HINTS] = hint;
    pthread_mutex_unlock(&partition->lock);
}

static enum err out_of_range(const struct partition *partition, int64_t offset)
{
    return err_note(ERR_RANGE, "%s-%d holds offsets %lld to %lld, not %lld", partition->topic,
                    partition->number, (long long)atomic_load(&partition->start_offset),
                    (long long)atomic_load(&partition->durable_end) - 1, (long long)offset);
}

enum err partition_read(struct partition *partition, int64_t offset, size_t max_bytes, struct buf *out)
{
    struct segment *segment;
    int64_t position, end, base_offset, next = offset;
    enum err err;

    pthread_mutex_lock(&partition->lock);
    err = partition_check_state(partition);
    if (!err &&
        (offset < atomic_load(&partition->start_offset) || offset > atomic_load(&partition->durable_end)))
        err = out_of_range(partition, offset);
    if (err || offset == atomic_load(&partition->durable_end)) {
        pthread_mutex_unlock(&partition->lock);
        return err;
    }
    segment = partition_segment_of(partition, offset);
    position = known_position(partition, segment, offset);
    end = segment->index.size;
    base_offset = segment->index.base_offset;
    err = partition_hold_segment(partition, segment); /* gives the lock back */
    if (err)
        return err;
    if (position < 0)
        position = stored_position(partition, base_offset, offset, 0, false);
    err = read_batches(partition, segment, &position, end, offset, max_bytes, out, &next);
    partition_leave_segment(partition, segment);
    if (!err)
        keep_hint(partition, (struct read_hint){next, base_offset, position});
    return err;
}

/* ---- by time ---- */

/* The first record of `batch` at or above `start` whose time is at least `time_ms`; or, with `latest`, the first of
 * those with the largest. ERR_END: none. */
static enum err find_in_batch(struct bytes batch, int64_t start, int64_t time_ms, bool latest,
                              int64_t *offset, int64_t *timestamp_ms)
{
    struct batch_reader reader = batch_reader(batch);
    struct record record;
    bool found = false;
    enum err err;

    while (!(err = batch_read(&reader, &record))) {
        if (record.offset < start || record.timestamp_ms < time_ms ||
            (found && record.timestamp_ms <= *timestamp_ms))
            continue;
        *offset = record.offset;
        *timestamp_ms = record.timestamp_ms;
        found = true;
        if (!latest)
            break;
    }
    batch_reader_release(&reader);
    if (err && err != ERR_END)
        return err;
    return found ? ERR_OK : ERR_END;
}

/* Walk a held segment from `position` on for the first record at or above `start` whose time is at least `time_ms`, or
 * with `latest` for the latest of all. ERR_END: none. */
static enum err find_in_segment(struct partition *partition, struct segment *segment, int64_t position,
                                int64_t end, int64_t start, int64_t time_ms, bool latest, int64_t *offset,
                                int64_t *timestamp_ms)
{
    struct segment_cursor cursor = segment_cursor(segment->file, position, end);
    struct batch_head head;
    struct bytes batch;
    bool found = false;
    enum err err;

    while (!(err = segment_next(&cursor, &head, &batch))) {
        if (head.end_offset <= start || head.max_ms < time_ms || (found && head.max_ms <= *timestamp_ms))
            continue;
        err = find_in_batch(batch, start, time_ms, latest, offset, timestamp_ms);
        if (err && err != ERR_END)
            break;
        found = found || !err;
        if (found && !latest)
            break;
    }
    if (err == ERR_CORRUPT)
        err = damaged(partition, segment, cursor.position);
    segment_cursor_release(&cursor);
    if (found && (!err || err == ERR_END))
        return ERR_OK;
    return err;
}

/* The segment at or after *offset whose records may be at least `time_ms` old, held; *offset moves behind it.
 * ERR_END: none. */
static enum err next_segment_by_time(struct partition *partition, int64_t *offset, int64_t time_ms,
                                     struct segment **out, int64_t *position, int64_t *end)
{
    struct segment *segment;
    int64_t base_offset;
    enum err err;

    pthread_mutex_lock(&partition->lock);
    err = partition_check_state(partition);
    for (;;) {
        if (!err && *offset >= atomic_load(&partition->durable_end))
            err = ERR_END;
        if (err) {
            pthread_mutex_unlock(&partition->lock);
            return err;
        }
        segment = partition_segment_of(partition, *offset);
        *offset = segment->index.end_offset;
        if (segment->index.max_ms >= time_ms)
            break;
    }
    base_offset = segment->index.base_offset;
    *end = segment->index.size;
    *position = segment->index.count > 0 ? index_by_time(&segment->index, time_ms).position
                                         : (segment->sealed ? -1 : 0);
    *out = segment;
    err = partition_hold_segment(partition, segment); /* gives the lock back */
    if (!err && *position < 0)
        *position = stored_position(partition, base_offset, 0, time_ms, true);
    return err;
}

enum err partition_find_time(struct partition *partition, int64_t time_ms, int64_t *offset,
                             int64_t *timestamp_ms)
{
    int64_t start = partition_start_offset(partition), from = start, position, end;
    struct segment *segment;
    enum err err;

    for (;;) {
        err = next_segment_by_time(partition, &from, time_ms, &segment, &position, &end);
        if (err)
            return err;
        err = find_in_segment(partition, segment, position, end, start, time_ms, false, offset, timestamp_ms);
        partition_leave_segment(partition, segment);
        if (err != ERR_END)
            return err;
    }
}

/* The segment with the largest time, by what is known of whole segments; NULL: none. A segment whose largest is a
 * trimmed record goes to *cut instead: it must be walked. Under the lock. */
static struct segment *segment_of_max_time(const struct partition *partition, int64_t start,
                                           struct segment **cut)
{
    struct segment *best = NULL;

    *cut = NULL;
    for (size_t i = 0; i < partition->segment_count; i++) {
        struct segment *segment = partition->segments[i];
        if (segment->index.end_offset <= start || segment->index.size == 0)
            continue;
        if (segment->index.max_batch_offset < start && segment->index.base_offset < start)
            *cut = segment;
        else if (!best || segment->index.max_ms > best->index.max_ms)
            best = segment;
    }
    return best;
}

enum err partition_max_time(struct partition *partition, int64_t *offset, int64_t *timestamp_ms)
{
    int64_t start = partition_start_offset(partition), at_least = INT64_MIN, position = 0, end,
            batch_offset = 0;
    struct segment *best, *cut;
    enum err err;

    pthread_mutex_lock(&partition->lock);
    err = partition_check_state(partition);
    best = err ? NULL : segment_of_max_time(partition, start, &cut);
    if (best) {
        at_least = best->index.max_ms;
        batch_offset = best->index.max_batch_offset;
        end = best->index.size;
        position = known_position(partition, best, batch_offset);
        err = partition_hold_segment(partition, best); /* gives the lock back */
        if (err)
            return err;
        if (position < 0)
            position = stored_position(partition, best->index.base_offset, batch_offset, 0, false);
        err = find_in_segment(partition, best, position, end, start, at_least, false, offset, timestamp_ms);
        partition_leave_segment(partition, best);
        if (err)
            return err;
        at_least = *timestamp_ms == INT64_MAX ? INT64_MAX : *timestamp_ms + 1;
        pthread_mutex_lock(&partition->lock);
        segment_of_max_time(partition, start, &cut);
    }
    if (err || !cut) {
        pthread_mutex_unlock(&partition->lock);
        return err ? err : best ? ERR_OK : ERR_END;
    }
    end = cut->index.size;
    err = partition_hold_segment(partition, cut);
    if (err)
        return err;
    err = find_in_segment(partition, cut, 0, end, start, at_least, true, offset, timestamp_ms);
    partition_leave_segment(partition, cut);
    return err == ERR_END && best ? ERR_OK : err;
}
