/* What could go wrong: a length off a socket that leads outside the request, a flexible field read as a plain one, a
 * list of requests that says other than what is served. How we look: bytes recorded from real clients read field by
 * field, every cut of them refused, numbers and texts there and back in both forms, and docs/kafka.md compared with the
 * table (PINRAIL_WRITE_DOCS=1 rewrites it). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/kafka_call.h"

#define CHECK(what) assert_true(what)

/* kcat 1.7.1 (librdkafka 2.0.2), header and body: ApiVersions 3, and OffsetFetch 7 of group "grp", topic "golden". */
static const uint8_t api_versions_3[] =
    "\x00\x12\x00\x03\x00\x00\x00\x01\x00\x07rdkafka\x00\x0blibrdkafka\x06"
    "2.0.2\x00";
static const uint8_t offset_fetch_7[] =
    "\x00\x09\x00\x07\x00\x00\x00\x08\x00\x07rdkafka\x00\x04grp\x02\x07golden\x02"
    "\x00\x00\x00\x00\x00\x01\x00";

static struct arena arena;

static int begin(void **state)
{
    arena = arena_init(64 << 10);
    return 0;
}

static int end(void **state)
{
    arena_release(&arena);
    return 0;
}

static struct kafka_in reader(const void *at, size_t size, bool flexible)
{
    return (struct kafka_in){at, (const uint8_t *)at + size, &arena, flexible, ERR_OK};
}

static void a_recorded_api_versions_is_read(void **state)
{
    struct kafka_in in = reader(api_versions_3, sizeof(api_versions_3) - 1, true);

    CHECK(in_i16(&in) == 18 && in_i16(&in) == 3 && in_i32(&in) == 1);
    assert_string_equal(in_plain_text_or_null(&in), "rdkafka");
    in_tags(&in);
    assert_string_equal(in_text(&in), "librdkafka");
    assert_string_equal(in_text(&in), "2.0.2");
    in_tags(&in);
    CHECK(in_end(&in) == ERR_OK && in.at == in.end);
}

/* Reads it all; ERR_OK only if nothing was amiss. */
static enum err read_offset_fetch(const uint8_t *at, size_t size)
{
    struct kafka_in in = reader(at, size, true);
    bool right = in_i16(&in) == 9 && in_i16(&in) == 7 && in_i32(&in) == 8;

    in_plain_text_or_null(&in);
    in_tags(&in);
    right = right && strcmp(in_text(&in), "grp") == 0;
    right = right && in_count(&in) == 1 && strcmp(in_text(&in), "golden") == 0;
    right = right && in_items(&in) == 1 && in_i32(&in) == 0;
    in_tags(&in);
    right = right && in_bool(&in);
    in_tags(&in);
    return right && !in_end(&in) && in.at == in.end ? ERR_OK : ERR_INVALID;
}

static void every_cut_of_a_recorded_request_is_refused(void **state)
{
    size_t size = sizeof(offset_fetch_7) - 1;

    CHECK(read_offset_fetch(offset_fetch_7, size) == ERR_OK);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1); /* so that a sanitizer sees a step too far */
        memcpy(copy, offset_fetch_7, cut);
        CHECK(read_offset_fetch(copy, cut) == ERR_INVALID);
        free(copy);
    }
}

static void numbers_come_back(void **state)
{
    static const int64_t numbers[] = {0,     1,      -1,        127,       128,       -128,
                                      32767, -32768, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    static const uint32_t varints[] = {0, 1, 127, 128, 16383, 16384, 2097151, 2097152, INT32_MAX, UINT32_MAX};
    struct buf buf = buf_init(4096);
    struct kafka_out out = {&buf, true, ERR_OK};
    struct kafka_in in;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        out_i8(&out, (int8_t)numbers[i]);
        out_i16(&out, (int16_t)numbers[i]);
        out_i32(&out, (int32_t)numbers[i]);
        out_i64(&out, numbers[i]);
    }
    for (size_t i = 0; i < sizeof(varints) / sizeof(*varints); i++)
        out_uvarint(&out, varints[i]);
    in = reader(buf.at, buf.size, true);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        CHECK(in_i8(&in) == (int8_t)numbers[i] && in_i16(&in) == (int16_t)numbers[i]);
        CHECK(in_i32(&in) == (int32_t)numbers[i] && in_i64(&in) == numbers[i]);
    }
    for (size_t i = 0; i < sizeof(varints) / sizeof(*varints); i++)
        CHECK(in_uvarint(&in) == varints[i]);
    CHECK(in_end(&in) == ERR_OK && in.at == in.end);
    buf_release(&buf);
}

static void texts_and_arrays_come_back_in_both_forms(void **state)
{
    for (int flexible = 0; flexible < 2; flexible++) {
        struct buf buf = buf_init(4096);
        struct kafka_out out = {&buf, flexible, ERR_OK};
        struct kafka_in in;

        out_text(&out, NULL);
        out_text(&out, "");
        out_text(&out, "Zagreb");
        out_bytes(&out, (struct bytes){NULL, 0});
        out_bytes(&out, BYTES("\x00\x01"));
        out_count(&out, -1);
        out_count(&out, 2);
        out_raw(&out, BYTES("ab"));
        out_tags(&out);
        CHECK(buf.size == (flexible ? 1 + 1 + 7 + 1 + 3 + 1 + 1 + 2 + 1 : 2 + 2 + 8 + 4 + 6 + 4 + 4 + 2));
        in = reader(buf.at, buf.size, flexible);
        CHECK(!in_text_or_null(&in));
        assert_string_equal(in_text(&in), "");
        assert_string_equal(in_text(&in), "Zagreb");
        CHECK(!in_bytes(&in).at);
        CHECK(bytes_equal(in_bytes(&in), BYTES("\x00\x01")));
        CHECK(in_count(&in) == -1);
        CHECK(in_items(&in) == 2);
        CHECK(bytes_equal(in_raw(&in, 2), BYTES("ab")));
        in_tags(&in);
        CHECK(in_end(&in) == ERR_OK && in.at == in.end);
        buf_release(&buf);
    }
}

static void lengths_that_lead_outside_are_refused(void **state)
{
    static const struct {
        bool flexible;
        struct bytes bytes;
    } bad[] = {
        {false, BYTES("\x00\x05"
                      "abcd")},
        {false, BYTES("\x7f\xff"
                      "abcd")},
        {false, BYTES("\xff\xfe"
                      "abcd")},
        {true, BYTES("\x06"
                     "abcd")},
        {true, BYTES("\xff\xff\xff\xff\x0f"
                     "abcd")},
        {true, BYTES("\xff\xff\xff\xff\x7f"
                     "abcd")},
        {true, BYTES("\x80\x80\x80\x80\x80\x00")},
        {true, BYTES("\x05"
                     "ab\0d")}, /* a NUL would cut a name short */
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct kafka_in in = reader(bad[i].bytes.at, bad[i].bytes.size, bad[i].flexible);
        in_text_or_null(&in);
        CHECK(in_end(&in) == ERR_INVALID);
        CHECK(in_i64(&in) == 0 && in_items(&in) == 0); /* and reading on is harmless */
    }
}

static void null_is_not_a_text(void **state)
{
    struct kafka_in in = reader("\xff\xff", 2, false);

    assert_string_equal(in_text(&in), "");
    CHECK(in_end(&in) == ERR_INVALID);
}

static void unknown_tags_are_passed_over(void **state)
{
    /* two tags: 0 with three bytes, 300 with none; then a number */
    struct kafka_in in = reader("\x02\x00\x03xyz\xac\x02\x00\x2a", 10, true),
                    cut = reader("\x01\x00\x09x", 4, true);

    in_tags(&in);
    CHECK(in_i8(&in) == 42 && in_end(&in) == ERR_OK);
    in_tags(&cut);
    CHECK(in_end(&cut) == ERR_INVALID);
}

static void counts_cannot_claim_more_than_the_arena_has(void **state)
{
    struct kafka_in in = reader("x", 1, false);

    CHECK(!in_room(&in, SIZE_MAX / 2, 16));
    CHECK(in_end(&in) == ERR_NO_MEMORY);
    in = reader("x", 1, false);
    CHECK(!in_room(&in, 1 << 20, 16));
    CHECK(in_end(&in) == ERR_NO_MEMORY);
}

static void answer_api_versions(int16_t version, struct bytes body, struct buf *reply)
{
    struct kafka_call call = {.api = kafka_api_find(18), .version = version};

    call.in = reader(body.at, body.size, version >= 3 && version <= 4);
    call.out = (struct kafka_out){reply, version >= 3 && version <= 4, ERR_OK};
    CHECK(call.api->handle(&call) == ERR_OK && call.out.err == ERR_OK);
}

static void api_versions_lists_the_table(void **state)
{
    struct buf reply = buf_init(4096);
    struct kafka_in in;

    answer_api_versions(3, BYTES("\x02x\x02y\x00"), &reply);
    in = reader(reply.at, reply.size, true);
    CHECK(in_i16(&in) == 0 && in_items(&in) == kafka_api_count);
    for (size_t i = 0; i < kafka_api_count; i++) {
        CHECK(in_i16(&in) == kafka_apis[i].key);
        CHECK(in_i16(&in) == kafka_apis[i].min && in_i16(&in) == kafka_apis[i].max);
        in_tags(&in);
    }
    CHECK(in_i32(&in) == 0);
    in_tags(&in);
    CHECK(in_end(&in) == ERR_OK && in.at == in.end);
    buf_release(&reply);
}

static void a_newer_api_versions_is_told_our_range_plainly(void **state)
{
    struct buf reply = buf_init(4096);

    answer_api_versions(99, BYTES("whatever"), &reply);
    CHECK(bytes_equal(buf_bytes(&reply), BYTES("\x00\x23\x00\x00\x00\x01\x00\x12\x00\x00\x00\x04")));
    buf_release(&reply);
}

/* What old clients look for, one version at a time, before they dare use a feature (wire contracts; librdkafka before
 * 2.11.1), and what kafka-python takes for the broker's version. */
static void ranges_hold_what_old_clients_look_for(void **state)
{
    static const int16_t needed[][2] = {{0, 0},  {0, 2},  {0, 3},  {0, 7},  {1, 2},  {1, 4},
                                        {1, 10}, {2, 1},  {8, 2},  {9, 1},  {10, 0}, {11, 0},
                                        {12, 0}, {13, 0}, {14, 0}, {18, 0}, {22, 0}};

    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
        const struct kafka_api *api = kafka_api_find(needed[i][0]);
        CHECK(api && api->min <= needed[i][1] && api->max >= needed[i][1]);
    }
    for (size_t i = 0; i < kafka_api_count; i++)
        CHECK(kafka_apis[i].served >= kafka_apis[i].min && kafka_apis[i].served <= kafka_apis[i].max);
}

static void the_documentation_is_the_table(void **state)
{
    static const char begin_mark[] = "<!-- requests: made from the table; a test compares -->\n",
                      end_mark[] = "<!-- end -->";
    static const char path[] = SOURCE_DIR "/docs/kafka.md";
    struct buf doc = buf_init(1 << 20), table = buf_init(1 << 20), fresh = buf_init(1 << 20);
    char *from, *to;

    CHECK(disk_read_file(disk_real(), path, &doc) == ERR_OK);
    CHECK(kafka_table_markdown(&table) == ERR_OK);
    from = strstr(buf_text(&doc), begin_mark);
    CHECK(from);
    from += strlen(begin_mark);
    to = strstr(from, end_mark);
    CHECK(to);
    if (getenv("PINRAIL_WRITE_DOCS")) {
        CHECK(buf_add(&fresh, doc.at, (size_t)(from - (char *)doc.at)) == ERR_OK);
        CHECK(buf_add_bytes(&fresh, buf_bytes(&table)) == ERR_OK);
        CHECK(buf_add_text(&fresh, to) == ERR_OK);
        CHECK(disk_write_file(disk_real(), path, buf_bytes(&fresh)) == ERR_OK);
    } else {
        CHECK(bytes_equal(bytes_of(from, (size_t)(to - from)), buf_bytes(&table)));
    }
    buf_release(&doc);
    buf_release(&table);
    buf_release(&fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(a_recorded_api_versions_is_read),
        TEST(every_cut_of_a_recorded_request_is_refused),
        TEST(numbers_come_back),
        TEST(texts_and_arrays_come_back_in_both_forms),
        TEST(lengths_that_lead_outside_are_refused),
        TEST(null_is_not_a_text),
        TEST(unknown_tags_are_passed_over),
        TEST(counts_cannot_claim_more_than_the_arena_has),
        TEST(api_versions_lists_the_table),
        TEST(a_newer_api_versions_is_told_our_range_plainly),
        TEST(ranges_hold_what_old_clients_look_for),
        TEST(the_documentation_is_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
