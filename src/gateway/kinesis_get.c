/* kinesis_get.c - GetShardIterator and GetRecords: reading any partition as a shard, whichever door wrote
 * it. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "gateway/kinesis.h"

enum {
    RECORDS_MOST = 10000,
    ANSWER_DATA_MOST = 10 << 20, /* of data and keys */
    READ_BYTES = 1 << 20,        /* from the log at a time */
};

/* ---- iterators ---- */

static bool no_shard(struct call *call, const char *stream, const char *shard)
{
    kinesis_error(call, "ResourceNotFoundException", "Shard %s in stream %s under account %s does not exist",
                  shard, stream, kinesis_account(call));
    return false;
}

/* The shard that ShardId names, with the partition behind it. False: the call is answered. */
static bool find_shard(struct kinesis *kinesis, struct bytes id, int32_t *shard, struct partition **out)
{
    struct call *call = kinesis->call;
    const char *text = arena_text(&call->arena, id);
    int64_t number;

    if (shard_id_parse(id, &number)) {
        kinesis_error(call, "ResourceNotFoundException",
                      "Could not find shard %s in stream %s under account %s.", text, kinesis->stream,
                      kinesis_account(call));
        return false;
    }
    if (number >= kinesis->topic.partition_count)
        return no_shard(call, kinesis->stream, text);
    *out = log_partition(call->door->log, kinesis->stream, (int32_t)number);
    *shard = (int32_t)number;
    return *out ? true : no_shard(call, kinesis->stream, text);
}

/* The offset a sequence number stands for, `after` it if so asked. False: the call is answered. */
static bool take_sequence(struct kinesis *kinesis, struct bytes text, int32_t shard, bool after,
                          int64_t *offset)
{
    struct call *call = kinesis->call;
    char first[SEQUENCE_TEXT_BYTES], id[SHARD_ID_BYTES], other[SHARD_ID_BYTES];
    int64_t created_s, stream_s;
    uint32_t of_shard;

    shard_id(shard, id);
    shard_first_sequence(&kinesis->topic, shard, first);
    if (bytes_equal(text, bytes_of_text(first))) { /* before every record: after it is the first one */
        *offset = 0;
        return true;
    }
    if (sequence_parse(text, &created_s, &of_shard, offset)) {
        kinesis_error(call, "InvalidArgumentException",
                      "StartingSequenceNumber %.*s used in GetShardIterator on shard %s in stream %s "
                      "under account %s is invalid.",
                      (int)text.size, (const char *)text.at, id, kinesis->stream, kinesis_account(call));
        return false;
    }
    if (of_shard != (uint32_t)shard) {
        shard_id((int32_t)of_shard, other);
        kinesis_error(call, "InvalidArgumentException",
                      "Invalid StartingSequenceNumber. It encodes %s, while it was used in a call to a "
                      "shard with %s",
                      other, id);
        return false;
    }
    if (sequence_parse(bytes_of_text(first), &stream_s, NULL, NULL) || created_s != stream_s) {
        kinesis_error(call, "InvalidArgumentException",
                      "StartingSequenceNumber %.*s used in GetShardIterator on shard %s in stream %s "
                      "under account %s is invalid because it did not come from this stream.",
                      (int)text.size, (const char *)text.at, id, kinesis->stream, kinesis_account(call));
        return false;
    }
    *offset += after;
    return true;
}

static const char *const iterator_types[] = {"AFTER_SEQUENCE_NUMBER", "LATEST",       "AT_TIMESTAMP",
                                             "AT_SEQUENCE_NUMBER",    "TRIM_HORIZON", NULL};
enum iterator_type { AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON };

enum { IN_SHARD = 2, IN_TYPE, IN_SEQUENCE, IN_TIMESTAMP };

/* Do type and starting point go together? */
static bool check_start(struct kinesis *kinesis, enum iterator_type type)
{
    bool wants_sequence = type == AT_SEQUENCE_NUMBER || type == AFTER_SEQUENCE_NUMBER;

    if (kinesis->inputs[IN_SEQUENCE].given != wants_sequence) {
        kinesis_error(kinesis->call, "InvalidArgumentException",
                      "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and "
                      "StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
                      "Request specified %s and %s.",
                      iterator_types[type],
                      wants_sequence ? "no StartingSequenceNumber" : "also a StartingSequenceNumber");
        return false;
    }
    if (kinesis->inputs[IN_TIMESTAMP].given != (type == AT_TIMESTAMP)) {
        kinesis_error(kinesis->call, "InvalidArgumentException",
                      "Must specify AT_TIMESTAMP and Timestamp together. Request specified %s "
                      "and %s.",
                      iterator_types[type], type == AT_TIMESTAMP ? "no Timestamp" : "also a Timestamp");
        return false;
    }
    return true;
}

static bool start_at_time(struct kinesis *kinesis, struct partition *partition, int64_t *offset)
{
    int64_t at_ms = kinesis->inputs[IN_TIMESTAMP].integer, now = clock_wall_ms(), found_ms;
    enum err err;

    if (at_ms > now) {
        kinesis_error(kinesis->call, "InvalidArgumentException",
                      "The timestampInMillis parameter cannot be greater than the "
                      "currentTimestampInMillis. timestampInMillis: %lld, currentTimestampInMillis: %lld",
                      (long long)at_ms, (long long)now);
        return false;
    }
    err = partition_find_time(partition, at_ms, offset, &found_ms);
    if (err == ERR_END) {
        *offset = partition_end_offset(partition);
        err = ERR_OK;
    }
    if (err)
        kinesis_fail(kinesis->call, err);
    return !err;
}

static bool find_start(struct kinesis *kinesis, enum iterator_type type, int32_t shard,
                       struct partition *partition, int64_t *offset)
{
    switch (type) {
    case AFTER_SEQUENCE_NUMBER:
    case AT_SEQUENCE_NUMBER:
        return take_sequence(kinesis, kinesis->inputs[IN_SEQUENCE].bytes, shard,
                             type == AFTER_SEQUENCE_NUMBER, offset);
    case AT_TIMESTAMP:
        return start_at_time(kinesis, partition, offset);
    case LATEST:
        *offset = partition_end_offset(partition);
        return true;
    case TRIM_HORIZON:
        *offset = partition_start_offset(partition);
        return true;
    }
    return false;
}

static bool say_iterator(struct kinesis *kinesis, int32_t shard, int64_t offset)
{
    struct token token = {TOKEN_ITERATOR, "", kinesis->topic.created_ms, shard, offset, clock_wall_ms()};
    char text[TOKEN_TEXT_MOST];

    memcpy(token.stream, kinesis->stream, sizeof(token.stream));
    if (token_seal(kinesis->call->door->secret, &token, text)) {
        kinesis_fail(kinesis->call, ERR_IO);
        return false;
    }
    say(kinesis->call, "ShardIterator\":\"");
    say(kinesis->call, text);
    say(kinesis->call, "\"");
    return true;
}

void kinesis_get_shard_iterator(struct kinesis *kinesis)
{
    static const struct member members[] = {
        MEMBERS_OF_STREAM,
        [IN_SHARD] = {"ShardId", MEMBER_STRING, true, "[a-zA-Z0-9_.-]+", fits_name, NULL, 1, 128},
        [IN_TYPE] = {"ShardIteratorType", MEMBER_STRING, true, NULL, NULL, iterator_types, 0, 0},
        [IN_SEQUENCE] = {"StartingSequenceNumber", MEMBER_STRING, false, "0|([1-9]\\d{0,128})", fits_sequence,
                         NULL, 0, 0},
        [IN_TIMESTAMP] = {"Timestamp", MEMBER_TIMESTAMP, false, NULL, NULL, NULL, 0, 0},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct partition *partition = NULL;
    unsigned type = 0;
    int64_t offset;
    int32_t shard;

    if (!kinesis_take(kinesis, members) || !kinesis_stream(kinesis) ||
        !find_shard(kinesis, kinesis->inputs[IN_SHARD].bytes, &shard, &partition))
        return;
    while (!bytes_equal(kinesis->inputs[IN_TYPE].bytes, bytes_of_text(iterator_types[type])))
        type++;
    if (check_start(kinesis, type) && find_start(kinesis, type, shard, partition, &offset)) {
        kinesis_answer(kinesis->call);
        say(kinesis->call, "{\"");
        if (say_iterator(kinesis, shard, offset))
            say(kinesis->call, "}");
    }
    partition_put(partition);
}

/* ---- records ---- */

/* Thu Jan 22 01:22:02 UTC 2015 */
static const char *service_time(int64_t ms, char out[40])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(out, 40, "%a %b %d %H:%M:%S UTC %Y", &tm);
    return out;
}

/* The place an iterator stands for. False: the call is answered. */
static bool take_iterator(struct kinesis *kinesis, struct bytes text, struct token *token)
{
    struct call *call = kinesis->call;
    char then[40], today[40], id[SHARD_ID_BYTES];
    int64_t now = clock_wall_ms();
    enum err err;

    if (token_open(call->door->secret, text, TOKEN_ITERATOR, token)) {
        kinesis_error(call, "InvalidArgumentException", "Invalid ShardIterator.");
        return false;
    }
    if (now - token->issued_ms > TOKEN_LIFE_MS) {
        kinesis_error(call, "ExpiredIteratorException",
                      "Iterator expired. The iterator was created at time %s while right now it is %s "
                      "which is further in the future than the tolerated delay of %d milliseconds.",
                      service_time(token->issued_ms, then), service_time(now, today), TOKEN_LIFE_MS);
        return false;
    }
    memcpy(kinesis->stream, token->stream, sizeof(kinesis->stream));
    err = log_topic_find(call->door->log, kinesis->stream, &call->arena, &kinesis->topic);
    if (err && err != ERR_NOT_FOUND) {
        kinesis_fail(call, err);
        return false;
    }
    shard_id(token->shard, id);
    if (err || kinesis->topic.created_ms != token->created_ms) /* deleted, perhaps made again */
        return no_shard(call, token->stream, id);
    return true;
}

struct reading {
    struct kinesis *kinesis;
    struct partition *partition;
    int32_t shard;
    int64_t next;    /* the offset to go on from */
    int64_t last_ms; /* when the last record was put; -1: none was read */
    int64_t count, most;
    size_t bytes;
};

static void say_record(struct reading *reading, const struct record *record)
{
    struct call *call = reading->kinesis->call;
    int64_t ms = record->timestamp_ms < 0 ? 0 : record->timestamp_ms;
    char sequence[SEQUENCE_TEXT_BYTES], fraction[5] = ".000";

    shard_sequence(&reading->kinesis->topic, reading->shard, record->offset, ms, sequence);
    for (int i = 3, rest = (int)(ms % 1000); i > 0; i--, rest /= 10)
        fraction[i] = (char)('0' + rest % 10);
    say(call, reading->count ? ",{\"SequenceNumber\":\"" : "{\"SequenceNumber\":\"");
    say(call, sequence);
    say(call, "\",\"ApproximateArrivalTimestamp\":");
    say_integer(call, ms / 1000);
    say(call, fraction);
    say(call, ",\"PartitionKey\":");
    say_quoted(call, record->key);
    say(call, ",\"Data\":");
    say_base64(call, record->value);
    say(call, "}");
}

/* Say the records of some batches. ERR_FULL: the answer is large enough. */
static enum err say_batches(struct reading *reading, struct bytes batches)
{
    struct batch_reader reader = batch_reader(batches);
    struct record record;
    enum err err;

    while (!(err = batch_read(&reader, &record))) {
        size_t size = record.key.size + record.value.size;
        if (record.offset < reading->next)
            continue; /* the batch began before it */
        if (reading->count == reading->most ||
            (reading->count > 0 && reading->bytes + size > ANSWER_DATA_MOST)) {
            err = ERR_FULL;
            break;
        }
        say_record(reading, &record);
        reading->count++;
        reading->bytes += size;
        reading->next = record.offset + 1;
        reading->last_ms = record.timestamp_ms;
    }
    batch_reader_release(&reader);
    return err;
}

/* One past the last record of a run of batches, from their headers. */
static int64_t batches_end(struct bytes batches)
{
    enum { AT_LENGTH = 8, LENGTH_FROM = 12, AT_LAST_DELTA = 23 };
    int64_t end = -1;

    while (batches.size >= BATCH_HEADER_BYTES) {
        size_t size = LENGTH_FROM + (size_t)get_u32(batches.at + AT_LENGTH);
        if (size < BATCH_HEADER_BYTES || size > batches.size)
            break;
        end = (int64_t)get_u64(batches.at) + (int32_t)get_u32(batches.at + AT_LAST_DELTA) + 1;
        batches = bytes_of(batches.at + size, batches.size - size);
    }
    return end;
}

/* Read on until the end, the limit, or what an answer may hold. */
static enum err say_records(struct reading *reading)
{
    struct buf *buf = &reading->kinesis->call->door->scratch.read;
    int64_t end = partition_end_offset(reading->partition);
    enum err err = ERR_OK;

    while (!err && reading->next < end) {
        int64_t before = reading->next;
        buf_clear(buf);
        err = partition_read(reading->partition, reading->next, READ_BYTES, buf);
        if (!err && buf->size > 0)
            err = say_batches(reading, buf_bytes(buf));
        if (err == ERR_END)
            err = ERR_OK;
        if (!err && reading->next == before) { /* nothing but control batches: pass over what was read */
            reading->next = batches_end(buf_bytes(buf));
            if (reading->next <= before)
                err = err_note(ERR_CORRUPT, "no whole batch at offset %lld of stream %s", (long long)before,
                               reading->kinesis->stream);
        }
    }
    return err == ERR_FULL ? ERR_OK : err;
}

static int64_t behind_ms(const struct reading *reading)
{
    int64_t behind;

    if (reading->next >= partition_end_offset(reading->partition) || reading->last_ms < 0)
        return 0;
    behind = clock_wall_ms() - reading->last_ms;
    return behind > 0 ? behind : 0;
}

static void answer_records(struct reading *reading)
{
    struct kinesis *kinesis = reading->kinesis;
    struct call *call = kinesis->call;
    int64_t start = partition_start_offset(reading->partition);
    enum err err;

    if (reading->next < start) /* retention took what was there */
        reading->next = start;
    kinesis_answer(call);
    say(call, "{\"Records\":[");
    err = say_records(reading);
    if (err) {
        kinesis_fail(call, err);
        return;
    }
    say(call, "],\"Next");
    if (!say_iterator(kinesis, reading->shard, reading->next))
        return;
    say(call, ",\"MillisBehindLatest\":");
    say_integer(call, behind_ms(reading));
    say(call, "}");
}

void kinesis_get_records(struct kinesis *kinesis)
{
    static const struct member members[] = {
        {"Limit", MEMBER_INTEGER, false, NULL, NULL, NULL, 1, RECORDS_MOST},
        {"ShardIterator", MEMBER_STRING, true, NULL, NULL, NULL, 1, TOKEN_TEXT_MOST},
        {"StreamARN", MEMBER_STRING, false, NULL, NULL, NULL, 1, 2048},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct token token;
    struct reading reading = {.kinesis = kinesis, .last_ms = -1};

    if (!kinesis_take(kinesis, members) || !take_iterator(kinesis, kinesis->inputs[1].bytes, &token))
        return;
    reading.shard = token.shard;
    reading.next = token.offset;
    reading.most = kinesis->inputs[0].given ? kinesis->inputs[0].integer : RECORDS_MOST;
    reading.partition = log_partition(kinesis->call->door->log, kinesis->stream, token.shard);
    if (!reading.partition) {
        char id[SHARD_ID_BYTES];
        shard_id(token.shard, id);
        no_shard(kinesis->call, kinesis->stream, id);
        return;
    }
    answer_records(&reading);
    partition_put(reading.partition);
}
