/* What could go wrong: the slicer takes what is not JSON, refuses what is, cuts a value one byte off, reads
 * past the end of the text, or a vectored path differs from the plain one. How we look: every file of the
 * JSONTestSuite when it is at hand, every document cut at every byte in memory of exactly its size (the
 * sanitizer sees a read beyond), strings with each special byte at each position around a block of sixteen,
 * and texts there and back. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

#define CHECK(what) assert_true(what)

static enum err check_text(const char *text)
{
    struct json_value value;

    return json_check(bytes_of_text(text), &value, NULL);
}

/* The text in memory of exactly its size, so that a read beyond it is seen. */
static enum err check_exact(const uint8_t *at, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    struct json_value value;
    enum err err;

    memcpy(copy, at, size);
    err = json_check(bytes_of(copy, size), &value, NULL);
    free(copy);
    return err;
}

static void documents_are_taken_and_refused(void **state)
{
    static const char *good[] = {"{}",
                                 "[]",
                                 "0",
                                 "-0",
                                 "-1.5e+3",
                                 "\"\"",
                                 " [1 , 2]\r\n",
                                 "true",
                                 "null",
                                 "false",
                                 "{\"a\":{\"b\":[{}]}}",
                                 "\"\\ud83d\\ude00\"",
                                 "\"\xf0\x9f\x98\x80\"",
                                 "[1E2]",
                                 "{\"a\":1,\"a\":2}",
                                 "\"\x7f\""};
    static const char *bad[] = {"",
                                " ",
                                "{",
                                "[1,]",
                                "{\"a\":1,}",
                                "{a:1}",
                                "{\"a\" 1}",
                                "01",
                                "1.",
                                ".5",
                                "1e",
                                "+1",
                                "'a'",
                                "\"\n\"",
                                "\"\\x\"",
                                "\"\\u12\"",
                                "\"\\ud800\"",
                                "\"\\udc00\"",
                                "\"\xc0\xaf\"",
                                "\"\xed\xa0\x80\"",
                                "\"\xf4\x90\x80\x80\"",
                                "\"\x80\"",
                                "tru",
                                "nul",
                                "NaN",
                                "[1 2]",
                                "1 2",
                                "[1}",
                                "{\"a\"}",
                                "\"abc",
                                "\xef\xbb\xbf{}",
                                "-",
                                "[,1]",
                                "{,}",
                                "truefalse"};

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (check_text(good[i]))
            fail_msg("refused: %s: %s", good[i], err_sentence());
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (check_text(bad[i]) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
    CHECK(check_exact((const uint8_t *)"\"a\0b\"", 5) == ERR_INVALID);
    CHECK(check_exact((const uint8_t *)"1\0", 2) == ERR_INVALID);
}

static void depth_is_bounded(void **state)
{
    char text[4 * JSON_DEPTH_MOST];

    for (int depth = JSON_DEPTH_MOST - 1; depth <= JSON_DEPTH_MOST + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        CHECK((json_check(bytes_of(text, 2 * (size_t)depth), &(struct json_value){0}, NULL) == ERR_OK) ==
              (depth <= JSON_DEPTH_MOST));
    }
}

static void every_file_of_the_suite(void **state)
{
    const char *folder =
        getenv("JSON_SUITE") ? getenv("JSON_SUITE") : SOURCE_DIR "/../shared/data/json-parsing/test_parsing";
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int seen = 0;

    if (!dir)
        skip();
    while ((entry = readdir(dir))) {
        char path[1024];
        static uint8_t text[1 << 20];
        enum err err;
        size_t size;
        FILE *file;

        if (!strstr(entry->d_name, ".json"))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        file = fopen(path, "rb");
        CHECK(file != NULL);
        size = fread(text, 1, sizeof(text), file);
        fclose(file);
        err = check_exact(text, size);
        if ((entry->d_name[0] == 'y' && err) || (entry->d_name[0] == 'n' && err != ERR_INVALID))
            fail_msg("%s: %s %s", entry->d_name, err_name(err), err_sentence());
        seen++;
    }
    closedir(dir);
    CHECK(seen > 100);
}

static void a_cut_document_is_refused_at_every_length(void **state)
{
    static const char text[] =
        "{\"name\": [1.5e3, true, null, \"caf\xc3\xa9 \\u00e9 and a tail of ordinary letters\"], "
        "\"second\": {\"x\": -12}}";

    for (size_t size = 0; size < sizeof(text) - 1; size++)
        CHECK(check_exact((const uint8_t *)text, size) == ERR_INVALID);
    CHECK(check_exact((const uint8_t *)text, sizeof(text) - 1) == ERR_OK);
}

static void special_bytes_at_every_place_of_a_block(void **state)
{
    for (size_t length = 1; length < 50; length++)
        for (size_t place = 0; place < length; place++) {
            uint8_t text[64];
            memset(text, 'x', sizeof(text));
            text[0] = text[length + 1] = '"';
            CHECK(check_exact(text, length + 2) == ERR_OK);
            for (int c = 0; c < 256; c++) {
                bool good = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                text[place + 1] = (uint8_t)c;
                CHECK((check_exact(text, length + 2) == ERR_OK) == good);
            }
        }
}

static void values_are_cut_where_they_end(void **state)
{
    static const char text[] = " { \"a\" : [ 1 , {\"b\":\"}]\\\"\"} ] , \"c\":{\"d\":[]}, \"\\u0065\": -5 } ";
    struct json_value doc, key, value;
    struct json_walk walk;

    CHECK(json_check(BYTES(" { \"a\" : [ 1 , {\"b\":\"}]\\\"\"} ] , \"c\":{\"d\":[]}, \"\\u0065\": -5 } "),
                     &doc, NULL) == ERR_OK);
    CHECK(doc.kind == JSON_OBJECT && !doc.plain && doc.bytes.at[0] == '{' &&
          doc.bytes.size == sizeof(text) - 3);
    walk = json_walk(doc);
    CHECK(json_walk_next(&walk, &key, &value) == ERR_OK);
    CHECK(bytes_equal(json_plain_text(key), BYTES("a")) && value.kind == JSON_ARRAY && !value.plain);
    CHECK(bytes_equal(value.bytes, BYTES("[ 1 , {\"b\":\"}]\\\"\"} ]")));
    CHECK(json_walk_next(&walk, &key, &value) == ERR_OK);
    CHECK(value.plain && bytes_equal(value.bytes, BYTES("{\"d\":[]}")));
    CHECK(json_walk_next(&walk, &key, &value) == ERR_OK);
    CHECK(!key.plain && json_text_is(key, "e") && !json_text_is(key, "f") && !json_text_is(key, "ee") &&
          value.kind == JSON_NUMBER);
    CHECK(json_walk_next(&walk, &key, &value) == ERR_END);
    CHECK(json_member(doc, "e", &value) == ERR_OK && bytes_equal(value.bytes, BYTES("-5")));
    CHECK(json_member(doc, "nothing", &value) == ERR_NOT_FOUND);
}

static void pulling_agrees_with_checking(void **state)
{
    struct json_pull pull = json_pull(BYTES(" [ {\"k\": 1, \"v\": {\"x\" : [2]} } , {} ] "));
    struct json_value key, value;

    CHECK(json_pull_kind(&pull) == JSON_ARRAY && json_pull_enter(&pull, JSON_ARRAY) == ERR_OK);
    CHECK(json_pull_next(&pull, NULL) == ERR_OK && json_pull_enter(&pull, JSON_OBJECT) == ERR_OK);
    CHECK(json_pull_next(&pull, &key) == ERR_OK && json_text_is(key, "k") &&
          json_pull_value(&pull, &value) == ERR_OK);
    CHECK(json_pull_next(&pull, &key) == ERR_OK && json_pull_kind(&pull) == JSON_OBJECT);
    CHECK(json_pull_value(&pull, &value) == ERR_OK && bytes_equal(value.bytes, BYTES("{\"x\" : [2]}")) &&
          !value.plain);
    CHECK(json_pull_next(&pull, &key) == ERR_END);
    CHECK(json_pull_next(&pull, NULL) == ERR_OK && json_pull_enter(&pull, JSON_OBJECT) == ERR_OK);
    CHECK(json_pull_next(&pull, &key) == ERR_END && json_pull_next(&pull, NULL) == ERR_END);
    CHECK(json_pull_end(&pull) == ERR_OK);

    static const char *bad[] = {"[1 2]", "[1,]", "[,1]", "[1}", "[1", "[", "[1]x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        enum err err;
        pull = json_pull(bytes_of_text(bad[i]));
        CHECK(json_pull_enter(&pull, JSON_ARRAY) == ERR_OK);
        while (!(err = json_pull_next(&pull, NULL)) && !(err = json_pull_value(&pull, &value)))
            ;
        if (err == ERR_END)
            err = json_pull_end(&pull);
        CHECK(err == ERR_INVALID);
    }
}

static void text_and_numbers_come_out(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"\"\"", ""},
        {"\"a\\n\\t\\\\\\/\\\"\\b\\f\\r\"", "a\n\t\\/\"\b\f\r"},
        {"\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00z\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"},
    };
    struct buf out = buf_init(1000);
    struct json_value value;
    int64_t number;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        buf_clear(&out);
        CHECK(json_check(bytes_of_text(cases[i].json), &value, NULL) == ERR_OK &&
              json_text(value, &out) == ERR_OK);
        CHECK(bytes_equal(buf_bytes(&out), bytes_of_text(cases[i].text)) &&
              json_text_is(value, cases[i].text));
    }
    static const struct {
        const char *json;
        enum err err;
        int64_t number;
    } numbers[] = {
        {"0", ERR_OK, 0},
        {"-0", ERR_OK, 0},
        {"9223372036854775807", ERR_OK, INT64_MAX},
        {"-9223372036854775808", ERR_OK, INT64_MIN},
        {"9223372036854775808", ERR_RANGE, 0},
        {"-9223372036854775809", ERR_RANGE, 0},
        {"1.0", ERR_INVALID, 0},
        {"1e2", ERR_INVALID, 0},
        {"\"1\"", ERR_INVALID, 0},
        {"99999999999999999999999", ERR_RANGE, 0},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        CHECK(json_check(bytes_of_text(numbers[i].json), &value, NULL) == ERR_OK);
        CHECK(json_int64(value, &number) == numbers[i].err);
        CHECK(numbers[i].err || number == numbers[i].number);
    }
    buf_release(&out);
}

static void compact_drops_only_outer_space(void **state)
{
    struct buf out = buf_init(4096), quoted = buf_init(4096);
    struct json_value value;

    CHECK(json_check(BYTES("\t{ \"a b\" : \"  \\\" x \" ,\n\"l\":[ 1,2 ,\r\"a long string of more than "
                           "sixteen  bytes \\\\\" ] }"),
                     &value, NULL) == ERR_OK);
    CHECK(json_compact(value, &out) == ERR_OK);
    CHECK(bytes_equal(
        buf_bytes(&out),
        BYTES("{\"a b\":\"  \\\" x \",\"l\":[1,2,\"a long string of more than sixteen  bytes \\\\\"]}")));
    CHECK(json_check(buf_bytes(&out), &value, NULL) == ERR_OK && value.plain);
    buf_clear(&out);

    CHECK(json_quote(bytes_of("a\"\\\n\x01\xff\xc3\xa9", 8), &quoted) == ERR_OK);
    CHECK(bytes_equal(buf_bytes(&quoted), BYTES("\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\"")));
    CHECK(json_check(buf_bytes(&quoted), &value, NULL) == ERR_OK);
    buf_release(&out);
    buf_release(&quoted);
}

static void compact_there_and_back_at_many_lengths(void **state)
{
    for (size_t length = 0; length < 70; length++) {
        struct buf text = buf_init(1000), want = buf_init(1000), out = buf_init(1000);
        struct json_value value;
        for (int i = 0; i < 2; i++) {
            struct buf *to = i ? &want : &text;
            buf_add_text(to, i ? "[\"" : " [ \"");
            for (size_t j = 0; j < length; j++)
                buf_add_text(to, j % 7 == 3 ? "\\n" : j % 11 == 5 ? "\xe2\x82\xac" : " ");
            buf_add_text(to, i ? "\"]" : "\" ] ");
        }
        out.most = want.size + 5; /* too little room for whole blocks at the end */
        CHECK(json_check(buf_bytes(&text), &value, NULL) == ERR_OK && json_compact(value, &out) == ERR_OK);
        CHECK(bytes_equal(buf_bytes(&out), buf_bytes(&want)));
        buf_release(&text);
        buf_release(&want);
        buf_release(&out);
    }
}

/* A letter that is none must be found wherever it stands, also among those that are looked at sixteen at a time. */
static void base64_finds_every_bad_letter(void **state)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf back = buf_init(1000);
    uint8_t text[64];

    for (size_t at = 0; at < sizeof(text); at++)
        for (int c = 0; c < 256; c++) {
            bool good = c && strchr(letters, c);
            memcpy(text, letters, sizeof(text));
            text[at] = (uint8_t)c;
            if (at == sizeof(text) - 1 && c == '=')
                continue; /* padding there, if the bits before it are 0 */
            buf_clear(&back);
            CHECK(base64_decode(bytes_of(text, sizeof(text)), &back) == (good ? ERR_OK : ERR_INVALID));
            CHECK(back.size == (good ? 48 : 0));
        }
    buf_release(&back);
}

static void base64_there_and_back(void **state)
{
    static const char *bad[] = {"a",        "ab",    "abc",  "ab=c", "a===",  "====", "ab c",
                                "abc=abcd", "ab\nc", "ab-_", "AB==", "ABC=x", "AAB="};
    struct buf text = buf_init(1000), back = buf_init(1000);
    uint8_t bytes[256];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        buf_clear(&text);
        buf_clear(&back);
        CHECK(base64_encode(bytes_of(bytes, size), &text) == ERR_OK && text.size == (size + 2) / 3 * 4);
        CHECK(base64_decode(buf_bytes(&text), &back) == ERR_OK &&
              bytes_equal(buf_bytes(&back), bytes_of(bytes, size)));
    }
    buf_clear(&text);
    CHECK(base64_encode(BYTES("any carnal pleas"), &text) == ERR_OK);
    CHECK(bytes_equal(buf_bytes(&text), BYTES("YW55IGNhcm5hbCBwbGVhcw==")));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        buf_clear(&back);
        if (base64_decode(bytes_of_text(bad[i]), &back) != ERR_INVALID || back.size != 0)
            fail_msg("taken: %s", bad[i]);
    }
    buf_release(&text);
    buf_release(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_taken_and_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(every_file_of_the_suite),
        cmocka_unit_test(a_cut_document_is_refused_at_every_length),
        cmocka_unit_test(special_bytes_at_every_place_of_a_block),
        cmocka_unit_test(values_are_cut_where_they_end),
        cmocka_unit_test(pulling_agrees_with_checking),
        cmocka_unit_test(text_and_numbers_come_out),
        cmocka_unit_test(compact_drops_only_outer_space),
        cmocka_unit_test(compact_there_and_back_at_many_lengths),
        cmocka_unit_test(base64_there_and_back),
        cmocka_unit_test(base64_finds_every_bad_letter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
