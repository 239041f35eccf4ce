/* table_helpers.h - what the tests of tables share: a folder of their own, a database, and asking one number. */
#ifndef TESTS_TABLE_HELPERS_H
#define TESTS_TABLE_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/trace.h"
#include "table/delta.h"

/* Like assert_int_equal(err, ERR_OK), with the sentence. */
#define ok(call)                                                                                             \
    do {                                                                                                     \
        enum err ok_err = (call);                                                                            \
        if (ok_err)                                                                                          \
            fail_msg("%s: %s (%s)", #call, err_name(ok_err), err_sentence());                                \
    } while (0)
#define fails(call, want, word)                                                                              \
    do {                                                                                                     \
        assert_int_equal(call, want);                                                                        \
        if (!strstr(err_sentence(), word))                                                                   \
            fail_msg("%s: the sentence does not say %s: %s", #call, word, err_sentence());                   \
    } while (0)

static char test_dir[256], tables_dir[300];
static struct sql_db *db;
static struct sql *sql;

static inline int open_db(void **state)
{
    const char *base = getenv("TMPDIR");
    struct sql_options options = {.threads = 2};

    snprintf(test_dir, sizeof(test_dir), "%s/pinrail-table-XXXXXX", base ? base : "/tmp");
    trace_set_level(TRACE_ERROR);
    if (!mkdtemp(test_dir))
        return -1;
    snprintf(tables_dir, sizeof(tables_dir), "%s/tables", test_dir);
    return sql_db_open(&db, &options) || sql_open(&sql, db) ? -1 : 0;
}

static inline int close_db(void **state)
{
    sql_close(sql);
    sql_db_close(db);
    return disk_remove_tree(disk_real(), test_dir) ? -1 : 0;
}

static inline struct table *open_table(const char *name)
{
    struct table *table = NULL;

    ok(table_open(&table, disk_real(), sql, tables_dir, name));
    return table;
}

static inline int64_t ask(const char *query)
{
    struct sql_result *result = NULL;

    ok(sql_query(sql, &result, query));
    assert_int_equal(sql_rows(result), 1);
    int64_t answer = sql_integer(result, 0, 0);
    sql_result_free(result);
    return answer;
}

/* `expression` over the rows that table_scan() gives at that version. */
static inline int64_t ask_table(struct table *table, int64_t version, const char *expression)
{
    struct buf query = buf_init(1 << 24);

    ok(buf_printf(&query, "SELECT %s FROM ", expression));
    ok(table_scan(table, version, &query));
    int64_t answer = ask(buf_text(&query));
    buf_release(&query);
    return answer;
}

/* A path below the test's tables, in one of four buffers. */
__attribute__((format(printf, 1, 2))) static inline const char *below(const char *format, ...)
{
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    int size = snprintf(path, 600, "%s/", tables_dir);
    va_list args;

    va_start(args, format);
    vsnprintf(path + size, 600 - (size_t)size, format, args);
    va_end(args);
    return path;
}

static inline void write_log(const char *table, int64_t version, const char *text)
{
    ok(disk_make_dirs(disk_real(), below("%s/_delta_log", table)));
    ok(disk_write_file(disk_real(), below("%s/_delta_log/%020lld.json", table, (long long)version),
                       bytes_of_text(text)));
}

#endif
