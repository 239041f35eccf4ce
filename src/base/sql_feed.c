/* sql_feed.c - rows from C: table functions that pull their chunks from a feed.
 *
 * The function belongs to the database and is made at the first definition of its name by any connection; which feed it
 * reads, its bind step finds by the connection that asks. */
#include <assert.h>
#include <stdlib.h>

#include "base/sql_duckdb.h"

enum { FEED_COLUMNS_MOST = 64 };

/* A column that the statement does not read has no vector, and what the feed says for it is dropped. */
struct sql_feed_chunk {
    const struct sql_feed *feed;
    struct {
        duckdb_vector vector;
        void *data;
        uint64_t *validity; /* NULL until the first null */
    } columns[FEED_COLUMNS_MOST];
};

struct feed_scan {
    const struct sql_feed *feed;
    idx_t count;
    idx_t wanted[FEED_COLUMNS_MOST];
};

static void feed_bind(duckdb_bind_info info)
{
    static const duckdb_type types[] = {
        [SQL_FEED_TEXT] = DUCKDB_TYPE_VARCHAR, [SQL_FEED_INTEGER] = DUCKDB_TYPE_BIGINT,
        [SQL_FEED_INT] = DUCKDB_TYPE_INTEGER,  [SQL_FEED_TIMESTAMP] = DUCKDB_TYPE_TIMESTAMP_TZ,
        [SQL_FEED_BLOB] = DUCKDB_TYPE_BLOB,
    };
    struct feed_function *function = duckdb_bind_get_extra_info(info);
    const struct sql_feed *feed = NULL;
    struct sql *sql;

    pthread_mutex_lock(&function->db->lock);
    sql = sql_of_bind(function->db, info);
    for (struct feed_slot *slot = sql ? sql->feeds : NULL; slot; slot = slot->next)
        if (strcmp(slot->name, function->name) == 0)
            feed = slot->feed;
    pthread_mutex_unlock(&function->db->lock);
    if (!feed) {
        duckdb_bind_set_error(info, "this connection has no such feed");
        return;
    }
    for (size_t i = 0; i < feed->column_count; i++) {
        duckdb_logical_type type = duckdb_create_logical_type(types[feed->columns[i].type]);
        duckdb_bind_add_result_column(info, feed->columns[i].name, type);
        duckdb_destroy_logical_type(&type);
    }
    duckdb_bind_set_bind_data(info, (void *)(uintptr_t)feed, NULL);
}

static void feed_init(duckdb_init_info info)
{
    struct feed_scan *scan = calloc(1, sizeof(*scan));

    if (!scan) {
        duckdb_init_set_error(info, "out of memory");
        return;
    }
    scan->feed = duckdb_init_get_bind_data(info);
    scan->count = duckdb_init_get_column_count(info);
    assert(scan->count <= FEED_COLUMNS_MOST);
    for (idx_t i = 0; i < scan->count; i++)
        scan->wanted[i] = duckdb_init_get_column_index(info, i);
    duckdb_init_set_max_threads(info, scan->feed->parallel > 1 ? (idx_t)scan->feed->parallel : 1);
    duckdb_init_set_init_data(info, scan, free);
    if (scan->feed->start)
        scan->feed->start(scan->feed->arg);
}

static void feed_pull(duckdb_function_info info, duckdb_data_chunk output)
{
    const struct feed_scan *scan = duckdb_function_get_init_data(info);
    struct sql_feed_chunk chunk = {.feed = scan->feed};
    size_t rows;

    for (idx_t i = 0; i < scan->count; i++) {
        idx_t column = scan->wanted[i];
        if (column >= scan->feed->column_count) /* a row number, asked for by count(*) */
            continue;
        chunk.columns[column].vector = duckdb_data_chunk_get_vector(output, i);
        chunk.columns[column].data = duckdb_vector_get_data(chunk.columns[column].vector);
    }
    rows = scan->feed->pull(scan->feed->arg, &chunk);
    if (rows == SQL_FEED_FAILED) {
        duckdb_function_set_error(info, err_sentence());
        return;
    }
    assert(rows <= SQL_FEED_CHUNK_ROWS);
    duckdb_data_chunk_set_size(output, rows);
}

bool sql_feed_wants(const struct sql_feed_chunk *chunk, size_t column)
{
    assert(column < chunk->feed->column_count);
    return chunk->columns[column].vector;
}

void sql_feed_text(struct sql_feed_chunk *chunk, size_t column, size_t row, struct bytes text)
{
    if (chunk->columns[column].vector)
        duckdb_vector_assign_string_element_len(chunk->columns[column].vector, row, (const char *)text.at,
                                                text.size);
}

void sql_feed_integer(struct sql_feed_chunk *chunk, size_t column, size_t row, int64_t value)
{
    if (!chunk->columns[column].vector)
        return;
    if (chunk->feed->columns[column].type == SQL_FEED_INT)
        ((int32_t *)chunk->columns[column].data)[row] = (int32_t)value;
    else
        ((int64_t *)chunk->columns[column].data)[row] = value;
}

void sql_feed_null(struct sql_feed_chunk *chunk, size_t column, size_t row)
{
    duckdb_vector vector = chunk->columns[column].vector;

    if (!vector)
        return;
    if (!chunk->columns[column].validity) {
        duckdb_vector_ensure_validity_writable(vector);
        chunk->columns[column].validity = duckdb_vector_get_validity(vector);
    }
    duckdb_validity_set_row_invalid(chunk->columns[column].validity, row);
}

/* The database's function of that name, made at its first use by any connection. */
static enum err feed_function_define(struct sql *sql, const char *name)
{
    struct feed_function *function;
    enum err err;

    for (function = sql->db->functions; function; function = function->next)
        if (strcmp(function->name, name) == 0)
            return ERR_OK;
    function = calloc(1, sizeof(*function));
    if (!function || !(function->name = strdup(name))) {
        free(function);
        return ERR_NO_MEMORY;
    }
    function->db = sql->db;
    err = sql_register_function(sql, name, function, feed_bind, feed_init, feed_pull, true);
    if (err) {
        free(function->name);
        free(function);
        return err;
    }
    function->next = sql->db->functions;
    sql->db->functions = function;
    return ERR_OK;
}

enum err sql_feed_define(struct sql *sql, const char *name, const struct sql_feed *feed)
{
    struct feed_slot *slot;
    enum err err;

    assert(!feed || (feed->column_count > 0 && feed->column_count <= FEED_COLUMNS_MOST));
    pthread_mutex_lock(&sql->db->lock);
    err = feed_function_define(sql, name);
    if (err)
        goto out;
    for (slot = sql->feeds; slot && strcmp(slot->name, name) != 0;)
        slot = slot->next;
    if (!slot) {
        err = ERR_NO_MEMORY;
        slot = calloc(1, sizeof(*slot));
        if (!slot || !(slot->name = strdup(name))) {
            free(slot);
            goto out;
        }
        slot->next = sql->feeds;
        sql->feeds = slot;
    }
    slot->feed = feed;
    err = ERR_OK;
out:
    pthread_mutex_unlock(&sql->db->lock);
    return err;
}
