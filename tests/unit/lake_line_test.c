/* What could go wrong: a record that comes back from the lake as another one, or a line that breaks the rule of one
 * record a line. We take values of every kind (JSON with white space, text, binary, empty, null, JSON that looks like
 * our own wrapper), make lines of them and read these back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lake/lake.h"

#define CHECK(what) assert_true(what)

static void check_line(struct bytes value, const char *want)
{
    struct buf line = buf_init(1 << 20);

    CHECK(lake_line(value, &line) == ERR_OK);
    assert_string_equal(buf_text(&line), want);
    buf_release(&line);
}

static void lines_look_as_documented(void **state)
{
    check_line(BYTES("{\"a\":1}"), "{\"a\":1}\n");
    check_line(BYTES(" { \"a\" : [ 1 , \"x y\\n\" ] }\n"), "{\"a\":[1,\"x y\\n\"]}\n");
    check_line(BYTES(" 12 "), "12\n");
    check_line(BYTES("\"text\""), "\"text\"\n");
    check_line(BYTES("hello"), "{\"_pinrail_raw\":\"aGVsbG8=\"}\n");
    check_line(BYTES(""), "{\"_pinrail_raw\":\"\"}\n");
    check_line((struct bytes){NULL, 0}, "null\n");
    check_line(BYTES("null"), "{\"_pinrail_raw\":\"bnVsbA==\"}\n");
    check_line(BYTES("{\"a\":\"\xff\"}"), "{\"_pinrail_raw\":\"eyJhIjoi/yJ9\"}\n");
}

static void check_back(struct bytes value, bool want_json)
{
    struct buf lines = buf_init(1 << 20), scratch = buf_init(1 << 20);
    struct bytes back;
    bool is_json;

    CHECK(buf_add_text(&scratch, "before") == ERR_OK); /* what is in the scratch stays */
    CHECK(lake_line(value, &lines) == ERR_OK);
    CHECK(memchr(lines.at, '\n', lines.size) == lines.at + lines.size - 1);
    CHECK(lake_line_value(buf_bytes(&lines), &scratch, &back, &is_json) == ERR_OK);
    CHECK(is_json == want_json);
    CHECK(!back.at == !value.at);
    CHECK(bytes_equal(back, value));
    CHECK(memcmp(scratch.at, "before", 6) == 0);
    buf_release(&lines);
    buf_release(&scratch);
}

static void every_value_comes_back(void **state)
{
    uint8_t all[256];

    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    for (size_t size = 0; size <= 256; size++)
        check_back(bytes_of(all, size), false);
    check_back((struct bytes){NULL, 0}, true);
    check_back(BYTES("null"), false);
    check_back(BYTES("{\"_pinrail_raw\":\"aGVsbG8=\"}"), false);
    check_back(BYTES("{\"_pinrail_raw\":1}"), false);
    check_back(BYTES("{\"_pinrail_raw_not\":1}"), true);
    check_back(BYTES("{\"a\":\"\\u0000\\ud83d\\ude00\"}"), true);
    check_back(BYTES("[]"), true);
    check_back(BYTES("\"null\""), true);
}

/* A document nested deeper than the slicer goes is kept as it is, wrapped. */
static void deep_documents_are_wrapped(void **state)
{
    char deep[400] = {0};

    for (int i = 0; i < 200; i++) {
        deep[i] = '[';
        deep[399 - i] = ']';
    }
    check_back(bytes_of(deep, 400), false);
}

static void damaged_wrappers_are_refused(void **state)
{
    static const char *const bad[] = {
        "{\"_pinrail_raw\":\"aGVsbG8=\"",
        "{\"_pinrail_raw\":\"",
        "{\"_pinrail_raw\":\"a\"}",
        "{\"_pinrail_raw\":\"!!!!\"}",
    };
    struct buf scratch = buf_init(1 << 20);
    struct bytes value;
    bool is_json;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        CHECK(lake_line_value(bytes_of_text(bad[i]), &scratch, &value, &is_json) == ERR_CORRUPT);
        CHECK(scratch.size == 0);
    }
    buf_release(&scratch);
}

/* A line that does not fit is not there at all. */
static void a_line_is_whole_or_absent(void **state)
{
    struct buf lines = buf_init(20);

    CHECK(lake_line(BYTES("{\"a\":1}"), &lines) == ERR_OK);
    CHECK(lake_line(BYTES("\"0123456789abcdef\""), &lines) == ERR_FULL);
    CHECK(bytes_equal(buf_bytes(&lines), BYTES("{\"a\":1}\n")));
    buf_release(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_look_as_documented),   cmocka_unit_test(every_value_comes_back),
        cmocka_unit_test(deep_documents_are_wrapped), cmocka_unit_test(damaged_wrappers_are_refused),
        cmocka_unit_test(a_line_is_whole_or_absent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
