/* offsets.h - committed offsets of consumer groups: a map in memory, and `__consumer_offsets` on disk. */
#ifndef LOG_OFFSETS_H
#define LOG_OFFSETS_H

#include <pthread.h>

#include "log/log.h"

enum { OFFSET_METADATA_MOST = 4096, OFFSETS_MOST = 200000 };

struct offset_entry {
    char *key; /* group, topic, each with a NUL behind it; one allocation with `metadata` */
    const char *topic;
    char *metadata;
    uint64_t hash;
    int32_t partition, leader_epoch;
    int64_t offset, commit_ms;
};

struct offsets {
    pthread_mutex_t lock;
    struct offset_entry **slots; /* a hash table with open addressing; room is a power of two */
    size_t count, room;
    int64_t live_bytes; /* about what all entries take as records */
    struct partition *partition;
    struct buf record, scratch;
};

/* The log's. */
struct offsets *log_offsets(struct log *log);

/* Read what is stored. `partition` is `__consumer_offsets`-0, kept until offsets_release(). */
enum err offsets_load(struct offsets *offsets, struct partition *partition);
void offsets_release(struct offsets *offsets);
/* Forget every group's offsets of a topic that was deleted. */
enum err offsets_forget_topic(struct offsets *offsets, const char *topic);

#endif
