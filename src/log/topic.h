/* topic.h - the log as a whole: its topics, and the internal topics where it keeps what it knows.
 *
 * Topics and their settings, trimmed starts and producer ids are records of `__pinrail_topics`; committed offsets
 * of `__consumer_offsets`. The last record of a key wins, so opening is reading them once. When one has grown to much
 * more than what lives in it, all that lives is appended again and what stood before is dropped.
 *
 * Lock order: change_lock, then offsets.lock, then topics_lock, then a partition's locks. */
#ifndef LOG_TOPIC_H
#define LOG_TOPIC_H

#include "log/offsets.h"
#include "log/partition.h"

struct topic {
    char name[TOPIC_NAME_MOST + 1];
    uint8_t id[TOPIC_ID_BYTES];
    int64_t created_ms;
    bool internal;
    struct topic_setting *settings;
    size_t setting_count;
    struct partition **partitions; /* NULL while the log opens */
    int64_t *starts;               /* of each partition, as stored: what lies below was trimmed */
    int32_t partition_count;
};

struct log {
    char *dir;
    struct disk *disk;
    struct disk_file *lock_file;
    int64_t segment_bytes;
    size_t batch_max_bytes;
    struct committer committer;

    pthread_mutex_t change_lock; /* one change of topics at a time */
    pthread_rwlock_t topics_lock;
    struct topic **topics; /* by name */
    size_t topic_count;

    struct partition *metadata;                 /* __pinrail_topics-0 */
    struct buf record;                          /* for building one of its records; change_lock */
    int64_t next_producer_id, producer_ids_end; /* change_lock */

    struct offsets offsets;
};

/* The topic of that name, or NULL. Under topics_lock or change_lock. */
struct topic *topics_find(const struct log *log, const char *name);

/* ---- metadata.c: what is stored of topics ---- */

#define METADATA_TOPIC "__pinrail_topics"
#define OFFSETS_TOPIC  "__consumer_offsets"

/* Read `__pinrail_topics` through: makes the topics, without opening their partitions. */
enum err metadata_load(struct log *log);
/* Each returns when it is durable. Under change_lock. */
enum err metadata_put_topic(struct log *log, const struct topic *topic);
enum err metadata_remove_topic(struct log *log, const struct topic *topic);
enum err metadata_put_start(struct log *log, const char *topic, int32_t partition, int64_t start_offset);
enum err metadata_put_producer_ids(struct log *log, int64_t next);

/* ---- topic.c ---- */

/* A topic with room for `partitions` of them, none open yet. NULL: out of memory. */
struct topic *topic_new(const char *name, int32_t partitions);
void topic_free(struct topic *topic); /* accepts NULL; its partitions are put */
/* Set (value not empty) or unset settings. */
enum err topic_change_settings(struct topic *topic, const struct topic_setting *settings, size_t count);
/* Put a topic into the list, or take it out. Under topics_lock for writing, or while the log opens. */
enum err topics_add(struct log *log, struct topic *topic);
void topics_take(struct log *log, const char *name);
/* Open those partitions of a topic that are not open yet; their folders are there. */
enum err topic_open_partitions(struct log *log, struct topic *topic);
/* Make a topic, its folders first, then its record. Under change_lock. */
enum err topic_make(struct log *log, const char *name, int32_t partitions,
                    const struct topic_setting *settings, size_t setting_count, bool internal);

#endif
