/* commit.c - new rows: a Parquet file, then the commit that makes it count.
 *
 * DuckDB writes the file under a name that nobody else will ever use; until a commit names it, no reader sees it, and a
 * crash leaves a stray file and the table as it was. The commit is put only if its version is absent. If another
 * writer was first, its commits are read, and what we have still holds unless one of our applications is now at or
 * past the version we bring: then these rows are in the table already (ERR_CONFLICT). Otherwise the same actions are
 * put as the next version, as often as it takes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/trace.h"
#include "table/delta.h"

/* A random UUID (version 4). */
static enum err make_uuid(char out[UUID_TEXT_BYTES])
{
    uint8_t b[16];

    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        return err_note(ERR_IO, "no random bytes: %s", strerror(errno));
    b[6] = (uint8_t)(0x40 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    snprintf(out, UUID_TEXT_BYTES, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
    return ERR_OK;
}

/* ---- the file ---- */

/* COPY (SELECT "a", CAST("t" AS TIMESTAMP WITH TIME ZONE) AS "t", ... FROM (select)) TO path: columns in the table's
 * order, and exactly of its types. */
static enum err add_copy(const json_t *schema, const char *select, struct bytes path, struct buf *out)
{
    const json_t *field;
    size_t i;
    enum err err = buf_add_text(out, "COPY (SELECT ");

    json_array_foreach(schema_fields(schema), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        const char *type = json_string_value(json_object_get(field, "type"));
        bool cast = type && strcmp(type, "timestamp") == 0; /* a TIMESTAMP without a zone is UTC */
        if (!err && i > 0)
            err = buf_add_text(out, ", ");
        if (!err && cast)
            err = buf_add_text(out, "CAST(");
        if (!err)
            err = schema_quote_name(name, out);
        if (!err && cast)
            err = buf_add_text(out, " AS TIMESTAMP WITH TIME ZONE) AS ");
        if (!err && cast)
            err = schema_quote_name(name, out);
    }
    if (!err)
        err = buf_printf(out, " FROM (%s\n)) TO ", select);
    if (!err)
        err = sql_quote(path, out);
    return err ? err
               : buf_add_text(out, " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, RETURN_STATS)");
}

/* Make the file durable: its bytes, then its name. */
static enum err sync_file(struct table *table, const char *path)
{
    enum err err = disk_sync_path(table->disk, path);

    return err ? err : disk_sync_dir(table->disk, table->dir);
}

static enum err make_add(const char *name, int64_t bytes, struct buf *stats, struct plan *plan)
{
    plan->add = json_pack("{s:s, s:{}, s:I, s:I, s:b, s:s%}", "path", name, "partitionValues", "size",
                          (json_int_t)bytes, "modificationTime", (json_int_t)clock_wall_ms(), "dataChange", 1,
                          "stats", (const char *)stats->at, stats->size);
    return plan->add ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for a commit");
}

static enum err write_file(struct table *table, struct sql *sql, const char *select, struct plan *plan)
{
    struct buf copy = buf_init(64 << 20), stats = buf_init(16 << 20);
    char uuid[UUID_TEXT_BYTES], name[80], path[4096];
    struct sql_result *result = NULL;
    struct written_file file;
    bool written = false;
    enum err err = make_uuid(uuid);

    if (err)
        return err;
    snprintf(name, sizeof(name), "part-00000-%s.zstd.parquet", uuid);
    snprintf(path, sizeof(path), "%s/%s", table->dir, name);
    err = disk_make_dirs(table->disk, table->log_dir);
    if (!err)
        err = add_copy(plan->schema, select, bytes_of_text(path), &copy);
    if (!err)
        err = buf_text(&copy) ? ERR_OK : ERR_FULL;
    if (err)
        goto out;
    written = true;
    err = sql_query_then(sql, &result, (const char *)copy.at, stats_select);
    if (!err)
        err = stats_read(result, plan->schema, &file, &stats);
    if (err || file.rows == 0)
        goto out;
    err = sync_file(table, path);
    if (!err)
        err = make_add(name, file.bytes, &stats, plan);
    plan->rows = file.rows;
    plan->bytes = file.bytes;
out:
    if (written && !plan->add)
        disk_remove(table->disk, path);
    sql_result_free(result);
    buf_release(&copy);
    buf_release(&stats);
    return err;
}

/* Nobody has seen the file; it may go. */
static void drop_file(struct table *table, struct plan *plan)
{
    struct buf path = buf_init(8192);

    if (plan->add &&
        add_file_path(table, json_string_value(json_object_get(plan->add, "path")), &path) == ERR_OK &&
        buf_text(&path))
        disk_remove(table->disk, (const char *)path.at);
    buf_release(&path);
}

/* ---- the commit's text ---- */

static enum err add_action(struct buf *out, const char *kind, const json_t *action)
{
    enum err err =
        action ? buf_printf(out, "{\"%s\":", kind) : err_note(ERR_NO_MEMORY, "out of memory for a commit");

    if (!err)
        err = json_doc_write(action, out);
    return err ? err : buf_add_text(out, "}\n");
}

static enum err add_new_action(struct buf *out, const char *kind, json_t *action)
{
    enum err err = add_action(out, kind, action);

    json_decref(action);
    return err;
}

static enum err add_commit_info(const struct table *table, const struct plan *plan, struct buf *out)
{
    char files[24], rows[24], bytes[24], removed[24];

    snprintf(files, sizeof(files), "%d", plan->add ? 1 : 0);
    snprintf(rows, sizeof(rows), "%lld", (long long)plan->rows);
    snprintf(bytes, sizeof(bytes), "%lld", (long long)plan->bytes);
    snprintf(removed, sizeof(removed), "%zu", plan->replace ? json_object_size(table->snapshot.adds) : 0);
    return add_new_action(out, "commitInfo",
                          json_pack("{s:I, s:s, s:{s:s}, s:s, s:b, s:{s:s, s:s, s:s, s:s}}", "timestamp",
                                    (json_int_t)clock_wall_ms(), "operation", plan->operation,
                                    "operationParameters", "mode", plan->replace ? "Overwrite" : "Append",
                                    "engineInfo", "pinrail/" PINRAIL_VERSION, "isBlindAppend", !plan->replace,
                                    "operationMetrics", "numFiles", files, "numOutputRows", rows,
                                    "numOutputBytes", bytes, "numRemovedFiles", removed));
}

/* Protocol and metaData: what version 0 must hold. */
static enum err add_birth(const struct plan *plan, struct buf *out)
{
    struct buf schema = buf_init(1 << 20);
    enum err err = add_new_action(out, "protocol",
                                  json_pack("{s:i, s:i}", "minReaderVersion", 1, "minWriterVersion", 2));

    if (!err)
        err = json_doc_write(plan->schema, &schema);
    if (!err)
        err = add_new_action(out, "metaData",
                             json_pack("{s:s, s:{s:s, s:{}}, s:s%, s:[], s:{}, s:I}", "id", plan->id,
                                       "format", "provider", "parquet", "options", "schemaString",
                                       (const char *)schema.at, schema.size, "partitionColumns",
                                       "configuration", "createdTime", (json_int_t)clock_wall_ms()));
    buf_release(&schema);
    return err;
}

static enum err add_removes(const struct table *table, struct buf *out)
{
    const char *path;
    json_t *add;
    enum err err = ERR_OK;

    json_object_foreach(table->snapshot.adds, path, add)
    {
        if (!err)
            err =
                add_new_action(out, "remove",
                               json_pack("{s:s, s:I, s:b, s:b, s:{}, s:O}", "path", path, "deletionTimestamp",
                                         (json_int_t)clock_wall_ms(), "dataChange", 1, "extendedFileMetadata",
                                         1, "partitionValues", "size", json_object_get(add, "size")));
    }
    return err;
}

static enum err write_text(const struct table *table, const struct plan *plan, struct buf *out)
{
    enum err err = add_commit_info(table, plan, out);

    if (!err && table->snapshot.version < 0)
        err = add_birth(plan, out);
    for (size_t i = 0; i < plan->txn_count && !err; i++)
        err = add_new_action(out, "txn",
                             json_pack("{s:s, s:I, s:I}", "appId", plan->txns[i].app, "version",
                                       (json_int_t)plan->txns[i].version, "lastUpdated",
                                       (json_int_t)clock_wall_ms()));
    if (!err && plan->replace)
        err = add_removes(table, out);
    if (!err && plan->add)
        err = add_action(out, "add", plan->add);
    return err;
}

/* ---- putting it ---- */

/* May the plan follow what is committed now? */
static enum err check_plan(const struct table *table, const struct plan *plan)
{
    enum err err = snapshot_check_writable(&table->snapshot, table->name, plan->replace);

    if (!err && table->snapshot.version >= 0)
        err = schema_check(table->snapshot.schema, plan->schema, table->name);
    for (size_t i = 0; i < plan->txn_count && !err; i++) {
        int64_t there = table_txn_version(table, plan->txns[i].app);
        if (there >= plan->txns[i].version)
            err = err_note(
                ERR_CONFLICT, "table %s is at %lld for %s already; rows up to %lld would be there twice",
                table->name, (long long)there, plan->txns[i].app, (long long)plan->txns[i].version);
    }
    return err;
}

/* One try. ERR_EXISTS: another writer was first. */
static enum err put_commit(struct table *table, const struct plan *plan)
{
    struct buf text = buf_init(COMMIT_BYTES_MOST);
    char path[4096];
    enum err err = write_text(table, plan, &text);

    if (!err)
        err = disk_put_new_file(table->disk, commit_path(table, table->snapshot.version + 1, path),
                                buf_bytes(&text));
    if (!err)
        err = snapshot_apply_commit(&table->snapshot, table->snapshot.version + 1, buf_bytes(&text), path);
    buf_release(&text);
    return err;
}

static void maybe_checkpoint(struct table *table)
{
    struct snapshot *snapshot = &table->snapshot;

    if (snapshot->version % COMMITS_PER_CHECKPOINT != 0 || snapshot->version == 0)
        return;
    if (checkpoint_write(snapshot, table->disk, table->sql, table->log_dir))
        trace_warn("table", "no checkpoint at version %lld of table %s: %s", (long long)snapshot->version,
                   table->name, err_sentence());
}

enum err plan_commit(struct plan *plan, struct table *table, struct table_commit *out)
{
    enum err err;

    *out = (struct table_commit){.version = -1};
    if (!plan->add && plan->txn_count == 0 && !plan->replace)
        return ERR_OK;
    do {
        err = check_plan(table, plan);
        if (err)
            return err;
        err = put_commit(table, plan);
        if (err == ERR_EXISTS) {
            err = table_refresh(table);
            if (!err)
                err = ERR_EXISTS;
        } else {
            /* After any other error the commit may be there all the same, so its file must stay; the next refresh
             * tells. */
            plan->put = true;
        }
    } while (err == ERR_EXISTS);
    if (err)
        return err;
    *out = (struct table_commit){table->snapshot.version, plan->rows, plan->bytes, plan->add ? 1 : 0};
    maybe_checkpoint(table);
    return ERR_OK;
}

enum err plan_write(struct plan *plan, struct table *table, struct sql *sql, const char *select)
{
    enum err err = make_uuid(plan->id);

    if (!err && !plan->schema)
        err = schema_of_select(&plan->schema, sql, select);
    if (!err && table->snapshot.version >= 0) {
        err = check_plan(table, plan);
        if (!err) { /* the table's order of columns */
            json_decref(plan->schema);
            plan->schema = json_incref(table->snapshot.schema);
        }
    }
    return err ? err : write_file(table, sql, select, plan);
}

void plan_release(struct plan *plan, struct table *table)
{
    if (plan->add && !plan->put)
        drop_file(table, plan);
    json_decref(plan->schema);
    json_decref(plan->add);
    *plan = (struct plan){0};
}

static enum err write_and_commit(struct table *table, struct sql *sql, const char *select, struct plan *plan,
                                 struct table_commit *out)
{
    enum err err = table_refresh(table);

    *out = (struct table_commit){.version = -1};
    if (!err)
        err = plan_write(plan, table, sql, select);
    if (!err)
        err = plan_commit(plan, table, out);
    plan_release(plan, table);
    return err;
}

enum err table_append(struct table *table, struct sql *sql, const char *select, const struct table_txn *txns,
                      size_t txn_count, const char *operation, struct table_commit *out)
{
    struct plan plan = {.operation = operation, .txns = txns, .txn_count = txn_count};

    return write_and_commit(table, sql, select, &plan, out);
}

enum err table_replace(struct table *table, struct sql *sql, const char *select, struct table_commit *out)
{
    struct plan plan = {.operation = "WRITE", .replace = true};

    return write_and_commit(table, sql, select, &plan, out);
}
