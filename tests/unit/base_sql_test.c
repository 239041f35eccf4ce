/* DuckDB behind base/sql.h. What could go wrong: a type whose text is not DuckDB's, a result of many chunks read at
 * the wrong row, a feed whose rows change order or whose nulls stick to the next chunk, a feed of another connection,
 * and a configuration that a statement can change. Each test runs the statement and looks at every cell it made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sql.h"

static struct sql_db *db;
static struct sql *sql;

static int set_up(void **state)
{
    struct sql_options options = {.threads = 2};

    assert_int_equal(sql_db_open(&db, &options), ERR_OK);
    assert_int_equal(sql_open(&sql, db), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    sql_close(sql);
    sql_db_close(db);
    return 0;
}

static void check_cell(const struct sql_result *result, size_t row, size_t column, const char *want)
{
    struct bytes text = sql_text(result, row, column);

    assert_int_equal(text.size, strlen(want));
    assert_memory_equal(text.at, want, text.size);
}

static void every_type_is_text_as_duckdb_casts_it(void **state)
{
    static const struct {
        const char *sql, *type, *text;
    } cases[] = {
        {"42::INTEGER", "INTEGER", "42"},
        {"(-9223372036854775808)::BIGINT", "BIGINT", "-9223372036854775808"},
        {"7::UTINYINT", "UTINYINT", "7"},
        {"1.5::DOUBLE", "DOUBLE", "1.5"},
        {"0.1::FLOAT", "FLOAT", "0.1"},
        {"12.340::DECIMAL(9,3)", "DECIMAL(9,3)", "12.340"},
        {"true", "BOOLEAN", "true"},
        {"'it''s'", "VARCHAR", "it's"},
        {"DATE '2026-02-28'", "DATE", "2026-02-28"},
        {"TIMESTAMP '2026-02-28 10:00:00.5'", "TIMESTAMP", "2026-02-28 10:00:00.5"},
        {"TIMESTAMPTZ '2026-02-28 10:00:00+02'", "TIMESTAMP WITH TIME ZONE", "2026-02-28 08:00:00+00"},
        {"[1.5, NULL]::DOUBLE[]", "DOUBLE[]", "[1.5, NULL]"},
        {"{'a': 1, 'b': 'x'}", "STRUCT(a INTEGER, b VARCHAR)", "{'a': 1, 'b': x}"},
        {"'\\x00\\xFFa'::BLOB", "BLOB", "\\x00\\xFFa"},
        {"'{\"a\":1}'::JSON", "JSON", "{\"a\":1}"},
        {"sum(1) FROM range(3)", "HUGEINT", "3"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sql_result *result;
        assert_int_equal(sql_queryf(sql, &result, "SELECT %s", cases[i].sql), ERR_OK);
        assert_int_equal(sql_rows(result), 1);
        assert_string_equal(sql_column_type(result, 0), cases[i].type);
        assert_false(sql_is_null(result, 0, 0));
        check_cell(result, 0, 0, cases[i].text);
        sql_result_free(result);
    }
}

static void nulls_names_and_numbers(void **state)
{
    struct sql_result *result;

    assert_int_equal(sql_query(sql, &result, "SELECT 1 AS a, NULL AS a, 2.5 AS \"b c\", 'x', 12::HUGEINT"),
                     ERR_OK);
    assert_int_equal(sql_columns(result), 5);
    assert_string_equal(sql_column_name(result, 1), "a");
    assert_string_equal(sql_column_name(result, 2), "b c");
    assert_true(sql_is_null(result, 0, 1));
    check_cell(result, 0, 1, "");
    assert_int_equal(sql_integer(result, 0, 0), 1);
    assert_int_equal(sql_integer(result, 0, 1), 0);
    assert_true(sql_double(result, 0, 2) == 2.5);
    assert_int_equal(sql_integer(result, 0, 2), 2);
    assert_int_equal(sql_integer(result, 0, 3), 0);
    assert_int_equal(sql_integer(result, 0, 4), 12);
    sql_result_free(result);
}

static void a_result_of_many_chunks_keeps_its_rows(void **state)
{
    struct sql_result *result;

    assert_int_equal(
        sql_query(sql, &result,
                  "SELECT i, CASE WHEN i % 7 > 0 THEN 'value number ' || i END FROM range(10000) t(i)"),
        ERR_OK);
    assert_int_equal(sql_rows(result), 10000);
    for (size_t i = 0; i < 10000; i++) {
        char want[40];
        assert_int_equal(sql_integer(result, i, 0), i);
        assert_int_equal(sql_is_null(result, i, 1), i % 7 == 0);
        snprintf(want, sizeof(want), "value number %zu", i);
        check_cell(result, i, 1, i % 7 ? want : "");
    }
    sql_result_free(result);
}

static void statements_that_are_no_select_give_rows_too(void **state)
{
    struct sql_result *result;

    assert_int_equal(sql_run(sql, "CREATE TABLE t(a INTEGER); INSERT INTO t VALUES (1), (2)"), ERR_OK);
    assert_int_equal(sql_query(sql, &result, "DESCRIBE t"), ERR_OK);
    check_cell(result, 0, 1, "INTEGER");
    sql_result_free(result);
    assert_int_equal(sql_query(sql, &result, "DELETE FROM t; -- all of it"), ERR_OK);
    assert_int_equal(sql_integer(result, 0, 0), 2);
    sql_result_free(result);
}

static void errors_have_kinds_and_sentences(void **state)
{
    struct sql_result *result = NULL;

    assert_int_equal(sql_query(sql, &result, "SELECT nonsense"), ERR_INVALID);
    assert_non_null(strstr(err_sentence(), "nonsense"));
    assert_int_equal(sql_run(sql, "SELECT * FROM read_parquet('/nowhere/at/all.parquet')"), ERR_IO);
    assert_int_equal(sql_query(sql, &result, "SELECT * FROM pinrail_rows()"), ERR_INVALID);
    assert_null(result);
}

static void the_configuration_is_locked_and_utc(void **state)
{
    struct sql_result *result;

    assert_int_equal(sql_run(sql, "SET memory_limit = '9GB'"), ERR_INVALID);
    assert_int_equal(sql_run(sql, "SET TimeZone = 'Asia/Tokyo'"), ERR_INVALID);
    assert_int_equal(sql_query(sql, &result, "SELECT current_setting('TimeZone')"), ERR_OK);
    check_cell(result, 0, 0, "UTC");
    sql_result_free(result);
}

static void rows_of_a_copy_can_be_read_on(void **state)
{
    struct sql_result *result;

    assert_int_equal(sql_query_then(sql, &result,
                                    "SELECT 1 AS a, MAP {'x': 2} AS b UNION ALL SELECT 3, MAP {'x': 4}",
                                    "SELECT c0 * c1['x'] FROM pinrail_rows() ORDER BY c0"),
                     ERR_OK);
    assert_int_equal(sql_rows(result), 2);
    assert_int_equal(sql_integer(result, 0, 0), 2);
    assert_int_equal(sql_integer(result, 1, 0), 12);
    sql_result_free(result);
    assert_int_equal(sql_query_then(sql, &result, "SELECT 1", "SELECT c9 FROM pinrail_rows()"), ERR_INVALID);
}

static void quotes_are_doubled(void **state)
{
    struct buf buf = buf_init(64);

    assert_int_equal(sql_quote(BYTES("a'b''c"), &buf), ERR_OK);
    assert_string_equal(buf_text(&buf), "'a''b''''c'");
    buf_release(&buf);
}

/* A feed of `rows` rows: number, text of it or null, int, time, blob. */
struct numbers {
    size_t at, rows, starts;
};

static void numbers_start(void *arg)
{
    struct numbers *numbers = arg;

    numbers->at = 0;
    numbers->starts++;
}

static size_t numbers_pull(void *arg, struct sql_feed_chunk *chunk)
{
    struct numbers *numbers = arg;
    size_t count = 0;

    while (count < SQL_FEED_CHUNK_ROWS && numbers->at < numbers->rows) {
        char text[64];
        size_t i = numbers->at++;
        int size = snprintf(text, sizeof(text), "row %zu with a text that is long", i);
        sql_feed_integer(chunk, 0, count, (int64_t)i);
        if (i % 3 == 0 && i < 3000)
            sql_feed_null(chunk, 1, count);
        else
            sql_feed_text(chunk, 1, count, bytes_of(text, (size_t)size));
        sql_feed_integer(chunk, 2, count, -(int64_t)i);
        sql_feed_integer(chunk, 3, count, (int64_t)i * 1000000);
        sql_feed_text(chunk, 4, count, BYTES("\xff\0"));
        count++;
    }
    return count;
}

static const struct sql_feed_column number_columns[] = {
    {"number", SQL_FEED_INTEGER}, {"text", SQL_FEED_TEXT}, {"small", SQL_FEED_INT},
    {"time", SQL_FEED_TIMESTAMP}, {"raw", SQL_FEED_BLOB},
};

static void a_feed_gives_its_rows_in_order_again_and_again(void **state)
{
    struct numbers numbers = {.rows = 10000};
    struct sql_feed feed = {number_columns, 5, 1, numbers_start, numbers_pull, &numbers};
    struct sql_result *result;

    assert_int_equal(sql_feed_define(sql, "numbers", &feed), ERR_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(sql_query(sql, &result, "SELECT * FROM numbers()"), ERR_OK);
        assert_int_equal(sql_rows(result), 10000);
        for (size_t i = 0; i < 10000; i++) {
            assert_int_equal(sql_integer(result, i, 0), i);
            assert_int_equal(sql_is_null(result, i, 1), i % 3 == 0 && i < 3000);
            assert_int_equal(sql_integer(result, i, 2), -(int64_t)i);
        }
        check_cell(result, 1, 1, "row 1 with a text that is long");
        check_cell(result, 61, 3, "1970-01-01 00:01:01+00");
        check_cell(result, 9999, 4, "\\xFF\\x00");
        sql_result_free(result);
    }
    assert_int_equal(numbers.starts, 2);
    assert_int_equal(sql_query(sql, &result, "SELECT small FROM numbers() WHERE text IS NULL"), ERR_OK);
    assert_int_equal(sql_rows(result), 1000);
    assert_int_equal(sql_integer(result, 999, 0), -2997);
    sql_result_free(result);
    assert_int_equal(sql_query(sql, &result, "SELECT count(*) FROM numbers()"), ERR_OK);
    assert_int_equal(sql_integer(result, 0, 0), 10000);
    sql_result_free(result);
}

static void a_feed_belongs_to_its_connection(void **state)
{
    struct numbers here = {.rows = 10}, there = {.rows = 20};
    struct sql_feed feed_here = {number_columns, 5, 1, numbers_start, numbers_pull, &here};
    struct sql_feed feed_there = {number_columns, 5, 1, numbers_start, numbers_pull, &there};
    struct sql *other;
    struct sql_result *result;

    assert_int_equal(sql_open(&other, db), ERR_OK);
    assert_int_equal(sql_feed_define(sql, "numbers", &feed_here), ERR_OK);
    assert_int_equal(sql_query(other, &result, "SELECT * FROM numbers()"), ERR_INVALID);
    assert_int_equal(sql_feed_define(other, "numbers", &feed_there), ERR_OK);
    assert_int_equal(sql_query(other, &result, "SELECT * FROM numbers()"), ERR_OK);
    assert_int_equal(sql_rows(result), 20);
    sql_result_free(result);
    assert_int_equal(sql_query(sql, &result, "SELECT * FROM numbers()"), ERR_OK);
    assert_int_equal(sql_rows(result), 10);
    sql_result_free(result);
    assert_int_equal(sql_feed_define(sql, "numbers", NULL), ERR_OK);
    assert_int_equal(sql_query(sql, &result, "SELECT * FROM numbers()"), ERR_INVALID);
    sql_close(other);
}

static size_t failing_pull(void *arg, struct sql_feed_chunk *chunk)
{
    assert_false(sql_feed_wants(chunk, 0));
    assert_true(sql_feed_wants(chunk, 1));
    err_note(ERR_INVALID, "the feed ran dry");
    return SQL_FEED_FAILED;
}

static void a_feed_that_fails_fails_the_statement(void **state)
{
    struct sql_feed feed = {number_columns, 5, 1, NULL, failing_pull, NULL};

    assert_int_equal(sql_feed_define(sql, "numbers", &feed), ERR_OK);
    assert_int_equal(sql_run(sql, "SELECT text FROM numbers()"), ERR_INVALID);
    assert_non_null(strstr(err_sentence(), "the feed ran dry"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_type_is_text_as_duckdb_casts_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nulls_names_and_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_result_of_many_chunks_keeps_its_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statements_that_are_no_select_give_rows_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_have_kinds_and_sentences, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_configuration_is_locked_and_utc, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_of_a_copy_can_be_read_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quotes_are_doubled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_feed_gives_its_rows_in_order_again_and_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_feed_belongs_to_its_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_feed_that_fails_fails_the_statement, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("base/sql", tests, NULL, NULL);
}
