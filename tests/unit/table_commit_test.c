/* Commits to a table. What could go wrong: rows twice after a replay, rows lost when two write at once, a table that a
 * crash between file and commit leaves unreadable, rows of another shape taken in, stray files left behind. Each test
 * makes the situation and then reads the table again from the disk. */
#include "table_helpers.h"

static const char three_rows[] = "SELECT i::INTEGER AS ind, 'row ' || i AS name FROM range(3) t(i)";

static struct table_txn txn(const char *app, int64_t version)
{
    struct table_txn txn = {.version = version};

    snprintf(txn.app, sizeof(txn.app), "%s", app);
    return txn;
}

static int count_files(const char *table)
{
    char command[700];
    FILE *pipe;
    int count = -1;

    snprintf(command, sizeof(command), "ls %s | grep -c parquet", below("%s", table));
    pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

static void every_type_comes_back_as_it_was(void **state)
{
    struct table *table = open_table("types");
    struct table_commit done;

    ok(table_append(
        table, sql,
        "SELECT 1::INTEGER AS a, 9000000000::BIGINT AS b, 1.5::DOUBLE AS c, 'é''\"' AS \"d d\", true AS e, "
        "TIMESTAMPTZ '2026-02-28 10:00:00.123456+02' AS f, DATE '1969-07-20' AS g, [1.5, NULL]::DOUBLE[] AS "
        "h, "
        "'\\x00\\xFF'::BLOB AS i, TIMESTAMP '2026-02-28 08:00:00.123456' AS j, 12.34::DECIMAL(9,2) AS k "
        "UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
        NULL, 0, "WRITE", &done));
    assert_int_equal(done.version, 0);
    assert_int_equal(done.rows, 2);
    assert_int_equal(
        ask_table(table, -1,
                  "count(*) FILTER (a = 1 AND b = 9000000000 AND c = 1.5 AND \"d d\" = 'é''\"' AND e AND "
                  "f = j AND epoch_us(f) = 1772265600123456 AND g = DATE '1969-07-20' AND h[1] = 1.5 AND "
                  "h[2] IS NULL AND i = '\\x00\\xFF'::BLOB AND k = 12.34 AND "
                  "typeof(j) = 'TIMESTAMP WITH TIME ZONE' AND typeof(h) = 'DOUBLE[]')"),
        1);
    assert_int_equal(ask_table(table, -1, "count(*) FILTER (COLUMNS(*) IS NULL)"), 1);
    table_close(table);
}

static void rows_and_position_are_one_commit(void **state)
{
    struct table *table = open_table("t"), *again;
    struct table_txn txns[] = {txn("demo.pin-0", 41), txn("demo.pin-1", 7)};
    struct table_commit done;

    assert_int_equal(table_version(table), -1);
    assert_int_equal(table_txn_version(table, "demo.pin-0"), -1);
    ok(table_append(table, sql, three_rows, txns, 2, "WRITE", &done));
    assert_int_equal(done.files, 1);
    again = open_table("t");
    assert_int_equal(table_version(again), 0);
    assert_int_equal(table_rows(again), 3);
    assert_int_equal(table_txn_version(again, "demo.pin-0"), 41);
    assert_int_equal(table_txn_version(again, "demo.pin-1"), 7);
    assert_int_equal(ask_table(again, -1, "sum(ind)"), 3);
    table_close(again);
    table_close(table);
}

static void a_replay_changes_nothing(void **state)
{
    struct table *table = open_table("t");
    struct table_txn first = txn("demo.pin-0", 41), later = txn("demo.pin-0", 44);
    struct table_commit done;

    ok(table_append(table, sql, three_rows, &first, 1, "WRITE", &done));
    fails(table_append(table, sql, three_rows, &first, 1, "WRITE", &done), ERR_CONFLICT, "demo.pin-0");
    assert_int_equal(done.version, -1);
    assert_int_equal(table_version(table), 0);
    assert_int_equal(count_files("t"), 1);
    ok(table_append(table, sql, three_rows, &later, 1, "WRITE", &done));
    assert_int_equal(table_rows(table), 6);
    table_close(table);
}

/* The position moves even if no row was good; nothing at all is no commit. */
static void no_rows_still_move_the_position(void **state)
{
    struct table *table = open_table("t");
    struct table_txn first = txn("demo.pin-0", 41);
    struct table_commit done;

    ok(table_append(table, sql, "SELECT 1::INTEGER AS ind WHERE false", NULL, 0, "WRITE", &done));
    assert_int_equal(done.version, -1);
    ok(table_append(table, sql, "SELECT 1::INTEGER AS ind WHERE false", &first, 1, "WRITE", &done));
    assert_int_equal(done.version, 0);
    assert_int_equal(done.files, 0);
    assert_int_equal(table_txn_version(table, "demo.pin-0"), 41);
    assert_int_equal(ask_table(table, -1, "count(ind)"), 0);
    assert_int_equal(count_files("t"), 0);
    table_close(table);
}

/* Two that have the table open at the same version: both rows must be there, in two versions. */
static void two_writers_are_both_kept(void **state)
{
    struct table *left = open_table("t"), *right = open_table("t");
    struct plan plan = {.operation = "WRITE"}, other = {.operation = "WRITE"};
    struct table_commit done;

    /* At birth: both plan version 0, of the same schema. */
    ok(plan_write(&plan, left, sql, three_rows));
    ok(plan_write(&other, right, sql, three_rows));
    ok(plan_commit(&plan, left, &done));
    assert_int_equal(done.version, 0);
    ok(plan_commit(&other, right, &done));
    assert_int_equal(done.version, 1);
    plan_release(&plan, left);
    plan_release(&other, right);
    ok(table_refresh(left));
    assert_int_equal(table_rows(left), 6);
    assert_int_equal(ask_table(left, -1, "count(*)"), 6);
    table_close(left);
    table_close(right);
}

static void of_two_with_the_same_position_one_wins(void **state)
{
    struct table *left = open_table("t"), *right = open_table("t");
    struct table_txn first = txn("demo.pin-0", 41), reach = txn("demo.pin-0", 50),
                     behind = txn("demo.pin-0", 40);
    struct plan plan = {.operation = "WRITE", .txns = &reach, .txn_count = 1},
                other = {.operation = "WRITE", .txns = &behind, .txn_count = 1};
    struct table_commit done;

    ok(table_append(left, sql, three_rows, NULL, 0, "WRITE", &done));
    ok(table_refresh(right));
    ok(plan_write(&other, right, sql, three_rows));
    ok(table_append(left, sql, three_rows, &first, 1, "WRITE", &done));
    assert_int_equal(count_files("t"), 3);
    fails(plan_commit(&other, right, &done), ERR_CONFLICT, "41");
    plan_release(&other, right);
    assert_int_equal(count_files("t"), 2); /* the loser's file is gone */
    assert_int_equal(table_version(right), 1);
    ok(plan_write(&plan, right, sql, three_rows));
    ok(plan_commit(&plan, right, &done));
    plan_release(&plan, right);
    assert_int_equal(table_rows(right), 9);
    table_close(left);
    table_close(right);
}

/* Birth by two at once, with other columns: the second must not turn the first's table into its own. */
static void a_table_of_another_shape_is_not_taken_over(void **state)
{
    struct table *left = open_table("t"), *right = open_table("t");
    struct plan plan = {.operation = "WRITE"};
    struct table_commit done;

    ok(plan_write(&plan, right, sql, "SELECT 'x' AS other"));
    ok(table_append(left, sql, three_rows, NULL, 0, "WRITE", &done));
    fails(plan_commit(&plan, right, &done), ERR_INVALID, "the unknown column other");
    plan_release(&plan, right);
    assert_int_equal(count_files("t"), 1);
    table_close(left);
    table_close(right);
}

static void rows_of_another_shape_are_refused(void **state)
{
    struct table *table = open_table("t");
    struct table_commit done;

    ok(table_append(table, sql, three_rows, NULL, 0, "WRITE", &done));
    fails(table_append(table, sql, "SELECT 1::INTEGER AS ind", NULL, 0, "WRITE", &done), ERR_INVALID,
          "no column name");
    fails(table_append(table, sql, "SELECT 1::BIGINT AS ind, 'a' AS name", NULL, 0, "WRITE", &done),
          ERR_INVALID, "another type for column ind");
    fails(
        table_append(table, sql, "SELECT 1::INTEGER AS ind, 'a' AS name, 2 AS more", NULL, 0, "WRITE", &done),
        ERR_INVALID, "the unknown column more");
    fails(table_append(table, sql, "SELECT {'a': 1} AS ind", NULL, 0, "WRITE", &done), ERR_UNSUPPORTED,
          "cast it");
    /* The same columns in another order are the same rows. */
    ok(table_append(table, sql, "SELECT 'a' AS name, 9::INTEGER AS ind", NULL, 0, "WRITE", &done));
    assert_int_equal(ask_table(table, -1, "max(ind)"), 9);
    table_close(table);
}

static void replacing_is_one_version_and_the_old_one_can_be_read(void **state)
{
    struct table *table = open_table("t");
    struct table_commit done;

    ok(table_replace(table, sql, three_rows, &done));
    ok(table_replace(table, sql, "SELECT 50::INTEGER AS ind, 'new' AS name", &done));
    assert_int_equal(done.version, 1);
    assert_int_equal(table_rows(table), 1);
    assert_int_equal(ask_table(table, -1, "sum(ind)"), 50);
    assert_int_equal(ask_table(table, 0, "sum(ind)"), 3);
    ok(table_replace(table, sql, "SELECT 1::INTEGER AS ind, 'none' AS name WHERE false", &done));
    assert_int_equal(done.version, 2);
    assert_int_equal(ask_table(table, -1, "count(*)"), 0);
    struct buf text = buf_init(100000);
    fails(table_scan(table, 7, &text), ERR_NOT_FOUND, "latest is 2");
    buf_release(&text);
    table_close(table);
}

/* A crash after the file, before its commit: the table is as before, and takes the next commit. */
static void a_file_without_a_commit_is_no_row(void **state)
{
    struct table *table = open_table("t");
    struct plan plan = {.operation = "WRITE"};
    struct table_commit done;

    ok(table_append(table, sql, three_rows, NULL, 0, "WRITE", &done));
    ok(plan_write(&plan, table, sql, three_rows));
    plan.put = true; /* as if the process was gone: nobody cleans up */
    plan_release(&plan, table);
    table_close(table);
    assert_int_equal(count_files("t"), 2);
    table = open_table("t");
    assert_int_equal(table_rows(table), 3);
    assert_int_equal(ask_table(table, -1, "count(*)"), 3);
    ok(table_append(table, sql, three_rows, NULL, 0, "WRITE", &done));
    assert_int_equal(ask_table(table, -1, "count(*)"), 6);
    table_close(table);
}

static void a_failed_select_leaves_nothing(void **state)
{
    struct table *table = open_table("t");
    struct table_commit done;

    fails(table_append(
              table, sql,
              "SELECT CASE WHEN i < 5 THEN i ELSE error('no such luck')::INTEGER END AS a FROM range(10) "
              "t(i)",
              NULL, 0, "WRITE", &done),
          ERR_INVALID, "no such luck");
    assert_int_equal(table_version(table), -1);
    assert_int_equal(count_files("t"), 0);
    table_close(table);
}

static void a_list_and_a_history_tell_what_happened(void **state)
{
    struct arena arena = arena_init(1 << 24);
    struct table_txn first = txn("demo.pin-0", 41);
    struct table_info *infos;
    struct table_event *events;
    struct table *table = open_table("b"), *other = open_table("a");
    struct table_commit done;
    size_t count;

    ok(table_append(table, sql, three_rows, &first, 1, "STREAMING UPDATE", &done));
    ok(table_replace(table, sql, three_rows, &done));
    ok(table_append(other, sql, three_rows, NULL, 0, "WRITE", &done));
    write_log("broken", 0, "{]");
    ok(table_list(disk_real(), sql, tables_dir, &arena, &infos, &count));
    assert_int_equal(count, 2);
    assert_string_equal(infos[0].name, "a");
    assert_string_equal(infos[1].name, "b");
    assert_int_equal(infos[1].version, 1);
    assert_int_equal(infos[1].rows, 3);
    assert_int_equal(infos[1].files, 1);
    assert_true(infos[1].bytes > 0 && infos[1].modified_ms > 1600000000000);
    ok(table_history(table, &arena, &events, &count));
    assert_int_equal(count, 2);
    assert_int_equal(events[0].version, 1);
    assert_int_equal(events[0].files_removed, 1);
    assert_string_equal(events[1].operation, "STREAMING UPDATE");
    assert_string_equal(events[1].txns, "demo.pin-0=41");
    assert_int_equal(events[1].rows, 3);
    ok(table_list(disk_real(), sql, below("nowhere"), &arena, &infos, &count));
    assert_int_equal(count, 0);
    arena_release(&arena);
    table_close(table);
    table_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_type_comes_back_as_it_was, open_db, close_db),
        cmocka_unit_test_setup_teardown(rows_and_position_are_one_commit, open_db, close_db),
        cmocka_unit_test_setup_teardown(a_replay_changes_nothing, open_db, close_db),
        cmocka_unit_test_setup_teardown(no_rows_still_move_the_position, open_db, close_db),
        cmocka_unit_test_setup_teardown(two_writers_are_both_kept, open_db, close_db),
        cmocka_unit_test_setup_teardown(of_two_with_the_same_position_one_wins, open_db, close_db),
        cmocka_unit_test_setup_teardown(a_table_of_another_shape_is_not_taken_over, open_db, close_db),
        cmocka_unit_test_setup_teardown(rows_of_another_shape_are_refused, open_db, close_db),
        cmocka_unit_test_setup_teardown(replacing_is_one_version_and_the_old_one_can_be_read, open_db,
                                        close_db),
        cmocka_unit_test_setup_teardown(a_file_without_a_commit_is_no_row, open_db, close_db),
        cmocka_unit_test_setup_teardown(a_failed_select_leaves_nothing, open_db, close_db),
        cmocka_unit_test_setup_teardown(a_list_and_a_history_tell_what_happened, open_db, close_db),
    };

    return cmocka_run_group_tests_name("table/commit", tests, NULL, NULL);
}
