/* How results are printed. What could go wrong: JSON or CSV that a reader cannot take, a table wider than the terminal
 * or out of line because of wide characters, a text that steers the terminal, colour where NO_COLOR forbids it. Results
 * are printed into a file, and through a pseudo terminal of a known width, and compared as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"

static struct sql_db *db;
static struct sql *sql;

static int set_up(void **state)
{
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_int_equal(sql_db_open(&db, &(struct sql_options){.threads = 1}), ERR_OK);
    assert_int_equal(sql_open(&sql, db), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    sql_close(sql);
    sql_db_close(db);
    return 0;
}

static struct sql_result *ask(const char *text)
{
    struct sql_result *result = NULL;

    if (sql_query(sql, &result, text))
        fail_msg("%s", err_sentence());
    return result;
}

enum what { AS_TABLE = PRINT_TABLE, AS_CSV = PRINT_CSV, AS_JSON = PRINT_JSON, AS_BARS };

static void print_as(FILE *out, const struct sql_result *result, enum what what)
{
    enum err err =
        what == AS_BARS ? print_bars(out, result, 3) : print_result(out, result, (enum print_format)what);

    assert_int_equal(err, ERR_OK);
}

static void check_file(const char *query, enum what what, const char *want)
{
    struct sql_result *result = ask(query);
    char *text = NULL;
    size_t size = 0;
    FILE *out = tmpfile();

    assert_non_null(out);
    print_as(out, result, what);
    size = (size_t)ftell(out);
    rewind(out);
    text = calloc(1, size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, size, out), size);
    assert_string_equal(text, want);
    fclose(out);
    free(text);
    sql_result_free(result);
}

/* What a terminal of `width` columns gets. Results here are shorter than what a terminal buffers. */
static void check_terminal(const char *query, enum what what, int width, const char *want)
{
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)width};
    struct sql_result *result = ask(query);
    struct termios raw;
    char text[4000];
    int master, slave;
    size_t got = 0;
    ssize_t more;
    FILE *out;

    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    assert_int_equal(tcgetattr(slave, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
    out = fdopen(slave, "w");
    assert_non_null(out);
    print_as(out, result, what);
    assert_int_equal(fflush(out), 0);
    fclose(out); /* then the master's end is told by an error */
    while ((more = read(master, text + got, sizeof(text) - 1 - got)) > 0)
        got += (size_t)more;
    text[got] = 0;
    assert_string_equal(text, want);
    close(master);
    sql_result_free(result);
}

static void json_is_json(void **state)
{
    check_file(
        "SELECT 1 AS \"a\"\"b\", 1.50::DECIMAL(9,2) AS d, NULL AS n, true AS t, 'x\"\n' AS s, [1.5, NULL] AS "
        "l, "
        "'nan'::DOUBLE AS f, [[1],[2]] AS ll, ['a'] AS names, TIMESTAMPTZ '2020-01-02 03:04:05+00' AS w",
        AS_JSON,
        "{\"a\\\"b\":1,\"d\":1.50,\"n\":null,\"t\":true,\"s\":\"x\\\"\\n\",\"l\":[1.5,null],\"f\":null,"
        "\"ll\":[[1],[2]],\"names\":\"[a]\",\"w\":\"2020-01-02 03:04:05+00\"}\n");
    check_file("SELECT * FROM range(3) t(n)", AS_JSON, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
    check_file("SELECT 1 AS n WHERE false", AS_JSON, "");
}

static void csv_is_csv(void **state)
{
    check_file("SELECT 'a,b' AS \"x,y\", 'say \"hi\"' AS q, 'two\nlines' AS l, NULL AS n, '' AS e, ' s' AS "
               "s, 12 AS i",
               AS_CSV, "\"x,y\",q,l,n,e,s,i\n\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",,\"\",\" s\",12\n");
    check_file("SELECT 1 AS n WHERE false", AS_CSV, "n\n");
}

static void tables_are_in_line(void **state)
{
    check_file(
        "SELECT * FROM (VALUES ('é', 1), ('猫猫', 22), ('e\u0301x', NULL), ('plain', 333)) t(name, number)",
        AS_TABLE,
        "name   number\n"
        "─────  ──────\n"
        "é           1\n"
        "猫猫       22\n"
        "e\u0301x       null\n"
        "plain     333\n");
}

static void a_file_gets_long_cells_whole(void **state)
{
    struct sql_result *result = ask("SELECT repeat('x', 5000) AS long, 1 AS n UNION ALL SELECT 'y', 2");
    FILE *out = tmpfile();

    assert_non_null(out);
    print_as(out, result, AS_TABLE);
    assert_in_range(ftell(out), 5000, 6000); /* and the others are not filled up to 5000 */
    fclose(out);
    sql_result_free(result);
}

static void a_terminal_is_not_overrun(void **state)
{
    setenv("NO_COLOR", "1", 1);
    check_terminal(
        "SELECT 'abcdefghijklmnopqrstuvwxyz' AS text, 12345678 AS number, '猫猫猫猫猫猫猫猫' AS cats",
        AS_TABLE, 30,
        "text         number  cats\n"
        "─────────  ────────  ─────────\n"
        "abcdefgh…  12345678  猫猫猫猫…\n");
    unsetenv("NO_COLOR");
}

static void what_steers_a_terminal_is_shown_as_a_dot(void **state)
{
    setenv("NO_COLOR", "1", 1);
    check_terminal("SELECT 'a' || chr(27) || '[2Jb' || chr(10) || 'c' || chr(8238) || 'd' || chr(0) AS t",
                   AS_TABLE, 40, "t\n───────────\na·[2Jb c·d·\n");
    unsetenv("NO_COLOR");
}

static void colour_is_for_terminals_that_want_it(void **state)
{
    check_terminal("SELECT 1 AS n", AS_TABLE, 40, "\033[1mn\033[0m\n─\n1\n");
    setenv("NO_COLOR", "1", 1);
    check_terminal("SELECT 1 AS n", AS_TABLE, 40, "n\n─\n1\n");
    unsetenv("NO_COLOR");
    setenv("LC_ALL", "C", 1);
    check_file("SELECT 1 AS nn", AS_TABLE, "nn\n--\n 1\n");
    setenv("LC_ALL", "C.UTF-8", 1);
}

static void too_many_columns_become_lines(void **state)
{
    setenv("NO_COLOR", "1", 1);
    check_terminal("SELECT 1 AS first, 'abcdefghijklmnopqrstuvwxyz' AS second, 3 AS third, 4 AS fourth",
                   AS_TABLE, 20, "first   1\nsecond  abcdefghijk…\nthird   3\nfourth  4\n");
    unsetenv("NO_COLOR");
}

static void bars_have_their_share(void **state)
{
    setenv("NO_COLOR", "1", 1);
    check_terminal(
        "SELECT * FROM (VALUES ('a', 'x', 10), ('b', 'yy', 5), ('c', 'z', 0), ('d', 'z', 1)) t(g, h, n)",
        AS_BARS, 30,
        "a  x   10  ███████████████████\n"
        "b  yy   5  █████████▌\n"
        "c  z    0  \n"
        "and 1 more\n");
    unsetenv("NO_COLOR");
}

static void formats_have_names(void **state)
{
    enum print_format format;

    assert_int_equal(print_format_of("csv", &format), ERR_OK);
    assert_int_equal(format, PRINT_CSV);
    assert_int_equal(print_format_of("xml", &format), ERR_INVALID);
    assert_non_null(strstr(err_sentence(), "table, csv and json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_json),
        cmocka_unit_test(csv_is_csv),
        cmocka_unit_test(tables_are_in_line),
        cmocka_unit_test(a_file_gets_long_cells_whole),
        cmocka_unit_test(a_terminal_is_not_overrun),
        cmocka_unit_test(what_steers_a_terminal_is_shown_as_a_dot),
        cmocka_unit_test(colour_is_for_terminals_that_want_it),
        cmocka_unit_test(too_many_columns_become_lines),
        cmocka_unit_test(bars_have_their_share),
        cmocka_unit_test(formats_have_names),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
