/* Statistics of a file. What could go wrong: a bound that a value lies outside of, so that a reader leaves the file out
 * and loses rows. Strings, times and whole files with awkward values are given, and each bound is compared with the
 * values in the order that readers use. */
#include "table_helpers.h"

static void cut(const char *text, bool up, const char *want)
{
    struct buf out = buf_init(1000);
    bool there = stats_cut_text(bytes_of_text(text), up, &out);

    assert_int_equal(there, want != NULL);
    if (want)
        assert_string_equal(buf_text(&out), want);
    buf_release(&out);
}

#define TEN "0123456789"

static void strings_are_cut_to_32_characters_and_rounded_up(void **state)
{
    cut("", false, "");
    cut(TEN TEN TEN "ab", false, TEN TEN TEN "ab");
    cut(TEN TEN TEN "ab", true, TEN TEN TEN "ab");
    cut(TEN TEN TEN "abc", false, TEN TEN TEN "ab");
    cut(TEN TEN TEN "abc", true, TEN TEN TEN "ac");
    cut(TEN TEN TEN "é€x", false, TEN TEN TEN "é€");
    cut(TEN TEN TEN "é€x", true, TEN TEN TEN "é₭");
    cut(TEN TEN TEN "a\x7fz", true, TEN TEN TEN "a\xc2\x80");
    cut(TEN TEN TEN "a\xed\x9f\xbfz", true, TEN TEN TEN "a\xee\x80\x80"); /* no surrogates between */
    cut(TEN TEN TEN "a\xf4\x8f\xbf\xbfz", true, TEN TEN TEN "b"); /* nothing above the last character */
    char highest[33 * 4 + 1] = "";
    for (size_t i = 0; i < 33; i++)
        memcpy(highest + i * 4, "\xf4\x8f\xbf\xbf", 5);
    cut(highest, true, NULL);
}

static void time(const char *text, bool up, const char *want)
{
    char out[40];
    bool there = stats_cut_time(bytes_of_text(text), up, out);

    assert_int_equal(there, want != NULL);
    if (want)
        assert_string_equal(out, want);
}

static void times_are_cut_to_milliseconds_and_still_bound(void **state)
{
    time("2026-02-28 10:00:00+00", false, "2026-02-28T10:00:00.000Z");
    time("2026-02-28 10:00:00+00", true, "2026-02-28T10:00:00.000Z");
    time("2026-02-28 10:00:00.5+00", true, "2026-02-28T10:00:00.500Z");
    time("2026-02-28 10:00:00.123456+00", false, "2026-02-28T10:00:00.123Z");
    time("2026-02-28 10:00:00.123456+00", true, "2026-02-28T10:00:00.124Z");
    time("2026-12-31 23:59:59.999999+00", true, "2027-01-01T00:00:00.000Z");
    time("1969-12-31 23:59:59.999001+00", false, "1969-12-31T23:59:59.999Z");
    time("1969-12-31 23:59:59.0001+00", true, "1969-12-31T23:59:59.001Z");
    time("0001-01-01 00:00:00+00", false, "0001-01-01T00:00:00.000Z");
    time("9999-12-31 23:59:59.9999+00", true, NULL);
    time("-infinity", false, NULL);
    time("infinity", true, NULL);
    time("10000-01-01 00:00:00+00", true, NULL);
    time("0044-03-15 (BC) 00:00:00+00", false, NULL);
    time("2026-02-28 10:00:00+02", false, NULL);
    time("", false, NULL);
}

static json_t *stats_of(struct table *table)
{
    json_t *add = json_object_iter_value(json_object_iter(table->snapshot.adds)), *stats = NULL;
    const json_t *text = json_object_get(add, "stats");

    ok(json_doc_parse(&stats, bytes_of(json_string_value(text), json_string_length(text))));
    return stats;
}

static json_t *bound(json_t *stats, const char *which, const char *column)
{
    return json_object_get(json_object_get(stats, which), column);
}

static void a_file_has_the_bounds_of_its_rows(void **state)
{
    struct table *table = open_table("t");
    struct table_commit done;

    ok(table_append(
        table, sql,
        "SELECT i::INTEGER - 3 AS n, i::BIGINT * 5000000000 AS big, i / 4 AS real, "
        "CASE WHEN i = 1 THEN 'nan'::DOUBLE ELSE i END AS odd, "
        "CASE WHEN i > 2 THEN repeat('é', 40) || i END AS text, DATE '2026-01-01' + i::INTEGER AS day, "
        "TIMESTAMPTZ '2026-01-01 00:00:00.0001+00' + i * INTERVAL 1 HOUR AS at, [i::DOUBLE] AS list, "
        "'b'::BLOB AS "
        "raw, i > 2 AS yes, NULL::INTEGER AS none FROM range(10) t(i)",
        NULL, 0, "WRITE", &done));
    json_t *stats = stats_of(table);
    assert_int_equal(json_integer_value(json_object_get(stats, "numRecords")), 10);
    assert_int_equal(json_integer_value(bound(stats, "minValues", "n")), -3);
    assert_int_equal(json_integer_value(bound(stats, "maxValues", "n")), 6);
    assert_int_equal(json_integer_value(bound(stats, "maxValues", "big")), 45000000000);
    assert_true(json_real_value(bound(stats, "maxValues", "real")) == 2.25);
    assert_null(bound(stats, "maxValues", "odd")); /* NaN is above all numbers, and no JSON */
    assert_int_equal(json_integer_value(bound(stats, "nullCount", "text")), 3);
    assert_int_equal(json_string_length(bound(stats, "minValues", "text")), 64);
    assert_true(strcmp(json_string_value(bound(stats, "maxValues", "text")),
                       "éééééééééééééééééééééééééééééééééééééééé9") > 0);
    assert_string_equal(json_string_value(bound(stats, "maxValues", "day")), "2026-01-10");
    assert_string_equal(json_string_value(bound(stats, "minValues", "at")), "2026-01-01T00:00:00.000Z");
    assert_string_equal(json_string_value(bound(stats, "maxValues", "at")), "2026-01-01T09:00:00.001Z");
    assert_null(bound(stats, "minValues", "list"));
    assert_null(bound(stats, "minValues", "raw"));
    assert_null(bound(stats, "minValues", "none"));
    assert_int_equal(json_integer_value(bound(stats, "nullCount", "none")), 10);
    json_decref(stats);
    table_close(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_cut_to_32_characters_and_rounded_up),
        cmocka_unit_test(times_are_cut_to_milliseconds_and_still_bound),
        cmocka_unit_test_setup_teardown(a_file_has_the_bounds_of_its_rows, open_db, close_db),
    };

    return cmocka_run_group_tests_name("table/stats", tests, NULL, NULL);
}
