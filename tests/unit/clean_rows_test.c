/* From raw records to typed rows, through the built-in SQL and contracts. What could go wrong: a placeholder that
 * survives, a real value that is taken for one, a number a thousand times too small, an hour lost to a zone, a wrong
 * value that passes or a right one that goes aside, a record that does neither or both. Each test feeds records that
 * differ from a good one in one column, and looks at that column, or at the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/disk.h"
#include "clean/clean.h"

static struct config *config;
static struct sql_db *db;
static struct sql *sql;

static int set_up(void **state)
{
    assert_int_equal(config_load(&config, "/dev/null", NULL, 0), ERR_OK);
    assert_int_equal(sql_db_open(&db, &(struct sql_options){.threads = 2}), ERR_OK);
    assert_int_equal(sql_open(&sql, db), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    sql_close(sql);
    sql_db_close(db);
    config_free(config);
    return 0;
}

static struct cleaner *open_cleaner(const char *entity)
{
    struct cleaner *cleaner = NULL;

    if (cleaner_open(&cleaner, config, sql, entity))
        fail_msg("%s", err_sentence());
    return cleaner;
}

/* A good record, of which one column's JSON is replaced; NULL: none. */
static void add_record(struct buf *out, const char *entity, const char *column, const char *json)
{
    static const struct {
        const char *entity, *column, *json;
    } good[] = {
        {"pin", "index", "7"},
        {"pin", "unique_id", "\"2b2abc85-fc51-481f-8ae6-17681993da28\""},
        {"pin", "title", "\" Paint  the sky \""},
        {"pin", "description", "\"always\""},
        {"pin", "poster_name", "\"Let's Eat | Cake \""},
        {"pin", "follower_count", "\"51k\""},
        {"pin", "tag_list", "\"a,b\""},
        {"pin", "is_image_or_video", "\"multi-video(story page format)\""},
        {"pin", "image_src", "\"https://example.org/a.jpg\""},
        {"pin", "downloaded", "1"},
        {"pin", "save_location", "\"Local save in /data/art\""},
        {"pin", "category", "\"art\""},
        {"geo", "ind", "7"},
        {"geo", "timestamp", "\"2018-03-04 05:06:07\""},
        {"geo", "latitude", "-88.5252"},
        {"geo", "longitude", "-172.436"},
        {"geo", "country", "\"Cote d'Ivoire\""},
        {"user", "ind", "7"},
        {"user", "first_name", "\"Rosa\""},
        {"user", "last_name", "\"Parks\""},
        {"user", "age", "23"},
        {"user", "date_joined", "\"2015-12-01 12:00:00\""},
    };
    const char *before = "{";

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (strcmp(good[i].entity, entity) != 0)
            continue;
        bool other = column && strcmp(good[i].column, column) == 0;
        assert_int_equal(buf_printf(out, "%s\"%s\":%s", before, good[i].column, other ? json : good[i].json),
                         ERR_OK);
        before = ",";
    }
    assert_int_equal(buf_add_char(out, '}'), ERR_OK);
}

static void feed_one(struct cleaner *cleaner, struct raw_record *record, struct bytes value)
{
    struct clean_input input = {
        .topic = "demo.x", .records = record, .count = 1, .ingested_us = 1600000000000000};

    *record = (struct raw_record){value, 3, 42};
    assert_int_equal(cleaner_feed(cleaner, &input), ERR_OK);
}

static struct sql_result *ask(const char *select)
{
    struct sql_result *result = NULL;

    if (sql_query(sql, &result, select))
        fail_msg("%s", err_sentence());
    return result;
}

static size_t column_named(const struct sql_result *result, const char *name)
{
    for (size_t i = 0; i < sql_columns(result); i++)
        if (strcmp(sql_column_name(result, i), name) == 0)
            return i;
    fail_msg("there is no column %s", name);
    return 0;
}

struct value_case {
    const char *column, *json; /* of the raw record */
    const char *clean, *want;  /* of the clean row; want NULL: null */
};

static void check_values(const char *entity, const struct value_case *cases, size_t count)
{
    struct cleaner *cleaner = open_cleaner(entity);

    for (size_t i = 0; i < count; i++) {
        struct buf json = buf_init(1 << 20);
        struct raw_record record;
        struct sql_result *good, *aside;
        add_record(&json, entity, cases[i].column, cases[i].json);
        feed_one(cleaner, &record, buf_bytes(&json));
        good = ask(cleaner_good_select(cleaner));
        aside = ask(cleaner_aside_select(cleaner));
        if (sql_rows(good) != 1 || sql_rows(aside) != 0)
            fail_msg("%s %s: %s", cases[i].column, cases[i].json,
                     sql_rows(aside) ? (const char *)sql_text(aside, 0, 1).at : "no row at all");
        size_t column = column_named(good, cases[i].clean);
        struct bytes text = sql_text(good, 0, column);
        if (sql_is_null(good, 0, column) != !cases[i].want ||
            (cases[i].want && !bytes_equal(text, bytes_of_text(cases[i].want))))
            fail_msg("%s %s: %.*s, not %s", cases[i].column, cases[i].json, (int)text.size,
                     (const char *)text.at, cases[i].want ? cases[i].want : "null");
        sql_result_free(good);
        sql_result_free(aside);
        buf_release(&json);
    }
    cleaner_close(cleaner);
}

static void pins_are_cleaned(void **state)
{
    static const struct value_case cases[] = {
        {NULL, NULL, "ind", "7"},
        {NULL, NULL, "title", " Paint  the sky "},
        {NULL, NULL, "poster_name", "Let's Eat | Cake "},
        {NULL, NULL, "is_image_or_video", "multi-video(story page format)"},
        {NULL, NULL, "save_location", "/data/art"},
        {NULL, NULL, "follower_count", "51000"},
        {"index", "9223372036854775807", "ind", "9223372036854775807"},
        {"index", "0", "ind", "0"},
        /* what stands for nothing known, in its own column only */
        {"title", "\"No Title Data Available\"", "title", NULL},
        {"description", "\"No description available\"", "description", NULL},
        {"description", "\"No description available Story format\"", "description", NULL},
        {"description", "\"Untitled\"", "description", NULL},
        {"description", "\"No description available here\"", "description", "No description available here"},
        {"description", "\"Art.\"", "description", "Art."},
        {"title", "\"Untitled\"", "title", "Untitled"},
        {"poster_name", "\"User Info Error\"", "poster_name", NULL},
        {"follower_count", "\"User Info Error\"", "follower_count", NULL},
        {"title", "\"User Info Error\"", "title", "User Info Error"},
        {"tag_list", "\"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e\"", "tag_list", NULL},
        {"tag_list", "\"N,o,,T,a,g,s,,A,v,a,i,l,a,b,l,e\"", "tag_list", "N,o,,T,a,g,s,,A,v,a,i,l,a,b,l,e"},
        {"image_src", "\"Image src error.\"", "image_src", NULL},
        {"image_src", "\"Image src error\"", "image_src", "Image src error"},
        /* empty, white, null */
        {"title", "\"\"", "title", NULL},
        {"title", "\" \\t\\n\\r\"", "title", NULL},
        {"title", "null", "title", NULL},
        {"title", "\"\\u00a0\"", "title", "\u00a0"},
        {"title", "\" !\"", "title", " !"},
        {"title", "\"\\t x\"", "title", "\t x"},
        {"category", "\"\"", "category", NULL},
        {"follower_count", "\"\"", "follower_count", NULL},
        {"follower_count", "null", "follower_count", NULL},
        {"save_location", "\"  \"", "save_location", NULL},
        {"unique_id", "null", "unique_id", NULL},
        {"downloaded", "null", "ind", "7"},
        /* followers */
        {"follower_count", "\"0\"", "follower_count", "0"},
        {"follower_count", "\"940\"", "follower_count", "940"},
        {"follower_count", "\"985k\"", "follower_count", "985000"},
        {"follower_count", "\"15M\"", "follower_count", "15000000"},
        {"follower_count", "\"1.5M\"", "follower_count", "1500000"},
        {"follower_count", "\"1.001k\"", "follower_count", "1001"},
        {"follower_count", "\"1.2349k\"", "follower_count", "1234"},
        {"follower_count", "\"2K\"", "follower_count", "2000"},
        {"follower_count", "\"3m\"", "follower_count", "3000000"},
        {"follower_count", "\"2.1B\"", "follower_count", "2100000000"},
        {"follower_count", "\"1b\"", "follower_count", "1000000000"},
        {"follower_count", "\"2147483647\"", "follower_count", "2147483647"},
        /* paths */
        {"save_location", "\"/data/mens-fashion\"", "save_location", "/data/mens-fashion"},
        {"save_location", "\"Local save in /data/a b/\"", "save_location", "/data/a b/"},
    };

    check_values("pin", cases, sizeof(cases) / sizeof(cases[0]));
}

static void geos_are_cleaned(void **state)
{
    static const struct value_case cases[] = {
        {NULL, NULL, "coordinates", "[-88.5252, -172.436]"},
        {NULL, NULL, "country", "Cote d'Ivoire"},
        {NULL, NULL, "timestamp", "2018-03-04 05:06:07+00"},
        {"latitude", "null", "coordinates", NULL},
        {"longitude", "null", "coordinates", NULL},
        {"latitude", "90", "coordinates", "[90.0, -172.436]"},
        {"longitude", "-1.8e2", "coordinates", "[-88.5252, -180.0]"},
        {"country", "\"\"", "country", NULL},
        {"timestamp", "null", "timestamp", NULL},
        {"timestamp", "\" \"", "timestamp", NULL},
        {"timestamp", "\"2018-03-04T05:06:07\"", "timestamp", "2018-03-04 05:06:07+00"},
        {"timestamp", "\"2018:03:04 05:06:07\"", "timestamp", "2018-03-04 05:06:07+00"},
        {"timestamp", "\"03/04/2018, 05:06:07\"", "timestamp", "2018-03-04 05:06:07+00"},
        {"timestamp", "\"2018-03-04T05:06:07Z\"", "timestamp", "2018-03-04 05:06:07+00"},
        {"timestamp", "\"2018-03-04T05:06:07.25\"", "timestamp", "2018-03-04 05:06:07.25+00"},
        {"timestamp", "\"2018-03-04 05:06:07.123456+02:00\"", "timestamp", "2018-03-04 03:06:07.123456+00"},
        {"timestamp", "\"2018-03-04T05:06:07-0530\"", "timestamp", "2018-03-04 10:36:07+00"},
        {"timestamp", "\"2018-12-31T23:30:00-01\"", "timestamp", "2019-01-01 00:30:00+00"},
        {"timestamp", "\"2020-02-29 00:00:00\"", "timestamp", "2020-02-29 00:00:00+00"},
    };

    check_values("geo", cases, sizeof(cases) / sizeof(cases[0]));
}

static void users_are_cleaned(void **state)
{
    static const struct value_case cases[] = {
        {NULL, NULL, "user_name", "Rosa Parks"},
        {NULL, NULL, "date_joined", "2015-12-01 12:00:00+00"},
        {"first_name", "\"\"", "user_name", "Parks"},
        {"last_name", "null", "user_name", "Rosa"},
        {"age", "null", "age", NULL},
        {"age", "0", "age", "0"},
        {"age", "120", "age", "120"},
        {"date_joined", "\"\"", "date_joined", NULL},
    };

    check_values("user", cases, sizeof(cases) / sizeof(cases[0]));
}

static void check_aside(const char *entity, const char *column, const char *json, const char *reason,
                        const char *rule)
{
    struct cleaner *cleaner = open_cleaner(entity);
    struct buf text = buf_init(1 << 20);
    struct raw_record record;
    struct sql_result *good, *aside;

    add_record(&text, entity, column, json);
    feed_one(cleaner, &record, buf_bytes(&text));
    good = ask(cleaner_good_select(cleaner));
    aside = ask(cleaner_aside_select(cleaner));
    if (sql_rows(good) != 0 || sql_rows(aside) != 1)
        fail_msg("%s %s is taken", column, json);
    struct bytes said = sql_text(aside, 0, column_named(aside, "reason"));
    if (!bytes_equal(said, bytes_of_text(reason)))
        fail_msg("%.*s, not %s", (int)said.size, (const char *)said.at, reason);
    assert_true(bytes_equal(sql_text(aside, 0, column_named(aside, "rule")), bytes_of_text(rule)));
    assert_true(bytes_equal(sql_text(aside, 0, column_named(aside, "entity")), bytes_of_text(entity)));
    assert_string_equal(sql_column_type(aside, column_named(aside, "original")), "BLOB");
    assert_false(sql_is_null(aside, 0, column_named(aside, "original")));
    assert_int_equal(sql_integer(aside, 0, column_named(aside, "_offset")), 42);
    sql_result_free(good);
    sql_result_free(aside);
    buf_release(&text);
    cleaner_close(cleaner);
}

static void wrong_values_go_aside(void **state)
{
    static const char count[] = "a number such as 940, 51k or 1.5M, at most 2147483647 in all";
    static const char *const counts[] = {"12x",          "k",  "-5",    "1,234", "1e3",
                                         "1.5.5k",       " 5", "1_000", "0x10",  "3B",
                                         "99999999999M", "kk", "5 k",   "NaN",   "User Info error"};
    static const char *const times[] = {"yesterday",
                                        "2018-13-01 00:00:00",
                                        "2018-02-30 00:00:00",
                                        "2018-03-04",
                                        "2018-03-04 25:00:00",
                                        "infinity",
                                        "epoch",
                                        "2018-03-04T05:06:07+99:00",
                                        "1520139967",
                                        "03/04/2018 05:06:07",
                                        "2018-03-04 05:06:07 BC",
                                        "13/31/2018, 05:06:07"};
    char json[64], reason[256];

    check_aside("pin", "index", "null", "index: found null, expected a whole number, for it is the key",
                "index_is_there");
    check_aside("pin", "index", "-1", "index: found -1, expected 0 or more", "index_is_not_negative");
    check_aside("pin", "index", "\"7\"", "index: found \"7\", expected a whole number", "wrong_type");
    check_aside("pin", "follower_count", "51000", "follower_count: found 51000, expected a string",
                "wrong_type");
    check_aside("pin", "save_location", "\"nowhere\"",
                "save_location: found nowhere, expected a path such as Local save in /data/art",
                "save_location_has_a_path");
    check_aside("geo", "latitude", "90.001", "latitude: found 90.001, expected -90 to 90",
                "latitude_in_range");
    check_aside("geo", "latitude", "1e999", "latitude: found 1e999, expected -90 to 90", "latitude_in_range");
    check_aside("geo", "longitude", "-181", "longitude: found -181, expected -180 to 180",
                "longitude_in_range");
    check_aside("geo", "latitude", "\"5\"", "latitude: found \"5\", expected a number", "wrong_type");
    check_aside("user", "age", "-1", "age: found -1, expected 0 to 120", "age_in_range");
    check_aside("user", "age", "430", "age: found 430, expected 0 to 120", "age_in_range");
    check_aside("user", "age", "99999999999", "age: found 99999999999, expected 0 to 120", "age_in_range");
    check_aside("user", "age", "20.5", "age: found 20.5, expected a whole number", "wrong_type");
    check_aside("user", "age", "430,\"x\":1", "x: unknown column; age: found 430, expected 0 to 120",
                "unknown_column; age_in_range");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        snprintf(json, sizeof(json), "\"%s\"", counts[i]);
        snprintf(reason, sizeof(reason), "follower_count: found %s, expected %s", counts[i], count);
        check_aside("pin", "follower_count", json, reason, "follower_count_is_a_number");
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        snprintf(json, sizeof(json), "\"%s\"", times[i]);
        snprintf(reason, sizeof(reason), "timestamp: found %s, expected a time such as 2018-03-04T05:06:07",
                 times[i]);
        check_aside("geo", "timestamp", json, reason, "timestamp_is_a_time");
    }
}

/* Many chunks, read by several threads, with faults among them, fed twice: nothing lost, nothing twice, bytes kept. */
static void every_record_is_a_row_or_set_aside(void **state)
{
    enum { COUNT = 20000 };
    struct cleaner *cleaner = open_cleaner("user");
    struct raw_record *records = calloc(COUNT, sizeof(*records));
    struct buf text = buf_init((size_t)64 << 20);
    size_t *ends = calloc(COUNT + 1, sizeof(*ends));
    struct sql_result *result = NULL;

    assert_true(records && ends);
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 10 == 3)
            buf_printf(&text, "{\"ind\":%zu,", i);
        else
            buf_printf(&text,
                       "{\"ind\":%zu,\"first_name\":\"a\",\"last_name\":\"b\",\"age\":%d,\"date_joined\":"
                       "\"2015-12-01 12:00:00\"}",
                       i, i % 10 == 5 ? 430 : 30);
        ends[i + 1] = text.size;
    }
    for (size_t i = 0; i < COUNT; i++)
        records[i] = (struct raw_record){bytes_of(text.at + ends[i], ends[i + 1] - ends[i]), 0, (int64_t)i};
    struct clean_input input = {.topic = "demo.user", .records = records, .count = COUNT};
    for (int round = 0; round < 2; round++) {
        assert_int_equal(cleaner_feed(cleaner, &input), ERR_OK);
        assert_int_equal(
            sql_queryf(sql, &result,
                       "SELECT count(*), count(DISTINCT ind), sum(ind), bool_and(ind = _offset) FROM (%s)",
                       cleaner_good_select(cleaner)),
            ERR_OK);
        assert_int_equal(sql_integer(result, 0, 0), COUNT / 10 * 8);
        assert_int_equal(sql_integer(result, 0, 1), COUNT / 10 * 8);
        assert_true(bytes_equal(sql_text(result, 0, 3), BYTES("true")));
        sql_result_free(result);
        assert_int_equal(
            sql_queryf(sql, &result,
                       "SELECT count(*), count(DISTINCT _offset), count(*) FILTER (WHERE decode(original) "
                       "LIKE '{\"ind\":' || _offset || ',%%') FROM (%s)",
                       cleaner_aside_select(cleaner)),
            ERR_OK);
        for (size_t column = 0; column < 3; column++)
            assert_int_equal(sql_integer(result, 0, column), COUNT / 10 * 2);
        sql_result_free(result);
    }
    buf_release(&text);
    free(records);
    free(ends);
    cleaner_close(cleaner);
}

/* ---- contracts and SQL of the user's own ---- */

static char own_dir[] = "/tmp/pinrail-clean-XXXXXX";

static void write_own(const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/clean/%s", own_dir, name);
    assert_int_equal(disk_write_file(disk_real(), path, bytes_of_text(text)), ERR_OK);
}

/* `thing` has one number, and an expectation `small` with the given action. */
static struct config *own_config(const char *expect, const char *action, const char *select)
{
    const char *flags[] = {"sql.dir", own_dir};
    struct config *own = NULL;
    char path[128], yaml[512];

    snprintf(path, sizeof(path), "%s/clean", own_dir);
    assert_int_equal(disk_make_dirs(disk_real(), path), ERR_OK);
    snprintf(yaml, sizeof(yaml),
             "entity: thing\ncolumns:\n  - { name: n, type: integer }\nexpectations:\n"
             "  - { name: small, expect: %s, column: n, found: n, expected: it's small, action: %s }\n",
             expect, action);
    write_own("thing.yaml", yaml);
    write_own("thing.sql", select);
    assert_int_equal(config_load(&own, "/dev/null", flags, 1), ERR_OK);
    return own;
}

static void actions_do_what_they_say(void **state)
{
    static const struct {
        const char *action;
        int good, aside;
        bool bytes, fails;
    } cases[] = {
        {"quarantine", 0, 1, true, false},
        {"drop", 0, 1, false, false},
        {"warn", 1, 0, false, false},
        {"fail", 0, 0, false, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *own = own_config("n < 10", cases[i].action,
                                        "SELECT TRY_CAST(n AS INT) AS n, _topic, _partition, "
                                        "_offset, _ingested_at, _fault, _rule, _original FROM raw_thing;\n");
        struct cleaner *cleaner = NULL;
        struct sql_result *result = NULL;
        struct raw_record record;
        if (cleaner_open(&cleaner, own, sql, "thing"))
            fail_msg("%s", err_sentence());
        feed_one(cleaner, &record, BYTES("{\"n\":12}"));
        if (cases[i].fails) {
            assert_int_equal(sql_query(sql, &result, cleaner_good_select(cleaner)), ERR_INVALID);
            assert_non_null(strstr(err_sentence(), "n: found 12, expected it's small"));
        } else {
            result = ask(cleaner_good_select(cleaner));
            assert_int_equal(sql_rows(result), cases[i].good);
            sql_result_free(result);
        }
        result = ask(cleaner_aside_select(cleaner));
        assert_int_equal(sql_rows(result), cases[i].aside);
        if (cases[i].aside)
            assert_int_equal(sql_is_null(result, 0, column_named(result, "original")), !cases[i].bytes);
        sql_result_free(result);
        cleaner_close(cleaner);
        config_free(own);
    }
}

static void slips_are_told_when_loaded(void **state)
{
    static const struct {
        const char *expect, *select, *word;
    } cases[] = {
        {"m < 10",
         "SELECT n, _topic, _partition, _offset, _ingested_at, _fault, _rule, _original FROM raw_thing",
         "thing.yaml"},
        {"n < 10", "SELECT n, _topic, _partition, _offset, _ingested_at, _fault, _rule FROM raw_thing",
         "_original"},
        {"n < 10", "SELECT nope FROM raw_thing", "thing.sql"},
        {"n < 10", "SELECT one.* FROM raw_thing AS one JOIN raw_thing AS two ON one._offset = two._offset",
         "one place"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *own = own_config(cases[i].expect, "quarantine", cases[i].select);
        struct cleaner *cleaner = NULL;
        assert_int_equal(cleaner_open(&cleaner, own, sql, "thing"), ERR_INVALID);
        if (!strstr(err_sentence(), cases[i].word))
            fail_msg("%s", err_sentence());
        config_free(own);
    }
    struct cleaner *cleaner = NULL;
    assert_int_equal(cleaner_open(&cleaner, config, sql, "nothing"), ERR_NOT_FOUND);
    assert_int_equal(cleaner_open(&cleaner, config, sql, "../pin"), ERR_INVALID);
}

static int make_own_dir(void **state)
{
    return mkdtemp(own_dir) ? 0 : -1;
}

static int remove_own_dir(void **state)
{
    return disk_remove_tree(disk_real(), own_dir) ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_are_cleaned),
        cmocka_unit_test(geos_are_cleaned),
        cmocka_unit_test(users_are_cleaned),
        cmocka_unit_test(wrong_values_go_aside),
        cmocka_unit_test(every_record_is_a_row_or_set_aside),
        cmocka_unit_test_setup_teardown(actions_do_what_they_say, make_own_dir, remove_own_dir),
        cmocka_unit_test(slips_are_told_when_loaded),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
