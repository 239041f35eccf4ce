/* kinesis_put.c - PutRecord and PutRecords: a record goes to the shard whose hash range holds its key's
 * MD5. */
#include <stdio.h>

#include "gateway/kinesis.h"

enum { RECORDS_MOST = 500, REQUEST_DATA_MOST = 10 << 20 };

/* The members of a record, in both operations. */
enum { RECORD_DATA, RECORD_EXPLICIT_HASH, RECORD_KEY, RECORD_MEMBERS };
#define MEMBERS_OF_RECORD                                                                                    \
    {"Data", MEMBER_BLOB, true, NULL, NULL, NULL, 0, KINESIS_DATA_MOST},                                     \
        {"ExplicitHashKey", MEMBER_STRING, false, "0|([1-9]\\d{0,38})", fits_hash_key, NULL, 0, 0},          \
    {                                                                                                        \
        "PartitionKey", MEMBER_STRING, true, NULL, NULL, NULL, 1, 256                                        \
    }

/* Fill a record from its inputs; which shard its hash is in is looked up later. False: the call is
 * answered. */
static bool take_record(struct produce *produce, const struct input *inputs, unsigned __int128 *hash)
{
    struct produce_record *record = produce_add(produce);

    if (!record) {
        kinesis_fail(produce->call, ERR_NO_MEMORY);
        return false;
    }
    record->value = inputs[RECORD_DATA].bytes;
    record->key = inputs[RECORD_KEY].bytes;
    if (!inputs[RECORD_EXPLICIT_HASH].given) {
        *hash = hash_of_key(record->key);
    } else if (hash_parse(inputs[RECORD_EXPLICIT_HASH].bytes, hash)) {
        kinesis_error(produce->call, "InvalidArgumentException",
                      "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: "
                      "[0, 2^128-1]. Specified value was %.*s",
                      (int)inputs[RECORD_EXPLICIT_HASH].bytes.size,
                      (const char *)inputs[RECORD_EXPLICIT_HASH].bytes.at);
        return false;
    }
    return true;
}

/* A topic that was not made as a stream may have a limit below a Kinesis record's largest size. What one may
 * put to a stream is promised, so the first record that needs it raises the limit. */
static enum err make_room(struct produce *produce)
{
    const struct config *config = produce->call->door->config;
    int64_t most = topic_setting_integer(&produce->topic, "max.message.bytes",
                                         config_integer(config, "message.max.bytes"));
    struct topic_setting setting = {"max.message.bytes", ""};
    size_t largest = 0;

    for (size_t i = 0; i < produce->count; i++) {
        size_t size = produce->records[i].key.size + produce->records[i].value.size;
        largest = size > largest ? size : largest;
    }
    if (most >= KINESIS_BATCH_BYTES || (int64_t)largest + KINESIS_BATCH_BYTES - KINESIS_DATA_MOST <= most)
        return ERR_OK;
    snprintf(setting.value, sizeof(setting.value), "%d", KINESIS_BATCH_BYTES);
    return log_topic_set(produce->call->door->log, produce->topic.name, &setting, 1);
}

static bool append(struct produce *produce, const struct topic_info *topic, const unsigned __int128 *hashes)
{
    enum err err;

    produce->topic = *topic;
    for (size_t i = 0; i < produce->count; i++)
        produce->records[i].partition = shard_of_hash(hashes[i], topic->partition_count);
    err = make_room(produce);
    if (!err)
        err = produce_append(produce);
    if (err)
        kinesis_fail(produce->call, err);
    return !err;
}

static void say_place(struct produce *produce, const struct produce_record *record)
{
    char sequence[SEQUENCE_TEXT_BYTES], id[SHARD_ID_BYTES];

    shard_sequence(&produce->topic, record->partition, record->offset, produce->now_ms, sequence);
    shard_id(record->partition, id);
    say(produce->call, "{\"SequenceNumber\":\"");
    say(produce->call, sequence);
    say(produce->call, "\",\"ShardId\":\"");
    say(produce->call, id);
    say(produce->call, "\"}");
}

void kinesis_put_record(struct kinesis *kinesis)
{
    static const struct member members[] = {
        MEMBERS_OF_STREAM,
        MEMBERS_OF_RECORD,
        {"SequenceNumberForOrdering", MEMBER_STRING, false, "0|([1-9]\\d{0,128})", fits_sequence, NULL, 0, 0},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct call *call = kinesis->call;
    unsigned __int128 hash;
    struct produce produce;

    produce_start(&produce, call);
    if (!kinesis_take(kinesis, members) || !take_record(&produce, kinesis->inputs + 2, &hash) ||
        !kinesis_stream(kinesis) || !append(&produce, &kinesis->topic, &hash))
        return;
    if (produce.records[0].err) {
        kinesis_error(call, "InternalFailure", "%s", produce.records[0].sentence);
        return;
    }
    kinesis_answer(call);
    say_place(&produce, &produce.records[0]);
}

/* Check all of a PutRecords' records before the first is taken: a bad request is bad as a whole. */
static bool take_records(struct kinesis *kinesis, struct produce *produce, unsigned __int128 *hashes,
                         struct violations *violations)
{
    static const struct member members[] = {
        MEMBERS_OF_RECORD,
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct json_walk walk = json_walk(kinesis->inputs[2].value);
    struct json_value value;
    char path[48];

    for (int number = 1; !json_walk_next(&walk, NULL, &value) && number <= RECORDS_MOST; number++) {
        struct input inputs[RECORD_MEMBERS];
        if (value.kind != JSON_OBJECT) {
            kinesis_error(produce->call, "SerializationException", "%s",
                          value.kind == JSON_ARRAY ? "Start of list found where not expected"
                                                   : "Expected null");
            return false;
        }
        if (!input_take(kinesis, value, members, inputs))
            return false;
        snprintf(path, sizeof(path), "records.%d.member.", number);
        input_check(violations, members, inputs, path);
        if (violations->count == 0 && !take_record(produce, inputs, &hashes[number - 1]))
            return false;
    }
    return true;
}

static bool check_size(struct produce *produce)
{
    size_t size = 0;

    for (size_t i = 0; i < produce->count; i++)
        size += produce->records[i].key.size + produce->records[i].value.size;
    if (size <= REQUEST_DATA_MOST)
        return true;
    kinesis_error(produce->call, "InvalidArgumentException",
                  "Records size exceeds 10 MB limit: send fewer at a time");
    return false;
}

static void answer_records(struct produce *produce)
{
    struct call *call = produce->call;
    int failed = 0;

    for (size_t i = 0; i < produce->count; i++)
        failed += produce->records[i].err != ERR_OK;
    kinesis_answer(call);
    say_format(call, "{\"FailedRecordCount\":%d,\"Records\":[", failed);
    for (size_t i = 0; i < produce->count; i++) {
        const struct produce_record *record = &produce->records[i];
        say(call, i ? "," : "");
        if (!record->err) {
            say_place(produce, record);
            continue;
        }
        say(call, "{\"ErrorCode\":\"InternalFailure\",\"ErrorMessage\":");
        say_quoted_text(call, record->sentence);
        say(call, "}");
    }
    say(call, "]}");
}

void kinesis_put_records(struct kinesis *kinesis)
{
    static const struct member members[] = {
        MEMBERS_OF_STREAM,
        {"Records", MEMBER_LIST, true, NULL, NULL, NULL, 1, RECORDS_MOST},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct call *call = kinesis->call;
    struct violations violations = {call, buf_init(1 << 20), 0};
    unsigned __int128 hashes[RECORDS_MOST];
    struct produce produce;

    produce_start(&produce, call);
    if (!kinesis_take(kinesis, members))
        return;
    if (!take_records(kinesis, &produce, hashes, &violations)) {
        buf_release(&violations.text);
        return;
    }
    if (violations_end(&violations) && check_size(&produce) && kinesis_stream(kinesis) &&
        append(&produce, &kinesis->topic, hashes))
        answer_records(&produce);
}
