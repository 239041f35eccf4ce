/* table.c - opening a table and looking at it: its state at a version, its files as a FROM clause, its history. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/trace.h"
#include "table/delta.h"

enum { SCAN_BYTES_MOST = 256 << 20 };

/* ---- what is in a log folder ---- */

struct checkpoint_name {
    int64_t version;
    int parts, seen; /* 0 parts: the classic single file */
};

struct log_listing {
    int64_t *commits;
    size_t commit_count, commit_room;
    struct checkpoint_name *checkpoints;
    size_t checkpoint_count, checkpoint_room;
};

static void listing_release(struct log_listing *listing)
{
    free(listing->commits);
    free(listing->checkpoints);
}

static enum err room_for_one(void **at, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return ERR_OK;
    size_t more = *room ? *room * 2 : 64;
    void *grown = realloc(*at, more * size);
    if (!grown)
        return err_note(ERR_NO_MEMORY, "out of memory for the names of a table's log");
    *at = grown;
    *room = more;
    return ERR_OK;
}

static enum err see_checkpoint(struct log_listing *listing, int64_t version, int parts)
{
    struct checkpoint_name *checkpoint = listing->checkpoints;

    for (size_t i = 0; i < listing->checkpoint_count; i++, checkpoint++)
        if (checkpoint->version == version && checkpoint->parts == parts) {
            checkpoint->seen++;
            return ERR_OK;
        }
    enum err err = room_for_one((void **)&listing->checkpoints, listing->checkpoint_count,
                                &listing->checkpoint_room, sizeof(*listing->checkpoints));
    if (!err)
        listing->checkpoints[listing->checkpoint_count++] = (struct checkpoint_name){version, parts, 1};
    return err;
}

static enum err see_name(void *arg, const char *name)
{
    struct log_listing *listing = arg;
    int64_t version;
    int part, parts, used = 0;

    if (strspn(name, "0123456789") != 20 || sscanf(name, "%20" SCNd64, &version) != 1)
        return ERR_OK;
    name += 20;
    if (strcmp(name, ".json") == 0) {
        enum err err = room_for_one((void **)&listing->commits, listing->commit_count, &listing->commit_room,
                                    sizeof(*listing->commits));
        if (!err)
            listing->commits[listing->commit_count++] = version;
        return err;
    }
    if (strcmp(name, ".checkpoint.parquet") == 0)
        return see_checkpoint(listing, version, 0);
    if (sscanf(name, ".checkpoint.%10d.%10d.parquet%n", &part, &parts, &used) == 2 &&
        used == (int)strlen(name) && parts > 0 && part > 0 && part <= parts)
        return see_checkpoint(listing, version, parts);
    return ERR_OK;
}

static int by_version(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

static int by_checkpoint_version_down(const void *a, const void *b)
{
    const struct checkpoint_name *left = a, *right = b;

    return left->version > right->version ? -1 : left->version < right->version;
}

/* ---- the state at a version ---- */

const char *commit_path(const struct table *table, int64_t version, char out[4096])
{
    snprintf(out, 4096, "%s/%020" PRId64 ".json", table->log_dir, version);
    return out;
}

/* Read and apply the commit that follows. ERR_NOT_FOUND: there is none. */
static enum err apply_next(const struct table *table, struct snapshot *snapshot)
{
    struct buf text = buf_init(COMMIT_BYTES_MOST);
    char path[4096];
    enum err err = disk_read_file(table->disk, commit_path(table, snapshot->version + 1, path), &text);

    if (!err)
        err = snapshot_apply_commit(snapshot, snapshot->version + 1, buf_bytes(&text), path);
    buf_release(&text);
    return err;
}

/* Start from the newest checkpoint that can be read, at or before `version`. */
static enum err start_from_checkpoint(const struct table *table, const struct log_listing *listing,
                                      int64_t version, struct snapshot *snapshot)
{
    for (size_t i = 0; i < listing->checkpoint_count; i++) {
        const struct checkpoint_name *checkpoint = &listing->checkpoints[i];
        if (checkpoint->version > version || checkpoint->seen < checkpoint->parts)
            continue;
        enum err err =
            checkpoint_read(snapshot, table->sql, table->log_dir, checkpoint->version, checkpoint->parts);
        if (!err)
            return ERR_OK;
        trace_warn("table", "checkpoint %" PRId64 " of table %s is passed over, it cannot be read: %s",
                   checkpoint->version, table->name, err_sentence());
        snapshot_release(snapshot);
        err = snapshot_init(snapshot);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* The commits from the snapshot's version to `version` must be there without a gap. */
static enum err check_no_gap(const struct table *table, const struct log_listing *listing, int64_t from,
                             int64_t version)
{
    for (size_t i = 0; i < listing->commit_count && from < version; i++) {
        if (listing->commits[i] <= from)
            continue;
        if (listing->commits[i] != from + 1)
            break;
        from++;
    }
    if (from < version)
        return err_note(ERR_CORRUPT, "the log of table %s has no commit %" PRId64 ", but later ones",
                        table->name, from + 1);
    return ERR_OK;
}

enum err table_load(struct table *table, int64_t version, struct snapshot *out)
{
    struct log_listing listing = {0};
    struct snapshot snapshot = {0};
    int64_t newest = -1;
    enum err err = snapshot_init(&snapshot);

    if (!err)
        err = disk_list(table->disk, table->log_dir, see_name, &listing);
    if (err == ERR_NOT_FOUND)
        err = ERR_OK; /* no log yet */
    if (err)
        goto out;
    if (listing.commit_count)
        qsort(listing.commits, listing.commit_count, sizeof(*listing.commits), by_version);
    if (listing.checkpoint_count)
        qsort(listing.checkpoints, listing.checkpoint_count, sizeof(*listing.checkpoints),
              by_checkpoint_version_down);
    if (listing.commit_count)
        newest = listing.commits[listing.commit_count - 1];
    if (listing.checkpoint_count && listing.checkpoints[0].version > newest)
        newest = listing.checkpoints[0].version;
    if (version > newest) {
        err = err_note(ERR_NOT_FOUND, "table %s has no version %" PRId64 "; the latest is %" PRId64,
                       table->name, version, newest);
        goto out;
    }
    if (version < 0)
        version = newest;
    err = start_from_checkpoint(table, &listing, version, &snapshot);
    if (!err)
        err = check_no_gap(table, &listing, snapshot.version, version);
    while (!err && snapshot.version < version)
        err = apply_next(table, &snapshot);
    if (!err)
        err = snapshot_check_readable(&snapshot, table->name);
    if (!err) {
        *out = snapshot;
        snapshot = (struct snapshot){0};
    }
out:
    snapshot_release(&snapshot);
    listing_release(&listing);
    return err;
}

enum err table_open(struct table **out, struct disk *disk, struct sql *sql, const char *dir, const char *name)
{
    struct table *table = calloc(1, sizeof(*table));
    enum err err = ERR_NO_MEMORY;

    if (!table)
        return err_note(err, "out of memory for table %s", name);
    table->disk = disk;
    table->sql = sql;
    table->name = strdup(name);
    if (asprintf(&table->dir, "%s/%s", dir, name) < 0)
        table->dir = NULL;
    if (asprintf(&table->log_dir, "%s/%s/_delta_log", dir, name) < 0)
        table->log_dir = NULL;
    if (!table->name || !table->dir || !table->log_dir)
        goto out;
    err = ERR_INVALID;
    if (!*name || *name == '.' || strchr(name, '/') || strlen(table->log_dir) > 3800) {
        err_note(err, "%s cannot be the name of a table", name);
        goto out;
    }
    err = table_load(table, -1, &table->snapshot);
    if (err)
        goto out;
    *out = table;
    table = NULL;
out:
    table_close(table);
    return err;
}

void table_close(struct table *table)
{
    if (!table)
        return;
    snapshot_release(&table->snapshot);
    free(table->name);
    free(table->dir);
    free(table->log_dir);
    free(table);
}

enum err table_refresh(struct table *table)
{
    int64_t before = table->snapshot.version;
    enum err err;

    do
        err = apply_next(table, &table->snapshot);
    while (!err);
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (!err && table->snapshot.version > before)
        err = snapshot_check_readable(&table->snapshot, table->name);
    return err;
}

int64_t table_version(const struct table *table)
{
    return table->snapshot.version;
}

int64_t table_rows(const struct table *table)
{
    return snapshot_rows(&table->snapshot);
}

int64_t table_txn_version(const struct table *table, const char *app)
{
    const json_t *txn = json_object_get(table->snapshot.txns, app);

    return txn ? json_integer_value(json_object_get(txn, "version")) : -1;
}

/* ---- files as a FROM clause ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

enum err add_file_path(const struct table *table, const char *path, struct buf *out)
{
    size_t start = out->size;
    enum err err = buf_printf(out, "%s/", table->dir);
    size_t name = out->size;

    for (const char *at = path; *at && !err; at++) {
        char c = *at;
        if (c == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
            c = (char)(hex_digit(at[1]) << 4 | hex_digit(at[2]));
            at += 2;
        }
        err = c ? buf_add_char(out, c)
                : err_note(ERR_CORRUPT, "table %s names a file with a zero byte", table->name);
    }
    if (err)
        return err;
    struct bytes decoded = {out->at + name, out->size - name};
    if (path[0] == '/' || memmem(path, strlen(path), ":/", 2) ||
        (decoded.size >= 3 && memcmp(decoded.at, "../", 3) == 0) ||
        memmem(decoded.at, decoded.size, "/../", 4)) {
        out->size = start;
        return err_note(ERR_UNSUPPORTED, "table %s names a file outside its folder: %s", table->name, path);
    }
    return ERR_OK;
}

static enum err add_columns(const struct snapshot *snapshot, bool empty, struct buf *out)
{
    const json_t *field;
    size_t i;
    enum err err = ERR_OK;

    json_array_foreach(schema_fields(snapshot->schema), i, field)
    {
        if (!err && i > 0)
            err = buf_add_text(out, ", ");
        if (!err && empty)
            err = buf_add_text(out, "NULL::");
        if (!err && empty)
            err = schema_sql_type(json_object_get(field, "type"), out);
        if (!err && empty)
            err = buf_add_text(out, " AS ");
        if (!err)
            err = schema_quote_name(json_string_value(json_object_get(field, "name")), out);
    }
    return err;
}

static enum err add_files(const struct table *table, const struct snapshot *snapshot, struct buf *out)
{
    struct buf path = buf_init(16384);
    const char *key;
    json_t *add;
    enum err err = buf_add_text(out, "read_parquet([");
    bool first = true;

    json_object_foreach(snapshot->adds, key, add)
    {
        buf_clear(&path);
        if (!err && !first)
            err = buf_add_char(out, ',');
        if (!err)
            err = add_file_path(table, key, &path);
        if (!err)
            err = sql_quote(buf_bytes(&path), out);
        first = false;
    }
    buf_release(&path);
    return err ? err : buf_add_text(out, "], hive_partitioning = false)");
}

static enum err add_scan(const struct table *table, const struct snapshot *snapshot, struct buf *out)
{
    bool empty = json_object_size(snapshot->adds) == 0;
    enum err err;

    if (snapshot->version < 0)
        return err_note(ERR_NOT_FOUND, "there is no table %s", table->name);
    if (json_array_size(json_object_get(snapshot->meta, "partitionColumns")) > 0)
        return err_note(ERR_UNSUPPORTED, "table %s is partitioned by columns (partitionColumns)",
                        table->name);
    err = buf_add_text(out, "(SELECT ");
    if (!err)
        err = add_columns(snapshot, empty, out);
    if (!err && empty)
        return buf_add_text(out, " WHERE false)");
    if (!err)
        err = buf_add_text(out, " FROM ");
    if (!err)
        err = add_files(table, snapshot, out);
    return err ? err : buf_add_char(out, ')');
}

enum err table_scan(struct table *table, int64_t version, struct buf *out)
{
    struct snapshot then = {0};
    enum err err;

    if (version < 0 || version == table->snapshot.version)
        return add_scan(table, &table->snapshot, out);
    err = table_load(table, version, &then);
    if (!err)
        err = add_scan(table, &then, out);
    snapshot_release(&then);
    return err;
}

/* ---- list and history ---- */

struct names {
    struct arena *arena;
    char **names;
    size_t count, room;
};

static enum err take_name(void *arg, const char *name)
{
    struct names *names = arg;
    enum err err = room_for_one((void **)&names->names, names->count, &names->room, sizeof(char *));

    if (err || name[0] == '.')
        return err;
    names->names[names->count] = arena_text(names->arena, bytes_of_text(name));
    return names->names[names->count++] ? ERR_OK
                                        : err_note(ERR_NO_MEMORY, "out of memory for the names of tables");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err table_names(struct disk *disk, const char *dir, struct arena *arena, char ***out, size_t *count)
{
    struct names names = {.arena = arena};
    enum err err = disk_list(disk, dir, take_name, &names);

    *count = 0;
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (!err && names.count) {
        qsort(names.names, names.count, sizeof(char *), by_name);
        *out = arena_take(arena, names.count * sizeof(char *));
        if (*out)
            memcpy(*out, names.names, names.count * sizeof(char *));
        err = *out ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for the names of tables");
        *count = err ? 0 : names.count;
    }
    free(names.names);
    return err;
}

enum err table_list(struct disk *disk, struct sql *sql, const char *dir, struct arena *arena,
                    struct table_info **out, size_t *count)
{
    struct table_info *infos;
    char **names = NULL;
    size_t name_count, found = 0;
    enum err err = table_names(disk, dir, arena, &names, &name_count);

    if (err)
        return err;
    infos = arena_take(arena, (name_count + 1) * sizeof(*infos));
    if (!infos)
        return err_note(ERR_NO_MEMORY, "out of memory for the list of tables");
    for (size_t i = 0; i < name_count; i++) {
        struct table *table = NULL;
        if (table_open(&table, disk, sql, dir, names[i])) {
            trace_warn("table", "table %s is left out: %s", names[i], err_sentence());
            continue;
        }
        const struct snapshot *snapshot = &table->snapshot;
        if (snapshot->version >= 0)
            infos[found++] = (struct table_info){names[i],
                                                 snapshot->version,
                                                 snapshot_rows(snapshot),
                                                 (int64_t)json_object_size(snapshot->adds),
                                                 snapshot->bytes,
                                                 snapshot->modified_ms};
        table_close(table);
    }
    *out = infos;
    *count = found;
    return ERR_OK;
}

static enum err read_event(const struct table *table, int64_t version, struct arena *arena,
                           struct table_event *event)
{
    struct buf text = buf_init(COMMIT_BYTES_MOST);
    struct commit_summary summary;
    char path[4096];
    enum err err = disk_read_file(table->disk, commit_path(table, version, path), &text);

    if (!err)
        err = commit_summarize(buf_bytes(&text), path, &summary);
    buf_release(&text);
    if (err)
        return err;
    *event = (struct table_event){.version = version,
                                  .timestamp_ms = summary.timestamp_ms,
                                  .rows = summary.rows,
                                  .files_added = summary.files_added,
                                  .files_removed = summary.files_removed,
                                  .operation = arena_text(arena, buf_bytes(&summary.operation)),
                                  .txns = arena_text(arena, buf_bytes(&summary.txns))};
    buf_release(&summary.operation);
    buf_release(&summary.txns);
    return event->operation && event->txns ? ERR_OK
                                           : err_note(ERR_NO_MEMORY, "out of memory for a table's history");
}

enum err table_history(struct table *table, struct arena *arena, struct table_event **out, size_t *count)
{
    size_t room = (size_t)(table->snapshot.version + 1);
    struct table_event *events = arena_take(arena, (room + 1) * sizeof(*events));
    size_t found = 0;
    enum err err = ERR_OK;

    if (!events)
        return err_note(ERR_NO_MEMORY, "out of memory for a table's history");
    for (int64_t version = table->snapshot.version; version >= 0 && !err; version--) {
        err = read_event(table, version, arena, &events[found]);
        found += !err;
    }
    if (err == ERR_NOT_FOUND) /* older commits may have been cleaned away */
        err = ERR_OK;
    *out = events;
    *count = found;
    return err;
}
