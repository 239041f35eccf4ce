/* sql_duckdb.h - what sql.c and sql_feed.c share; nobody else knows DuckDB. */
#ifndef BASE_SQL_DUCKDB_H
#define BASE_SQL_DUCKDB_H

#include <duckdb.h>
#include <pthread.h>

#include "base/sql.h"

struct feed_slot {
    struct feed_slot *next;
    char *name;
    const struct sql_feed *feed;
};

struct sql {
    struct sql_db *db;
    struct sql *next;
    duckdb_connection connection;
    idx_t id;
    duckdb_result *casting; /* what pinrail_rows() gives on this connection now */
    struct feed_slot *feeds;
};

/* A feed function that is registered; `db` first finds the connection, then the connection's feed of that name. */
struct feed_function {
    struct feed_function *next;
    struct sql_db *db;
    char *name;
};

struct sql_db {
    duckdb_database database;
    pthread_mutex_t lock; /* for the lists, and what stands in their members */
    struct sql *connections;
    struct feed_function *functions;
};

/* The connection a bind step runs for, or NULL; the database's lock is held. */
struct sql *sql_of_bind(struct sql_db *db, duckdb_bind_info info);
/* Make name() a table function of the database; `extra` is what its steps get with duckdb_*_get_extra_info(). */
enum err sql_register_function(struct sql *sql, const char *name, void *extra,
                               duckdb_table_function_bind_t bind, duckdb_table_function_init_t init,
                               duckdb_table_function_t pull, bool projection);

#endif
