/* kinesis_response.h - answers of a Kinesis, cut into what kinesis_client.h gives out.
 *
 * Answers come from outside: whatever does not look as it should is ERR_INVALID with a sentence, and nothing is taken
 * from it. Threads: none of its own. */
#ifndef AWS_KINESIS_RESPONSE_H
#define AWS_KINESIS_RESPONSE_H

#include "aws/kinesis_client.h"

/* What the records of a GetRecords answer are kept in; used again for the next one. */
struct kinesis_cut {
    struct kinesis_record *records;
    size_t count, room;
    struct buf data; /* decoded data, and keys that had escapes */
    struct buf next_iterator;
    int64_t behind_ms;
};

struct kinesis_cut kinesis_cut_init(void);
void kinesis_cut_release(struct kinesis_cut *cut);
/* GetRecords. Sequence numbers and keys may be views into `body`. */
enum err kinesis_cut_records(struct kinesis_cut *cut, struct bytes body);

/* ListShards: adds each shard's id and the sequence number it starts at ("" if the answer has none) to `shards`, a NUL
 * behind each, and counts the shards; `next_token` is empty at the end. */
enum err kinesis_cut_shards(struct bytes body, struct buf *shards, size_t *count, struct buf *next_token);
/* GetShardIterator: the iterator's text, appended. */
enum err kinesis_cut_iterator(struct bytes body, struct buf *iterator);
/* An answer that is not 200: what it means to us, with type and message in the note. */
enum err kinesis_cut_error(long status, struct bytes body);

#endif
