/* checkpoint.c - a snapshot as Parquet, so that nobody has to read a log from its beginning.
 *
 * <version>.checkpoint.parquet has one row an action and a column a kind, of which one is not null:
 *
 *     txn struct | add struct | remove struct | metaData struct | protocol struct
 *
 * It is written after its commit, under a temporary name first. Losing one loses time only, so whatever is wrong with
 * one is said and the one before it is read. DuckDB writes and reads the structs; actions go in and come out as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/trace.h"
#include "table/delta.h"

enum { ACTION_BYTES_MOST = 64 << 20 };

static const char *const action_names[] = {"txn", "add", "remove", "metaData", "protocol"};
enum { ACTION_COUNT = sizeof(action_names) / sizeof(action_names[0]) };

/* ---- reading ---- */

/* A null in a Parquet column is a field that is not there in JSON. Statistics as columns (stats_parsed) repeat the text
 * ones. */
static void tidy(json_t *action)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(action, next, key, value)
    {
        if (json_is_null(value) || strcmp(key, "stats_parsed") == 0 ||
            strcmp(key, "partitionValues_parsed") == 0)
            json_object_del(action, key);
    }
}

/* read_parquet([...]) of the checkpoint's files, appended. */
static enum err add_source(const char *log_dir, int64_t version, int parts, struct buf *out)
{
    struct buf path = buf_init(8192);
    enum err err = buf_add_text(out, "read_parquet([");

    for (int part = 1; part <= (parts ? parts : 1) && !err; part++) {
        buf_clear(&path);
        err = parts ? buf_printf(&path, "%s/%020lld.checkpoint.%010d.%010d.parquet", log_dir,
                                 (long long)version, part, parts)
                    : buf_printf(&path, "%s/%020lld.checkpoint.parquet", log_dir, (long long)version);
        if (!err && part > 1)
            err = buf_add_char(out, ',');
        if (!err)
            err = sql_quote(buf_bytes(&path), out);
    }
    buf_release(&path);
    return err ? err : buf_add_text(out, "], union_by_name = true)");
}

static enum err apply_row(struct snapshot *snapshot, const struct sql_result *result, size_t row)
{
    for (size_t column = 0; column < sql_columns(result); column++) {
        json_t *action = NULL;
        if (sql_is_null(result, row, column))
            continue;
        enum err err = json_doc_parse(&action, sql_text(result, row, column));
        if (err)
            return err;
        tidy(action);
        err = snapshot_apply(snapshot, sql_column_name(result, column), action);
        json_decref(action);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* SELECT to_json(txn) AS txn, ... of those columns that the files have, appended. */
static enum err add_select(struct sql *sql, const char *source, struct buf *out)
{
    struct sql_result *columns = NULL;
    enum err err = sql_queryf(sql, &columns, "DESCRIBE SELECT * FROM %s", source);
    bool any = false;

    if (!err)
        err = buf_add_text(out, "SELECT ");
    for (size_t i = 0; !err && i < sql_rows(columns); i++)
        for (size_t kind = 0; kind < ACTION_COUNT && !err; kind++)
            if (bytes_equal(sql_text(columns, i, 0), bytes_of_text(action_names[kind]))) {
                err = buf_printf(out, "%sto_json(\"%s\") AS \"%s\"", any ? ", " : "", action_names[kind],
                                 action_names[kind]);
                any = true;
            }
    sql_result_free(columns);
    if (!err && !any)
        err = err_note(ERR_CORRUPT, "none of its columns is a kind of action");
    return err ? err : buf_printf(out, " FROM %s", source);
}

enum err checkpoint_read(struct snapshot *snapshot, struct sql *sql, const char *log_dir, int64_t version,
                         int parts)
{
    struct buf source = buf_init(64 << 20), select = buf_init(65 << 20);
    struct sql_result *result = NULL;
    enum err err = add_source(log_dir, version, parts, &source);

    if (!err && !buf_text(&source))
        err = ERR_FULL;
    if (!err)
        err = add_select(sql, (const char *)source.at, &select);
    if (!err)
        err = buf_text(&select) ? sql_query(sql, &result, (const char *)select.at) : ERR_FULL;
    for (size_t row = 0; !err && row < sql_rows(result); row++)
        err = apply_row(snapshot, result, row);
    if (!err && (!snapshot->protocol || !snapshot->meta))
        err = err_note(ERR_CORRUPT, "it has no protocol or no metaData");
    snapshot->version = snapshot->checkpoint = version;
    sql_result_free(result);
    buf_release(&select);
    buf_release(&source);
    return err;
}

/* ---- writing ---- */

/* The actions of a snapshot, one JSON object a row. */
struct actions {
    struct snapshot *snapshot;
    size_t kind; /* of action_names */
    void *at;    /* where in that kind's object */
    struct buf text;
};

static json_t *actions_of(const struct snapshot *snapshot, size_t kind)
{
    return kind == 0 ? snapshot->txns : kind == 1 ? snapshot->adds : snapshot->removes;
}

/* The next action and its kind's name; NULL at the end. */
static const json_t *next_action(struct actions *actions, const char **name)
{
    for (; actions->kind < 3; actions->kind++, actions->at = NULL) {
        json_t *of = actions_of(actions->snapshot, actions->kind);
        actions->at = actions->at ? json_object_iter_next(of, actions->at) : json_object_iter(of);
        if (actions->at) {
            *name = action_names[actions->kind];
            return json_object_iter_value(actions->at);
        }
    }
    if (actions->kind >= ACTION_COUNT)
        return NULL;
    *name = action_names[actions->kind];
    return actions->kind++ == 3 ? actions->snapshot->meta : actions->snapshot->protocol;
}

static void actions_start(void *arg)
{
    struct actions *actions = arg;

    actions->kind = 0;
    actions->at = NULL;
}

static size_t actions_pull(void *arg, struct sql_feed_chunk *chunk)
{
    struct actions *actions = arg;
    const json_t *action;
    const char *name;
    size_t rows = 0;

    while (rows < SQL_FEED_CHUNK_ROWS && (action = next_action(actions, &name))) {
        buf_clear(&actions->text);
        if (buf_printf(&actions->text, "{\"%s\":", name) || json_doc_write(action, &actions->text) ||
            buf_add_char(&actions->text, '}')) {
            err_note(ERR_FULL, "an action of the table's log is too large");
            return SQL_FEED_FAILED;
        }
        sql_feed_text(chunk, 0, rows++, buf_bytes(&actions->text));
    }
    return rows;
}

/* Which removed files are named no longer. */
static void forget_old_removes(struct snapshot *snapshot)
{
    int64_t before_ms = clock_wall_ms() - TOMBSTONE_MS;
    const char *path;
    json_t *remove;
    void *next;

    json_object_foreach_safe(snapshot->removes, next, path, remove)
    {
        if (json_integer_value(json_object_get(remove, "deletionTimestamp")) < before_ms)
            json_object_del(snapshot->removes, path);
    }
}

static enum err write_parquet(struct snapshot *snapshot, struct sql *sql, const char *path)
{
    static const char types[] =
        "{\"txn\":{\"appId\":\"VARCHAR\",\"version\":\"BIGINT\",\"lastUpdated\":\"BIGINT\"},"
        "\"add\":{\"path\":\"VARCHAR\",\"partitionValues\":\"MAP(VARCHAR, VARCHAR)\",\"size\":\"BIGINT\","
        "\"modificationTime\":\"BIGINT\",\"dataChange\":\"BOOLEAN\",\"stats\":\"VARCHAR\","
        "\"tags\":\"MAP(VARCHAR, VARCHAR)\"},"
        "\"remove\":{\"path\":\"VARCHAR\",\"deletionTimestamp\":\"BIGINT\",\"dataChange\":\"BOOLEAN\","
        "\"extendedFileMetadata\":\"BOOLEAN\",\"partitionValues\":\"MAP(VARCHAR, "
        "VARCHAR)\",\"size\":\"BIGINT\"},"
        "\"metaData\":{\"id\":\"VARCHAR\",\"name\":\"VARCHAR\",\"description\":\"VARCHAR\","
        "\"format\":{\"provider\":\"VARCHAR\",\"options\":\"MAP(VARCHAR, "
        "VARCHAR)\"},\"schemaString\":\"VARCHAR\","
        "\"partitionColumns\":[\"VARCHAR\"],\"configuration\":\"MAP(VARCHAR, "
        "VARCHAR)\",\"createdTime\":\"BIGINT\"},"
        "\"protocol\":{\"minReaderVersion\":\"INTEGER\",\"minWriterVersion\":\"INTEGER\","
        "\"readerFeatures\":[\"VARCHAR\"],\"writerFeatures\":[\"VARCHAR\"]}}";
    static const struct sql_feed_column columns[] = {{"action", SQL_FEED_TEXT}};
    struct actions actions = {.snapshot = snapshot, .text = buf_init(ACTION_BYTES_MOST)};
    struct sql_feed feed = {columns, 1, 1, actions_start, actions_pull, &actions};
    struct buf quoted = buf_init(8192);
    enum err err = sql_quote(bytes_of_text(path), &quoted);

    if (!err)
        err = buf_text(&quoted) ? sql_feed_define(sql, "pinrail_actions", &feed) : ERR_FULL;
    if (!err) {
        err = sql_runf(sql,
                       "COPY (SELECT unnest(from_json(action, '%s')) FROM pinrail_actions()) TO %s "
                       "(FORMAT parquet, COMPRESSION snappy)",
                       types, (const char *)quoted.at);
        sql_feed_define(sql, "pinrail_actions", NULL);
    }
    buf_release(&quoted);
    buf_release(&actions.text);
    return err;
}

static enum err write_hint(const struct snapshot *snapshot, struct disk *disk, const char *log_dir)
{
    size_t adds = json_object_size(snapshot->adds);
    size_t rows = adds + json_object_size(snapshot->removes) + json_object_size(snapshot->txns) + 2;
    struct buf path = buf_init(8192), text = buf_init(256);
    enum err err = buf_printf(&path, "%s/_last_checkpoint", log_dir);

    if (!err)
        err = buf_printf(&text, "{\"version\":%lld,\"size\":%zu,\"numOfAddFiles\":%zu}",
                         (long long)snapshot->version, rows, adds);
    if (!err)
        err = buf_text(&path) ? disk_write_file(disk, (const char *)path.at, buf_bytes(&text)) : ERR_FULL;
    buf_release(&path);
    buf_release(&text);
    return err;
}

enum err checkpoint_write(struct snapshot *snapshot, struct disk *disk, struct sql *sql, const char *log_dir)
{
    char temporary[4096], path[4096];
    enum err err;

    if (snprintf(temporary, sizeof(temporary), "%s/.%lld.%d.checkpoint.tmp", log_dir,
                 (long long)snapshot->version, (int)getpid()) >= (int)sizeof(temporary) ||
        snprintf(path, sizeof(path), "%s/%020lld.checkpoint.parquet", log_dir,
                 (long long)snapshot->version) >= (int)sizeof(path))
        return err_note(ERR_TOO_LARGE, "folder name %s is too long", log_dir);
    forget_old_removes(snapshot);
    err = write_parquet(snapshot, sql, temporary);
    if (!err)
        err = disk_sync_path(disk, temporary);
    if (!err)
        err = disk_rename(disk, temporary, path);
    if (!err)
        err = disk_sync_dir(disk, log_dir);
    if (err) {
        disk_remove(disk, temporary);
        return err;
    }
    snapshot->checkpoint = snapshot->version;
    return write_hint(snapshot, disk, log_dir);
}
