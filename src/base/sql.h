/* sql.h - the one place that talks to DuckDB (sql.c and sql_feed.c, nobody else).
 *
 * A sql_db is an in-memory database with a memory limit, spilling to a folder of its own; a sql is a connection.
 * Extensions are never installed or loaded from outside, and the configuration is locked. The session's time zone
 * is UTC.
 *
 * Errors: ERR_INVALID with DuckDB's message as the note; ERR_NO_MEMORY when the limit is reached; ERR_IO.
 * Threads: a connection and its results belong to one thread at a time; a sql_db to all. */
#ifndef BASE_SQL_H
#define BASE_SQL_H

#include "base/bytes.h"

struct sql_db;
struct sql;
struct sql_result;

struct sql_options {
    const char *temp_dir;      /* for spilling; made and emptied here; NULL: no spilling */
    size_t memory_limit_bytes; /* 0: 1 GiB */
    int threads;               /* 0: as many as processors */
};

enum err sql_db_open(struct sql_db **out, const struct sql_options *options);
void sql_db_close(struct sql_db *db); /* after its connections; accepts NULL */
enum err sql_open(struct sql **out, struct sql_db *db);
void sql_close(struct sql *sql); /* accepts NULL */

/* Run one or more statements for their effect. */
enum err sql_run(struct sql *sql, const char *text);
enum err sql_runf(struct sql *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Run one statement and keep its rows. The caller gives *out back with sql_result_free(). */
enum err sql_query(struct sql *sql, struct sql_result **out, const char *text);
enum err sql_queryf(struct sql *sql, struct sql_result **out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Run `first`, then `then`, which reads the first's rows as pinrail_rows() (columns c0, c1, ...), and keep the rows of
 * `then`: for statements that cannot stand in a FROM clause, such as COPY. */
enum err sql_query_then(struct sql *sql, struct sql_result **out, const char *first, const char *then);
void sql_result_free(struct sql_result *result); /* accepts NULL */
/* Ask a running statement on that connection to stop (any thread). */
void sql_interrupt(struct sql *sql);

size_t sql_rows(const struct sql_result *result);
size_t sql_columns(const struct sql_result *result);
const char *sql_column_name(const struct sql_result *result, size_t column);
const char *sql_column_type(const struct sql_result *result,
                            size_t column); /* DuckDB's name: "BIGINT", ... */
bool sql_is_null(const struct sql_result *result, size_t row, size_t column);
/* A cell as text, as DuckDB casts it to VARCHAR; "" for NULL. Valid as long as the result. */
struct bytes sql_text(const struct sql_result *result, size_t row, size_t column);
/* A cell as a number; 0 for NULL or what is no number. */
int64_t sql_integer(const struct sql_result *result, size_t row, size_t column);
double sql_double(const struct sql_result *result, size_t row, size_t column);

/* 'text' with its quotes doubled, for putting into a statement. Appended to `out`. */
enum err sql_quote(struct bytes text, struct buf *out);

/* Rows from C: a table function that pulls chunks from `pull` until it gives no more. A feed belongs to the connection
 * that defined it: two connections may each have a feed of the same name, and each reads its own.
 *
 * `start` is called once when a statement begins to read, before its first `pull`, so that a feed may be read again
 * from its first row. `pull` fills up to SQL_FEED_CHUNK_ROWS rows of `chunk` and returns how many; 0 ends,
 * SQL_FEED_FAILED fails the statement with err_sentence() of that thread. It is called from one of DuckDB's threads
 * at a time per feed when `parallel` is 1, and rows keep their order then; else from up to `parallel` at once. Every
 * cell of a row is given by sql_feed_text(), sql_feed_integer() or sql_feed_null(); text is copied and must be UTF-8
 * (a BLOB need not). Columns that a statement does not read are not made: sql_feed_wants() is false for them, and
 * setting them does nothing. */
struct sql_feed_column {
    const char *name;
    enum {
        SQL_FEED_TEXT,
        SQL_FEED_INTEGER,   /* BIGINT */
        SQL_FEED_INT,       /* INTEGER */
        SQL_FEED_TIMESTAMP, /* TIMESTAMP WITH TIME ZONE, as microseconds since 1970 */
        SQL_FEED_BLOB,
    } type;
};
struct sql_feed_chunk; /* the vectors of one chunk */
enum { SQL_FEED_CHUNK_ROWS = 2048 };
#define SQL_FEED_FAILED SIZE_MAX
struct sql_feed {
    const struct sql_feed_column *columns;
    size_t column_count;
    int parallel;
    void (*start)(void *arg); /* may be NULL */
    size_t (*pull)(void *arg, struct sql_feed_chunk *chunk);
    void *arg;
};
/* Make `name()` a table function of this connection with the feed's columns (64 at most); a later call with the same
 * name replaces the feed, and one with a NULL feed forgets it. The feed's memory must outlive that. ERR_INVALID. */
enum err sql_feed_define(struct sql *sql, const char *name, const struct sql_feed *feed);
bool sql_feed_wants(const struct sql_feed_chunk *chunk, size_t column);
void sql_feed_text(struct sql_feed_chunk *chunk, size_t column, size_t row, struct bytes text);
void sql_feed_integer(struct sql_feed_chunk *chunk, size_t column, size_t row, int64_t value);
void sql_feed_null(struct sql_feed_chunk *chunk, size_t column, size_t row);

#endif
