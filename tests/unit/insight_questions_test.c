/* The questions. What could go wrong: a tie that loses a row, a null that wins, the upper middle for the lower, a user
 * of 25 or 50 in the wrong group, a group order that is only alphabetical, a file of the user's own that is passed over.
 * The built-in questions are asked of small tables on which each of these would show, and compared row by row with
 * answers worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "insight/insight.h"

static struct arena arena;
static struct sql_db *db;
static struct sql *sql;

/* post | country  year category followers poster | age joined
 *  1     A        2018 art      10        p        24  2015
 *  2     A        2018 quotes   null      q        25  2015      a tie of categories in A and in 2018; null followers
 *  3     B        2019 art      40        s        35  2016
 *  4     B        2019 null     40        r        36  2016      no category; a tie of followers in B
 *  5     B        2019 art      30        r        50  2016
 *  6     null     2019 quotes   99        t        51  2016      no country, but the most followers
 *  7     C        null art      40        p        17  null      no year; under 18; ties with B for the most followers
 *  8     -        -    art      20        u        24  2015      no geo row
 *  9     D        2020 -        -         -        30  2017      no pin */
static const char small_tables[] =
    "CREATE TABLE pin AS SELECT * FROM (VALUES (1, 'art', 10, 'p'), (2, 'quotes', NULL, 'q'), (3, 'art', 40, "
    "'s'), "
    "(4, NULL, 40, 'r'), (5, 'art', 30, 'r'), (6, 'quotes', 99, 't'), (7, 'art', 40, 'p'), (8, 'art', 20, "
    "'u')) "
    "t(ind, category, follower_count, poster_name);"
    "CREATE TABLE geo AS SELECT ind, country, make_timestamptz(y, 12, 31, 23, 59, 59.0) AS timestamp FROM "
    "(VALUES "
    "(1, 'A', 2018), (2, 'A', 2018), (3, 'B', 2019), (4, 'B', 2019), (5, 'B', 2019), (6, NULL, 2019), (7, "
    "'C', NULL), "
    "(9, 'D', 2020)) t(ind, country, y);"
    "CREATE TABLE user AS SELECT ind, age, make_timestamptz(y, 1, 1, 0, 0, 0.0) AS date_joined FROM (VALUES "
    "(1, 24, 2015), (2, 25, 2015), (3, 35, 2016), (4, 36, 2016), (5, 50, 2016), (6, 51, 2016), (7, 17, "
    "NULL), "
    "(8, 24, 2015), (9, 30, 2017)) t(ind, age, y);";

static int set_up(void **state)
{
    arena = arena_init(1 << 24);
    assert_int_equal(sql_db_open(&db, &(struct sql_options){.threads = 2}), ERR_OK);
    assert_int_equal(sql_open(&sql, db), ERR_OK);
    if (sql_run(sql, small_tables))
        fail_msg("%s", err_sentence());
    return 0;
}

static int tear_down(void **state)
{
    sql_close(sql);
    sql_db_close(db);
    arena_release(&arena);
    return 0;
}

static enum err list(const char *setting, const char *value, struct insight **out, size_t *count)
{
    const char *flags[] = {setting, value};
    struct config *config = NULL;
    enum err err;

    assert_int_equal(config_load(&config, "/dev/null", flags, 1), ERR_OK);
    err = insight_list(config, &arena, out, count);
    config_free(config);
    return err;
}

static const struct insight *built_in(const char *median, const char *name)
{
    struct insight *insights = NULL;
    size_t count = 0;

    assert_int_equal(list("insight.median", median, &insights, &count), ERR_OK);
    for (size_t i = 0; i < count; i++)
        if (strcmp(insights[i].name, name) == 0)
            return &insights[i];
    fail_msg("there is no question %s", name);
    return NULL;
}

static void the_questions_are_listed_in_order(void **state)
{
    static const char *const names[] = {
        "category_by_country",
        "category_by_year",
        "most_followed_by_country",
        "most_followed_country",
        "category_by_age_group",
        "median_followers_by_age_group",
        "users_joined_by_year",
        "median_followers_by_join_year",
        "median_followers_by_join_year_and_age_group",
    };
    struct insight *insights = NULL;
    size_t count = 0;

    assert_int_equal(list("user", "demo", &insights, &count), ERR_OK);
    assert_int_equal(count, sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(insights[i].name, names[i]);
        assert_int_equal(insights[i].title[strlen(insights[i].title) - 1], '?');
        assert_null(strstr(insights[i].sql, "{{"));
    }
}

/* Rows as "a|b|c\n...". */
static void check_answer(const char *median, const char *name, const char *columns, const char *want)
{
    const struct insight *insight = built_in(median, name);
    struct buf text = buf_init(1 << 20);
    struct sql_result *result = NULL;

    if (sql_query(sql, &result, insight->sql))
        fail_msg("%s: %s", name, err_sentence());
    for (size_t i = 0; i < sql_columns(result); i++)
        buf_printf(&text, "%s%s", i > 0 ? "|" : "", sql_column_name(result, i));
    assert_string_equal(buf_text(&text), columns);
    buf_clear(&text);
    for (size_t row = 0; row < sql_rows(result); row++)
        for (size_t i = 0; i < sql_columns(result); i++) {
            struct bytes cell = sql_text(result, row, i);
            buf_printf(&text, "%.*s%s", (int)cell.size, (const char *)cell.at,
                       i + 1 < sql_columns(result) ? "|" : "\n");
        }
    assert_string_equal(buf_text(&text), want);
    sql_result_free(result);
    buf_release(&text);
}

static void the_answers_are_those_worked_out_by_hand(void **state)
{
    check_answer("lower", "category_by_country", "country|category|category_count",
                 "A|art|1\nA|quotes|1\nB|art|2\nC|art|1\n");
    check_answer("lower", "category_by_year", "post_year|category|category_count",
                 "2018|art|1\n2018|quotes|1\n2019|art|2\n");
    check_answer("lower", "most_followed_by_country", "country|poster_name|follower_count",
                 "A|p|10\nB|r|40\nB|s|40\nC|p|40\n");
    check_answer("lower", "most_followed_country", "country|poster_name|follower_count", "B|r|40\n");
    check_answer("lower", "category_by_age_group", "age_group|category|category_count",
                 "18-24|art|2\n25-35|art|1\n25-35|quotes|1\n36-50|art|1\n+50|quotes|1\n");
    check_answer("lower", "median_followers_by_age_group", "age_group|median_follower_count",
                 "18-24|10\n25-35|40\n36-50|30\n+50|99\n");
    check_answer("lower", "users_joined_by_year", "join_year|number_users_joined",
                 "2015|3\n2016|4\n2017|1\n");
    check_answer("lower", "median_followers_by_join_year", "join_year|median_follower_count",
                 "2015|10\n2016|40\n");
    check_answer("lower", "median_followers_by_join_year_and_age_group",
                 "join_year|age_group|median_follower_count",
                 "2015|18-24|10\n2016|25-35|40\n2016|36-50|30\n2016|+50|99\n");
}

static void the_median_can_be_exact(void **state)
{
    check_answer("exact", "median_followers_by_age_group", "age_group|median_follower_count",
                 "18-24|15.0\n25-35|40.0\n36-50|35.0\n+50|99.0\n");
    check_answer("exact", "median_followers_by_join_year", "join_year|median_follower_count",
                 "2015|15.0\n2016|40.0\n");
}

/* ---- questions of the user's own ---- */

static void check_own(const char *name, const char *text, enum err want, const char *word)
{
    char dir[] = "/tmp/pinrail-insight-XXXXXX", path[128];
    struct insight *insights = NULL;
    size_t count = 0;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/insight", dir);
    assert_int_equal(disk_make_dirs(disk_real(), path), ERR_OK);
    snprintf(path, sizeof(path), "%s/insight/%s", dir, name);
    assert_int_equal(disk_write_file(disk_real(), path, bytes_of_text(text)), ERR_OK);
    snprintf(path, sizeof(path), "%s/insight/readme.txt", dir);
    assert_int_equal(disk_write_file(disk_real(), path, BYTES("no question")), ERR_OK);
    assert_int_equal(list("sql.dir", dir, &insights, &count), want);
    if (want == ERR_OK) {
        assert_int_equal(count, 1);
        assert_string_equal(insights[0].title, word);
        assert_string_equal(insights[0].sql + strlen(insights[0].sql) - 8, "SELECT 1");
    } else if (!strstr(err_sentence(), word)) {
        fail_msg("%s", err_sentence());
    }
    assert_int_equal(disk_remove_tree(disk_real(), dir), ERR_OK);
}

static void questions_of_ones_own_are_taken(void **state)
{
    check_own("07_mine.sql", "--   How many?\r\nSELECT 1 ; \n", ERR_OK, "How many?");
    check_own("mine.sql", "SELECT 1", ERR_OK, "mine");
    check_own("1 Mine.sql", "SELECT 1", ERR_INVALID, "NN_name.sql");
    check_own("07_.sql", "SELECT 1", ERR_INVALID, "NN_name.sql");
    check_own("07_mine.sql", "SELECT {{mean}}(1)", ERR_INVALID, "{{median}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_questions_are_listed_in_order),
        cmocka_unit_test(the_answers_are_those_worked_out_by_hand),
        cmocka_unit_test(the_median_can_be_exact),
        cmocka_unit_test(questions_of_ones_own_are_taken),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
