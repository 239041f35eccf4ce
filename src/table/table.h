/* table.h - rows to Delta tables.                                              clean -> [table] -> insight
 *
 * A table is a folder of Parquet files (written by DuckDB) and a Delta log (written by us: delta.io PROTOCOL.md,
 * reader version 1, writer version 2). Every commit is put-if-absent and carries `txn` actions, so that the rows
 * and the position they came from are one commit: replaying a batch changes nothing.
 *
 * flow.c is the one commit code: it takes records, cleans them, and commits rows set aside, then clean rows.
 * stream.c feeds it from streams, batch.c from lake objects.
 *
 * Threads: a struct table belongs to one thread; different processes and threads may have the same table open. */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/config.h"
#include "base/disk.h"
#include "base/sql.h"

struct table;

struct table_txn {
    char app[320];   /* "<topic>-<partition>" */
    int64_t version; /* the last offset that is in the table */
};

struct table_commit {
    int64_t version; /* of the table; -1: nothing was committed */
    int64_t rows, bytes, files;
};

/* Open the table in `dir`/`name`; it need not exist yet (version -1). `sql` reads and writes checkpoints; it must stay
 * until table_close(). ERR_UNSUPPORTED names a feature that we do not do; ERR_CORRUPT says which file. */
enum err table_open(struct table **out, struct disk *disk, struct sql *sql, const char *dir,
                    const char *name);
void table_close(struct table *table); /* accepts NULL */
/* See what others committed since. */
enum err table_refresh(struct table *table);
int64_t table_version(const struct table *table);
/* -1: a file of another writer has no statistics. */
int64_t table_rows(const struct table *table);
/* The latest txn of that application; -1 if none. */
int64_t table_txn_version(const struct table *table, const char *app);

/* Write the rows of `select` as Parquet and commit them together with `txns`. Creates the table (schema from the
 * select) at the first commit. No rows and no txns: no commit. If another writer was first, looks again: a txn that is
 * now at or past ours means ERR_CONFLICT and nothing changed; otherwise our commit is rebased.
 * `operation` is for commitInfo: "STREAMING UPDATE", "WRITE". */
enum err table_append(struct table *table, struct sql *sql, const char *select, const struct table_txn *txns,
                      size_t txn_count, const char *operation, struct table_commit *out);
/* Replace all rows by those of `select`, as one version. */
enum err table_replace(struct table *table, struct sql *sql, const char *select, struct table_commit *out);

/* A FROM-clause item that reads the table's live files, e.g. read_parquet([...]), appended to `out`. A table
 * without files gives an empty relation of the right columns. `version` -1: the latest. ERR_NOT_FOUND. */
enum err table_scan(struct table *table, int64_t version, struct buf *out);

struct table_info {
    char *name;
    int64_t version, rows, files, bytes, modified_ms;
};
/* The tables in `dir`, by name, in the arena. One that cannot be read is left out, with a trace line. */
enum err table_list(struct disk *disk, struct sql *sql, const char *dir, struct arena *arena,
                    struct table_info **out, size_t *count);
struct table_event {
    int64_t version, timestamp_ms, rows, files_added, files_removed;
    char *operation, *txns; /* txns as "app=version, ..." */
};
/* Commits, newest first. */
enum err table_history(struct table *table, struct arena *arena, struct table_event **out, size_t *count);

/* Make views, of this connection, of all tables of the data folder under their names, and `pin`, `geo`, `user` (one row
 * per key: first offset wins; without the columns that begin with _), `pin_stream` and so on. As of now; call again to
 * see newer commits. A table that cannot be read gets no view, and a trace line says why. */
enum err table_views(struct sql *sql, const struct config *config, struct disk *disk);
/* The same for many questions: which keys are there more than once is looked up now (about a second for ten million
 * rows), not in every question. */
enum err table_views_settled(struct sql *sql, const struct config *config, struct disk *disk);

/* ---- flow: records to committed rows ---- */

struct flow; /* one entity's cleaner, its table and the quarantine */
struct raw_record;

/* `into` is the table's name, e.g. demo_pin_table. */
enum err flow_open(struct flow **out, const struct config *config, struct disk *disk, struct sql_db *db,
                   const char *entity, const char *into);
void flow_close(struct flow *flow); /* accepts NULL */
/* The offset to read next for that partition: one past the table's txn. */
int64_t flow_position(struct flow *flow, const char *topic, int32_t partition);

struct flow_result {
    int64_t rows, aside, bytes, version;
};
/* Clean the records of one topic (any partitions, ascending offsets within each) and commit them. Records at or below
 * the position are passed over. When it returns ERR_OK everything is durable. */
enum err flow_commit(struct flow *flow, const char *topic, const struct raw_record *records, size_t count,
                     const char *operation, struct flow_result *out);

/* ---- batch: lake objects -> flow ---- */

struct batch_result {
    int64_t objects, records, rows, aside;
    double seconds;
};
typedef void batch_progress(void *arg, const char *entity, int64_t done_bytes, int64_t total_bytes);
/* Clean what is new in the lake, for every entity. `progress` may be NULL. */
enum err batch_run(const struct config *config, struct disk *disk, struct sql_db *db,
                   batch_progress *progress, void *arg, struct batch_result *out);

/* ---- stream: Kinesis streams -> flow ---- */

struct stream;
/* Read the streams streaming-<user>-<entity> and commit a micro-batch every trigger until stopped. */
enum err stream_start(struct stream **out, const struct config *config, struct disk *disk, struct sql_db *db);
void stream_stop(struct stream *stream);

#endif
