/* sql.c - DuckDB behind sql.h: databases, connections, statements, results as text.
 *
 * A table function of ours, pinrail_rows(), gives the rows of a finished statement back to DuckDB, so that DuckDB itself
 * casts every type to VARCHAR. That works for any statement, also those that cannot stand in a FROM clause.
 *
 * A function belongs to the whole database, what it reads to one connection: the bind step finds the connection by
 * its id in the database's list. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/sql_duckdb.h"

enum { WAIT_NS_LEAST = 20000, WAIT_NS_MOST = 500000 };

struct sql_result {
    duckdb_result result; /* kept: chunks may point into it */
    bool held;            /* `result` must be destroyed */
    size_t rows, columns, chunk_count, chunk_room;
    char **names, **types;
    duckdb_data_chunk *chunks;
    size_t *starts; /* the row each chunk begins with */
};

/* ---- errors ---- */

static enum err err_of(duckdb_error_type type)
{
    switch (type) {
    case DUCKDB_ERROR_OUT_OF_MEMORY:
        return ERR_NO_MEMORY;
    case DUCKDB_ERROR_IO:
        return ERR_IO;
    case DUCKDB_ERROR_INTERRUPT:
        return ERR_STOPPED;
    default:
        return ERR_INVALID;
    }
}

/* Work on a statement until it is done. When all that is left of it is in other threads' hands, wait a little: DuckDB's
 * own loop asks again at once, which takes a whole processor from the threads that it waits for. */
static void work_on(duckdb_pending_result pending)
{
    long wait_ns = WAIT_NS_LEAST;

    for (;;) {
        duckdb_pending_state state = duckdb_pending_execute_task(pending);
        if (duckdb_pending_execution_is_finished(state))
            return;
        if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE) {
            nanosleep(&(struct timespec){0, wait_ns}, NULL);
            wait_ns = wait_ns * 2 < WAIT_NS_MOST ? wait_ns * 2 : WAIT_NS_MOST;
        } else {
            wait_ns = WAIT_NS_LEAST;
        }
    }
}

/* Run a text of one statement with work_on(). False: it was not tried, because the text holds another number of
 * statements, or none that can be prepared. */
static bool run_one(struct sql *sql, const char *text, duckdb_result *result, duckdb_state *state)
{
    duckdb_extracted_statements statements = NULL;
    duckdb_prepared_statement prepared = NULL;
    duckdb_pending_result pending = NULL;
    bool tried =
        duckdb_extract_statements(sql->connection, text, &statements) == 1 &&
        duckdb_prepare_extracted_statement(sql->connection, statements, 0, &prepared) == DuckDBSuccess &&
        duckdb_pending_prepared(prepared, &pending) == DuckDBSuccess;

    if (tried) {
        work_on(pending);
        *state = duckdb_execute_pending(pending, result);
    }
    duckdb_destroy_pending(&pending);
    duckdb_destroy_prepare(&prepared);
    duckdb_destroy_extracted(&statements);
    return tried;
}

static enum err run_raw(struct sql *sql, const char *text, duckdb_result *result)
{
    duckdb_state state;
    enum err err = ERR_OK;

    if (!run_one(sql, text, result, &state))
        state = duckdb_query(sql->connection, text, result); /* and it says what is wrong, if so */
    if (state == DuckDBError) {
        const char *message = duckdb_result_error(result);
        err = err_note(err_of(duckdb_result_error_type(result)), "%s", message ? message : "SQL failed");
        duckdb_destroy_result(result);
    }
    return err;
}

/* ---- databases and connections ---- */

/* DuckDB leaves its spill files behind when the process is killed. Only names it gives are removed, so that a folder
 * that is used for something else too loses nothing. */
static enum err empty_temp_dir(const char *path)
{
    char part[PATH_MAX];
    size_t size = strlen(path);
    struct dirent *entry;
    DIR *dir;

    if (size == 0 || size >= sizeof(part))
        return err_note(ERR_INVALID, "folder name for spilled rows is empty or too long");
    memcpy(part, path, size + 1);
    for (char *at = part + 1; at <= part + size; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(part, 0750) != 0 && errno != EEXIST)
            return err_note(ERR_IO, "cannot make folder %s: %s", part, strerror(errno));
        *at = kept;
    }
    dir = opendir(path);
    if (!dir)
        return err_note(ERR_IO, "cannot list folder %s: %s", path, strerror(errno));
    while ((entry = readdir(dir)))
        if (strncmp(entry->d_name, "duckdb_temp_", 12) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    return ERR_OK;
}

static enum err set_up(duckdb_config config, const struct sql_options *options)
{
    char memory[32], threads[16];
    struct {
        const char *name, *value;
    } settings[] = {
        {"memory_limit", memory},
        {"temp_directory", options->temp_dir ? options->temp_dir : ""},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"preserve_insertion_order", "false"}, /* else a feed's rows go to Parquet by one thread */
        {"threads", threads},
    };
    size_t count = sizeof(settings) / sizeof(settings[0]) - (options->threads > 0 ? 0 : 1);
    size_t limit = options->memory_limit_bytes ? options->memory_limit_bytes : (size_t)1 << 30;

    snprintf(memory, sizeof(memory), "%zuB", limit);
    snprintf(threads, sizeof(threads), "%d", options->threads);
    for (size_t i = 0; i < count; i++)
        if (duckdb_set_config(config, settings[i].name, settings[i].value) == DuckDBError)
            return err_note(ERR_INVALID, "DuckDB does not take %s = %s", settings[i].name, settings[i].value);
    return ERR_OK;
}

static enum err rows_define(struct sql *sql);

enum err sql_db_open(struct sql_db **out, const struct sql_options *options)
{
    struct sql_db *db = calloc(1, sizeof(*db));
    duckdb_config config = NULL;
    struct sql *sql = NULL;
    char *message = NULL;
    enum err err = ERR_NO_MEMORY;

    if (!db || duckdb_create_config(&config) == DuckDBError)
        goto out;
    pthread_mutex_init(&db->lock, NULL);
    err = options->temp_dir ? empty_temp_dir(options->temp_dir) : ERR_OK;
    if (err)
        goto out;
    err = set_up(config, options);
    if (err)
        goto out;
    if (duckdb_open_ext(NULL, &db->database, config, &message) == DuckDBError) {
        err = err_note(ERR_INVALID, "cannot open DuckDB: %s", message ? message : "no reason given");
        goto out;
    }
    err = sql_open(&sql, db);
    if (err)
        goto out;
    err = rows_define(sql);
    if (err)
        goto out;
    /* A zone of the machine must not change what a cast of a timestamp gives. */
    err = sql_run(sql, "SET GLOBAL TimeZone = 'UTC'; SET GLOBAL lock_configuration = true");
    if (err)
        goto out;
    *out = db;
    db = NULL;
out:
    sql_close(sql);
    if (config)
        duckdb_destroy_config(&config);
    duckdb_free(message);
    sql_db_close(db);
    return err;
}

void sql_db_close(struct sql_db *db)
{
    if (!db)
        return;
    assert(!db->connections);
    if (db->database)
        duckdb_close(&db->database);
    while (db->functions) {
        struct feed_function *function = db->functions;
        db->functions = function->next;
        free(function->name);
        free(function);
    }
    pthread_mutex_destroy(&db->lock);
    free(db);
}

enum err sql_open(struct sql **out, struct sql_db *db)
{
    struct sql *sql = calloc(1, sizeof(*sql));
    duckdb_client_context context;

    if (!sql)
        return ERR_NO_MEMORY;
    if (duckdb_connect(db->database, &sql->connection) == DuckDBError) {
        free(sql);
        return err_note(ERR_NO_MEMORY, "cannot open a DuckDB connection");
    }
    duckdb_connection_get_client_context(sql->connection, &context);
    sql->id = duckdb_client_context_get_connection_id(context);
    duckdb_destroy_client_context(&context);
    sql->db = db;
    pthread_mutex_lock(&db->lock);
    sql->next = db->connections;
    db->connections = sql;
    pthread_mutex_unlock(&db->lock);
    *out = sql;
    return ERR_OK;
}

void sql_close(struct sql *sql)
{
    if (!sql)
        return;
    duckdb_disconnect(&sql->connection);
    pthread_mutex_lock(&sql->db->lock);
    for (struct sql **at = &sql->db->connections; *at; at = &(*at)->next)
        if (*at == sql) {
            *at = sql->next;
            break;
        }
    pthread_mutex_unlock(&sql->db->lock);
    while (sql->feeds) {
        struct feed_slot *slot = sql->feeds;
        sql->feeds = slot->next;
        free(slot->name);
        free(slot);
    }
    free(sql);
}

struct sql *sql_of_bind(struct sql_db *db, duckdb_bind_info info)
{
    duckdb_client_context context;
    struct sql *sql = db->connections;

    duckdb_table_function_get_client_context(info, &context);
    idx_t id = duckdb_client_context_get_connection_id(context);
    duckdb_destroy_client_context(&context);
    while (sql && sql->id != id)
        sql = sql->next;
    return sql;
}

/* ---- statements ---- */

enum err sql_run(struct sql *sql, const char *text)
{
    duckdb_result result;
    enum err err = run_raw(sql, text, &result);

    if (!err)
        duckdb_destroy_result(&result);
    return err;
}

enum err sql_runf(struct sql *sql, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    enum err err;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    err = text ? sql_run(sql, text) : ERR_NO_MEMORY;
    free(text);
    return err;
}

enum err sql_queryf(struct sql *sql, struct sql_result **out, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    enum err err;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    err = text ? sql_query(sql, out, text) : ERR_NO_MEMORY;
    free(text);
    return err;
}

void sql_interrupt(struct sql *sql)
{
    duckdb_interrupt(sql->connection);
}

enum err sql_quote(struct bytes text, struct buf *out)
{
    enum err err = buf_add_char(out, '\'');

    for (size_t i = 0; i < text.size && !err; i++) {
        if (text.at[i] == '\'')
            err = buf_add_char(out, '\'');
        if (!err)
            err = buf_add_char(out, (char)text.at[i]);
    }
    return err ? err : buf_add_char(out, '\'');
}

/* ---- results ---- */

static enum err keep_chunks(struct sql_result *result)
{
    duckdb_data_chunk chunk;

    while ((chunk = duckdb_fetch_chunk(result->result))) {
        if (result->chunk_count == result->chunk_room) {
            size_t room = result->chunk_room ? result->chunk_room * 2 : 4;
            duckdb_data_chunk *chunks = realloc(result->chunks, room * sizeof(*chunks));
            if (chunks)
                result->chunks = chunks;
            size_t *starts = realloc(result->starts, room * sizeof(*starts));
            if (starts)
                result->starts = starts;
            if (!chunks || !starts) {
                duckdb_destroy_data_chunk(&chunk);
                return ERR_NO_MEMORY;
            }
            result->chunk_room = room;
        }
        result->chunks[result->chunk_count] = chunk;
        result->starts[result->chunk_count++] = result->rows;
        result->rows += duckdb_data_chunk_get_size(chunk);
    }
    return ERR_OK;
}

/* The name of a type without parameters; NULL for the others. */
static const char *plain_type_name(duckdb_type type)
{
    switch (type) {
    case DUCKDB_TYPE_BOOLEAN:
        return "BOOLEAN";
    case DUCKDB_TYPE_INTEGER:
        return "INTEGER";
    case DUCKDB_TYPE_BIGINT:
        return "BIGINT";
    case DUCKDB_TYPE_HUGEINT:
        return "HUGEINT";
    case DUCKDB_TYPE_DOUBLE:
        return "DOUBLE";
    case DUCKDB_TYPE_DATE:
        return "DATE";
    case DUCKDB_TYPE_TIMESTAMP:
        return "TIMESTAMP";
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        return "TIMESTAMP WITH TIME ZONE";
    case DUCKDB_TYPE_BLOB:
        return "BLOB";
    case DUCKDB_TYPE_VARCHAR:
        return "VARCHAR";
    default:
        return NULL;
    }
}

/* JSON is a VARCHAR by another name. */
static bool has_other_name(duckdb_result *of, size_t column)
{
    duckdb_logical_type type = duckdb_column_logical_type(of, column);
    char *alias = duckdb_logical_type_get_alias(type);
    bool has = alias && *alias;

    duckdb_free(alias);
    duckdb_destroy_logical_type(&type);
    return has;
}

static enum err copy_names(struct sql_result *result, duckdb_result *of)
{
    result->columns = duckdb_column_count(of);
    result->names = calloc(result->columns + 1, sizeof(char *));
    result->types = calloc(result->columns + 1, sizeof(char *));
    if (!result->names || !result->types)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < result->columns; i++) {
        const char *name = duckdb_column_name(of, i);
        result->names[i] = strdup(name ? name : "");
        if (!result->names[i])
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static enum err copy_types(struct sql *sql, struct sql_result *result, duckdb_result *of)
{
    struct sql_result described = {0};
    bool plain = true;
    enum err err = ERR_OK;

    for (size_t i = 0; i < result->columns; i++) {
        const char *name = has_other_name(of, i) ? NULL : plain_type_name(duckdb_column_type(of, i));
        result->types[i] = name ? strdup(name) : NULL;
        plain = plain && result->types[i];
    }
    if (plain)
        return ERR_OK;
    err = run_raw(sql, "DESCRIBE SELECT * FROM pinrail_rows()", &described.result);
    if (err)
        return err;
    err = keep_chunks(&described);
    for (size_t i = 0; i < result->columns && i < described.rows && !err; i++) {
        struct bytes name = sql_text(&described, i, 1);
        if (!result->types[i])
            result->types[i] = strndup((const char *)name.at, name.size);
        if (!result->types[i])
            err = ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < described.chunk_count; i++)
        duckdb_destroy_data_chunk(&described.chunks[i]);
    free(described.chunks);
    free(described.starts);
    duckdb_destroy_result(&described.result);
    return err;
}

static void set_casting(struct sql *sql, duckdb_result *casting)
{
    pthread_mutex_lock(&sql->db->lock);
    sql->casting = casting;
    pthread_mutex_unlock(&sql->db->lock);
}

static bool is_all_text(duckdb_result *result)
{
    for (idx_t i = 0; i < duckdb_column_count(result); i++)
        if (duckdb_column_type(result, i) != DUCKDB_TYPE_VARCHAR)
            return false;
    return true;
}

/* The rows of `typed`, which is destroyed here, as text. */
static enum err result_of(struct sql *sql, struct sql_result **out, duckdb_result *typed)
{
    struct sql_result *result = calloc(1, sizeof(*result));
    enum err err = result ? copy_names(result, typed) : ERR_NO_MEMORY;

    set_casting(sql, typed);
    if (err || result->columns == 0)
        goto out;
    err = copy_types(sql, result, typed);
    if (err)
        goto out;
    if (is_all_text(typed)) {
        result->result = *typed;
        *typed = (duckdb_result){0};
    } else {
        err = run_raw(sql, "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM pinrail_rows()", &result->result);
        if (err)
            goto out;
    }
    result->held = true;
    err = keep_chunks(result);
out:
    set_casting(sql, NULL);
    duckdb_destroy_result(typed);
    if (err) {
        sql_result_free(result);
        return err;
    }
    *out = result;
    return ERR_OK;
}

enum err sql_query(struct sql *sql, struct sql_result **out, const char *text)
{
    duckdb_result typed;
    enum err err = run_raw(sql, text, &typed);

    return err ? err : result_of(sql, out, &typed);
}

enum err sql_query_then(struct sql *sql, struct sql_result **out, const char *first, const char *then)
{
    duckdb_result rows, typed;
    enum err err = run_raw(sql, first, &rows);

    if (err)
        return err;
    set_casting(sql, &rows);
    err = run_raw(sql, then, &typed);
    set_casting(sql, NULL);
    duckdb_destroy_result(&rows);
    return err ? err : result_of(sql, out, &typed);
}

void sql_result_free(struct sql_result *result)
{
    if (!result)
        return;
    for (size_t i = 0; i < result->chunk_count; i++)
        duckdb_destroy_data_chunk(&result->chunks[i]);
    for (size_t i = 0; i < result->columns && result->names; i++)
        free(result->names[i]);
    for (size_t i = 0; i < result->columns && result->types; i++)
        free(result->types[i]);
    if (result->held)
        duckdb_destroy_result(&result->result);
    free(result->names);
    free(result->types);
    free(result->chunks);
    free(result->starts);
    free(result);
}

size_t sql_rows(const struct sql_result *result)
{
    return result->rows;
}

size_t sql_columns(const struct sql_result *result)
{
    return result->columns;
}

const char *sql_column_name(const struct sql_result *result, size_t column)
{
    assert(column < result->columns);
    return result->names[column];
}

const char *sql_column_type(const struct sql_result *result, size_t column)
{
    assert(column < result->columns);
    return result->types[column];
}

/* The vector a cell is in; *row becomes the row in it. */
static duckdb_vector vector_of(const struct sql_result *result, size_t *row, size_t column)
{
    size_t low = 0, high = result->chunk_count;

    assert(*row < result->rows);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (result->starts[middle] <= *row)
            low = middle;
        else
            high = middle;
    }
    *row -= result->starts[low];
    return duckdb_data_chunk_get_vector(result->chunks[low], column);
}

bool sql_is_null(const struct sql_result *result, size_t row, size_t column)
{
    duckdb_vector vector = vector_of(result, &row, column);
    uint64_t *validity = duckdb_vector_get_validity(vector);

    return validity && !duckdb_validity_row_is_valid(validity, row);
}

struct bytes sql_text(const struct sql_result *result, size_t row, size_t column)
{
    if (sql_is_null(result, row, column))
        return BYTES("");
    duckdb_vector vector = vector_of(result, &row, column);
    duckdb_string_t *strings = duckdb_vector_get_data(vector);
    return bytes_of(duckdb_string_t_data(&strings[row]), duckdb_string_t_length(strings[row]));
}

/* Numbers are read from their text, which is exact for every type; cells are few. */
static const char *number_text(const struct sql_result *result, size_t row, size_t column, char at[64])
{
    struct bytes text = sql_text(result, row, column);
    size_t size = text.size < 63 ? text.size : 63;

    memcpy(at, text.at, size);
    at[size] = '\0';
    return at;
}

int64_t sql_integer(const struct sql_result *result, size_t row, size_t column)
{
    char text[64];
    char *end;

    errno = 0;
    long long value = strtoll(number_text(result, row, column, text), &end, 10);
    if (errno || (*end != '\0' && *end != '.' && *end != 'e'))
        return 0;
    return *end ? (int64_t)strtod(text, NULL) : value;
}

double sql_double(const struct sql_result *result, size_t row, size_t column)
{
    char text[64];
    char *end;
    double value = strtod(number_text(result, row, column, text), &end);

    return *end ? 0 : value;
}

/* ---- table functions ---- */

enum err sql_register_function(struct sql *sql, const char *name, void *extra,
                               duckdb_table_function_bind_t bind, duckdb_table_function_init_t init,
                               duckdb_table_function_t pull, bool projection)
{
    duckdb_table_function function = duckdb_create_table_function();
    duckdb_state state;

    duckdb_table_function_set_name(function, name);
    duckdb_table_function_set_extra_info(function, extra, NULL);
    duckdb_table_function_set_bind(function, bind);
    duckdb_table_function_set_init(function, init);
    duckdb_table_function_set_function(function, pull);
    duckdb_table_function_supports_projection_pushdown(function, projection);
    state = duckdb_register_table_function(sql->connection, function);
    duckdb_destroy_table_function(&function);
    if (state == DuckDBError)
        return err_note(ERR_INVALID, "DuckDB does not take the table function %s()", name);
    return ERR_OK;
}

/* pinrail_rows(): chunks go through as they are; nothing is copied. */

struct rows_scan {
    duckdb_result *result;
    duckdb_data_chunk chunk; /* the one given last: what was made of it may still point into it */
};

static void rows_scan_free(void *at)
{
    struct rows_scan *scan = at;

    if (scan->chunk)
        duckdb_destroy_data_chunk(&scan->chunk);
    free(scan);
}

static void rows_bind(duckdb_bind_info info)
{
    struct sql_db *db = duckdb_bind_get_extra_info(info);
    struct sql *sql;
    duckdb_result *result;
    char name[32];

    pthread_mutex_lock(&db->lock);
    sql = sql_of_bind(db, info);
    result = sql ? sql->casting : NULL;
    pthread_mutex_unlock(&db->lock);
    if (!result) {
        duckdb_bind_set_error(info, "pinrail_rows() is for pinrail's own use");
        return;
    }
    for (idx_t i = 0; i < duckdb_column_count(result); i++) {
        duckdb_logical_type type = duckdb_column_logical_type(result, i);
        snprintf(name, sizeof(name), "c%llu", (unsigned long long)i);
        duckdb_bind_add_result_column(info, name, type);
        duckdb_destroy_logical_type(&type);
    }
    duckdb_bind_set_bind_data(info, result, NULL);
}

static void rows_init(duckdb_init_info info)
{
    struct rows_scan *scan = calloc(1, sizeof(*scan));

    if (!scan) {
        duckdb_init_set_error(info, "out of memory");
        return;
    }
    scan->result = duckdb_init_get_bind_data(info);
    duckdb_init_set_max_threads(info, 1);
    duckdb_init_set_init_data(info, scan, rows_scan_free);
}

static void rows_pull(duckdb_function_info info, duckdb_data_chunk output)
{
    struct rows_scan *scan = duckdb_function_get_init_data(info);

    if (scan->chunk)
        duckdb_destroy_data_chunk(&scan->chunk);
    scan->chunk = duckdb_fetch_chunk(*scan->result);
    if (!scan->chunk) {
        duckdb_data_chunk_set_size(output, 0);
        return;
    }
    for (idx_t i = 0; i < duckdb_data_chunk_get_column_count(scan->chunk); i++)
        duckdb_vector_reference_vector(duckdb_data_chunk_get_vector(output, i),
                                       duckdb_data_chunk_get_vector(scan->chunk, i));
    duckdb_data_chunk_set_size(output, duckdb_data_chunk_get_size(scan->chunk));
}

static enum err rows_define(struct sql *sql)
{
    return sql_register_function(sql, "pinrail_rows", sql->db, rows_bind, rows_init, rows_pull, false);
}
