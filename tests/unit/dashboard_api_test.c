/* What could go wrong: a count that is not known is shown as 0; a number that a browser cannot hold exactly is rounded; a cell
 * breaks out of its string, or is cut inside a character; an argument is half read. How we look: the JSON is written, parsed
 * again and compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "dashboard/api.h"
#include "dashboard/feed.h"

#define CHECK(what) assert_true(what)

/* Is this what a reader of the written JSON gets? */
static void check_json(json_t *json, const char *expected)
{
    struct buf text = buf_init(1 << 20);
    json_t *read = NULL, *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);

    CHECK(json && wanted);
    CHECK(json_doc_write(json, &text) == ERR_OK);
    read = json_loads(buf_text(&text), 0, NULL);
    if (!read || !json_equal(read, wanted))
        print_error("got      %s\nexpected %s\n", buf_text(&text), expected);
    CHECK(json_equal(read, wanted));
    json_decref(read);
    json_decref(wanted);
    json_decref(json);
    buf_release(&text);
}

static void what_is_not_known_is_null(void **state)
{
    struct feed_topic topics[] = {{"demo.pin", 12, 10, 3.14159}, {"streaming-demo-pin", 5, -1, 0}};
    struct feed_stage stages[] = {{"pin", false, 12, 10, 9, 1}, {"pin", true, -1, -1, -1, -1}};
    struct table_info tables[] = {{"demo_pin_table", 3, 9, 2, 4096, 1700000000000}};
    struct feed_snapshot snapshot = {
        .measured_ms = 1700000000500,
        .reachable = false,
        .address = "127.0.0.1:9092",
        .note = "no answer",
        .user = "demo",
        .lake_lag = -1,
        .topics = topics,
        .topic_count = 2,
        .stages = stages,
        .stage_count = 2,
        .tables = tables,
        .table_count = 1,
    };

    check_json(api_status(&snapshot, 1700000001000),
               "{\"now_ms\":1700000001000,\"measured_ms\":1700000000500,\"user\":\"demo\","
               "\"ingest\":{\"reachable\":false,\"address\":\"127.0.0.1:9092\",\"note\":\"no "
               "answer\"},\"lake_lag\":null,"
               "\"topics\":[{\"topic\":\"demo.pin\",\"acknowledged\":12,\"landed\":10,\"rate\":3.1},"
               "{\"topic\":\"streaming-demo-pin\",\"acknowledged\":5,\"landed\":null,\"rate\":0.0}],"
               "\"stages\":[{\"entity\":\"pin\",\"way\":\"batch\",\"acknowledged\":12,\"landed\":10,"
               "\"cleaned\":9,\"quarantined\":1},"
               "{\"entity\":\"pin\",\"way\":\"stream\",\"acknowledged\":null,\"landed\":null,\"cleaned\":"
               "null,\"quarantined\":null}],"
               "\"tables\":[{\"name\":\"demo_pin_table\",\"version\":3,\"rows\":9,\"files\":2,\"bytes\":4096,"
               "\"modified_ms\":1700000000000}]}");
}

/* A cell in an array, since a bare value is no JSON document everywhere. */
static json_t *cell(const char *type, const char *text)
{
    return json_pack("[o]", api_cell(type, bytes_of_text(text)));
}

static void a_cell_keeps_its_value(void **state)
{
    check_json(cell("BIGINT", "42"), "[42]");
    check_json(cell("INTEGER", "-7"), "[-7]");
    check_json(cell("BIGINT", "9007199254740992"), "[9007199254740992]");
    check_json(cell("BIGINT", "9007199254740993"), "[\"9007199254740993\"]");
    check_json(cell("HUGEINT", "170141183460469231731687303715884105727"),
               "[\"170141183460469231731687303715884105727\"]");
    check_json(cell("DOUBLE", "51.4923"), "[51.4923]");
    check_json(cell("DOUBLE", "nan"), "[\"nan\"]");
    check_json(cell("DOUBLE", "inf"), "[\"inf\"]");
    check_json(cell("DECIMAL(18,3)", "1.250"), "[1.25]");
    check_json(cell("BOOLEAN", "true"), "[true]");
    check_json(cell("BOOLEAN", "false"), "[false]");
    check_json(cell("VARCHAR", ""), "[\"\"]");
    check_json(cell("VARCHAR", "42"), "[\"42\"]");
    check_json(cell("VARCHAR", "</script>\"\\\n\x01 caf\u00e9"),
               "[\"</script>\\\"\\\\\\n\\u0001 caf\u00e9\"]");
}

/* The border falls on each byte of a four-byte character in turn; in the last turn the character ends just at it. */
static void a_long_cell_is_cut_between_characters(void **state)
{
    const char *const face = "\U0001F600";

    for (size_t lead = 0; lead <= 4; lead++) {
        char text[API_CELL_BYTES_MOST + 64];
        size_t size = API_CELL_BYTES_MOST - lead, whole = lead == 4 ? API_CELL_BYTES_MOST : size;
        json_t *json;
        memset(text, 'a', size);
        snprintf(text + size, sizeof(text) - size, "%s and more", face);
        json = api_cell("VARCHAR", bytes_of_text(text));
        CHECK(json && memcmp(json_string_value(json), text, whole) == 0);
        CHECK(strcmp(json_string_value(json) + whole, "…") == 0);
        json_decref(json);
    }
    for (size_t i = 0; i < 2; i++) { /* at the limit nothing is cut */
        char text[API_CELL_BYTES_MOST + 1] = {0};
        json_t *json;
        memset(text, 'b', API_CELL_BYTES_MOST - i);
        json = api_cell("VARCHAR", bytes_of_text(text));
        CHECK(json && strcmp(json_string_value(json), text) == 0);
        json_decref(json);
    }
}

static void a_result_is_cut_at_its_limit(void **state)
{
    struct sql_options options = {.threads = 1};
    struct sql_db *db = NULL;
    struct sql *sql = NULL;
    struct sql_result *result = NULL;

    CHECK(sql_db_open(&db, &options) == ERR_OK && sql_open(&sql, db) == ERR_OK);
    CHECK(sql_query(sql, &result,
                    "SELECT i AS n, CASE i WHEN 1 THEN NULL ELSE 'x' || i END AS name, i / 4.0::DOUBLE AS "
                    "part FROM range(3) t(i) ORDER BY i") == ERR_OK);
    check_json(
        api_result(result, 3),
        "{\"columns\":[\"n\",\"name\",\"part\"],\"rows\":[[0,\"x0\",0.0],[1,null,0.25],[2,\"x2\",0.5]],"
        "\"truncated\":false}");
    check_json(
        api_result(result, 2),
        "{\"columns\":[\"n\",\"name\",\"part\"],\"rows\":[[0,\"x0\",0.0],[1,null,0.25]],\"truncated\":true}");
    check_json(api_result(result, 0),
               "{\"columns\":[\"n\",\"name\",\"part\"],\"rows\":[],\"truncated\":true}");
    sql_result_free(result);
    sql_close(sql);
    sql_db_close(db);
}

static void an_argument_is_a_whole_number_in_its_range(void **state)
{
    const char *const bad[] = {
        "", "0", "201", "-1", "+1", " 1", "1 ", "1.0", "1e2", "0x10", "99999999999999999999999999", "٣"};
    int64_t value = -1;

    CHECK(api_number(NULL, 1, 200, 20, &value) == ERR_OK && value == 20);
    CHECK(api_number("1", 1, 200, 20, &value) == ERR_OK && value == 1);
    CHECK(api_number("200", 1, 200, 20, &value) == ERR_OK && value == 200);
    CHECK(api_number("007", 1, 200, 20, &value) == ERR_OK && value == 7);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        value = 5;
        CHECK(api_number(bad[i], 1, 200, 20, &value) == ERR_INVALID && value == 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(a_cell_keeps_its_value),
        cmocka_unit_test(a_long_cell_is_cut_between_characters),
        cmocka_unit_test(a_result_is_cut_at_its_limit),
        cmocka_unit_test(an_argument_is_a_whole_number_in_its_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
