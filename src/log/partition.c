/* partition.c - opening and closing a partition, and its list of segments.
 *
 * On disk a partition is a folder, TOPIC-NUMBER, of segments that follow each other without a gap. */
#include "log/partition.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/trace.h"

/* Closed segments whose files stay open for the next reader, in all partitions together. */
enum { OPEN_SEALED_MOST = 128 };
static _Atomic int open_sealed;

/* ---- states and references ---- */

enum err partition_check_state(struct partition *partition)
{
    switch (atomic_load(&partition->state)) {
    case PARTITION_OFFLINE:
        return err_note(ERR_IO, "%s-%d is offline: %s", partition->topic, partition->number,
                        partition->why_offline);
    case PARTITION_DELETED:
        return err_note(ERR_NOT_FOUND, "topic %s was deleted", partition->topic);
    default:
        return ERR_OK;
    }
}

void partition_get(struct partition *partition)
{
    atomic_fetch_add(&partition->refs, 1);
}

static void partition_free(struct partition *partition)
{
    if (!partition)
        return;
    for (size_t i = 0; i < partition->segment_count; i++) {
        if (partition->segments[i]->sealed && partition->segments[i]->file)
            atomic_fetch_sub(&open_sealed, 1);
        segment_free(partition->segments[i]);
    }
    free(partition->segments);
    producers_release(&partition->producers);
    pthread_mutex_destroy(&partition->lock);
    pthread_mutex_destroy(&partition->io_lock);
    free(partition->dir);
    free(partition);
}

void partition_put(struct partition *partition)
{
    if (partition && atomic_fetch_sub(&partition->refs, 1) == 1)
        partition_free(partition);
}

int64_t partition_start_offset(struct partition *partition)
{
    return atomic_load(&partition->start_offset);
}

int64_t partition_end_offset(struct partition *partition)
{
    return atomic_load(&partition->durable_end);
}

int64_t partition_size_bytes(struct partition *partition)
{
    int64_t size;

    pthread_mutex_lock(&partition->lock);
    size = partition->size_bytes;
    pthread_mutex_unlock(&partition->lock);
    return size;
}

enum err partition_settled(struct partition *partition, int64_t end_offset)
{
    enum err err;

    if (atomic_load(&partition->durable_end) >= end_offset)
        return ERR_OK;
    err = partition_check_state(partition);
    if (atomic_load(&partition->durable_end) >= end_offset)
        return ERR_OK; /* it was published just before the partition failed */
    return err ? err : ERR_BUSY;
}

/* ---- segments ---- */

enum err partition_add_segment(struct partition *partition, struct segment *segment)
{
    if (partition->segment_count == partition->segment_room) {
        size_t room = partition->segment_room ? partition->segment_room * 2 : 4;
        struct segment **more = realloc(partition->segments, room * sizeof(struct segment *));
        if (!more)
            return err_note(ERR_NO_MEMORY, "out of memory for a segment");
        partition->segments = more;
        partition->segment_room = room;
    }
    partition->segments[partition->segment_count++] = segment;
    return ERR_OK;
}

struct segment *partition_segment_of(struct partition *partition, int64_t offset)
{
    size_t low = 0, high = partition->segment_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (partition->segments[middle]->index.base_offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (partition->segment_count == 0)
        return NULL;
    return partition->segments[low > 0 ? low - 1 : 0];
}

enum err partition_hold_segment(struct partition *partition, struct segment *segment)
{
    char path[SEGMENT_PATH_BYTES];
    struct disk_file *file = NULL;
    enum err err = ERR_OK;

    segment->readers++;
    if (segment->file) {
        pthread_mutex_unlock(&partition->lock);
        return ERR_OK;
    }
    pthread_mutex_unlock(&partition->lock);
    err = segment_path(partition->dir, segment->index.base_offset, ".log", path);
    if (!err)
        err = disk_open(partition->disk, &file, path, DISK_READ);
    if (err) {
        partition_leave_segment(partition, segment);
        return err;
    }
    pthread_mutex_lock(&partition->lock);
    if (!segment->file) {
        segment->file = file;
        file = NULL;
        atomic_fetch_add(&open_sealed, 1);
    }
    pthread_mutex_unlock(&partition->lock);
    disk_close(file); /* another reader was first */
    return ERR_OK;
}

void partition_leave_segment(struct partition *partition, struct segment *segment)
{
    struct disk_file *file = NULL;
    bool last;

    pthread_mutex_lock(&partition->lock);
    segment->readers--;
    last = segment->dropped && segment->readers == 0;
    if (segment->sealed && segment->file && segment->readers == 0 &&
        (last || atomic_load(&open_sealed) > OPEN_SEALED_MOST)) {
        file = segment->file;
        segment->file = NULL;
        atomic_fetch_sub(&open_sealed, 1);
    }
    pthread_mutex_unlock(&partition->lock);
    disk_close(file);
    if (last)
        segment_free(segment);
}

/* Write the segment's index file. Without it the next opening reads the segment through. */
static bool store_index(struct partition *partition, struct segment *segment)
{
    char path[SEGMENT_PATH_BYTES];
    struct buf content = buf_init(INDEX_FILE_MOST_BYTES);
    enum err err;

    pthread_mutex_lock(&partition->lock);
    err = index_store(&segment->index, &partition->producers, &content);
    pthread_mutex_unlock(&partition->lock);
    if (!err)
        err = segment_path(partition->dir, segment->index.base_offset, ".index", path);
    if (!err)
        err = index_write(partition->disk, path, buf_bytes(&content));
    if (err)
        trace_warn("log", "the index of a segment is not stored, the next start remakes it: %s",
                   err_sentence());
    else
        segment->indexed = segment->index.size;
    buf_release(&content);
    return !err;
}

void partition_seal_last(struct partition *partition)
{
    struct segment *segment = partition->segments[partition->segment_count - 1];
    struct disk_file *file = NULL;
    bool stored = store_index(partition, segment);

    pthread_mutex_lock(&partition->lock);
    segment->sealed = true;
    if (stored)
        index_release(&segment->index);
    if (segment->readers == 0) {
        file = segment->file;
        segment->file = NULL;
    } else {
        atomic_fetch_add(&open_sealed, 1);
    }
    pthread_mutex_unlock(&partition->lock);
    disk_close(file);
}

/* Take the first segment out, and remove its files; the names are gone for good before the next one goes, so that a
 * crash never leaves a gap. Under io_lock. */
static enum err drop_first(struct partition *partition)
{
    struct segment *segment = partition->segments[0];
    int64_t next_base = partition->segments[1]->index.base_offset;
    char path[SEGMENT_PATH_BYTES], index_path[SEGMENT_PATH_BYTES];
    bool unused;
    enum err err = segment_path(partition->dir, segment->index.base_offset, ".log", path);

    if (!err)
        err = segment_path(partition->dir, segment->index.base_offset, ".index", index_path);
    if (err)
        return err;
    pthread_mutex_lock(&partition->lock);
    partition->segment_count--;
    memmove(partition->segments, partition->segments + 1,
            partition->segment_count * sizeof(struct segment *));
    partition->size_bytes -= segment->index.size;
    if (atomic_load(&partition->start_offset) < next_base)
        atomic_store(&partition->start_offset, next_base);
    segment->dropped = true;
    unused = segment->readers == 0;
    if (unused && segment->file)
        atomic_fetch_sub(&open_sealed, 1);
    pthread_mutex_unlock(&partition->lock);
    if (unused)
        segment_free(segment);
    err = disk_remove(partition->disk, path);
    if (!err)
        err = disk_remove(partition->disk, index_path);
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    return err ? err : disk_sync_dir(partition->disk, partition->dir);
}

enum err partition_drop_below(struct partition *partition, int64_t offset)
{
    enum err err = ERR_OK;

    pthread_mutex_lock(&partition->io_lock);
    while (!err && atomic_load(&partition->state) == PARTITION_ONLINE && partition->segment_count > 1 &&
           partition->segments[1]->index.base_offset <= offset)
        err = drop_first(partition);
    pthread_mutex_unlock(&partition->io_lock);
    return err;
}

void partition_drop_later(struct partition *partition, int64_t offset, int64_t durable)
{
    pthread_mutex_lock(&partition->lock);
    partition->drop_below = offset;
    partition->drop_once_durable = durable;
    pthread_mutex_unlock(&partition->lock);
}

void partition_delete(struct partition *partition)
{
    pthread_mutex_lock(&partition->io_lock);
    pthread_mutex_lock(&partition->lock);
    atomic_store(&partition->state, PARTITION_DELETED);
    pthread_mutex_unlock(&partition->lock);
    pthread_mutex_unlock(&partition->io_lock);
}

/* ---- opening and closing ---- */

struct found {
    int64_t *bases;
    size_t count, room;
};

/* Keep the base offset if the name is a segment's. */
static enum err find_segment(void *arg, const char *name)
{
    struct found *found = arg;
    char *end;
    long long base = strtoll(name, &end, 10);

    if (end != name + 20 || strcmp(end, ".log") != 0)
        return ERR_OK;
    if (found->count == found->room) {
        size_t room = found->room ? found->room * 2 : 16;
        int64_t *more = realloc(found->bases, room * sizeof(*more));
        if (!more)
            return err_note(ERR_NO_MEMORY, "out of memory for a list of segments");
        found->bases = more;
        found->room = room;
    }
    found->bases[found->count++] = base;
    return ERR_OK;
}

static int by_base(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static enum err open_segments(struct partition *partition)
{
    struct found found = {0};
    struct segment *segment = NULL;
    enum err err = disk_list(partition->disk, partition->dir, find_segment, &found);

    if (err)
        goto out;
    if (found.count > 0)
        qsort(found.bases, found.count, sizeof(*found.bases), by_base);
    for (size_t i = 0; i < found.count; i++) {
        bool last = i + 1 == found.count;
        const struct segment *before = i > 0 ? partition->segments[i - 1] : NULL;
        if (last && before)
            err = segment_producers(before, partition->disk, partition->dir, &partition->producers);
        if (!err && last)
            err = segment_open_last(&segment, partition->disk, partition->dir, found.bases[i],
                                    &partition->producers);
        else if (!err)
            err = segment_open_sealed(&segment, partition->disk, partition->dir, found.bases[i],
                                      found.bases[i + 1], before);
        if (!err)
            err = partition_add_segment(partition, segment);
        if (err)
            goto out;
        partition->size_bytes += segment->index.size;
        segment = NULL;
    }
out:
    segment_free(segment);
    free(found.bases);
    return err;
}

enum err partition_open(struct partition **out, const char *topic, int32_t number,
                        const struct partition_options *options)
{
    struct partition *partition = calloc(1, sizeof(*partition));
    const struct segment *first, *last;
    int64_t start = options->start_offset, end = start;
    enum err err;

    if (!partition || asprintf(&partition->dir, "%s/%s-%d", options->dir, topic, number) < 0) {
        free(partition);
        return err_note(ERR_NO_MEMORY, "out of memory for a partition");
    }
    snprintf(partition->topic, sizeof(partition->topic), "%s", topic);
    partition->log = options->log;
    partition->number = number;
    partition->disk = options->disk;
    partition->committer = options->committer;
    partition->refs = 1;
    partition->segment_bytes = options->segment_bytes;
    partition->batch_max_bytes = options->batch_max_bytes;
    pthread_mutex_init(&partition->lock, NULL);
    pthread_mutex_init(&partition->io_lock, NULL);

    err = open_segments(partition);
    if (err == ERR_NO_MEMORY) {
        partition_free(partition);
        return err;
    }
    if (err) { /* the others can still be served */
        snprintf(partition->why_offline, sizeof(partition->why_offline), "%s", err_sentence());
        partition->state = PARTITION_OFFLINE;
        trace_error("log", "%s-%d is offline: %s", topic, number, partition->why_offline);
    }
    if (partition->segment_count > 0) {
        first = partition->segments[0];
        last = partition->segments[partition->segment_count - 1];
        if (first->index.base_offset > start)
            start = first->index.base_offset;
        end = last->index.end_offset;
    }
    partition->start_offset = start < end ? start : end;
    partition->durable_end = partition->next_offset = end;
    *out = partition;
    return ERR_OK;
}

void partition_store_index(struct partition *partition)
{
    struct segment *last =
        partition->segment_count ? partition->segments[partition->segment_count - 1] : NULL;

    if (last && partition->state == PARTITION_ONLINE && last->index.size > last->indexed)
        store_index(partition, last);
}
