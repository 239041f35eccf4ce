/* kinesis_response.c - answers of a Kinesis, cut with the slicer. */
#include "aws/kinesis_response.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

enum {
    RECORDS_MOST = 10000, /* GetRecords gives no more */
    DATA_BYTES_MOST = 256 << 20,
    TOKEN_BYTES_MOST = 64 << 10,
};

struct kinesis_cut kinesis_cut_init(void)
{
    return (struct kinesis_cut){.data = buf_init(DATA_BYTES_MOST),
                                .next_iterator = buf_init(TOKEN_BYTES_MOST)};
}

void kinesis_cut_release(struct kinesis_cut *cut)
{
    free(cut->records);
    buf_release(&cut->data);
    buf_release(&cut->next_iterator);
    *cut = kinesis_cut_init();
}

static enum err open_object(struct bytes body, struct json_value *out)
{
    enum err err = json_check(body, out, NULL);

    if (!err && out->kind != JSON_OBJECT)
        err = err_note(ERR_INVALID, "Kinesis answered with JSON that is no object");
    return err;
}

/* A string's text: a view where it is plain, else unescaped into `scratch`. */
static enum err text_of(struct json_value string, struct buf *scratch, struct bytes *out)
{
    size_t from = scratch->size;
    enum err err;

    if (string.kind != JSON_STRING)
        return err_note(ERR_INVALID, "Kinesis answered with something else where a text belongs");
    if (string.plain) {
        *out = json_plain_text(string);
        return ERR_OK;
    }
    err = json_text(string, scratch);
    *out = bytes_of(scratch->at + from, scratch->size - from);
    return err;
}

/* 1795219200.123 as milliseconds. */
static enum err milliseconds_of(struct json_value number, int64_t *out)
{
    char text[64];
    double seconds;

    if (number.kind != JSON_NUMBER || number.bytes.size >= sizeof(text))
        return err_note(ERR_INVALID, "Kinesis answered with something else where a time belongs");
    memcpy(text, number.bytes.at, number.bytes.size);
    text[number.bytes.size] = '\0';
    seconds = strtod(text, NULL);
    if (!(seconds >= 0 && seconds < 1e12))
        return err_note(ERR_INVALID, "Kinesis answered with the time %s, which is none", text);
    *out = (int64_t)(seconds * 1000 + 0.5);
    return ERR_OK;
}

static enum err data_of(struct json_value string, struct buf *data, struct bytes *out)
{
    size_t from;
    struct bytes text;
    enum err err = text_of(string, data, &text);

    if (err)
        return err;
    from = data->size;
    err = base64_decode(text, data);
    *out = bytes_of(data->at + from, data->size - from);
    return err == ERR_INVALID ? err_note(ERR_INVALID, "Kinesis answered with data that is not base64") : err;
}

static bool named(struct json_value key, const char *name)
{
    return bytes_equal(json_plain_text(key), bytes_of_text(name));
}

static enum err cut_record(struct kinesis_cut *cut, struct json_pull *pull)
{
    struct kinesis_record record = {0};
    struct json_value key, value;
    enum err err = json_pull_enter(pull, JSON_OBJECT);

    while (!err && !(err = json_pull_next(pull, &key)) && !(err = json_pull_value(pull, &value))) {
        if (!key.plain)
            continue;
        if (named(key, "Data"))
            err = data_of(value, &cut->data, &record.data);
        else if (named(key, "PartitionKey"))
            err = text_of(value, &cut->data, &record.partition_key);
        else if (named(key, "SequenceNumber"))
            err = text_of(value, &cut->data, &record.sequence_number);
        else if (named(key, "ApproximateArrivalTimestamp"))
            err = milliseconds_of(value, &record.arrival_ms);
    }
    if (err != ERR_END)
        return err;
    if (!record.data.at || !record.sequence_number.at)
        return err_note(ERR_INVALID, "Kinesis answered with a record without data or sequence number");
    cut->records[cut->count++] = record;
    return ERR_OK;
}

static enum err cut_record_list(struct kinesis_cut *cut, struct json_pull *pull)
{
    enum err err = json_pull_enter(pull, JSON_ARRAY);

    while (!err && !(err = json_pull_next(pull, NULL))) {
        if (cut->count >= RECORDS_MOST)
            return err_note(ERR_TOO_LARGE, "Kinesis answered with more than %d records", RECORDS_MOST);
        if (cut->count == cut->room) {
            size_t room = cut->room ? cut->room * 2 : 256;
            struct kinesis_record *grown;

            grown = realloc(cut->records, room * sizeof(*grown));
            if (!grown)
                return err_note(ERR_NO_MEMORY, "out of memory for the records of a Kinesis answer");
            cut->records = grown;
            cut->room = room;
        }
        err = cut_record(cut, pull);
    }
    return err == ERR_END ? ERR_OK : err;
}

/* What stands beside the records. */
static enum err cut_rest(struct kinesis_cut *cut, struct json_value key, struct json_value value)
{
    struct bytes text;
    enum err err;

    if (json_text_is(key, "MillisBehindLatest"))
        return json_int64(value, &cut->behind_ms);
    if (!json_text_is(key, "NextShardIterator") || value.kind == JSON_NULL)
        return ERR_OK;
    buf_clear(&cut->next_iterator);
    err = text_of(value, &cut->data, &text);
    return err ? err : buf_add_bytes(&cut->next_iterator, text);
}

/* One pass over the whole answer, which can be 14 MiB: records are taken while it is checked, and forgotten when it
 * turns out to be no JSON further on. */
static enum err cut_answer(struct kinesis_cut *cut, struct bytes body)
{
    struct json_pull pull = json_pull(body);
    struct json_value key, value;
    bool found = false;
    enum err err = json_pull_enter(&pull, JSON_OBJECT);

    while (!err && !(err = json_pull_next(&pull, &key))) {
        if (json_text_is(key, "Records")) {
            if (found)
                return err_note(ERR_INVALID, "Kinesis answered GetRecords with Records twice");
            found = true;
            err = cut_record_list(cut, &pull);
            continue;
        }
        err = json_pull_value(&pull, &value);
        if (!err)
            err = cut_rest(cut, key, value);
    }
    if (err == ERR_END)
        err = json_pull_end(&pull);
    if (!err && !found)
        err = err_note(ERR_INVALID, "Kinesis answered GetRecords without Records");
    return err;
}

enum err kinesis_cut_records(struct kinesis_cut *cut, struct bytes body)
{
    const uint8_t *data_at;
    enum err err;

    cut->count = 0;
    cut->behind_ms = 0;
    buf_clear(&cut->data);
    buf_clear(&cut->next_iterator);
    /* What is unescaped and decoded is shorter than twice what it comes from, so the buffer cannot move under the
     * views into it. */
    err = buf_reserve(&cut->data, 2 * body.size + 64);
    if (err)
        return err;
    data_at = cut->data.at;
    err = cut_answer(cut, body);
    assert(cut->data.at == data_at);
    if (err)
        cut->count = 0;
    return err;
}

/* One shard: its id, a NUL, where its sequence numbers start, a NUL. */
static enum err cut_shard(struct json_value shard, struct buf *shards)
{
    struct json_value id, range, start;
    enum err err = shard.kind == JSON_OBJECT ? json_member(shard, "ShardId", &id) : ERR_NOT_FOUND;

    if (err || id.kind != JSON_STRING)
        return err_note(ERR_INVALID, "Kinesis answered with a shard without ShardId");
    err = json_text(id, shards);
    if (!err)
        err = buf_add_char(shards, '\0');
    if (!err && !json_member(shard, "SequenceNumberRange", &range) && range.kind == JSON_OBJECT &&
        !json_member(range, "StartingSequenceNumber", &start) && start.kind == JSON_STRING)
        err = json_text(start, shards);
    return err ? err : buf_add_char(shards, '\0');
}

enum err kinesis_cut_shards(struct bytes body, struct buf *shards, size_t *count, struct buf *next_token)
{
    struct json_value object, value;
    struct json_walk walk;
    enum err err = open_object(body, &object);

    buf_clear(next_token);
    if (!err)
        err = json_member(object, "Shards", &value);
    if (!err && value.kind != JSON_ARRAY)
        err = ERR_NOT_FOUND;
    if (err)
        return err == ERR_NOT_FOUND ? err_note(ERR_INVALID, "Kinesis answered ListShards without Shards")
                                    : err;
    walk = json_walk(value);
    while (!err && !(err = json_walk_next(&walk, NULL, &value))) {
        err = cut_shard(value, shards);
        *count += !err;
    }
    if (err != ERR_END)
        return err;
    if (!json_member(object, "NextToken", &value) && value.kind == JSON_STRING)
        return json_text(value, next_token);
    return ERR_OK;
}

enum err kinesis_cut_iterator(struct bytes body, struct buf *iterator)
{
    struct json_value object, value;
    enum err err = open_object(body, &object);

    if (!err && (json_member(object, "ShardIterator", &value) || value.kind != JSON_STRING))
        err = err_note(ERR_INVALID, "Kinesis answered GetShardIterator without ShardIterator");
    return err ? err : json_text(value, iterator);
}

static const struct {
    const char *type;
    enum err err;
} types[] = {
    {"ResourceNotFoundException", ERR_NOT_FOUND},
    {"ExpiredIteratorException", ERR_RANGE},
    {"ProvisionedThroughputExceededException", ERR_BUSY},
    {"LimitExceededException", ERR_BUSY},
    {"ResourceInUseException", ERR_EXISTS},
    {"AccessDeniedException", ERR_DENIED},
    {"MissingAuthenticationTokenException", ERR_DENIED},
    {"InvalidSignatureException", ERR_DENIED},
    {"IncompleteSignatureException", ERR_DENIED},
    {"UnrecognizedClientException", ERR_DENIED},
    {"ExpiredTokenException", ERR_DENIED},
    {"InternalFailure", ERR_UNREACHABLE},
    {"ServiceUnavailable", ERR_UNREACHABLE},
};

enum err kinesis_cut_error(long status, struct bytes body)
{
    struct buf type = buf_init(4096), message = buf_init(64 << 10);
    enum err err = status >= 500 ? ERR_UNREACHABLE : ERR_INVALID;
    struct json_value object, value;
    const char *text, *name;

    if (!json_check(body, &object, NULL) && object.kind == JSON_OBJECT) {
        if (!json_member(object, "__type", &value) && value.kind == JSON_STRING)
            (void)json_text(value, &type);
        if ((!json_member(object, "message", &value) || !json_member(object, "Message", &value)) &&
            value.kind == JSON_STRING)
            (void)json_text(value, &message);
    }
    text = buf_text(&type);
    name = text && strrchr(text, '#') ? strrchr(text, '#') + 1 : text; /* com.amazonaws.kinesis#Name */
    for (size_t i = 0; name && i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(name, types[i].type) == 0)
            err = types[i].err;
    text = buf_text(&message);
    if (err == ERR_EXISTS && !(text && strstr(text, "already exists")))
        err = ERR_BUSY; /* it is there, but just being changed */
    err = err_note(err, "Kinesis answered %ld %s: %s", status, name && *name ? name : "without a type",
                   text && *text ? text : "no message");
    buf_release(&type);
    buf_release(&message);
    return err;
}
