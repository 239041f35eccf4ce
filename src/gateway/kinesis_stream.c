/* kinesis_stream.c - streams and shards: create, delete, list, describe. */
#include <stdio.h>

#include "base/clock.h"
#include "gateway/kinesis.h"

enum {
    STREAMS_DEFAULT = 100,
    SHARDS_DEFAULT = 100,
    LIST_SHARDS_DEFAULT = 1000,
    ON_DEMAND_SHARDS = 4,
    RETENTION_HOURS = 24
};

/* ---- create, delete ---- */

/* ON_DEMAND streams may leave the count to the service. */
static bool is_on_demand(struct input mode)
{
    struct json_value value;

    return mode.given && !json_member(mode.value, "StreamMode", &value) && value.kind == JSON_STRING &&
           json_text_is(value, "ON_DEMAND");
}

void kinesis_create_stream(struct kinesis *kinesis)
{
    static const struct member members[] = {
        {"ShardCount", MEMBER_INTEGER, false, NULL, NULL, NULL, 1, 100000},
        {"StreamName", MEMBER_STRING, true, "[a-zA-Z0-9_.-]+", fits_name, NULL, 1, STREAM_NAME_MOST},
        {"StreamModeDetails", MEMBER_STRUCTURE, false, NULL, NULL, NULL, 0, 0},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct topic_setting setting = {"max.message.bytes", ""};
    struct call *call = kinesis->call;
    int64_t shards;
    enum err err;

    if (!kinesis_take(kinesis, members))
        return;
    shards = kinesis->inputs[0].given ? kinesis->inputs[0].integer : ON_DEMAND_SHARDS;
    if (!kinesis->inputs[0].given && !is_on_demand(kinesis->inputs[2])) {
        kinesis_error(call, "ValidationException",
                      "1 validation error detected: Value null at 'shardCount' failed to satisfy "
                      "constraint: Member must not be null");
        return;
    }
    if (shards > TOPIC_PARTITIONS_MOST) {
        kinesis_error(call, "LimitExceededException",
                      "This request would exceed the shard limit for the account %s: Limit: %d. "
                      "Number of additional shards that would have resulted from this request: %lld.",
                      kinesis_account(call), TOPIC_PARTITIONS_MOST, (long long)shards);
        return;
    }
    memcpy(kinesis->stream, kinesis->inputs[1].bytes.at, kinesis->inputs[1].bytes.size);
    snprintf(setting.value, sizeof(setting.value), "%d", KINESIS_BATCH_BYTES);
    err = log_topic_create(call->door->log, kinesis->stream, (int32_t)shards, &setting, 1);
    if (err == ERR_EXISTS)
        kinesis_error(call, "ResourceInUseException", "Stream %s under account %s already exists.",
                      kinesis->stream, kinesis_account(call));
    else if (err == ERR_INVALID)
        kinesis_error(call, "InvalidArgumentException", "%s", err_sentence());
    else if (err)
        kinesis_fail(call, err);
    else
        kinesis_answer(call);
}

void kinesis_delete_stream(struct kinesis *kinesis)
{
    static const struct member members[] = {
        MEMBERS_OF_STREAM,
        {"EnforceConsumerDeletion", MEMBER_BOOLEAN, false, NULL, NULL, NULL, 0, 0},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    enum err err;

    if (!kinesis_take(kinesis, members) || !kinesis_stream(kinesis))
        return;
    err = log_topic_delete(kinesis->call->door->log, kinesis->stream);
    if (err == ERR_NOT_FOUND)
        kinesis_error(kinesis->call, "ResourceNotFoundException", "Stream %s under account %s not found.",
                      kinesis->stream, kinesis_account(kinesis->call));
    else if (err)
        kinesis_fail(kinesis->call, err);
    else
        kinesis_answer(kinesis->call);
}

/* ---- what an answer says about a stream ---- */

static void say_arn(struct call *call, const char *stream)
{
    say_format(call, "\"arn:aws:kinesis:%s:%s:stream/%s\"", config_text(call->door->config, "kinesis.region"),
               kinesis_account(call), stream);
}

static void say_seconds(struct call *call, int64_t ms)
{
    say_format(call, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
}

static int64_t retention_hours(const struct topic_info *topic)
{
    int64_t ms = topic_setting_integer(topic, "retention.ms", RETENTION_HOURS * 3600000LL);

    return ms > 0 ? ms / 3600000 : RETENTION_HOURS;
}

static void say_stream(struct kinesis *kinesis)
{
    struct call *call = kinesis->call;

    say(call, "\"StreamARN\":");
    say_arn(call, kinesis->stream);
    say_format(call,
               ",\"StreamName\":\"%s\",\"StreamStatus\":\"ACTIVE\",\"StreamModeDetails\":{\"StreamMode\":"
               "\"PROVISIONED\"},"
               "\"RetentionPeriodHours\":%lld,\"EncryptionType\":\"NONE\",\"EnhancedMonitoring\":[{"
               "\"ShardLevelMetrics\":[]}],"
               "\"StreamCreationTimestamp\":",
               kinesis->stream, (long long)retention_hours(&kinesis->topic));
    say_seconds(call, kinesis->topic.created_ms);
}

static void say_shard(struct kinesis *kinesis, int32_t shard)
{
    char id[SHARD_ID_BYTES], first[SEQUENCE_TEXT_BYTES], start[HASH_TEXT_BYTES], end[HASH_TEXT_BYTES];
    int32_t count = kinesis->topic.partition_count;

    shard_id(shard, id);
    shard_first_sequence(&kinesis->topic, shard, first);
    hash_format(shard_first_hash(shard, count), start);
    hash_format((shard + 1 < count ? shard_first_hash(shard + 1, count) : 0) - 1,
                end); /* the last ends at 2^128 - 1 */
    say_format(kinesis->call,
               "{\"ShardId\":\"%s\",\"HashKeyRange\":{\"StartingHashKey\":\"%s\",\"EndingHashKey\":\"%s\"},"
               "\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"%s\"}}",
               id, start, end, first);
}

/* The shards from `from` on, `most` of them at most; the first one left out, or the count. */
static int32_t say_shards(struct kinesis *kinesis, int64_t from, int64_t most)
{
    int32_t count = kinesis->topic.partition_count, shard = from < count ? (int32_t)from : count;

    say(kinesis->call, "\"Shards\":[");
    for (int64_t said = 0; shard < count && said < most; said++, shard++) {
        say(kinesis->call, said ? "," : "");
        say_shard(kinesis, shard);
    }
    say(kinesis->call, "]");
    return shard;
}

/* ---- list, describe ---- */

/* Any topic that is no internal one can be read as a stream, if a stream may have its name. */
static bool is_stream_behind(const struct topic_info *topic, struct bytes after)
{
    size_t length = strlen(topic->name), shorter = length < after.size ? length : after.size;
    int order = after.size ? memcmp(topic->name, after.at, shorter) : 1;

    return !topic->internal && length <= STREAM_NAME_MOST &&
           (order > 0 || (order == 0 && length > after.size));
}

void kinesis_list_streams(struct kinesis *kinesis)
{
    static const struct member members[] = {
        {"ExclusiveStartStreamName", MEMBER_STRING, false, "[a-zA-Z0-9_.-]+", fits_name, NULL, 1,
         STREAM_NAME_MOST},
        {"NextToken", MEMBER_STRING, false, "[a-zA-Z0-9_.-]+", fits_name, NULL, 1,
         STREAM_NAME_MOST}, /* our token is a name */
        {"Limit", MEMBER_INTEGER, false, NULL, NULL, NULL, 1, 10000},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct call *call = kinesis->call;
    struct topic_info *list;
    const char *last = NULL;
    struct bytes after;
    size_t count, said = 0, most;
    bool more = false;
    enum err err;

    if (!kinesis_take(kinesis, members))
        return;
    after = kinesis->inputs[1].given ? kinesis->inputs[1].bytes : kinesis->inputs[0].bytes;
    most = kinesis->inputs[2].given ? (size_t)kinesis->inputs[2].integer : STREAMS_DEFAULT;
    err = log_topic_list(call->door->log, &call->arena, &list, &count);
    if (err) {
        kinesis_fail(call, err);
        return;
    }
    kinesis_answer(call);
    say(call, "{\"StreamNames\":[");
    for (size_t i = 0; i < count && !more; i++) {
        if (!is_stream_behind(&list[i], after))
            continue;
        more = said == most;
        if (more)
            break;
        say(call, said++ ? "," : "");
        say_quoted_text(call, list[i].name);
        last = list[i].name;
    }
    say(call, "],\"StreamSummaries\":[");
    said = 0;
    for (size_t i = 0; last && i < count; i++) {
        if (!is_stream_behind(&list[i], after))
            continue;
        say(call, said++ ? ",{\"StreamARN\":" : "{\"StreamARN\":");
        say_arn(call, list[i].name);
        say_format(call,
                   ",\"StreamName\":\"%s\",\"StreamStatus\":\"ACTIVE\",\"StreamModeDetails\":{\"StreamMode\":"
                   "\"PROVISIONED\"},"
                   "\"StreamCreationTimestamp\":",
                   list[i].name);
        say_seconds(call, list[i].created_ms);
        say(call, "}");
        if (list[i].name == last)
            break;
    }
    say_format(call, "],\"HasMoreStreams\":%s", more ? "true" : "false");
    if (more)
        say_format(call, ",\"NextToken\":\"%s\"", last);
    say(call, "}");
}

void kinesis_describe_stream(struct kinesis *kinesis)
{
    static const struct member members[] = {
        MEMBERS_OF_STREAM,
        {"Limit", MEMBER_INTEGER, false, NULL, NULL, NULL, 1, 10000},
        {"ExclusiveStartShardId", MEMBER_STRING, false, "[a-zA-Z0-9_.-]+", fits_name, NULL, 1, 128},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct call *call = kinesis->call;
    int64_t from = -1;
    int32_t left;

    if (!kinesis_take(kinesis, members) || !kinesis_stream(kinesis))
        return;
    if (kinesis->inputs[3].given && shard_id_parse(kinesis->inputs[3].bytes, &from)) {
        kinesis_error(call, "InvalidArgumentException",
                      "ExclusiveStartShardId must be of the form shardId-000000000000");
        return;
    }
    kinesis_answer(call);
    say(call, "{\"StreamDescription\":{");
    say_stream(kinesis);
    say(call, ",");
    left =
        say_shards(kinesis, from + 1, kinesis->inputs[2].given ? kinesis->inputs[2].integer : SHARDS_DEFAULT);
    say_format(call, ",\"HasMoreShards\":%s}}", left < kinesis->topic.partition_count ? "true" : "false");
}

void kinesis_describe_stream_summary(struct kinesis *kinesis)
{
    static const struct member members[] = {
        MEMBERS_OF_STREAM,
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };

    if (!kinesis_take(kinesis, members) || !kinesis_stream(kinesis))
        return;
    kinesis_answer(kinesis->call);
    say(kinesis->call, "{\"StreamDescriptionSummary\":{");
    say_stream(kinesis);
    say_format(kinesis->call, ",\"OpenShardCount\":%d,\"ConsumerCount\":0}}", kinesis->topic.partition_count);
}

/* Take the stream and the first shard from a NextToken, which stands for both. False: the call is
 * answered. */
static bool take_next_token(struct kinesis *kinesis, struct bytes text, int64_t *from)
{
    struct call *call = kinesis->call;
    int64_t now = clock_wall_ms();
    struct token token;
    char *name;

    if (token_open(call->door->secret, text, TOKEN_SHARDS, &token)) {
        kinesis_error(call, "InvalidArgumentException", "NextToken is not one that this server gave.");
        return false;
    }
    if (now - token.issued_ms > TOKEN_LIFE_MS) {
        kinesis_error(call, "ExpiredNextTokenException",
                      "NextToken expired: it is %lld ms old and holds for %d ms.",
                      (long long)(now - token.issued_ms), TOKEN_LIFE_MS);
        return false;
    }
    name = arena_text(&call->arena, bytes_of_text(token.stream));
    kinesis->inputs[0].bytes = bytes_of(name, name ? strlen(name) : 0);
    *from = token.shard;
    return true;
}

static void say_next_token(struct kinesis *kinesis, int32_t shard)
{
    struct token token = {.kind = TOKEN_SHARDS,
                          .shard = shard,
                          .issued_ms = clock_wall_ms(),
                          .created_ms = kinesis->topic.created_ms};
    char text[TOKEN_TEXT_MOST];

    memcpy(token.stream, kinesis->stream, sizeof(token.stream));
    if (!token_seal(kinesis->call->door->secret, &token, text))
        say_format(kinesis->call, ",\"NextToken\":\"%s\"", text);
}

/* All shards are open ones from the stream's beginning on, so every ShardFilter but AFTER_SHARD_ID lets all
 * through. */
static bool take_filter(struct kinesis *kinesis, struct json_value filter, int64_t *from)
{
    static const char *const types[] = {"AFTER_SHARD_ID",
                                        "AT_TRIM_HORIZON",
                                        "FROM_TRIM_HORIZON",
                                        "AT_LATEST",
                                        "AT_TIMESTAMP",
                                        "FROM_TIMESTAMP",
                                        NULL};
    static const struct member members[] = {
        {"Type", MEMBER_STRING, true, NULL, NULL, types, 0, 0},
        {"ShardId", MEMBER_STRING, false, "[a-zA-Z0-9_.-]+", fits_name, NULL, 1, 128},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct violations violations = {kinesis->call, buf_init(1 << 16), 0};
    struct input inputs[2];

    if (!input_take(kinesis, filter, members, inputs))
        return false;
    input_check(&violations, members, inputs, "shardFilter.");
    if (!violations_end(&violations))
        return false;
    if (!bytes_equal(inputs[0].bytes, BYTES("AFTER_SHARD_ID")))
        return true;
    if (!inputs[1].given || shard_id_parse(inputs[1].bytes, from)) {
        kinesis_error(kinesis->call, "InvalidArgumentException",
                      "AFTER_SHARD_ID needs a ShardId of the form shardId-000000000000");
        return false;
    }
    ++*from;
    return true;
}

void kinesis_list_shards(struct kinesis *kinesis)
{
    static const struct member members[] = {
        MEMBERS_OF_STREAM,
        {"ExclusiveStartShardId", MEMBER_STRING, false, "[a-zA-Z0-9_.-]+", fits_name, NULL, 1, 128},
        {"MaxResults", MEMBER_INTEGER, false, NULL, NULL, NULL, 1, 10000},
        {"NextToken", MEMBER_STRING, false, NULL, NULL, NULL, 1, 1048576},
        {"ShardFilter", MEMBER_STRUCTURE, false, NULL, NULL, NULL, 0, 0},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    const struct input *name = &kinesis->inputs[0], *after = &kinesis->inputs[2], *most = &kinesis->inputs[3],
                       *next = &kinesis->inputs[4], *filter = &kinesis->inputs[5];
    struct call *call = kinesis->call;
    int64_t from = 0;
    int32_t left;

    if (!kinesis_take(kinesis, members))
        return;
    if (next->given && (name->given || after->given)) {
        kinesis_error(call, "InvalidArgumentException", "NextToken and %s cannot be provided together.",
                      name->given ? "StreamName" : "ExclusiveStartShardId");
        return;
    }
    if (next->given && !take_next_token(kinesis, next->bytes, &from))
        return;
    if (after->given && (shard_id_parse(after->bytes, &from) || from++ < 0)) {
        kinesis_error(call, "InvalidArgumentException",
                      "ExclusiveStartShardId must be of the form shardId-000000000000");
        return;
    }
    if ((filter->given && !take_filter(kinesis, filter->value, &from)) || !kinesis_stream(kinesis))
        return;
    kinesis_answer(call);
    say(call, "{");
    left = say_shards(kinesis, from, most->given ? most->integer : LIST_SHARDS_DEFAULT);
    if (left < kinesis->topic.partition_count)
        say_next_token(kinesis, left);
    say(call, "}");
}
