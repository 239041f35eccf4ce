/* kinesis_client.h - the calls we make to a Kinesis (ours or AWS's): JSON 1.1 over libcurl.
 * Threads: a client belongs to one thread. */
#ifndef AWS_KINESIS_CLIENT_H
#define AWS_KINESIS_CLIENT_H

#include "base/bytes.h"

struct kinesis_client;

/* `endpoint` as http://127.0.0.1:8082. */
enum err kinesis_open(struct kinesis_client **out, const char *endpoint, const char *region);
void kinesis_close(struct kinesis_client *client);

/* Any operation, e.g. "CreateStream": `body` is its JSON, the answer's JSON is appended to `answer`. ERR_NOT_FOUND,
 * ERR_EXISTS, ERR_BUSY, ERR_INVALID with the service's message as the note; ERR_UNREACHABLE. */
enum err kinesis_ask(struct kinesis_client *client, const char *operation, struct bytes body,
                     struct buf *answer);

struct kinesis_shard {
    const char *id;
    const char *start; /* the sequence number that its own begin at; "" if the service does not say */
};
/* The shards of a stream, in the arena. ERR_NOT_FOUND: no such stream; ERR_UNREACHABLE. */
enum err kinesis_shards(struct kinesis_client *client, const char *stream, struct arena *arena,
                        struct kinesis_shard **out, size_t *count);
/* An iterator AFTER_SEQUENCE_NUMBER `after`, or TRIM_HORIZON when `after` is NULL; text in the arena. */
enum err kinesis_iterator(struct kinesis_client *client, const char *stream, const char *shard,
                          const char *after, struct arena *arena, char **out);
struct kinesis_record {
    struct bytes sequence_number, partition_key, data; /* data decoded */
    int64_t arrival_ms;
};
struct kinesis_records {
    struct kinesis_record *records; /* valid until the next call on the client */
    size_t count;
    char *next_iterator; /* "" at the end of a closed shard */
    int64_t behind_ms;
};
/* GetRecords. ERR_RANGE: the iterator has expired, get another; ERR_BUSY: throughput exceeded, wait. */
enum err kinesis_get(struct kinesis_client *client, const char *iterator, int limit,
                     struct kinesis_records *out);

/* Sequence numbers of pinrail hold the offset (docs/data_files.md): the offset, or -1 when it is not one of ours. */
int64_t kinesis_offset_of(struct bytes sequence_number);

#endif
