/* What could go wrong: data that is cut wrong from an answer (a byte off, an escape taken literally, a view into memory
 * that moved), or an answer that is not what it should be and is believed. We cut known answers, each malformed one, and
 * every beginning of a good one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aws/kinesis_response.h"

#define CHECK(what) assert_true(what)

static const char good[] =
    "{\"Records\":[{\"Data\":\"eyJhIjoxfQ==\",\"PartitionKey\":\"k\\u00e9\\\"1\",\"SequenceNumber\":\"495\","
    "\"ApproximateArrivalTimestamp\":1795219200.123,\"Unknown\":[{}]},"
    "{\"SequenceNumber\":\"496\",\"Data\":\"\",\"PartitionKey\":\"2\"},"
    "{\"SequenceNumber\":\"497\",\"Data\":\"\\/\\/\\/\\/\",\"PartitionKey\":\"3\"}],"
    "\"NextShardIterator\":\"AAAA\\/B\",\"MillisBehindLatest\":17,\"ChildShards\":[]}";

static void records_are_cut(void **state)
{
    struct kinesis_cut cut = kinesis_cut_init();

    for (int again = 0; again < 3; again++) {
        CHECK(kinesis_cut_records(&cut, bytes_of_text(good)) == ERR_OK);
        CHECK(cut.count == 3);
        CHECK(bytes_equal(cut.records[0].data, BYTES("{\"a\":1}")));
        CHECK(bytes_equal(cut.records[0].partition_key, BYTES("k\xc3\xa9\"1")));
        CHECK(bytes_equal(cut.records[0].sequence_number, BYTES("495")));
        CHECK(cut.records[0].arrival_ms == 1795219200123);
        CHECK(cut.records[1].data.at && cut.records[1].data.size == 0); /* empty, not absent */
        CHECK(bytes_equal(cut.records[2].data, BYTES("\xff\xff\xff")));
        CHECK(cut.behind_ms == 17);
        assert_string_equal(buf_text(&cut.next_iterator), "AAAA/B");
    }
    CHECK(kinesis_cut_records(&cut, BYTES("{\"Records\":[],\"NextShardIterator\":null}")) == ERR_OK);
    CHECK(cut.count == 0 && cut.next_iterator.size == 0 && cut.behind_ms == 0);
    kinesis_cut_release(&cut);
}

static void malformed_answers_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"Records\":{}}",
        "{\"Records\":[1]}",
        "{\"Records\":[{}]}",
        "{\"Records\":[{\"Data\":\"\"}]}",
        "{\"Records\":[{\"SequenceNumber\":\"1\"}]}",
        "{\"Records\":[{\"Data\":\"a\",\"SequenceNumber\":\"1\"}]}",
        "{\"Records\":[{\"Data\":1,\"SequenceNumber\":\"1\"}]}",
        "{\"Records\":[{\"Data\":\"\",\"SequenceNumber\":1}]}",
        "{\"Records\":[{\"Data\":\"\",\"SequenceNumber\":\"1\",\"ApproximateArrivalTimestamp\":\"x\"}]}",
        "{\"Records\":[{\"Data\":\"\",\"SequenceNumber\":\"1\",\"ApproximateArrivalTimestamp\":-1}]}",
        "{\"Records\":[{\"Data\":\"\",\"SequenceNumber\":\"1\",\"ApproximateArrivalTimestamp\":1e300}]}",
        "{\"Records\":[],\"NextShardIterator\":5}",
        "{\"Records\":[],\"MillisBehindLatest\":\"x\"}",
    };
    struct kinesis_cut cut = kinesis_cut_init();

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (kinesis_cut_records(&cut, bytes_of_text(bad[i])) == ERR_OK)
            fail_msg("%s was taken", bad[i]);
        CHECK(cut.count == 0);
    }
    /* Every beginning, in memory of exactly its size so that the sanitizer sees a read beyond it. */
    for (size_t size = 0; size < sizeof(good) - 1; size++) {
        uint8_t *part = malloc(size ? size : 1);

        memcpy(part, good, size);
        CHECK(kinesis_cut_records(&cut, bytes_of(part, size)) == ERR_INVALID);
        free(part);
    }
    kinesis_cut_release(&cut);
}

static void too_many_records_are_refused(void **state)
{
    struct kinesis_cut cut = kinesis_cut_init();
    struct buf body = buf_init(1 << 20);

    CHECK(buf_add_text(&body, "{\"Records\":[") == ERR_OK);
    for (int i = 0; i < 10001; i++)
        CHECK(buf_printf(&body, "%s{\"Data\":\"\",\"SequenceNumber\":\"%d\"}", i ? "," : "", i) == ERR_OK);
    CHECK(buf_add_text(&body, "]}") == ERR_OK);
    CHECK(kinesis_cut_records(&cut, buf_bytes(&body)) == ERR_TOO_LARGE);
    buf_release(&body);
    kinesis_cut_release(&cut);
}

static void shards_are_cut(void **state)
{
    struct buf ids = buf_init(1000), token = buf_init(1000);
    size_t count = 0;

    CHECK(kinesis_cut_shards(
              BYTES("{\"Shards\":[{\"ShardId\":\"shardId-0\"},{\"X\":1,\"ShardId\":\"shardId-1\","
                    "\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"49\"}}],\"NextToken\":\"t\"}"),
              &ids, &count, &token) == ERR_OK);
    CHECK(count == 2 && bytes_equal(buf_bytes(&ids), BYTES("shardId-0\0\0shardId-1\00049\0")));
    CHECK(bytes_equal(buf_bytes(&token), BYTES("t")));
    CHECK(kinesis_cut_shards(BYTES("{\"Shards\":[{\"ShardId\":\"shardId-2\"}]}"), &ids, &count, &token) ==
          ERR_OK);
    CHECK(count == 3 && token.size == 0);
    CHECK(kinesis_cut_shards(BYTES("{\"Shards\":[{}]}"), &ids, &count, &token) == ERR_INVALID);
    CHECK(kinesis_cut_shards(BYTES("{\"Shards\":[3]}"), &ids, &count, &token) == ERR_INVALID);
    CHECK(kinesis_cut_shards(BYTES("{\"Shards\":{}}"), &ids, &count, &token) == ERR_INVALID);
    CHECK(kinesis_cut_shards(BYTES("{}"), &ids, &count, &token) == ERR_INVALID);
    buf_release(&ids);
    buf_release(&token);
}

static void errors_mean_what_they_say(void **state)
{
    CHECK(kinesis_cut_error(
              400, BYTES("{\"__type\":\"ResourceNotFoundException\",\"message\":\"Stream x ...\"}")) ==
          ERR_NOT_FOUND);
    CHECK(strstr(err_sentence(), "Stream x ..."));
    CHECK(kinesis_cut_error(400, BYTES("{\"__type\":\"com.amazonaws.kinesis#ExpiredIteratorException\"}")) ==
          ERR_RANGE);
    CHECK(kinesis_cut_error(400, BYTES("{\"__type\":\"ProvisionedThroughputExceededException\"}")) ==
          ERR_BUSY);
    CHECK(kinesis_cut_error(
              400, BYTES("{\"__type\":\"ResourceInUseException\",\"message\":\"S already exists.\"}")) ==
          ERR_EXISTS);
    CHECK(kinesis_cut_error(400,
                            BYTES("{\"__type\":\"ResourceInUseException\",\"message\":\"S is CREATING\"}")) ==
          ERR_BUSY);
    CHECK(kinesis_cut_error(500, BYTES("<html>")) == ERR_UNREACHABLE);
    CHECK(kinesis_cut_error(403, BYTES("")) == ERR_INVALID);
    CHECK(kinesis_cut_error(400, BYTES("{\"__type\":5,\"message\":[]}")) == ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_cut),
        cmocka_unit_test(malformed_answers_are_refused),
        cmocka_unit_test(too_many_records_are_refused),
        cmocka_unit_test(shards_are_cut),
        cmocka_unit_test(errors_mean_what_they_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
