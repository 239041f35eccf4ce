/* sink.h - the sink's own: partitions, and how their records become objects.
 *
 * How each record comes to be in exactly one object, and on time. The position of a partition is the group's committed
 * offset; it always is the start of an object. To put the object [start,end):
 *
 *   1. commit offset start with the metadata text "pinrail settled [start,end)"    settled: the range is fixed now
 *   2. put the object: sync the draft, give it its name
 *   3. commit offset end, without metadata
 *
 * Whoever reads the partition next, after a crash or in another process, begins at the committed offset; where it finds
 * a settled range, the first object ends exactly there, whatever clocks and sizes say. So it has the same name and the
 * same bytes as the one that may or may not have been put before.
 *
 * Anything that goes wrong (disk, commit, rebalance) is mended in one way: drop the draft, wait, ask for the committed
 * offset and read on from there. The records are in the topic; nothing has to be kept here.
 *
 * Threads: everything here belongs to the sink's thread, but for `lag` and `stop`. */
#ifndef LAKE_SINK_H
#define LAKE_SINK_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/metric.h"
#include "lake/draft.h"

struct part {
    char *topic;
    int32_t partition;
    int64_t start;       /* first offset of the draft; -1: not known before the first record comes */
    int64_t next;        /* the offset that comes next; -1 with start */
    int64_t settled_end; /* the draft has to end here; -1: it is free */
    int64_t pass_until;  /* records below are in an object already */
    int64_t records;     /* in the draft */
    int64_t first_ms;    /* time of the draft's first record */
    struct draft draft;
    bool has_folder;
    bool waiting;       /* something went wrong: no records are taken until mended */
    int64_t mend_at_ms; /* steady clock */
    int64_t backoff_ms;
    struct metric *records_total, *lag_gauge;
};

struct lake_sink {
    const struct config *config;
    struct disk *disk;
    pthread_t thread;
    atomic_bool stop;
    atomic_llong lag;
    rd_kafka_t *kafka;
    char bootstrap[300];
    char *subscription; /* the topics' regular expression, anchored */
    struct part **parts;
    size_t part_count;
    struct part *last; /* the part of the last record: the next one is mostly of the same */
    int64_t draft_count;
    int64_t tick_ms;   /* wall clock: when scheduled rotation is due; -1: never */
    int64_t looked_ms; /* steady clock: when housekeeping was last done */
    bool unreachable;  /* said so already */
    int wakes_left;    /* see group_wake(); 0: nothing more is known to be there */
    /* settings */
    int64_t flush_size, flush_bytes, rotate_ms, schedule_ms;
    struct metric *objects_total, *bytes_total, *failures_total, *processed_seconds;
};

/* ---- part.c: one partition ---- */

enum { PART_BACKOFF_FIRST_MS = 200 };

/* ERR_NO_MEMORY. */
enum err part_new(struct part **out, struct lake_sink *sink, const char *topic, int32_t partition);
void part_free(struct part *part); /* accepts NULL */
/* Begin at what the group committed: `offset` below 0 when nothing was. */
void part_begin(struct part *part, int64_t offset, const char *metadata, size_t metadata_size);
/* Take a record; puts the objects that are full by it or must end before it. */
void part_take(struct lake_sink *sink, struct part *part, const rd_kafka_message_t *message);
/* Drop the draft and wait: trouble is mended by beginning again, a little later each time. Says why (err_sentence())
 * at the first time. */
void part_trouble(struct lake_sink *sink, struct part *part, enum err err);

/* ---- settle.c: drafts to objects ---- */

enum { SETTLED_TEXT_BYTES = 80 };
void settled_format(int64_t start, int64_t end, char out[SETTLED_TEXT_BYTES]);
/* The end of the settled range that begins at `start`; -1: the text says nothing of the kind. */
int64_t settled_parse(const char *text, size_t size, int64_t start);
/* Put the drafts of these partitions (those without records are passed over), with two commits for all of them.
 * Partitions where something went wrong are in trouble afterwards, the others have an empty draft. */
void settle(struct lake_sink *sink, struct part **parts, size_t count);

/* ---- group.c: the consumer ---- */

/* A consumer of sink->bootstrap, subscribed. ERR_INVALID, ERR_IO. */
enum err group_open(struct lake_sink *sink);
/* Leave the group and close. Drafts should be settled before. */
void group_close(struct lake_sink *sink);
/* The partition a message belongs to; NULL: not ours (any more). */
struct part *group_part(struct lake_sink *sink, const rd_kafka_message_t *message);
/* Take no more records of this partition until it is mended. */
void group_pause(struct lake_sink *sink, const struct part *part);
enum { WAKES_MOST = 20 };
/* librdkafka stops asking the broker when its own queue is full, and then looks again only once a second, by which time
 * we have long emptied it. So when nothing comes although there is more, ask the broker for the end of a partition: that
 * wakes its thread. Only then: the answer waits behind a fetch that is under way, which may be a long one when all there
 * is has been fetched and lies in the queue. False: there is no more. */
bool group_wake(struct lake_sink *sink);
/* Begin again with the partitions whose waiting time is over. */
void group_mend(struct lake_sink *sink);

#endif
