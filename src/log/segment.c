/* segment.c - segment files: made, opened after a crash, walked. batch.h draws what is in them. */
#include "log/segment.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/trace.h"

enum { BLOCK_BYTES = 256 << 10 };

enum err segment_path(const char *dir, int64_t base_offset, const char *ending, char out[SEGMENT_PATH_BYTES])
{
    int length = snprintf(out, SEGMENT_PATH_BYTES, "%s/%020lld%s", dir, (long long)base_offset, ending);

    return length < SEGMENT_PATH_BYTES ? ERR_OK : err_note(ERR_INVALID, "a path is too long: %.80s...", dir);
}

/* ---- walking ---- */

struct segment_cursor segment_cursor(struct disk_file *file, int64_t position, int64_t end)
{
    return (struct segment_cursor){.file = file,
                                   .position = position,
                                   .end = end,
                                   .block = buf_init(BATCH_MOST_BYTES),
                                   .block_at = position};
}

void segment_cursor_release(struct segment_cursor *cursor)
{
    buf_release(&cursor->block);
}

/* See to it that `size` bytes from the cursor's position on are in the block. */
static enum err fill_block(struct segment_cursor *cursor, size_t size)
{
    int64_t left = cursor->end - cursor->position;
    size_t skip = (size_t)(cursor->position - cursor->block_at), want, got = 0;
    enum err err;

    if (skip + size <= cursor->block.size)
        return ERR_OK;
    want = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    if ((int64_t)want > left)
        want = (size_t)left;
    buf_clear(&cursor->block);
    cursor->block_at = cursor->position;
    err = buf_reserve(&cursor->block, want);
    if (!err)
        err = disk_read(cursor->file, cursor->position, cursor->block.at, want, &got);
    cursor->block.size = got;
    if (!err && got < size)
        err = err_note(ERR_CORRUPT, "a segment is shorter than it was");
    return err;
}

enum err segment_next(struct segment_cursor *cursor, struct batch_head *head, struct bytes *batch)
{
    int64_t left = cursor->end - cursor->position;
    const uint8_t *at;
    enum err err;

    if (left == 0)
        return ERR_END;
    if (left < BATCH_HEADER_BYTES)
        return err_note(ERR_CORRUPT, "half a record batch");
    err = fill_block(cursor, BATCH_HEADER_BYTES);
    if (err)
        return err;
    at = cursor->block.at + (cursor->position - cursor->block_at);
    if (batch_head(bytes_of(at, BATCH_HEADER_BYTES), head))
        return ERR_CORRUPT;
    if (head->size > BATCH_MOST_BYTES || (int64_t)head->size > left)
        return err_note(ERR_CORRUPT, "half a record batch");
    err = fill_block(cursor, head->size);
    if (err)
        return err;
    *batch = bytes_of(cursor->block.at + (cursor->position - cursor->block_at), head->size);
    cursor->position += (int64_t)head->size;
    return ERR_OK;
}

/* ---- making and opening ---- */

static enum err segment_new(struct segment **out, int64_t base_offset)
{
    struct segment *segment = calloc(1, sizeof(*segment));

    if (!segment)
        return err_note(ERR_NO_MEMORY, "out of memory for a segment");
    index_init(&segment->index, base_offset);
    *out = segment;
    return ERR_OK;
}

void segment_free(struct segment *segment)
{
    if (!segment)
        return;
    disk_close(segment->file);
    index_release(&segment->index);
    free(segment);
}

enum err segment_create(struct segment **out, struct disk *disk, const char *dir, int64_t base_offset)
{
    char path[SEGMENT_PATH_BYTES];
    struct segment *segment = NULL;
    enum err err = segment_path(dir, base_offset, ".log", path);

    if (!err)
        err = segment_new(&segment, base_offset);
    if (!err)
        err = disk_open(disk, &segment->file, path, DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE);
    if (!err)
        err = disk_sync_dir(disk, dir);
    if (!err) {
        *out = segment;
        segment = NULL;
    }
    segment_free(segment);
    return err;
}

/* Walk `segment` from what its index covers to `size`, adding every whole batch to the index and to the producers.
 * Ends at the first that is torn, fails its checksum, or does not follow the one before. ERR_OK either way. */
static enum err cover(struct segment *segment, int64_t size, struct producers *producers)
{
    struct segment_cursor cursor = segment_cursor(segment->file, segment->index.size, size);
    struct batch_head head;
    struct bytes batch;
    enum err err;

    while (!(err = segment_next(&cursor, &head, &batch))) {
        if (head.base_offset != segment->index.end_offset || !batch_crc_holds(batch))
            break;
        index_add(&segment->index, &head);
        if (producers && head.producer_id >= 0)
            err = producers_replay(producers, &head, head.max_ms);
        if (err)
            break;
    }
    segment_cursor_release(&cursor);
    return err == ERR_IO || err == ERR_NO_MEMORY ? err : ERR_OK;
}

/* Open the file of a segment that is there. */
static enum err open_file(struct segment **out, struct disk *disk, const char *path, int64_t base_offset,
                          int flags, off_t *size)
{
    struct segment *segment = NULL;
    enum err err = segment_new(&segment, base_offset);

    if (!err)
        err = disk_open(disk, &segment->file, path, flags);
    if (!err)
        err = disk_size(segment->file, size);
    if (err) {
        segment_free(segment);
        return err;
    }
    *out = segment;
    return ERR_OK;
}

/* Read the whole segment, whose file is open, and write its index anew. `producers` is what was before it, and then
 * what is at its end. */
static enum err remake_index(struct segment *segment, struct disk *disk, const char *dir, int64_t size,
                             struct producers *producers)
{
    char path[SEGMENT_PATH_BYTES];
    struct buf content = buf_init(INDEX_FILE_MOST_BYTES);
    enum err err = segment_path(dir, segment->index.base_offset, ".index", path);

    if (err)
        return err;
    trace_warn("log", "%s is missing or damaged; reading the segment through to remake it", path);
    err = cover(segment, size, producers);
    if (!err)
        err = index_store(&segment->index, producers, &content);
    if (!err && segment->index.size == size)
        err = index_write(disk, path, buf_bytes(&content));
    buf_release(&content);
    return err;
}

enum err segment_producers(const struct segment *segment, struct disk *disk, const char *dir,
                           struct producers *producers)
{
    char path[SEGMENT_PATH_BYTES];
    struct segment *again = NULL;
    struct index index = {0};
    off_t size;
    enum err err = segment_path(dir, segment->index.base_offset, ".index", path);

    if (!err)
        err = index_read(disk, path, &index, producers);
    index_release(&index);
    if (err != ERR_NOT_FOUND && err != ERR_CORRUPT)
        return err;
    /* what producers sent before this segment is lost with the index; they are taken as new ones */
    err = segment_path(dir, segment->index.base_offset, ".log", path);
    if (!err)
        err = open_file(&again, disk, path, segment->index.base_offset, DISK_READ, &size);
    if (!err)
        err = remake_index(again, disk, dir, size, producers);
    segment_free(again);
    return err;
}

enum err segment_open_sealed(struct segment **out, struct disk *disk, const char *dir, int64_t base_offset,
                             int64_t end_offset, const struct segment *before)
{
    char path[SEGMENT_PATH_BYTES], index_path[SEGMENT_PATH_BYTES];
    struct segment *segment = NULL;
    struct producers producers = {0};
    struct index index;
    off_t size = 0;
    enum err err = segment_path(dir, base_offset, ".log", path);

    if (!err)
        err = segment_path(dir, base_offset, ".index", index_path);
    if (!err)
        err = open_file(&segment, disk, path, base_offset, DISK_READ, &size);
    if (err)
        goto out;
    err = index_read_head(disk, index_path, &index);
    if (!err && index.base_offset == base_offset && index.end_offset == end_offset && index.size == size) {
        segment->index = index;
    } else if (err && err != ERR_NOT_FOUND && err != ERR_CORRUPT) {
        goto out;
    } else {
        err = before ? segment_producers(before, disk, dir, &producers) : ERR_OK;
        if (!err)
            err = remake_index(segment, disk, dir, size, &producers);
        if (err)
            goto out;
        index_release(&segment->index);
    }
    if (segment->index.end_offset != end_offset || segment->index.size != size) {
        err = err_note(ERR_CORRUPT,
                       "%s is damaged after offset %lld; restore it from a copy, or delete the topic", path,
                       (long long)segment->index.end_offset - 1);
        goto out;
    }
    disk_close(segment->file); /* opened again when somebody reads */
    segment->file = NULL;
    segment->written = segment->indexed = size;
    segment->sealed = true;
    *out = segment;
    segment = NULL;
out:
    producers_release(&producers);
    segment_free(segment);
    return err;
}

enum err segment_open_last(struct segment **out, struct disk *disk, const char *dir, int64_t base_offset,
                           struct producers *producers)
{
    char path[SEGMENT_PATH_BYTES], index_path[SEGMENT_PATH_BYTES];
    struct segment *segment = NULL;
    struct producers stored = {0};
    struct index index;
    off_t size = 0;
    enum err err = segment_path(dir, base_offset, ".log", path);

    if (!err)
        err = segment_path(dir, base_offset, ".index", index_path);
    if (!err)
        err = open_file(&segment, disk, path, base_offset, DISK_WRITE, &size);
    if (err)
        goto out;
    err = index_read(disk, index_path, &index, &stored);
    if (!err) {
        segment->index = index;
        if (index.base_offset != base_offset || index.size > size) {
            err = err_note(
                ERR_CORRUPT,
                "%s has lost %lld bytes that were on disk; restore it from a copy, or delete the topic", path,
                (long long)(index.size - size));
            goto out;
        }
        segment->indexed = index.size; /* the index was written after those bytes were synced */
        producers_release(producers);
        *producers = stored;
        stored = (struct producers){0};
    } else if (err != ERR_NOT_FOUND && err != ERR_CORRUPT) {
        goto out;
    }
    err = cover(segment, size, producers);
    if (err)
        goto out;
    if (segment->index.size < size) {
        trace_warn("log", "%s: cut %lld bytes behind offset %lld that a crash left unfinished", path,
                   (long long)(size - segment->index.size), (long long)segment->index.end_offset - 1);
        err = disk_truncate(segment->file, segment->index.size);
    }
    /* what a killed process wrote may be in memory only: nobody sees it before it is on disk */
    if (!err && size > segment->indexed)
        err = disk_sync(segment->file);
    if (err)
        goto out;
    segment->written = segment->index.size;
    *out = segment;
    segment = NULL;
out:
    producers_release(&stored);
    segment_free(segment);
    return err;
}
