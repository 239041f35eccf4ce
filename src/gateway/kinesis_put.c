/* kinesis_put.c - PutRecord and PutRecords: a record goes to the shard whose hash range holds its key's
 * MD5. */
#include <stdio.h>

#include "gateway/kinesis.h"

enum { REQUEST_DATA_MOST = 10 << 20 };

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

/* What PutRecords gathers: all records are checked before the first is taken, because a bad request is bad as a
 * whole. */
struct put {
    struct kinesis *kinesis;
    struct produce produce;
    struct violations violations;
    unsigned __int128 hashes[KINESIS_RECORDS_MOST];
    int seen;
};

static const struct member record_members[] = {
    MEMBERS_OF_RECORD,
    {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
};

static const struct member put_members[] = {
    MEMBERS_OF_STREAM,
    {"Records", MEMBER_LIST, true, NULL, NULL, NULL, 1, KINESIS_RECORDS_MOST},
    {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
};

static void put_start(struct put *put, struct kinesis *kinesis)
{
    put->kinesis = kinesis;
    put->violations = (struct violations){kinesis->call, buf_init(1 << 20), 0};
    put->seen = 0;
    produce_start(&put->produce, kinesis->call);
}

/* Check and take the next record. False: the call is answered. */
static bool put_next(struct put *put, const struct input inputs[RECORD_MEMBERS])
{
    char path[48];

    snprintf(path, sizeof(path), "records.%d.member.", ++put->seen);
    input_check(&put->violations, record_members, inputs, path);
    return put->violations.count > 0 || take_record(&put->produce, inputs, &put->hashes[put->seen - 1]);
}

/* The records of an input's list. */
static bool take_list(struct put *put, struct json_value list)
{
    struct json_walk walk = json_walk(list);
    struct json_value value;

    while (put->seen < KINESIS_RECORDS_MOST && !json_walk_next(&walk, NULL, &value)) {
        struct input inputs[RECORD_MEMBERS];
        if (value.kind != JSON_OBJECT) {
            kinesis_error(put->produce.call, "SerializationException", "%s",
                          value.kind == JSON_ARRAY ? "Start of list found where not expected"
                                                   : "Expected null");
            return false;
        }
        if (!input_take(put->kinesis, value, record_members, inputs) || !put_next(put, inputs))
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

/* All were taken, or `taken` is false and the call is answered: put them. */
static void put_end(struct put *put, bool taken)
{
    struct kinesis *kinesis = put->kinesis;

    if (!taken) {
        buf_release(&put->violations.text);
        return;
    }
    if (violations_end(&put->violations) && check_size(&put->produce) && kinesis_stream(kinesis) &&
        append(&put->produce, &kinesis->topic, put->hashes))
        answer_records(&put->produce);
}

void kinesis_put_records(struct kinesis *kinesis)
{
    struct put put;

    if (!kinesis_take(kinesis, put_members))
        return;
    put_start(&put, kinesis);
    put_end(&put, take_list(&put, kinesis->inputs[2].value));
}

void kinesis_put_posts(struct kinesis *kinesis, struct bytes stream, struct json_value list,
                       const struct kinesis_post posts[KINESIS_RECORDS_MOST], size_t count)
{
    struct put put;
    bool taken = true;

    put_start(&put, kinesis);
    kinesis->inputs[0] = (struct input){.given = true, .bytes = stream};
    kinesis->inputs[2] = (struct input){.given = true, .value = list};
    input_check(&put.violations, put_members, kinesis->inputs, "");
    for (size_t i = 0; taken && i < count && i < KINESIS_RECORDS_MOST; i++) {
        struct input inputs[RECORD_MEMBERS] = {
            [RECORD_DATA] = {.given = posts[i].has_data, .bytes = posts[i].data},
            [RECORD_KEY] = {.given = posts[i].has_key, .bytes = posts[i].key},
        };
        taken = put_next(&put, inputs);
    }
    put_end(&put, taken);
}
