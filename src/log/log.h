/* log.h - the durable log.                                                    gateway -> [log] -> lake
 *
 * A topic has partitions, a partition has segments, a segment holds Kafka record batches (magic 2) exactly as the
 * wire has them. The log knows no protocol: doors decode, ask the log, encode. A Kinesis stream is a topic and a
 * shard a partition.
 *
 * Durability: partition_append() puts a batch in line and returns at once; one committer thread writes and syncs
 * all that wait, for all partitions together, then wakes the doors. Nothing is readable, and nothing may be
 * acknowledged, before partition_settled() says ERR_OK. Readers see durable bytes only.
 *
 * A failed write or sync ends trust in that partition: it goes offline (every call ERR_IO, with a note that says
 * how to mend it) until the log is opened again and has cut back to what is whole.
 *
 * Threads: every function here may be called from any thread unless it says otherwise. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "base/bytes.h"
#include "base/disk.h"

struct log;
struct partition;

enum {
    TOPIC_NAME_MOST = 249,
    TOPIC_ID_BYTES = 16,
    TOPIC_PARTITIONS_MOST = 10000,
    BATCH_HEADER_BYTES = 61,
};

struct log_options {
    const char *dir;            /* made if absent; locked against a second process (ERR_BUSY) */
    struct disk *disk;          /* disk_real() but in tests */
    int64_t segment_bytes;      /* 0: 256 MiB */
    size_t message_max_bytes;   /* the largest batch; 0: 1048588 as Kafka's message.max.bytes */
    size_t unsynced_most_bytes; /* appenders wait when this much waits for the disk; 0: 64 MiB */
};

/* Opens the log, recovering every partition: torn tails are cut, indexes remade where they are missing or wrong.
 * ERR_OK: *out is the caller's, to be closed with log_close(), which syncs and stops the committer. */
enum err log_open(struct log **out, const struct log_options *options);
void log_close(struct log *log); /* accepts NULL */

/* ---- topics ---- */

struct topic_setting {
    char name[64];
    char value[192];
};

struct topic_info {
    char name[TOPIC_NAME_MOST + 1];
    uint8_t id[TOPIC_ID_BYTES]; /* a random UUID, stable for the topic's life, never zero */
    int32_t partition_count;
    int64_t created_ms;
    bool internal;                  /* __consumer_offsets, __pinrail_...: not for clients to write */
    struct topic_setting *settings; /* those set explicitly, in the arena given */
    size_t setting_count;
};

/* Topic names: 1..249 of [A-Za-z0-9._-], not "." or "..". */
bool topic_name_is_valid(struct bytes name);

/* Durable when it returns. ERR_EXISTS, ERR_INVALID (name, count), ERR_IO. */
enum err log_topic_create(struct log *log, const char *name, int32_t partitions,
                          const struct topic_setting *settings, size_t setting_count);
/* Readers and appenders of its partitions get ERR_NOT_FOUND from then on. ERR_NOT_FOUND if absent. */
enum err log_topic_delete(struct log *log, const char *name);
/* More partitions for a topic. ERR_INVALID if not more than now. */
enum err log_topic_grow(struct log *log, const char *name, int32_t partitions);
/* Set (value not empty) or unset (value empty) settings. */
enum err log_topic_set(struct log *log, const char *name, const struct topic_setting *settings, size_t count);
enum err log_topic_find(struct log *log, const char *name, struct arena *arena, struct topic_info *out);
enum err log_topic_find_id(struct log *log, const uint8_t id[TOPIC_ID_BYTES], struct arena *arena,
                           struct topic_info *out);
/* All topics by name, in the arena. */
enum err log_topic_list(struct log *log, struct arena *arena, struct topic_info **out, size_t *count);

/* ---- partitions ---- */

/* The partition, to be given back with partition_put(); NULL if there is none. */
struct partition *log_partition(struct log *log, const char *topic, int32_t index);
void partition_put(struct partition *partition); /* accepts NULL */

struct append {
    int64_t base_offset; /* the first record's */
    int64_t end_offset;  /* one past the last record's: what partition_settled() takes */
    int64_t append_ms;   /* when it was taken in */
    bool
        duplicate; /* an idempotent producer's repeat: nothing was appended, the offsets are the first time's */
};

/* Append one record batch (magic 2, as the wire has it). Checks its length, CRC32C, magic, that offsets run 0..n-1
 * and, for idempotent producers, epoch and sequence; writes base offset and leader epoch into the stored copy. The
 * bytes are copied. Waits while too much is unsynced.
 * ERR_CORRUPT (CRC), ERR_INVALID (shape), ERR_TOO_LARGE, ERR_SEQUENCE (gap), ERR_FENCED (old epoch), ERR_NOT_FOUND
 * (deleted), ERR_IO (offline). */
enum err partition_append(struct partition *partition, struct bytes batch, struct append *out);

/* Is everything below `end_offset` on disk? ERR_OK yes; ERR_BUSY not yet; ERR_IO never: the partition went
 * offline, and nothing may be acknowledged. */
enum err partition_settled(struct partition *partition, int64_t end_offset);

/* Register an eventfd (or pipe end) to which the committer writes 8 bytes after every commit and after every
 * topic change. Up to 16. The door then looks at what it has parked. */
enum err log_wake_on_commit(struct log *log, int eventfd);
/* Before that descriptor is closed: it is not written to after this returns. */
void log_wake_forget(struct log *log, int eventfd);
/* For callers with a thread of their own: wait until settled. ERR_BUSY on time-out; a negative one is for ever. */
enum err partition_wait(struct partition *partition, int64_t end_offset, int timeout_ms);

int64_t partition_start_offset(struct partition *partition);
/* One past the last durable record: the high watermark. */
int64_t partition_end_offset(struct partition *partition);
int64_t partition_size_bytes(struct partition *partition);

/* Append to `out` whole batches from the one that holds `offset` on, up to `max_bytes` but at least one batch. The
 * first batch may start before `offset`. Nothing at the end: ERR_OK and no bytes. ERR_RANGE below the start or past
 * the end. */
enum err partition_read(struct partition *partition, int64_t offset, size_t max_bytes, struct buf *out);

/* The first offset whose record's timestamp is >= time_ms, and that timestamp. ERR_END: there is none. */
enum err partition_find_time(struct partition *partition, int64_t time_ms, int64_t *offset,
                             int64_t *timestamp_ms);
/* The offset and timestamp of the record with the largest timestamp. ERR_END when empty. */
enum err partition_max_time(struct partition *partition, int64_t *offset, int64_t *timestamp_ms);
/* Forget records below `offset` (DeleteRecords). */
enum err partition_trim(struct partition *partition, int64_t offset);

/* ---- idempotent producers ---- */

/* A producer id that was never given before (durable). */
enum err log_new_producer_id(struct log *log, int64_t *producer_id);

/* ---- committed consumer offsets (in __consumer_offsets, under Kafka's name) ---- */

struct committed {
    int64_t offset;
    int32_t leader_epoch; /* -1: not given */
    int64_t commit_ms;
    char *metadata; /* in the arena; never NULL */
};

/* Appended, not yet durable: *where and *end_offset are for partition_settled(), the caller puts *where back.
 * Metadata is at most 4096 bytes (ERR_TOO_LARGE). A commit is visible to log_offset_fetch() at once. */
enum err log_offset_commit(struct log *log, const char *group, const char *topic, int32_t partition,
                           int64_t offset, int32_t leader_epoch, struct bytes metadata,
                           struct partition **where, int64_t *end_offset);
enum err log_offset_fetch(struct log *log, const char *group, const char *topic, int32_t partition,
                          struct arena *arena, struct committed *out); /* ERR_NOT_FOUND */
struct committed_entry {
    const char *topic;
    int32_t partition;
    struct committed committed;
};
enum err log_offset_list(struct log *log, const char *group, struct arena *arena,
                         struct committed_entry **out, size_t *count);
/* Names of all groups with committed offsets. */
enum err log_group_list(struct log *log, struct arena *arena, char ***out, size_t *count);
enum err log_offset_delete(struct log *log, const char *group, const char *topic,
                           int32_t partition); /* topic NULL: all of the group's */

/* ---- record batches ---- */

struct record_header {
    struct bytes key, value; /* value.at NULL: null */
};

struct record {
    int64_t offset;
    int64_t timestamp_ms;
    struct bytes key, value; /* at NULL: null (not the same as empty) */
    const struct record_header *headers;
    size_t header_count;
};

/* Builds one uncompressed batch: begin, add as often as you like, finish. The batch is written behind what `out`
 * already holds. CreateTime timestamps. */
struct batch_writer {
    struct buf *out;
    size_t start;
    int32_t count;
    int64_t base_ms, max_ms;
};
enum err batch_begin(struct batch_writer *writer, struct buf *out);
enum err batch_add(struct batch_writer *writer, const struct record *record); /* record->offset is ignored */
enum err batch_finish(struct batch_writer *writer,
                      struct bytes *batch); /* lengths, count, CRC; view into `out` */

/* Walks the records of a run of batches such as partition_read() gives, decompressing (gzip, snappy, lz4, zstd) into
 * memory of its own with a bound; control batches are passed over. A last partial batch ends the walk.
 *     struct batch_reader reader = batch_reader(bytes);  while (!(err = batch_read(&reader, &record))) ...
 *     batch_reader_release(&reader);
 * A record is valid until the next batch_read(). ERR_END when done; ERR_CORRUPT, ERR_INVALID, ERR_TOO_LARGE. */
struct batch_reader {
    struct bytes rest, records;
    int64_t base_offset, end_offset; /* of the batch it is in */
    int64_t base_ms, max_ms;
    int32_t left;
    bool append_time;
    struct buf unpacked;
    struct record_header *headers;
    size_t header_room;
};
struct batch_reader batch_reader(struct bytes batches);
enum err batch_read(struct batch_reader *reader, struct record *out);
void batch_reader_release(struct batch_reader *reader);

/* The partition of a key as Java's default partitioner has it: murmur2, positive, modulo. */
int32_t partition_of_key(struct bytes key, int32_t partition_count);

#endif
