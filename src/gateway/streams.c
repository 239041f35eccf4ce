/* streams.c - the routes of an API Gateway before Kinesis, as the AWS tutorial and the students' course set
 * it up: each makes the input of a Kinesis operation from path and body and runs it. The path names the
 * stream, whatever the body says. Answers are those of Kinesis; its errors become 400 and 500. */
#include <stdio.h>

#include "gateway/http_door.h"
#include "gateway/kinesis.h"

enum { INPUT_MOST = 64 << 20, SHARDS_BY_TUTORIAL = 5 };

void streams_no_route(struct call *call)
{
    call_answer(call, 403, "application/json");
    say(call, "{\"message\":\"Missing Authentication Token\"}");
    call_add_header(call, "x-amzn-ErrorType", "MissingAuthenticationTokenException");
}

static void bad_body(struct call *call, const char *sentence)
{
    call_answer(call, 400, "application/json");
    say(call, "{\"message\":");
    say_quoted_text(call, sentence);
    say(call, "}");
}

static enum err add_stream(struct call *call, struct buf *input)
{
    enum err err = buf_add_text(input, "{\"StreamName\":");

    return err ? err : json_quote(call->at[0], input);
}

/* Run the operation on the finished input; releases it. */
static void run(struct call *call, const char *operation, struct buf *input, enum err err)
{
    if (!err)
        err = buf_add_text(input, "}");
    call_answer(call, 200, "application/json");
    if (err)
        kinesis_fail(call, err);
    else
        kinesis_run(call, operation, buf_bytes(input));
    if (call->status >= 400)
        call->status = call->status >= 500 ? 500 : 400;
    buf_release(input);
}

/* The request's body as an object; an absent one is an empty object if that will do. False: the call is
 * answered. */
static bool take_body(struct call *call, bool may_be_absent, struct json_value *out)
{
    char sentence[300];
    size_t at;

    if (call->body.size == 0 && may_be_absent) {
        *out = (struct json_value){JSON_OBJECT, true, BYTES("{}")};
        return true;
    }
    if (!json_check(buf_bytes(&call->body), out, &at) && out->kind == JSON_OBJECT)
        return true;
    snprintf(sentence, sizeof(sentence), "Could not parse request body into json: %s",
             call->body.size == 0 ? "it is empty"
             : err_sentence()[0]  ? err_sentence()
                                  : "it is no object");
    bad_body(call, sentence);
    return false;
}

static void list_streams(struct call *call)
{
    struct buf input = buf_init(INPUT_MOST);

    run(call, "ListStreams", &input, buf_add_text(&input, "{"));
}

static void on_stream(struct call *call, const char *operation)
{
    struct buf input = buf_init(INPUT_MOST);

    run(call, operation, &input, add_stream(call, &input));
}

static void describe_stream(struct call *call)
{
    on_stream(call, "DescribeStream");
}

static void delete_stream(struct call *call)
{
    on_stream(call, "DeleteStream");
}

static void create_stream(struct call *call)
{
    struct buf input = buf_init(INPUT_MOST);
    struct json_value body, shards;
    enum err err;

    if (!take_body(call, true, &body))
        return;
    err = add_stream(call, &input);
    if (!err)
        err = buf_add_text(&input, ",\"ShardCount\":");
    if (!err && !json_member(body, "ShardCount", &shards))
        err = buf_add_bytes(&input, shards.bytes);
    else if (!err)
        err = buf_printf(&input, "%d", SHARDS_BY_TUTORIAL);
    run(call, "CreateStream", &input, err);
}

/* ,"PartitionKey":"..." as the template writes it: numbers become text, an absent one stays absent. */
static enum err add_key(struct buf *input, struct json_value from, const char *name)
{
    struct json_value key;
    enum err err;

    if (json_member(from, name, &key) || key.kind == JSON_NULL)
        return ERR_OK;
    err = buf_add_text(input, ",\"PartitionKey\":");
    if (err)
        return err;
    return key.kind == JSON_STRING ? buf_add_bytes(input, key.bytes) : json_quote(key.bytes, input);
}

/* "Data":"base64". A record's Data is kept as its JSON text (a string with its quotes); a `data` of many is a
 * string whose text is kept, or else its JSON text too. */
static enum err add_data(struct buf *input, struct json_value from, const char *name, bool text_of_strings)
{
    struct buf text = buf_init(INPUT_MOST);
    struct json_value data;
    enum err err;

    if (json_member(from, name, &data))
        return ERR_OK;
    err = text_of_strings && data.kind == JSON_STRING ? json_text(data, &text) : json_compact(data, &text);
    if (!err)
        err = buf_add_text(input, ",\"Data\":\"");
    if (!err)
        err = base64_encode(buf_bytes(&text), input);
    if (!err)
        err = buf_add_text(input, "\"");
    buf_release(&text);
    return err;
}

static void put_record(struct call *call)
{
    struct buf input = buf_init(INPUT_MOST);
    struct json_value body;
    enum err err;

    if (!take_body(call, false, &body))
        return;
    err = add_stream(call, &input);
    if (!err)
        err = add_data(&input, body, "Data", false);
    if (!err)
        err = add_key(&input, body, "PartitionKey");
    run(call, "PutRecord", &input, err);
}

static enum err add_records(struct buf *input, struct json_value records)
{
    struct json_walk walk = json_walk(records);
    struct json_value record;
    enum err err = ERR_OK, end;
    bool first = true;

    while (!err && !(end = json_walk_next(&walk, NULL, &record))) {
        err = buf_add_text(input, first ? "{\"_\":0" : ",{\"_\":0");
        if (!err)
            err = add_data(input, record, "data", true);
        if (!err)
            err = add_key(input, record, "partition-key");
        if (!err)
            err = buf_add_text(input, "}");
        first = false;
    }
    return err;
}

static void put_records(struct call *call)
{
    struct buf input = buf_init(INPUT_MOST);
    struct json_value body, records;
    enum err err;

    if (!take_body(call, false, &body))
        return;
    if (json_member(body, "records", &records) || records.kind != JSON_ARRAY) {
        bad_body(call, "send {\"records\":[{\"data\":\"...\",\"partition-key\":\"...\"}]}");
        return;
    }
    err = add_stream(call, &input);
    if (!err)
        err = buf_add_text(&input, ",\"Records\":[");
    if (!err)
        err = add_records(&input, records);
    if (!err)
        err = buf_add_text(&input, "]");
    run(call, "PutRecords", &input, err);
}

static void get_iterator(struct call *call)
{
    struct buf input = buf_init(INPUT_MOST);
    const char *shard = call_query(call, "shard-id");
    enum err err = add_stream(call, &input);

    if (!err)
        err = buf_add_text(&input, ",\"ShardIteratorType\":\"TRIM_HORIZON\",\"ShardId\":");
    if (!err)
        err = json_quote(bytes_of_text(shard ? shard : ""), &input);
    run(call, "GetShardIterator", &input, err);
}

static void get_records(struct call *call)
{
    struct buf input = buf_init(INPUT_MOST);
    const char *iterator = call_header(call, "Shard-Iterator");
    enum err err = buf_add_text(&input, "{\"ShardIterator\":");

    if (!err)
        err = json_quote(bytes_of_text(iterator ? iterator : ""), &input);
    run(call, "GetRecords", &input, err);
}

const struct route stream_routes[] = {
    {"GET", "/streams", list_streams},
    {"GET", "/streams/{stream}", describe_stream},
    {"POST", "/streams/{stream}", create_stream},
    {"DELETE", "/streams/{stream}", delete_stream},
    {"PUT", "/streams/{stream}/record", put_record},
    {"POST", "/streams/{stream}/record", put_record},
    {"PUT", "/streams/{stream}/records", put_records},
    {"POST", "/streams/{stream}/records", put_records},
    {"GET", "/streams/{stream}/sharditerator", get_iterator},
    {"GET", "/streams/{stream}/records", get_records},
    {NULL, NULL, NULL},
};
