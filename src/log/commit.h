/* commit.h - the committer: one thread that writes and syncs what all partitions have waiting, and wakes who waits.
 *
 * Group commit: while it syncs, appends gather in the partitions' tails; the next round takes them all. The files of
 * one round are synced side by side by a few helper threads, which here takes half the time of one after the other.
 *
 * A tail is a list of chunks. The room of all chunks in use is bounded; appenders wait for a commit when it is used up.
 *
 * Lock order: a partition's lock before the committer's. */
#ifndef LOG_COMMIT_H
#define LOG_COMMIT_H

#include <pthread.h>
#include <stdatomic.h>

#include "log/log.h"

struct segment;

enum { CHUNK_BYTES = 64 << 10, SYNC_HELPERS = 3, WAKE_FDS_MOST = 16, SPARE_CHUNKS_MOST = 64 };

/* Whole batches, one behind the other, on their way to the disk. */
struct chunk {
    struct chunk *next;
    int64_t base_offset, end_offset;
    struct segment *segment; /* where it was written, and at which position */
    bool begins_segment;     /* not to be put behind anything */
    size_t size, room;
    uint8_t at[];
};

struct committer {
    pthread_t thread, helpers[SYNC_HELPERS];
    int helpers_started;
    bool started, running;

    pthread_mutex_t lock;
    pthread_cond_t work, committed;
    struct partition *dirty; /* with something in their tail, each once */
    bool idle, stop;
    int waiting; /* threads in a wait for `committed` */
    int wake_fds[WAKE_FDS_MOST];
    int wake_count;
    struct chunk *spare;
    int spare_count;

    _Atomic size_t unsynced; /* room of all chunks in use */
    size_t unsynced_most;

    /* the round's partitions that wait for a sync; helpers take them one by one */
    pthread_mutex_t round_lock;
    pthread_cond_t round_begins, round_ends;
    struct partition *round;
    int round_left;
};

enum err committer_start(struct committer *committer, size_t unsynced_most);
/* Commits what is left, then ends the thread. */
void committer_stop(struct committer *committer);

/* This partition has something in its tail (and had nothing before). The caller holds its lock. */
void committer_add(struct committer *committer, struct partition *partition);
/* Wait while too much is unsynced. Not with a partition's lock held. */
void committer_wait_for_room(struct committer *committer);
/* Write to the registered descriptors and wake waiters. */
void committer_wake(struct committer *committer);

/* A chunk with room for `size` bytes; NULL: out of memory. */
struct chunk *chunk_take(struct committer *committer, size_t size);
void chunk_give(struct committer *committer, struct chunk *chunk);

#endif
