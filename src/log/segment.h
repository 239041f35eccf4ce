/* segment.h - one file of a partition: record batches, one behind the other, from its base offset on.
 *
 * The file is named by its base offset in 20 digits, `.log`; its index `.index`. It only grows: a byte once synced is
 * never written again. Readers see its first index.size bytes, which are on disk.
 *
 * Threads: fields are guarded by the partition's lock, but for a growing segment's `written` and `file`, which are the
 * committer's. A reader holds the segment (`readers`) while it reads without the lock. */
#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include "log/index.h"

/* No stored batch is larger; a length beyond it is damage. */
enum { BATCH_MOST_BYTES = 72 << 20, SEGMENT_PATH_BYTES = 4096 };

struct segment {
    struct index index;     /* entries only while it grows; a closed segment's are in its file */
    struct disk_file *file; /* NULL: closed and not in use */
    int64_t written;        /* bytes given to the disk, synced or not */
    int64_t indexed;        /* bytes that its index file covers */
    int readers;
    bool sealed;  /* will not grow any more */
    bool dropped; /* not in the partition any more; freed when the last reader leaves */
};

enum err segment_path(const char *dir, int64_t base_offset, const char *ending, char out[SEGMENT_PATH_BYTES]);
/* A new, empty file; its name is durable when this returns. ERR_EXISTS, ERR_IO, ERR_FULL, ERR_NO_MEMORY. */
enum err segment_create(struct segment **out, struct disk *disk, const char *dir, int64_t base_offset);
/* A segment that others follow: trusted by its size if its index agrees, else read through and its index remade, for
 * which `before` is the segment before it (NULL: none) with what producers had sent until then. `end_offset` is where
 * the next one starts. ERR_CORRUPT: it does not reach there. */
enum err segment_open_sealed(struct segment **out, struct disk *disk, const char *dir, int64_t base_offset,
                             int64_t end_offset, const struct segment *before);
/* What its index file has of producers; a damaged index is remade. */
enum err segment_producers(const struct segment *segment, struct disk *disk, const char *dir,
                           struct producers *producers);
/* The last segment: what a crash tore is cut, the rest is synced. `producers` is what the segment before left. */
enum err segment_open_last(struct segment **out, struct disk *disk, const char *dir, int64_t base_offset,
                           struct producers *producers);
void segment_free(struct segment *segment); /* accepts NULL */

/* Walks a segment's batches from `position` to `end`.
 *     struct segment_cursor cursor = segment_cursor(file, position, end);
 *     while (!(err = segment_next(&cursor, &head, &batch))) ...        // ERR_END: all were walked
 *     segment_cursor_release(&cursor);
 * ERR_CORRUPT: what stands at cursor.position is no whole batch. Checksums are the caller's. */
struct segment_cursor {
    struct disk_file *file;
    int64_t position, end; /* the next batch; where to stop */
    struct buf block;      /* bytes of the file from block_at on */
    int64_t block_at;
};
struct segment_cursor segment_cursor(struct disk_file *file, int64_t position, int64_t end);
enum err segment_next(struct segment_cursor *cursor, struct batch_head *head, struct bytes *batch);
void segment_cursor_release(struct segment_cursor *cursor);

#endif
