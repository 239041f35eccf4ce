/* clean.h - raw records to typed rows.                                       lake, streams -> [clean] -> table
 *
 * What a clean row is, is written once, in SQL: sql/clean/<entity>.sql, in the dialect that DuckDB and Spark share.
 * Beside it stands <entity>.yaml, the contract: the columns a raw record has (name, JSON type, required or not) and
 * the expectations (name, SQL boolean, action warn | drop | quarantine | fail).
 *
 * Way of a record: parse.c checks it against the contract and gives its columns as text (a table function `raw_<entity>`,
 * with `_fault` saying what is wrong with its shape); the SQL makes typed columns; the expectations are evaluated on
 * those. Rows with a fault go aside with reason and original bytes; the others are the clean rows.
 *
 * Nothing here knows pin, geo or user. Threads: a cleaner belongs to one thread. */
#ifndef CLEAN_CLEAN_H
#define CLEAN_CLEAN_H

#include "base/config.h"
#include "base/sql.h"

struct cleaner;

struct raw_record {
    struct bytes value; /* at NULL: a null value (tombstone) */
    int32_t partition;
    int64_t offset;
};

struct clean_input {
    const char *topic;
    const struct raw_record *records; /* must stay until the selects have run */
    size_t count;
    int64_t ingested_us; /* the _ingested_at of the rows */
};

/* Loads sql/clean/<entity>.{sql,yaml} (from sql.dir or the built-in files) and the prelude. ERR_NOT_FOUND,
 * ERR_INVALID with file, line and how to mend it. */
enum err cleaner_open(struct cleaner **out, const struct config *config, struct sql *sql, const char *entity);
void cleaner_close(struct cleaner *cleaner); /* accepts NULL */

/* Make `input` what the two selects read. They may be run any number of times until the next feed, on the cleaner's
 * connection. With lakehouse.threads above 1 several threads parse, and rows come in no particular order: each has its
 * _partition and _offset. A contract with expectations that warn is evaluated here, and what it found is traced. */
enum err cleaner_feed(struct cleaner *cleaner, const struct clean_input *input);
/* Clean rows: the columns of the entity's SQL that do not begin with _, then _topic, _partition, _offset,
 * _ingested_at. */
const char *cleaner_good_select(const struct cleaner *cleaner);
/* Rows set aside, which are all others: entity, reason ("age: found 430, expected 0 to 120; ..."), rule
 * ("age_in_range; ..."), original (BLOB), _topic, _partition, _offset, _ingested_at. */
const char *cleaner_aside_select(const struct cleaner *cleaner);

#endif
