/* What could go wrong: a key in another shard than AWS puts it in, gaps between shards' hash ranges, an
 * iterator that can be changed or that another server takes, constraints said in other words than clients
 * match. How we look: known MD5 values, the borders of many shard counts, every bit of a token flipped, and
 * messages compared whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/kinesis.h"

#define CHECK(what) assert_true(what)

static const uint8_t secret[SECRET_BYTES] = "a secret of thirty-two bytes ...";

static void keys_are_hashed_as_there(void **state)
{
    char text[HASH_TEXT_BYTES];

    /* python3: int(hashlib.md5(b"partition-1").hexdigest(), 16) */
    hash_format(hash_of_key(BYTES("partition-1")), text);
    assert_string_equal(text, "198019941650871988756153596255032211816");
    hash_format(0, text);
    assert_string_equal(text, "0");
    hash_format(~(unsigned __int128)0, text);
    assert_string_equal(text, "340282366920938463463374607431768211455");
}

static void hash_keys_are_read(void **state)
{
    unsigned __int128 hash;

    CHECK(hash_parse(BYTES("340282366920938463463374607431768211455"), &hash) == ERR_OK &&
          hash == ~(unsigned __int128)0);
    CHECK(hash_parse(BYTES("340282366920938463463374607431768211456"), &hash) == ERR_RANGE);
    CHECK(hash_parse(BYTES("999999999999999999999999999999999999999"), &hash) == ERR_RANGE);
    CHECK(hash_parse(BYTES(""), &hash) == ERR_INVALID && hash_parse(BYTES("1x"), &hash) == ERR_INVALID);
}

static void shards_cover_the_space_without_gaps(void **state)
{
    static const int32_t counts[] = {1, 2, 3, 4, 5, 7, 64, 100, 9999, 10000};

    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        int32_t count = counts[i];
        CHECK(shard_of_hash(0, count) == 0 && shard_of_hash(~(unsigned __int128)0, count) == count - 1);
        for (int32_t shard = 1; shard < count; shard++) {
            unsigned __int128 first = shard_first_hash(shard, count);
            CHECK(shard_of_hash(first, count) == shard && shard_of_hash(first - 1, count) == shard - 1);
        }
    }
    CHECK(shard_first_hash(1, 2) == (unsigned __int128)1 << 127);
}

static void shard_ids_there_and_back(void **state)
{
    char id[SHARD_ID_BYTES];
    int64_t shard;

    shard_id(12, id);
    assert_string_equal(id, "shardId-000000000012");
    CHECK(shard_id_parse(bytes_of_text(id), &shard) == ERR_OK && shard == 12);
    CHECK(shard_id_parse(BYTES("shardId-00000000001"), &shard) == ERR_INVALID);
    CHECK(shard_id_parse(BYTES("shardId-00000000001x"), &shard) == ERR_INVALID);
    CHECK(shard_id_parse(BYTES("shard-00000000000001"), &shard) == ERR_INVALID);
}

static void tokens_have_the_known_form(void **state)
{
    for (size_t length = 1; length <= STREAM_NAME_MOST; length++) {
        struct token token = {TOKEN_ITERATOR, "", 1700000000123, 9999, INT64_MAX - 5, 1700000000456}, back;
        struct buf raw = buf_init(1000);
        char text[TOKEN_TEXT_MOST];
        memset(token.stream, 's', length);
        CHECK(token_seal(secret, &token, text) == ERR_OK &&
              base64_decode(bytes_of_text(text), &raw) == ERR_OK);
        CHECK(raw.size == 152 + (length + 2) / 16 * 16 && get_u64(raw.at) == 1);
        CHECK(token_open(secret, bytes_of_text(text), TOKEN_ITERATOR, &back) == ERR_OK);
        CHECK(strcmp(back.stream, token.stream) == 0 && back.shard == 9999 && back.offset == INT64_MAX - 5 &&
              back.issued_ms == 1700000000456 && back.created_ms == 1700000000123);
        CHECK(token_open(secret, bytes_of_text(text), TOKEN_SHARDS, &back) == ERR_INVALID);
        buf_release(&raw);
    }
}

static void changed_tokens_are_refused(void **state)
{
    struct token token = {TOKEN_ITERATOR, "streaming-demo-pin", 1, 0, 42, 2}, back;
    uint8_t other[SECRET_BYTES] = {0};
    struct buf raw = buf_init(1000), again = buf_init(1000);
    char text[TOKEN_TEXT_MOST];

    CHECK(token_seal(secret, &token, text) == ERR_OK && base64_decode(bytes_of_text(text), &raw) == ERR_OK);
    CHECK(token_open(other, bytes_of_text(text), TOKEN_ITERATOR, &back) == ERR_INVALID);
    for (size_t bit = 0; bit < raw.size * 8; bit++) {
        raw.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        buf_clear(&again);
        CHECK(base64_encode(buf_bytes(&raw), &again) == ERR_OK);
        CHECK(token_open(secret, buf_bytes(&again), TOKEN_ITERATOR, &back) == ERR_INVALID);
        raw.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size < strlen(text); size++)
        CHECK(token_open(secret, bytes_of(text, size), TOKEN_ITERATOR, &back) == ERR_INVALID);
    buf_release(&raw);
    buf_release(&again);
}

/* Run the member checks over an input and compare the whole answer. */
static void check_answer(const struct member *members, const char *input, const char *answer)
{
    struct http_door door = {0};
    struct call call = {.door = &door, .reply = buf_init(100000), .arena = arena_init(100000)};
    struct kinesis kinesis = {.call = &call};
    bool good;

    door.scratch.text = buf_init(100000);
    CHECK(buf_reserve(&door.scratch.text, strlen(input)) == ERR_OK);
    CHECK(json_check(bytes_of_text(input), &kinesis.body, NULL) == ERR_OK);
    good = kinesis_take(&kinesis, members);
    assert_string_equal(good ? "" : buf_text(&call.reply), answer);
    buf_release(&door.scratch.text);
    buf_release(&call.reply);
    arena_release(&call.arena);
}

static void findings_are_said_in_the_services_words(void **state)
{
    static const char *const types[] = {"LATEST", "TRIM_HORIZON", NULL};
    static const struct member members[] = {
        MEMBERS_OF_STREAM,
        {"Limit", MEMBER_INTEGER, false, NULL, NULL, NULL, 1, 10000},
        {"Type", MEMBER_STRING, true, NULL, NULL, types, 0, 0},
        {"Data", MEMBER_BLOB, false, NULL, NULL, NULL, 0, 3},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };

    check_answer(members, "{\"StreamName\":\"a\",\"Type\":\"LATEST\",\"Unknown\":1,\"Limit\":null}", "");
    check_answer(members, "{}",
                 "{\"__type\":\"ValidationException\",\"message\":\"2 validation errors detected: Value null "
                 "at 'type' failed to "
                 "satisfy constraint: Member must not be null; Value null at 'streamName' failed to satisfy "
                 "constraint: Member must "
                 "not be null\"}");
    check_answer(members, "{\"StreamName\":\"\",\"Type\":\"LATEST\"}",
                 "{\"__type\":\"ValidationException\",\"message\":\"2 validation errors detected: Value '' "
                 "at 'streamName' failed to "
                 "satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value "
                 "'' at 'streamName' failed "
                 "to satisfy constraint: Member must have length greater than or equal to 1\"}");
    check_answer(members, "{\"StreamName\":\"a\",\"Type\":\"OTHER\"}",
                 "{\"__type\":\"ValidationException\",\"message\":\"1 validation error detected: Value "
                 "'OTHER' at 'type' failed to "
                 "satisfy constraint: Member must satisfy enum value set: [LATEST, TRIM_HORIZON]\"}");
    check_answer(
        members, "{\"StreamName\":\"a\",\"Type\":\"LATEST\",\"Limit\":0,\"Data\":\"AAAAAA==\"}",
        "{\"__type\":\"ValidationException\",\"message\":\"2 validation errors detected: Value '0' at "
        "'limit' failed to "
        "satisfy constraint: Member must have value greater than or equal to 1; Value "
        "'java.nio.HeapByteBuffer[pos=0 lim=4 "
        "cap=4]' at 'data' failed to satisfy constraint: Member must have length less than or equal to 3\"}");
    check_answer(members, "{\"StreamName\":5}",
                 "{\"__type\":\"SerializationException\",\"Message\":\"class java.math.BigDecimal can not be "
                 "converted to an String\"}");
    check_answer(members, "{\"Limit\":\"5\"}",
                 "{\"__type\":\"SerializationException\",\"Message\":\"class java.lang.String can not be "
                 "converted to an Integer\"}");
    check_answer(
        members, "{\"Type\":[]}",
        "{\"__type\":\"SerializationException\",\"Message\":\"Start of list found where not expected\"}");
    check_answer(members, "{\"Data\":\"abc\"}",
                 "{\"__type\":\"SerializationException\",\"Message\":\"'abc' can not be converted to a Blob: "
                 "Base64 encoded length is "
                 "expected a multiple of 4 bytes but found: 3\"}");
    check_answer(members, "{\"Data\":\"ab c\"}",
                 "{\"__type\":\"SerializationException\",\"Message\":\"'ab c' can not be converted to a "
                 "Blob: Invalid Base64 "
                 "character: ' '\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_hashed_as_there),
        cmocka_unit_test(hash_keys_are_read),
        cmocka_unit_test(shards_cover_the_space_without_gaps),
        cmocka_unit_test(shard_ids_there_and_back),
        cmocka_unit_test(tokens_have_the_known_form),
        cmocka_unit_test(changed_tokens_are_refused),
        cmocka_unit_test(findings_are_said_in_the_services_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
