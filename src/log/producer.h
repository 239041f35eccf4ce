/* producer.h - what a partition remembers of idempotent producers, so that a batch sent twice is stored once.
 *
 * For each producer id: its epoch and its last five batches, as many as a client may have under way. A batch that
 * equals one of them is a duplicate; one that does not follow the last is a gap; an older epoch is fenced.
 * A producer not heard of for a day, or the least recently heard of when there are too many, is forgotten, and
 * then may go on with any sequence.
 *
 * Threads: guarded by its partition's lock. */
#ifndef LOG_PRODUCER_H
#define LOG_PRODUCER_H

#include "log/batch.h"

enum { PRODUCER_BATCHES = 5, PRODUCERS_MOST = 8192, PRODUCER_STORED_BYTES = 20 + PRODUCER_BATCHES * 16 };

struct producer_batch {
    int32_t first_sequence, last_sequence;
    int64_t base_offset;
};

struct producer {
    int64_t id; /* -1: a free slot */
    int64_t last_ms;
    int16_t epoch;
    uint16_t count;
    struct producer_batch batches[PRODUCER_BATCHES]; /* oldest first */
};

struct producers {
    struct producer *slots; /* a hash table with open addressing; room is a power of two */
    size_t count, room;
};

void producers_release(struct producers *producers);

/* May this batch be appended? ERR_OK: yes, and room is kept for producers_note(). ERR_DUPLICATE: *first_offset is
 * what it got the first time. ERR_SEQUENCE, ERR_FENCED, ERR_NO_MEMORY. */
enum err producers_check(struct producers *producers, const struct batch_head *head, int64_t now_ms,
                         int64_t *first_offset);
/* The batch was appended at head->base_offset. After producers_check() for the same batch. */
void producers_note(struct producers *producers, const struct batch_head *head, int64_t now_ms);
/* What is stored already is taken as it stands, whatever its sequence. */
enum err producers_replay(struct producers *producers, const struct batch_head *head, int64_t now_ms);

/* Append each as PRODUCER_STORED_BYTES: id u64 | last heard ms u64 | epoch u16 | batches u16
 * | (first sequence u32 | last sequence u32 | base offset u64)[5]. */
enum err producers_store(const struct producers *producers, struct buf *out);
/* Take back `count` of them, leaving out batches at or above `end_offset`: those were not on disk yet. */
enum err producers_restore(struct producers *producers, const uint8_t *at, size_t count, int64_t end_offset);

#endif
