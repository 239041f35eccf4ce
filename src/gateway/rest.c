/* rest.c - Kafka REST Proxy v2: media types, errors, and producing. What is read is in rest_topics.c.
 *
 * Keys and values come as JSON (kept as compact JSON text) or as base64 (kept as the bytes). Where the
 * Content-Type leaves that open - application/json or none at all, as first attempts with curl have it - a
 * string is base64, as with older proxies, and anything else is JSON. */
#include <assert.h>
#include <stdio.h>
#include <strings.h>

#include "gateway/rest.h"

/* ---- answers ---- */

static const char rest_type[] = "application/vnd.kafka.v2+json";

/* Does a comma-separated header list this media type? Parameters behind it do not count. */
static bool lists(const char *header, const char *type)
{
    size_t length = strlen(type);

    while (*header) {
        header += strspn(header, ", \t");
        if (strncasecmp(header, type, length) == 0 && strchr(",; \t", header[length]))
            return true;
        header += strcspn(header, ",");
    }
    return false;
}

/* The Content-Type of answers that this request takes; NULL if none. */
static const char *answer_type(const struct call *call)
{
    static const char *const ours[] = {
        "application/vnd.kafka.v2+json",      "application/vnd.kafka+json",          "application/*", "*/*",
        "application/vnd.kafka.json.v2+json", "application/vnd.kafka.binary.v2+json"};
    const char *accept = call_header(call, "Accept");

    if (!accept || !*accept)
        return rest_type;
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        if (lists(accept, ours[i]))
            return rest_type;
    if (lists(accept, "application/vnd.kafka.v1+json"))
        return "application/vnd.kafka.v1+json";
    return lists(accept, "application/json") ? "application/json" : NULL;
}

bool rest_answer(struct call *call, unsigned status)
{
    const char *type = answer_type(call);

    if (!type) {
        rest_error(call, 406, "%s is not to be had: accept %s or application/json",
                   call_header(call, "Accept"), rest_type);
        return false;
    }
    call_answer(call, status, type);
    return true;
}

void rest_error(struct call *call, int code, const char *format, ...)
{
    char sentence[1024];
    const char *type = answer_type(call);
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    call_answer(call, (unsigned)(code < 1000 ? code : code / 100), type ? type : rest_type);
    say(call, "{\"error_code\":");
    say_integer(call, code);
    say(call, ",\"message\":");
    say_quoted_text(call, sentence);
    say(call, "}");
}

/* 5-digit codes carry their status but for those of the table below. */
static const struct {
    enum err err;
    int whole;  /* the code when the request fails as a whole */
    int record; /* and in a record's slot */
    unsigned status;
} codes[] = {
    {ERR_NOT_FOUND, 40401, 40401, 404}, {ERR_INVALID, 40002, 50002, 400},   {ERR_DENIED, 40301, 40301, 403},
    {ERR_TOO_LARGE, 50002, 50002, 500}, {ERR_CORRUPT, 50002, 50002, 500},   {ERR_IO, 50003, 50003, 500},
    {ERR_FULL, 50003, 50003, 500},      {ERR_NO_MEMORY, 50003, 50003, 500},
};

void rest_fail(struct call *call, enum err err)
{
    int code = 50002;
    unsigned status = 500;

    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        if (codes[i].err == err) {
            code = codes[i].whole;
            status = codes[i].status;
        }
    rest_error(call, code, "%s", err_sentence());
    call->status = status;
}

static int record_code(enum err err)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        if (codes[i].err == err)
            return codes[i].record;
    return 50002;
}

/* ---- the Content-Type of what is produced ---- */

enum embedded { EMBEDDED_JSON, EMBEDDED_BINARY, EMBEDDED_EITHER, EMBEDDED_SCHEMA, EMBEDDED_OTHER };

static const struct {
    const char *type;
    enum embedded embedded;
} embedded_types[] = {
    {"application/vnd.kafka.json.v2+json", EMBEDDED_JSON},
    {"application/vnd.kafka.json.v1+json", EMBEDDED_JSON},
    {"application/vnd.kafka.json+json", EMBEDDED_JSON},
    {"application/vnd.kafka.binary.v2+json", EMBEDDED_BINARY},
    {"application/vnd.kafka.binary.v1+json", EMBEDDED_BINARY},
    {"application/vnd.kafka.binary+json", EMBEDDED_BINARY},
    {"application/octet-stream", EMBEDDED_BINARY},
    {"application/json", EMBEDDED_EITHER},
    {"application/vnd.kafka.v2+json", EMBEDDED_EITHER},
    {"application/vnd.kafka.v1+json", EMBEDDED_EITHER},
    {"application/vnd.kafka+json", EMBEDDED_EITHER},
    {"application/vnd.kafka.avro.v2+json", EMBEDDED_SCHEMA},
    {"application/vnd.kafka.jsonschema.v2+json", EMBEDDED_SCHEMA},
    {"application/vnd.kafka.protobuf.v2+json", EMBEDDED_SCHEMA},
};

static enum embedded embedded_of(const struct call *call)
{
    const char *type = call_header(call, "Content-Type");

    if (!type || !*type)
        return EMBEDDED_EITHER;
    for (size_t i = 0; i < sizeof(embedded_types) / sizeof(*embedded_types); i++) {
        size_t length = strlen(embedded_types[i].type);
        if (strncasecmp(type, embedded_types[i].type, length) == 0 && strchr("; \t", type[length]))
            return embedded_types[i].embedded;
    }
    return EMBEDDED_OTHER;
}

static bool check_content_type(struct call *call, enum embedded *embedded)
{
    *embedded = embedded_of(call);
    if (*embedded == EMBEDDED_SCHEMA)
        rest_error(
            call, 415,
            "%s needs a schema registry, and there is none here: send application/vnd.kafka.json.v2+json",
            call_header(call, "Content-Type"));
    else if (*embedded == EMBEDDED_OTHER)
        rest_error(
            call, 415,
            "Content-Type %s is not understood: send application/vnd.kafka.json.v2+json (or binary.v2+json)",
            call_header(call, "Content-Type"));
    return *embedded < EMBEDDED_SCHEMA;
}

/* ---- producing ---- */

struct production {
    struct produce produce;
    struct json_pull pull;
    enum embedded embedded;
    int32_t partition; /* of the path, or PARTITION_BY_KEY */
};

/* What went wrong is an error of shape (422), unless the text is no JSON at all (400). */
static bool not_json(struct call *call)
{
    rest_error(call, 400, "the request body is %s", err_sentence());
    return false;
}

/* A key or value as the bytes to store. */
static bool take_payload(struct production *production, const char *what, struct bytes *out)
{
    struct call *call = production->produce.call;
    struct buf *text = &call->door->scratch.text;
    struct json_value value;
    size_t from = text->size;
    enum err err;

    if (json_pull_value(&production->pull, &value))
        return not_json(call);
    if (value.kind == JSON_NULL)
        return true;
    if (production->embedded == EMBEDDED_JSON ||
        (production->embedded == EMBEDDED_EITHER && value.kind != JSON_STRING)) {
        if (value.plain || value.kind < JSON_ARRAY) {
            *out = value.bytes;
            return true;
        }
        err = json_compact(value, text);
        *out = bytes_of(text->at + from, text->size - from);
        assert(!err); /* room for the whole body was made before */
        return true;
    }
    if (value.kind != JSON_STRING || !value.plain) {
        rest_error(call, 422,
                   "record %zu: its %s must be a base64 string; for JSON values send Content-Type "
                   "application/vnd.kafka.json.v2+json",
                   production->produce.count, what);
        return false;
    }
    err = base64_decode(json_plain_text(value), text);
    if (err) {
        rest_error(call, 422,
                   "record %zu: its %s is %s; to send text as it is use Content-Type "
                   "application/vnd.kafka.json.v2+json",
                   production->produce.count, what, err_sentence());
        return false;
    }
    *out = bytes_of(text->at + from, text->size - from);
    return true;
}

static bool take_partition(struct production *production, struct produce_record *record)
{
    struct call *call = production->produce.call;
    struct json_value value;
    int64_t partition;

    if (json_pull_value(&production->pull, &value))
        return not_json(call);
    if (value.kind == JSON_NULL)
        return true;
    if (json_int64(value, &partition) || partition < 0 || partition > INT32_MAX) {
        rest_error(call, 422, "record %zu: its partition must be an integer from 0 on",
                   production->produce.count);
        return false;
    }
    if (partition >= production->produce.topic.partition_count) {
        record->err = ERR_NOT_FOUND;
        record->sentence =
            arena_printf(&call->arena, "partition %lld does not exist: topic %s has %d", (long long)partition,
                         production->produce.topic.name, production->produce.topic.partition_count);
        return true;
    }
    record->partition = (int32_t)partition;
    return true;
}

static bool take_record(struct production *production)
{
    struct call *call = production->produce.call;
    struct produce_record *record = produce_add(&production->produce);
    struct json_value name;
    enum err err;

    if (!record) {
        rest_fail(call, ERR_NO_MEMORY);
        return false;
    }
    record->partition = production->partition;
    if (json_pull_kind(&production->pull) != JSON_OBJECT) {
        rest_error(call, 422, "record %zu must be an object with key, value or partition",
                   production->produce.count);
        return false;
    }
    if (json_pull_enter(&production->pull, JSON_OBJECT))
        return not_json(call);
    while (!(err = json_pull_next(&production->pull, &name))) {
        bool good;
        if (json_text_is(name, "value")) {
            good = take_payload(production, "value", &record->value);
        } else if (json_text_is(name, "key")) {
            good = take_payload(production, "key", &record->key);
        } else if (json_text_is(name, "partition")) {
            good = take_partition(production, record);
        } else {
            rest_error(call, 422,
                       "record %zu has an unknown member %.*s: a record has key, value and partition",
                       production->produce.count, (int)(name.bytes.size < 100 ? name.bytes.size : 100),
                       (const char *)name.bytes.at);
            good = false;
        }
        if (!good)
            return false;
    }
    return err == ERR_END ? true : not_json(call);
}

static bool take_records(struct production *production)
{
    struct call *call = production->produce.call;
    enum err err;

    if (json_pull_kind(&production->pull) != JSON_ARRAY) {
        rest_error(call, 422, "records must be an array of objects with key, value or partition");
        return false;
    }
    if (json_pull_enter(&production->pull, JSON_ARRAY))
        return not_json(call);
    while (!(err = json_pull_next(&production->pull, NULL)))
        if (!take_record(production))
            return false;
    return err == ERR_END ? true : not_json(call);
}

static bool take_body(struct production *production)
{
    static const char *const ignored[] = {"key_schema", "key_schema_id", "value_schema", "value_schema_id"};
    struct call *call = production->produce.call;
    struct json_value name, value;
    enum err err;

    production->pull = json_pull(buf_bytes(&call->body));
    if (call->body.size == 0) {
        rest_error(call, 422, "the request body is empty: send {\"records\":[{\"value\":...}]}");
        return false;
    }
    if (json_pull_kind(&production->pull) != JSON_OBJECT) {
        if (json_check(buf_bytes(&call->body), &value, NULL))
            return not_json(call);
        rest_error(call, 422, "the request body must be an object: {\"records\":[{\"value\":...}]}");
        return false;
    }
    if (json_pull_enter(&production->pull, JSON_OBJECT))
        return not_json(call);
    while (!(err = json_pull_next(&production->pull, &name))) {
        size_t i = 0;
        if (json_text_is(name, "records")) {
            if (!take_records(production))
                return false;
            continue;
        }
        while (i < sizeof(ignored) / sizeof(*ignored) && !json_text_is(name, ignored[i]))
            i++;
        if (i == sizeof(ignored) / sizeof(*ignored)) {
            rest_error(call, 422,
                       "the request has an unknown member %.*s: send {\"records\":[{\"value\":...}]}",
                       (int)(name.bytes.size < 100 ? name.bytes.size : 100), (const char *)name.bytes.at);
            return false;
        }
        if (json_pull_value(&production->pull, &value))
            return not_json(call);
    }
    if (err != ERR_END || json_pull_end(&production->pull))
        return not_json(call);
    if (production->produce.count == 0) {
        rest_error(call, 422, "records is missing or empty: send {\"records\":[{\"value\":...}]}");
        return false;
    }
    return true;
}

static void answer_offsets(struct production *production)
{
    struct produce *produce = &production->produce;
    struct call *call = produce->call;
    unsigned status = call->status;

    say(call, "{\"offsets\":[");
    for (size_t i = 0; i < produce->count; i++) {
        const struct produce_record *record = &produce->records[i];
        if (i > 0)
            say(call, ",");
        if (record->err) {
            int code = record_code(record->err);
            say(call, "{\"partition\":null,\"offset\":null,\"error_code\":");
            say_integer(call, code);
            say(call, ",\"error\":");
            say_quoted_text(call, record->sentence ? record->sentence : err_name(record->err));
            say(call, "}");
            if (code == 40301)
                status = 403;
            continue;
        }
        say(call, "{\"partition\":");
        say_integer(call, record->partition);
        say(call, ",\"offset\":");
        say_integer(call, record->offset);
        say(call, ",\"error_code\":null,\"error\":null}");
    }
    say(call, "],\"key_schema_id\":null,\"value_schema_id\":null}");
    call->status = status;
}

/* The partition that the path names. */
static bool path_partition(struct production *production)
{
    struct call *call = production->produce.call;
    int32_t partition;

    if (!rest_partition(call, call->at[1], &production->produce.topic, &partition))
        return false;
    production->partition = partition;
    return true;
}

static void produce_to(struct call *call, bool with_partition)
{
    struct production production = {.partition = PARTITION_BY_KEY};
    enum err err;

    if (!check_content_type(call, &production.embedded) || !rest_answer(call, 200))
        return;
    call->fail = rest_fail;
    produce_start(&production.produce, call);
    err = produce_topic(&production.produce, call->at[0], true);
    buf_clear(&call->door->scratch.text);
    if (!err)
        err = buf_reserve(&call->door->scratch.text, call->body.size);
    if (err) {
        rest_fail(call, err);
        return;
    }
    if ((with_partition && !path_partition(&production)) || !take_body(&production))
        return;
    err = produce_append(&production.produce);
    if (err)
        rest_fail(call, err);
    else
        answer_offsets(&production);
}

void rest_produce(struct call *call)
{
    produce_to(call, false);
}

void rest_produce_partition(struct call *call)
{
    produce_to(call, true);
}
