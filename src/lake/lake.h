/* lake.h - topics become objects.                                                   log -> [lake] -> clean
 *
 * Objects are named as the Confluent S3 sink names them: topics/<topic>/partition=<n>/<topic>+<n>+<start offset, 10
 * digits>.json, one compact JSON document a line. Line i of an object (from 0) is the record at start offset + i:
 * an object ends where offsets have a gap.
 *
 * Each record is in exactly one object after any crash: the range of an object is settled before the object is put,
 * as metadata of the consumer group's commit at its start offset, so that a retry writes the same bytes under the
 * same name.
 *
 * A record whose value is not JSON (or is null) still takes one line, {"_pinrail_raw":"<base64>"} (or null), so that
 * nothing is lost before clean can set it aside. */
#ifndef LAKE_LAKE_H
#define LAKE_LAKE_H

#include "base/config.h"
#include "base/disk.h"

struct lake_sink;

/* Read the topics (librdkafka, `bootstrap.servers`) and put objects until stopped; a thread of its own. It waits for
 * an unreachable Kafka, saying so. */
enum err lake_sink_start(struct lake_sink **out, const struct config *config, struct disk *disk);
/* Puts what is open, commits, leaves the group. */
void lake_sink_stop(struct lake_sink *sink); /* accepts NULL */
/* Records read but not yet in an object plus records not yet read, over all partitions; -1: not known yet. */
int64_t lake_sink_lag(struct lake_sink *sink);

struct lake_object {
    char *path; /* whole path */
    int64_t start_offset;
    int64_t size; /* bytes */
};
/* Topics and partitions with objects, and the objects of one partition by start offset, in the arena. */
struct lake_partition {
    char *topic;
    int32_t partition;
};
enum err lake_partitions(const struct config *config, struct disk *disk, struct arena *arena,
                         struct lake_partition **out, size_t *count);
enum err lake_objects(const struct config *config, struct disk *disk, const char *topic, int32_t partition,
                      struct arena *arena, struct lake_object **out, size_t *count);
/* One record's line as lake objects have it, with its newline, from a record's value (at NULL: null). */
enum err lake_line(struct bytes value, struct buf *out);
/* What a line stands for: *value is the JSON document, or the original bytes of one that was not JSON (decoded into
 * `scratch`, *is_json false), or at NULL for null. */
enum err lake_line_value(struct bytes line, struct buf *scratch, struct bytes *value, bool *is_json);

#endif
