/* index.h - where in a segment an offset or a time is to be found. (index.c draws the file.)
 *
 * Sparse: an entry about every INDEX_EVERY_BYTES; from there on the segment's batches are walked. Everything in it
 * can be remade from the segment: the file has checksums, and one that is missing or fails is remade.
 *
 * It also keeps the producers' state as of the same position, so that opening need not walk older segments. */
#ifndef LOG_INDEX_H
#define LOG_INDEX_H

#include "log/producer.h"

enum { INDEX_EVERY_BYTES = 32 << 10, INDEX_FILE_MOST_BYTES = 1 << 28 };

struct index_entry {
    int64_t offset;        /* of the batch there */
    int64_t position;      /* in the segment */
    int64_t max_before_ms; /* the largest timestamp of the segment before it; INT64_MIN: none */
};

struct index {
    int64_t base_offset, end_offset;
    int64_t size;             /* bytes of the segment that this index covers */
    int64_t max_ms;           /* the largest timestamp; INT64_MIN while empty */
    int64_t max_batch_offset; /* base offset of the batch that holds it */
    struct index_entry *entries;
    size_t count, room;
};

void index_init(struct index *index, int64_t base_offset);
void index_release(struct index *index);
/* The next batch lies at index->size. Without memory for an entry the index only gets sparser. */
void index_add(struct index *index, const struct batch_head *head);
/* The last entry at or before `offset`; the last whose earlier batches are all older than `time_ms`. In memory. */
struct index_entry index_by_offset(const struct index *index, int64_t offset);
struct index_entry index_by_time(const struct index *index, int64_t time_ms);

/* The content of an index file, behind what `out` holds. */
enum err index_store(const struct index *index, const struct producers *producers, struct buf *out);
enum err index_write(struct disk *disk, const char *path, struct bytes content);
/* Everything but the entries, cheaply. ERR_NOT_FOUND, ERR_CORRUPT: remake it. */
enum err index_read_head(struct disk *disk, const char *path, struct index *out);
/* All of it; `producers` may be NULL. ERR_NOT_FOUND, ERR_CORRUPT: remake it. On error nothing is held. */
enum err index_read(struct disk *disk, const char *path, struct index *out, struct producers *producers);

#endif
