/* Records to committed rows. What could go wrong: a row twice or lost when a batch is replayed (whole, cut elsewhere, after
 * a crash between the two commits), when two flows bring the same records at once, or when partitions of one batch are
 * at different places; a row set aside that stops the others; a batch without good rows that never gets past itself.
 * After each, the tables are read from the disk and every offset is counted. */
#include <pthread.h>

#include "table_helpers.h"

#include "clean/clean.h"

enum { RECORDS_MOST = 400 };
static struct config *config;
static char values[RECORDS_MOST][160];
static struct raw_record records[RECORDS_MOST];

static int open_all(void **state)
{
    static char dir[300];
    const char *flags[] = {"data.dir", dir, "lakehouse.threads", "2"};

    if (open_db(state))
        return -1;
    snprintf(dir, sizeof(dir), "%s", test_dir);
    return config_load(&config, "/dev/null", flags, 2) ? -1 : 0;
}

static int close_all(void **state)
{
    config_free(config);
    return close_db(state);
}

/* Records of `partition` from `first` to before `end`, behind the `count` there are; every tenth offset is not good. */
static size_t add_records(size_t count, int32_t partition, int64_t first, int64_t end)
{
    for (int64_t offset = first; offset < end; offset++, count++) {
        assert_true(count < RECORDS_MOST);
        int size = snprintf(values[count], sizeof(values[count]),
                            "{\"ind\":%lld,\"first_name\":\"A\",\"last_name\":\"B\",\"age\":%s,"
                            "\"date_joined\":\"2017-01-02T03:04:05\"}",
                            (long long)(partition * 1000 + offset), offset % 10 == 9 ? "\"old\"" : "30");
        records[count] = (struct raw_record){bytes_of(values[count], (size_t)size), partition, offset};
    }
    return count;
}

static struct flow *open_flow(void)
{
    struct flow *flow = NULL;

    ok(flow_open(&flow, config, disk_real(), db, "user", "demo_user_table"));
    return flow;
}

static struct flow_result commit(struct flow *flow, size_t count)
{
    struct flow_result result;

    ok(flow_commit(flow, "demo.user", records, count, "WRITE", &result));
    return result;
}

/* Rows of a table by `condition`, read from the disk. */
static int64_t rows_of(const char *name, const char *condition)
{
    struct table *table = open_table(name);
    char expression[300];

    snprintf(expression, sizeof(expression), "count(*) FILTER (%s)", condition);
    int64_t rows = table_version(table) < 0 ? 0 : ask_table(table, -1, expression);
    table_close(table);
    return rows;
}

/* `good` and `aside` rows in all, each of another offset. */
static void check_rows(int64_t good, int64_t aside)
{
    struct table *table = open_table("demo_user_table"), *quarantine = open_table("demo_quarantine");

    assert_int_equal(table_version(table) < 0 ? 0 : ask_table(table, -1, "count(*)"), good);
    assert_int_equal(
        table_version(table) < 0 ? 0 : ask_table(table, -1, "count(DISTINCT (_partition, _offset))"), good);
    assert_int_equal(table_version(quarantine) < 0 ? 0 : ask_table(quarantine, -1, "count(*)"), aside);
    assert_int_equal(table_version(quarantine) < 0
                         ? 0
                         : ask_table(quarantine, -1, "count(DISTINCT (_partition, _offset))"),
                     aside);
    table_close(table);
    table_close(quarantine);
}

static void good_rows_and_rows_aside_are_all_there(void **state)
{
    struct flow *flow = open_flow();
    struct flow_result result;

    assert_int_equal(flow_position(flow, "demo.user", 0), 0);
    result = commit(flow, add_records(0, 0, 0, 100));
    assert_int_equal(result.rows, 90);
    assert_int_equal(result.aside, 10);
    assert_int_equal(result.version, 0);
    assert_true(result.bytes > 0);
    assert_int_equal(flow_position(flow, "demo.user", 0), 100);
    check_rows(90, 10);
    assert_int_equal(rows_of("demo_quarantine",
                             "_topic = 'demo.user' AND entity = 'user' AND contains(reason, 'age') AND "
                             "decode(original) LIKE '%\"old\"%' AND _offset % 10 = 9"),
                     10);
    flow_close(flow);
}

static void a_replay_adds_nothing_and_an_overlap_only_what_is_new(void **state)
{
    struct flow *flow = open_flow();
    struct flow_result result;
    size_t count = add_records(0, 0, 0, 100);

    commit(flow, count);
    result = commit(flow, count);
    assert_int_equal(result.rows + result.aside, 0);
    assert_int_equal(result.version, 0);
    result = commit(flow, add_records(0, 0, 50, 150));
    assert_int_equal(result.rows, 45);
    assert_int_equal(result.aside, 5);
    check_rows(135, 15);
    flow_close(flow);
}

static void partitions_go_on_each_from_its_place(void **state)
{
    struct flow *flow = open_flow();
    size_t count;

    commit(flow, add_records(0, 0, 0, 50));
    count = add_records(0, 1, 0, 30);
    count = add_records(count, 0, 40, 60);
    count = add_records(count, 1, 30, 40);
    commit(flow, count);
    check_rows(54 + 36, 6 + 4);
    assert_int_equal(flow_position(flow, "demo.user", 0), 60);
    assert_int_equal(flow_position(flow, "demo.user", 1), 40);
    assert_int_equal(flow_position(flow, "demo.other", 1), 0);
    flow_close(flow);
}

/* Nothing good in it: the position must move all the same. */
static void a_batch_without_good_rows_is_got_past(void **state)
{
    struct flow *flow = open_flow();
    size_t count = 0;

    for (int64_t offset = 9; offset < 100; offset += 10)
        count = add_records(count, 0, offset, offset + 1);
    struct flow_result result = commit(flow, count);
    assert_int_equal(result.rows, 0);
    assert_int_equal(result.aside, 10);
    assert_int_equal(flow_position(flow, "demo.user", 0), 100);
    check_rows(0, 10);
    flow_close(flow);
}

/* A crash after the quarantine's commit: the clean commit is taken away, as if it had never been, and the batch is
 * replayed by a new process, longer and cut elsewhere. */
static void a_crash_between_the_two_commits_adds_nothing_twice(void **state)
{
    struct flow *flow = open_flow();

    commit(flow, add_records(0, 0, 0, 55));
    flow_close(flow);
    ok(disk_remove(disk_real(), below("demo_user_table/_delta_log/%020d.json", 0)));
    check_rows(0, 5);
    flow = open_flow();
    assert_int_equal(flow_position(flow, "demo.user", 0), 0);
    commit(flow, add_records(0, 0, 0, 20));
    check_rows(18, 5);
    commit(flow, add_records(0, 0, 20, 100));
    check_rows(90, 10);
    flow_close(flow);
}

static void whoever_comes_second_goes_on_with_the_rest(void **state)
{
    struct flow *left = open_flow(), *right = open_flow();
    struct flow_result result;

    commit(left, add_records(0, 0, 0, 60));
    assert_int_equal(flow_position(right, "demo.user", 0), 0); /* it has not looked yet */
    result = commit(right, add_records(0, 0, 0, 100));
    assert_int_equal(result.rows, 36);
    assert_int_equal(result.version, 1);
    check_rows(90, 10);
    flow_close(left);
    flow_close(right);
}

static void *commit_all(void *arg)
{
    struct flow *flow = open_flow();

    for (int64_t end = 20; end <= 200; end += 20) {
        struct flow_result result;
        ok(flow_commit(flow, "demo.user", records, (size_t)end, "STREAMING UPDATE", &result));
    }
    flow_close(flow);
    return NULL;
}

/* The same records by four at once, in small steps: conflicts at every step, each row once. */
static void many_at_once_make_each_row_once(void **state)
{
    pthread_t threads[4];

    add_records(0, 0, 0, 200);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, commit_all, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    check_rows(180, 20);
}

/* ---- the views ---- */

static int64_t ask_view(bool settled, const char *query)
{
    ok(settled ? table_views_settled(sql, config, disk_real()) : table_views(sql, config, disk_real()));
    return ask(query);
}

static void views_show_a_key_once_and_the_first_wins(void **state)
{
    struct table *table = open_table("demo_pin_table");
    struct table_commit done;

    /* Key 1 twice in one file and once in a later one with a lower offset; 2 at one offset of two topics; 3 once. */
    ok(table_append(table, sql,
                    "SELECT * FROM (VALUES (1, 'second', 'demo.pin', 0, 5::BIGINT), (1, 'third', 'demo.pin', "
                    "1, 5::BIGINT), "
                    "(3, 'only', 'demo.pin', 0, 6::BIGINT)) t(ind, what, _topic, _partition, _offset)",
                    NULL, 0, "WRITE", &done));
    ok(table_append(
        table, sql,
        "SELECT * FROM (VALUES (1, 'first', 'demo.pin', 2, 1::BIGINT), (2, 'a', 'a', 0, 9::BIGINT), "
        "(2, 'b', 'b', 0, 9::BIGINT), (4, NULL, 'b', 0, 10::BIGINT), (4, 'not first', 'b', 0, 11::BIGINT)) "
        "t(ind, what, _topic, _partition, _offset)",
        NULL, 0, "WRITE", &done));
    for (int settled = 0; settled < 2; settled++) {
        assert_int_equal(ask_view(settled, "SELECT count(*) FROM demo_pin_table"), 8);
        assert_int_equal(ask_view(settled, "SELECT count(*) FROM pin"), 4);
        assert_int_equal(ask_view(settled, "SELECT count(*) FROM pin WHERE what IN ('first', 'a', 'only')"),
                         3);
        assert_int_equal(ask_view(settled, "SELECT count(*) FROM pin WHERE ind = 4 AND what IS NULL"), 1);
        assert_int_equal(ask_view(settled, "SELECT count(*) FROM duckdb_columns() WHERE table_name = 'pin'"),
                         2);
    }
    /* A view is of its moment; the next call sees what came since. */
    ok(table_append(table, sql,
                    "SELECT 0 AS _partition, 0::BIGINT AS _offset, 'x' AS _topic, 3 AS ind, 'newest' AS what",
                    NULL, 0, "WRITE", &done));
    assert_int_equal(ask("SELECT count(*) FROM pin WHERE what = 'newest'"), 0);
    assert_int_equal(ask_view(true, "SELECT count(*) FROM pin WHERE what = 'newest'"), 1);
    table_close(table);
}

static void streams_and_other_tables_have_views_too(void **state)
{
    struct table *stream = open_table("demo_user_stream"), *other = open_table("some table");
    struct table_commit done;

    ok(table_append(stream, sql,
                    "SELECT i % 10 AS ind, 'x' AS _topic, 0 AS _partition, i AS _offset FROM range(20) t(i)",
                    NULL, 0, "WRITE", &done));
    ok(table_append(other, sql, "SELECT 7 AS a", NULL, 0, "WRITE", &done));
    write_log("broken", 0, "{]");
    assert_int_equal(ask_view(false, "SELECT count(*) FROM user_stream"), 10);
    assert_int_equal(ask_view(false, "SELECT a FROM \"some table\""), 7);
    table_close(stream);
    table_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_rows_and_rows_aside_are_all_there, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_replay_adds_nothing_and_an_overlap_only_what_is_new, open_all,
                                        close_all),
        cmocka_unit_test_setup_teardown(partitions_go_on_each_from_its_place, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_batch_without_good_rows_is_got_past, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_crash_between_the_two_commits_adds_nothing_twice, open_all,
                                        close_all),
        cmocka_unit_test_setup_teardown(whoever_comes_second_goes_on_with_the_rest, open_all, close_all),
        cmocka_unit_test_setup_teardown(many_at_once_make_each_row_once, open_all, close_all),
        cmocka_unit_test_setup_teardown(views_show_a_key_once_and_the_first_wins, open_all, close_all),
        cmocka_unit_test_setup_teardown(streams_and_other_tables_have_views_too, open_all, close_all),
    };

    return cmocka_run_group_tests_name("table/flow", tests, NULL, NULL);
}
