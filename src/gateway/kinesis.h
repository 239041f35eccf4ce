/* kinesis.h - what the files of the Kinesis API share.
 *
 *     kinesis.c         transport, errors, the table of operations    kinesis_put.c    PutRecord, PutRecords
 *     kinesis_input.c   members: types, constraints                   kinesis_get.c    iterators, GetRecords
 *     kinesis_stream.c  streams and shards                            kinesis_token.c  sealed tokens
 *
 * A stream is a topic, a shard a partition, a sequence number an offset (base/sequence.h). Shards split the
 * hash space evenly, so which shard a key belongs to follows from the number of partitions. */
#ifndef GATEWAY_KINESIS_H
#define GATEWAY_KINESIS_H

#include "base/sequence.h"
#include "gateway/http_door.h"

enum {
    STREAM_NAME_MOST = 128,
    KINESIS_MEMBERS_MOST = 8,
    KINESIS_DATA_MOST = 1 << 20,
    /* what a record of the largest data and key needs as a batch; streams are made with this
       max.message.bytes */
    KINESIS_BATCH_BYTES = KINESIS_DATA_MOST + 2048,
    TOKEN_LIFE_MS = 300000,
};

/* ---- members of an input ---- */

enum member_type {
    MEMBER_STRING,
    MEMBER_INTEGER,
    MEMBER_TIMESTAMP,
    MEMBER_BLOB,
    MEMBER_LIST,
    MEMBER_STRUCTURE,
    MEMBER_BOOLEAN
};

struct member {
    const char *name; /* as in the input, PascalCase */
    enum member_type type;
    bool required;
    const char *pattern; /* as messages show it; `fits` says what it means */
    bool (*fits)(struct bytes text);
    const char *const *one_of; /* ends with NULL */
    int64_t least, most;       /* an integer's value; the length of anything else; most 0: any */
};

struct input {
    bool given;
    struct json_value value;
    struct bytes bytes; /* a string's text, a blob's bytes */
    int64_t integer;    /* an integer; a timestamp in milliseconds */
};

struct kinesis {
    struct call *call;
    struct json_value body;                    /* the input object, checked */
    struct input inputs[KINESIS_MEMBERS_MOST]; /* by the place in the operation's table of members */
    char stream[STREAM_NAME_MOST + 1];
    struct topic_info topic;
};

/* The first two members of every operation on a stream that exists: the ARN wins. */
#define MEMBERS_OF_STREAM                                                                                    \
    {"StreamName", MEMBER_STRING, false, "[a-zA-Z0-9_.-]+", fits_name, NULL, 1, STREAM_NAME_MOST},           \
    {                                                                                                        \
        "StreamARN", MEMBER_STRING, false, NULL, NULL, NULL, 1, 2048                                         \
    }

/* Take the members of `object` that `members` names (it ends with a NULL name): first the types of all, then
 * the constraints of all. `path` stands before their names in messages ("records.3.member." or ""). Findings
 * are gathered in the violations; types are answered at once. False: the call is answered
 * (SerializationException). */
struct violations {
    struct call *call;
    struct buf text;
    int count;
};
bool input_take(struct kinesis *kinesis, struct json_value object, const struct member *members,
                struct input *inputs);
void input_check(struct violations *violations, const struct member *members, const struct input *inputs,
                 const char *path);
/* True if there were none; else the call is answered (ValidationException). Releases them. */
bool violations_end(struct violations *violations);

/* input_take and input_check for the whole of a simple operation into kinesis->inputs. */
bool kinesis_take(struct kinesis *kinesis, const struct member *members);
/* The stream that StreamName or StreamARN (inputs 0 and 1 of every operation that has them) names: into
 * kinesis->stream and kinesis->topic. False: the call is answered (ResourceNotFoundException). */
bool kinesis_stream(struct kinesis *kinesis);

bool fits_name(struct bytes text);     /* [a-zA-Z0-9_.-]+ */
bool fits_hash_key(struct bytes text); /* 0|([1-9]\d{0,38}) */
bool fits_sequence(struct bytes text); /* 0|([1-9]\d{0,128}) */

/* ---- answers ---- */

/* {"__type":type,"message":...}; status 400, or 500 for InternalFailure. */
void kinesis_error(struct call *call, const char *type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The answer for an error of the log. */
void kinesis_fail(struct call *call, enum err err);
/* Begin the answer of an operation that went well; for one with no output that is all. */
void kinesis_answer(struct call *call);
const char *kinesis_account(const struct call *call);

/* Run an operation on an input, as POST / would. Used by the API-Gateway routes. */
void kinesis_run(struct call *call, const char *operation, struct bytes input);

/* PutRecords for records that are here as bytes, so that nobody writes an input only to read it again. Between the two
 * the caller may write to the door's scratch.text, up to `text_bytes`. False: the call is answered. */
enum { KINESIS_RECORDS_MOST = 500 };
struct kinesis_post {
    bool has_data, has_key;
    struct bytes data, key; /* they must stay until the call is answered */
};
bool kinesis_begin(struct kinesis *kinesis, struct call *call, size_t text_bytes);
/* `list` is what they come from, as messages show it; `count` may be more than what `posts` has room for. */
void kinesis_put_posts(struct kinesis *kinesis, struct bytes stream, struct json_value list,
                       const struct kinesis_post posts[KINESIS_RECORDS_MOST], size_t count);

typedef void kinesis_handler(struct kinesis *kinesis);
struct kinesis_operation {
    const char *name;
    kinesis_handler *handle;
};
/* Every operation; ends with a NULL name. docs/kinesis.md lists the same. */
extern const struct kinesis_operation kinesis_operations[];

kinesis_handler kinesis_create_stream, kinesis_delete_stream, kinesis_list_streams, kinesis_describe_stream,
    kinesis_describe_stream_summary, kinesis_list_shards, kinesis_put_record, kinesis_put_records,
    kinesis_get_shard_iterator, kinesis_get_records;

/* ---- shards ---- */

enum { SHARD_ID_BYTES = 24 };
void shard_id(int32_t shard, char out[SHARD_ID_BYTES]);
/* ERR_INVALID: not of the form shardId-NNNNNNNNNNNN. */
enum err shard_id_parse(struct bytes text, int64_t *shard);
/* The number a shard begins with: before that of any record in it. */
void shard_first_sequence(const struct topic_info *topic, int32_t shard, char out[SEQUENCE_TEXT_BYTES]);
void shard_sequence(const struct topic_info *topic, int32_t shard, int64_t offset, int64_t timestamp_ms,
                    char out[SEQUENCE_TEXT_BYTES]);
unsigned __int128 shard_first_hash(int32_t shard, int32_t count);
int32_t shard_of_hash(unsigned __int128 hash, int32_t count);
/* A hash key in decimal. ERR_RANGE: over 2^128 - 1. */
enum err hash_parse(struct bytes text, unsigned __int128 *out);
enum { HASH_TEXT_BYTES = 40 };
void hash_format(unsigned __int128 hash, char out[HASH_TEXT_BYTES]);
/* MD5 of a partition key. */
unsigned __int128 hash_of_key(struct bytes key);

/* ---- tokens: shard iterators and NextTokens ---- */

enum token_kind { TOKEN_ITERATOR = 1, TOKEN_SHARDS = 2 };
enum { TOKEN_TEXT_MOST = 512 };

struct token {
    enum token_kind kind;
    char stream[STREAM_NAME_MOST + 1];
    int64_t created_ms; /* the stream's: an iterator does not outlive it */
    int32_t shard;
    int64_t offset;
    int64_t issued_ms;
};

/* Base64 text of 8 bytes 00..01 and 144+16k sealed ones (AES-256-GCM): nobody can read it, or make or change
 * one. */
enum err token_seal(const uint8_t secret[SECRET_BYTES], const struct token *token, char out[TOKEN_TEXT_MOST]);
/* ERR_INVALID: not one that we sealed, or of another kind. */
enum err token_open(const uint8_t secret[SECRET_BYTES], struct bytes text, enum token_kind kind,
                    struct token *out);

#endif
