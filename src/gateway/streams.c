/* streams.c - the routes of an API Gateway before Kinesis, as the AWS tutorial and the students' course set
 * it up: each makes the input of a Kinesis operation from path and body and runs it. The path names the
 * stream, whatever the body says. Answers are those of Kinesis; its errors become 400 and 500.
 *
 * Many records in one request are what is posted at full speed: they are taken from the body in one pass, while it is
 * checked, and handed over as they are. */
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

/* The body is no JSON object. */
static void refuse_body(struct call *call)
{
    char sentence[300];

    snprintf(sentence, sizeof(sentence), "Could not parse request body into json: %s",
             call->body.size == 0 ? "it is empty"
             : err_sentence()[0]  ? err_sentence()
                                  : "it is no object");
    bad_body(call, sentence);
}

static enum err add_stream(struct call *call, struct buf *input)
{
    enum err err = buf_add_text(input, "{\"StreamName\":");

    return err ? err : json_quote(call->at[0], input);
}

/* The gateway knows two errors only. */
static void simplify_status(struct call *call)
{
    if (call->status >= 400)
        call->status = call->status >= 500 ? 500 : 400;
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
    simplify_status(call);
    buf_release(input);
}

/* The request's body as an object; an absent one is an empty object if that will do. False: the call is
 * answered. */
static bool take_body(struct call *call, bool may_be_absent, struct json_value *out)
{
    size_t at;

    if (call->body.size == 0 && may_be_absent) {
        *out = (struct json_value){JSON_OBJECT, true, BYTES("{}")};
        return true;
    }
    if (!json_check(buf_bytes(&call->body), out, &at) && out->kind == JSON_OBJECT)
        return true;
    refuse_body(call);
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
static enum err add_key(struct buf *input, struct json_value from)
{
    struct json_value key;
    enum err err;

    if (json_member(from, "PartitionKey", &key) || key.kind == JSON_NULL)
        return ERR_OK;
    err = buf_add_text(input, ",\"PartitionKey\":");
    if (err)
        return err;
    return key.kind == JSON_STRING ? buf_add_bytes(input, key.bytes) : json_quote(key.bytes, input);
}

/* "Data":"base64": a record's Data is kept as its JSON text, a string with its quotes. */
static enum err add_data(struct buf *input, struct json_value from)
{
    struct buf text = buf_init(INPUT_MOST);
    struct json_value data;
    enum err err;

    if (json_member(from, "Data", &data))
        return ERR_OK;
    err = json_compact(data, &text);
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
        err = add_data(&input, body);
    if (!err)
        err = add_key(&input, body);
    run(call, "PutRecord", &input, err);
}

/* ---- many records ---- */

/* The text of a value: of a string what it says, else its JSON. What is not in the body as it is goes to scratch.text,
 * which has room for all of the body. */
static enum err text_of(struct call *call, struct json_value value, struct bytes *out)
{
    struct buf *text = &call->door->scratch.text;
    size_t from = text->size;
    enum err err;

    if (value.plain && value.kind == JSON_STRING) {
        *out = json_plain_text(value);
        return ERR_OK;
    }
    err = value.kind == JSON_STRING ? json_text(value, text) : json_compact(value, text);
    *out = bytes_of(text->at + from, text->size - from);
    return err;
}

/* {"data":...,"partition-key":...}; of anything else nothing is taken. */
static enum err pull_post(struct call *call, struct json_pull *pull, struct kinesis_post *post)
{
    struct json_value name, value;
    enum err err;

    *post = (struct kinesis_post){0};
    if (json_pull_kind(pull) != JSON_OBJECT)
        return json_pull_value(pull, &value);
    err = json_pull_enter(pull, JSON_OBJECT);
    while (!err && !(err = json_pull_next(pull, &name)) && !(err = json_pull_value(pull, &value))) {
        if (json_text_is(name, "data")) {
            post->has_data = true;
            err = text_of(call, value, &post->data);
        } else if (json_text_is(name, "partition-key")) {
            post->has_key = value.kind != JSON_NULL;
            err = text_of(call, value, &post->key);
        }
    }
    return err == ERR_END ? ERR_OK : err;
}

struct posts {
    struct json_value list;
    struct kinesis_post at[KINESIS_RECORDS_MOST];
    size_t count; /* also of those that found no room */
};

static enum err pull_posts(struct call *call, struct json_pull *pull, struct posts *posts)
{
    enum json_kind kind = json_pull_kind(pull);
    const uint8_t *from = pull->at;
    struct kinesis_post other;
    enum err err;

    posts->count = 0;
    if (kind != JSON_ARRAY)
        return json_pull_value(pull, &posts->list);
    err = json_pull_enter(pull, JSON_ARRAY);
    while (!err && !(err = json_pull_next(pull, NULL))) {
        err = pull_post(call, pull, posts->count < KINESIS_RECORDS_MOST ? &posts->at[posts->count] : &other);
        posts->count++;
    }
    posts->list = (struct json_value){JSON_ARRAY, false, bytes_of(from, (size_t)(pull->at - from))};
    return err == ERR_END ? ERR_OK : err;
}

/* The whole body, in one pass. */
static enum err pull_body(struct call *call, struct posts *posts)
{
    struct json_pull pull = json_pull(buf_bytes(&call->body));
    struct json_value name, value;
    enum err err = json_pull_enter(&pull, JSON_OBJECT);

    posts->list = (struct json_value){.kind = JSON_NULL};
    while (!err && !(err = json_pull_next(&pull, &name)))
        err = json_text_is(name, "records") ? pull_posts(call, &pull, posts) : json_pull_value(&pull, &value);
    return err == ERR_END ? json_pull_end(&pull) : err;
}

static void put_records(struct call *call)
{
    struct kinesis kinesis;
    struct posts posts;
    enum err err;

    call_answer(call, 200, "application/json");
    if (kinesis_begin(&kinesis, call, call->body.size)) {
        err = pull_body(call, &posts);
        if (err == ERR_INVALID)
            refuse_body(call);
        else if (err)
            kinesis_fail(call, err);
        else if (posts.list.kind != JSON_ARRAY)
            bad_body(call, "send {\"records\":[{\"data\":\"...\",\"partition-key\":\"...\"}]}");
        else
            kinesis_put_posts(&kinesis, call->at[0], posts.list, posts.at, posts.count);
    }
    simplify_status(call);
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
