/* delta.h - what the files of table/ share: a table's state, and the steps of reading and writing its log.
 *
 *     <table>/part-00000-<uuid>.zstd.parquet          rows; a file is never changed, and counts only while a commit
 *                                                     has added and none has removed it
 *     <table>/_delta_log/<version, 20 digits>.json    a commit: one action a line; made only if absent
 *     <table>/_delta_log/<version>.checkpoint.parquet all that is alive at that version, one action a row
 *     <table>/_delta_log/_last_checkpoint             a hint for other readers; we list the folder instead
 *
 * schema.c     DuckDB's types and Delta's
 * stats.c      what COPY says of a file, as Delta's statistics
 * snapshot.c   actions applied, one commit after the other
 * checkpoint.c a snapshot as Parquet, and back
 * table.c      open, refresh, scan, list, history
 * commit.c     new rows, put-if-absent, conflicts */
#ifndef TABLE_DELTA_H
#define TABLE_DELTA_H

#include "base/json_doc.h"
#include "table/table.h"

enum {
    COMMITS_PER_CHECKPOINT = 10,
    COMMIT_BYTES_MOST = 256 << 20, /* of one commit file */
    STATS_TEXT_MOST = 32,          /* characters of a string's bound */
};
#define TOMBSTONE_MS (7LL * 24 * 3600 * 1000) /* removed files stay in checkpoints this long */

/* ---- schema.c ---- */

/* The Delta schema, {"type":"struct","fields":[...]}, of a select's columns; the caller json_decref()s *out.
 * ERR_UNSUPPORTED names a column whose type Delta (or we) cannot hold. */
enum err schema_of_select(json_t **out, struct sql *sql, const char *select);
/* ERR_INVALID says which columns of `have` (a select's schema) differ from `want` (the table's). */
enum err schema_check(const json_t *want, const json_t *have, const char *table);
/* DuckDB's name for a Delta type, appended. ERR_UNSUPPORTED. */
enum err schema_sql_type(const json_t *type, struct buf *out);
/* "name", quoted as an identifier, appended. */
enum err schema_quote_name(const char *name, struct buf *out);
/* The fields array of a schema. */
json_t *schema_fields(const json_t *schema);

/* ---- stats.c ---- */

/* The select that stats_read() wants behind a COPY with RETURN_STATS: one row a column. */
extern const char *const stats_select;
struct written_file {
    int64_t rows, bytes;
};
/* Delta's statistics, as JSON text in `out`, of the one file that the COPY wrote. */
enum err stats_read(const struct sql_result *result, const json_t *schema, struct written_file *file,
                    struct buf *out);
/* A string's bounds: cut to STATS_TEXT_MOST characters. False: a maximum that cannot be rounded up. */
bool stats_cut_text(struct bytes text, bool up, struct buf *out);
/* DuckDB's text of a timestamp as Delta has it, in milliseconds; false if it is none. */
bool stats_cut_time(struct bytes text, bool up, char out[40]);

/* ---- snapshot.c ---- */

/* The state of a table at a version. Actions are kept as they were read, by path or application, in the order they
 * came, so that what other writers put into them survives a checkpoint of ours. */
struct snapshot {
    int64_t version; /* -1: no commit yet */
    json_t *protocol, *meta, *schema;
    json_t *adds, *removes, *txns;
    int64_t rows;            /* by the statistics */
    int64_t uncounted_files; /* those without */
    int64_t bytes, modified_ms;
    int64_t checkpoint; /* the version of the checkpoint it was read from or last wrote; -1 */
};

enum err snapshot_init(struct snapshot *snapshot);
void snapshot_release(struct snapshot *snapshot); /* accepts zeroed ones */
/* Apply one action of a checkpoint; `action` is its object, `name` its kind. ERR_CORRUPT: it lacks what it must have. */
enum err snapshot_apply(struct snapshot *snapshot, const char *name, json_t *action);
/* Apply the commit that makes `version`, as a whole or (ERR_CORRUPT, `path` in the note) not at all. */
enum err snapshot_apply_commit(struct snapshot *snapshot, int64_t version, struct bytes text,
                               const char *path);
/* Is all there that a version must have, and nothing that we do not do? ERR_CORRUPT, ERR_UNSUPPORTED. */
enum err snapshot_check_readable(const struct snapshot *snapshot, const char *table);
enum err snapshot_check_writable(const struct snapshot *snapshot, const char *table, bool removes_rows);
/* A commit in numbers, for people. `operation` and `txns` are the caller's to release. */
struct commit_summary {
    int64_t timestamp_ms, rows, files_added, files_removed;
    struct buf operation, txns;
};
enum err commit_summarize(struct bytes text, const char *path, struct commit_summary *out);
/* Rows of all live files; -1 if one has no statistics. */
int64_t snapshot_rows(const struct snapshot *snapshot);
/* Rows of an add by its statistics; -1 if it has none. */
int64_t add_rows(const json_t *add);

/* ---- checkpoint.c ---- */

/* Read the checkpoint of `version` (in `parts` files; 0: the classic single one) into an empty snapshot. Any error
 * means that it is unusable. */
enum err checkpoint_read(struct snapshot *snapshot, struct sql *sql, const char *log_dir, int64_t version,
                         int parts);
enum err checkpoint_write(struct snapshot *snapshot, struct disk *disk, struct sql *sql, const char *log_dir);

/* ---- table.c ---- */

struct table {
    struct disk *disk;
    struct sql *sql; /* for checkpoints */
    char *name, *dir, *log_dir;
    struct snapshot snapshot;
};

/* The state at `version`, -1 for the latest. ERR_NOT_FOUND: there is no such version. */
enum err table_load(struct table *table, int64_t version, struct snapshot *out);
/* The names of the folders in `dir`, in order, in the arena. No such folder: none. */
enum err table_names(struct disk *disk, const char *dir, struct arena *arena, char ***out, size_t *count);
/* The path of a commit file, in a buffer of the caller. */
const char *commit_path(const struct table *table, int64_t version, char out[4096]);
/* Where an add's file is: the table's folder and the decoded path, appended. ERR_UNSUPPORTED for paths outside. */
enum err add_file_path(const struct table *table, const char *path, struct buf *out);

/* ---- commit.c ---- */

enum { UUID_TEXT_BYTES = 37 };

/* What a commit is made of; the same through all tries. Zeroed but for operation, replace and txns; then written,
 * committed, released. */
struct plan {
    const char *operation;
    bool replace; /* all rows that are there go */
    const struct table_txn *txns;
    size_t txn_count;

    json_t *schema;           /* of the rows; may be given, by one who knows it, before writing */
    char id[UUID_TEXT_BYTES]; /* of the table, if this commit makes it */
    json_t *add;              /* NULL: no rows */
    int64_t rows, bytes;
    bool put; /* the commit is there, or may be */
};

/* Write the rows as a file that nobody sees yet. ERR_CONFLICT as table_append(). */
enum err plan_write(struct plan *plan, struct table *table, struct sql *sql, const char *select);
/* Nothing to say (no rows, no txns, nothing replaced): no commit, out->version is -1. */
enum err plan_commit(struct plan *plan, struct table *table, struct table_commit *out);
/* Removes the file if it was not committed. */
void plan_release(struct plan *plan, struct table *table);

#endif
