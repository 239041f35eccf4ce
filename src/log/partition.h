/* partition.h - one partition: its segments on disk, its tail in memory, what it knows of producers.
 *
 *     start_offset          durable_end           next_offset
 *         |  segments, read by anyone  |  tail, nobody's yet  |
 *
 * Appends go into the tail under `lock`. The committer takes the tail, writes and syncs it under `io_lock`, and then
 * moves durable_end under `lock`. A partition that failed is offline; one that was deleted says so. Either lasts until
 * the log is opened again.
 *
 * Lock order: io_lock, then lock, then the committer's. */
#ifndef LOG_PARTITION_H
#define LOG_PARTITION_H

#include "log/commit.h"
#include "log/segment.h"

enum partition_state { PARTITION_ONLINE, PARTITION_OFFLINE, PARTITION_DELETED };

enum { READ_HINTS = 8 };

/* Where a reader stopped: the next read of a follower starts right there. */
struct read_hint {
    int64_t offset, base_offset, position;
};

struct partition {
    struct log *log;
    char topic[TOPIC_NAME_MOST + 1];
    int32_t number;
    char *dir;
    struct disk *disk;
    struct committer *committer;
    _Atomic int refs;
    _Atomic int state;
    _Atomic int64_t durable_end;
    _Atomic int64_t start_offset;
    _Atomic int64_t segment_bytes;
    _Atomic size_t batch_max_bytes;
    _Atomic bool append_time; /* record times are the log's, not the producer's */

    pthread_mutex_t lock;
    int64_t next_offset;
    struct chunk *tail, *tail_last;
    bool dirty;         /* in the committer's list */
    bool begin_segment; /* the next append begins a segment */
    struct producers producers;
    struct segment **segments; /* by base offset; the last one grows */
    size_t segment_count, segment_room;
    int64_t size_bytes;
    struct read_hint hints[READ_HINTS];
    unsigned next_hint;
    char why_offline[512];
    int64_t drop_below, drop_once_durable; /* see partition_drop_later() */

    pthread_mutex_t io_lock;
    struct chunk *writing, *writing_last; /* written, not yet published; the committer's */
    struct partition *next_dirty;         /* in the committer's list */
    struct partition *next_in_round;
};

struct partition_options {
    struct log *log;
    const char *dir; /* of the log */
    struct disk *disk;
    struct committer *committer;
    int64_t segment_bytes;
    size_t batch_max_bytes;
    int64_t start_offset; /* what was trimmed stays trimmed */
};

/* The partition's folder is there already. One whose files are damaged opens offline: ERR_OK. */
enum err partition_open(struct partition **out, const char *topic, int32_t number,
                        const struct partition_options *options);
/* Writes the index of the growing segment, so that the next opening need not read it. When nothing appends any more. */
void partition_store_index(struct partition *partition);
void partition_get(struct partition *partition);

/* No appends or reads from now on, and no file of it is touched any more. */
void partition_delete(struct partition *partition);
/* partition_trim() without keeping the new start: whole segments below `offset` go. */
enum err partition_drop_below(struct partition *partition, int64_t offset);
/* The same, by the committer once everything below `durable` is on disk. */
void partition_drop_later(struct partition *partition, int64_t offset, int64_t durable);
/* The next append begins a new segment; returns its offset. */
int64_t partition_begin_segment(struct partition *partition);

/* The committer's three steps for a partition in its round; the second may run on a helper. */
void partition_write_tail(struct partition *partition);
void partition_sync_tail(struct partition *partition);
void partition_after_commit(struct partition *partition);

/* ERR_OK, or the error and sentence of a partition that is offline or deleted. */
enum err partition_check_state(struct partition *partition);

/* A new last segment. Under the lock, when there are other threads. */
enum err partition_add_segment(struct partition *partition, struct segment *segment);
/* The last segment will not grow any more: its index goes into its file. Under io_lock. */
void partition_seal_last(struct partition *partition);

/* The segment that holds `offset`, or the first one if that is dropped; NULL: there is none. Under the lock. */
struct segment *partition_segment_of(struct partition *partition, int64_t offset);
/* Hold a segment with its file open, so that its durable bytes can be read without the lock. Called under the lock,
 * which it gives back; ERR_OK: until partition_leave_segment(), which wants the lock not held. */
enum err partition_hold_segment(struct partition *partition, struct segment *segment);
void partition_leave_segment(struct partition *partition, struct segment *segment);

#endif
