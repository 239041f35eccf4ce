/* flow.c - records to committed rows: the one commit code of batch and stream.
 *
 * The position of a partition is the table's txn for the application "<topic>-<partition>": rows and position are one
 * commit. Rows set aside go to <user>_quarantine, which is another table and so another commit, and that one comes
 * first, with a txn of its own. A crash between the two replays the batch: rows at or below the quarantine's txn are
 * then passed over, the clean rows are committed for the first time.
 *
 * Whoever commits the same partition at the same time wins; the loser sees it by ERR_CONFLICT, looks again and goes on
 * with what is not covered. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "clean/clean.h"
#include "table/delta.h"

struct flow {
    struct sql *sql;
    struct cleaner *cleaner;
    struct table *table, *quarantine;
    json_t *schema; /* of the clean rows, once known: asking takes a third of a small commit's time */
};

/* What a batch holds of one partition. */
struct span {
    int32_t partition;
    int64_t position; /* records at or below it are in the table already */
    int64_t last;
};

struct spans {
    struct span *at;
    size_t count, room;
};

enum err flow_open(struct flow **out, const struct config *config, struct disk *disk, struct sql_db *db,
                   const char *entity, const char *into)
{
    struct flow *flow = calloc(1, sizeof(*flow));
    const char *dir = config_path(config, "tables");
    char quarantine[320];
    enum err err;

    if (!flow)
        return err_note(ERR_NO_MEMORY, "out of memory for a flow");
    snprintf(quarantine, sizeof(quarantine), "%s_quarantine", config_text(config, "user"));
    err = sql_open(&flow->sql, db);
    if (!err)
        err = cleaner_open(&flow->cleaner, config, flow->sql, entity);
    if (!err)
        err = table_open(&flow->table, disk, flow->sql, dir, into);
    if (!err)
        err = table_open(&flow->quarantine, disk, flow->sql, dir, quarantine);
    if (err) {
        flow_close(flow);
        return err;
    }
    *out = flow;
    return ERR_OK;
}

void flow_close(struct flow *flow)
{
    if (!flow)
        return;
    json_decref(flow->schema);
    table_close(flow->quarantine);
    table_close(flow->table);
    cleaner_close(flow->cleaner);
    sql_close(flow->sql);
    free(flow);
}

/* ---- positions ---- */

static void app_name(char out[320], const char *topic, int32_t partition)
{
    snprintf(out, 320, "%s-%d", topic, (int)partition);
}

static int64_t position_in(const struct table *table, const char *topic, int32_t partition)
{
    char app[320];

    app_name(app, topic, partition);
    return table_txn_version(table, app);
}

int64_t flow_position(struct flow *flow, const char *topic, int32_t partition)
{
    return position_in(flow->table, topic, partition) + 1;
}

static struct span *span_of(struct spans *spans, const struct table *table, const char *topic,
                            int32_t partition)
{
    for (size_t i = spans->count; i > 0; i--)
        if (spans->at[i - 1].partition == partition)
            return &spans->at[i - 1];
    if (spans->count == spans->room) {
        size_t room = spans->room ? spans->room * 2 : 16;
        struct span *grown = realloc(spans->at, room * sizeof(*grown));
        if (!grown)
            return NULL;
        spans->at = grown;
        spans->room = room;
    }
    int64_t position = position_in(table, topic, partition);
    spans->at[spans->count] = (struct span){partition, position, position};
    return &spans->at[spans->count++];
}

/* The records that are not in the table yet: all of `records` as they stand, or those of them in *copy, which is the
 * caller's to free. */
static enum err take_new(const struct table *table, const char *topic, const struct raw_record *records,
                         size_t count, struct spans *spans, struct raw_record **copy, size_t *taken)
{
    struct span *span = NULL;

    *taken = 0;
    for (size_t i = 0; i < count; i++) {
        if (!span || span->partition != records[i].partition)
            span = span_of(spans, table, topic, records[i].partition);
        if (span && !*copy && records[i].offset <= span->position) {
            *copy = malloc((count ? count : 1) * sizeof(**copy));
            if (*copy)
                memcpy(*copy, records, i * sizeof(**copy));
        }
        if (!span || (!*copy && records[i].offset <= span->position))
            return err_note(ERR_NO_MEMORY, "out of memory for a batch of %zu records", count);
        if (records[i].offset <= span->position)
            continue;
        if (*copy)
            (*copy)[*taken] = records[i];
        ++*taken;
        if (records[i].offset > span->last)
            span->last = records[i].offset;
    }
    return ERR_OK;
}

/* A txn for each partition that has new records. */
static enum err make_txns(const struct spans *spans, const char *topic, struct table_txn **out, size_t *count)
{
    struct table_txn *txns = calloc(spans->count + 1, sizeof(*txns));

    *count = 0;
    if (!txns)
        return err_note(ERR_NO_MEMORY, "out of memory for the positions of a batch");
    for (size_t i = 0; i < spans->count; i++) {
        if (spans->at[i].last == spans->at[i].position)
            continue;
        app_name(txns[*count].app, topic, spans->at[i].partition);
        txns[(*count)++].version = spans->at[i].last;
    }
    *out = txns;
    return ERR_OK;
}

/* ---- commits ---- */

/* The aside select without the rows that the quarantine has already, appended to `out`. */
static enum err add_aside_select(struct flow *flow, const char *topic, const struct spans *spans,
                                 struct buf *out)
{
    enum err err = buf_printf(out, "SELECT * FROM (%s\n) WHERE true", cleaner_aside_select(flow->cleaner));

    for (size_t i = 0; i < spans->count && !err; i++) {
        int64_t there = position_in(flow->quarantine, topic, spans->at[i].partition);
        if (there > spans->at[i].position)
            err = buf_printf(out, " AND (_partition <> %d OR _offset > %lld)", (int)spans->at[i].partition,
                             (long long)there);
    }
    return err ? err : (buf_text(out) ? ERR_OK : ERR_FULL);
}

/* Partitions whose quarantine is further than this batch need no txn there. */
static size_t txns_ahead(const struct table *quarantine, const struct table_txn *txns, size_t count,
                         struct table_txn *out)
{
    size_t ahead = 0;

    for (size_t i = 0; i < count; i++)
        if (table_txn_version(quarantine, txns[i].app) < txns[i].version)
            out[ahead++] = txns[i];
    return ahead;
}

static enum err commit_aside(struct flow *flow, const char *topic, const struct spans *spans,
                             const struct table_txn *txns, size_t txn_count, const char *operation,
                             struct flow_result *out)
{
    struct plan plan = {.operation = operation};
    struct buf select = buf_init(16 << 20);
    struct table_txn *ahead = calloc(txn_count + 1, sizeof(*ahead));
    struct table_commit done;
    enum err err =
        ahead ? table_refresh(flow->quarantine) : err_note(ERR_NO_MEMORY, "out of memory for a batch");

    if (err)
        goto out;
    plan.txns = ahead;
    plan.txn_count = txns_ahead(flow->quarantine, txns, txn_count, ahead);
    err = add_aside_select(flow, topic, spans, &select);
    if (!err)
        err = plan_write(&plan, flow->quarantine, flow->sql, (const char *)select.at);
    if (!err && plan.add)
        err = plan_commit(&plan, flow->quarantine, &done);
    if (!err)
        out->aside += plan.rows;
out:
    plan_release(&plan, flow->quarantine);
    free(ahead);
    buf_release(&select);
    return err;
}

static enum err commit_new(struct flow *flow, const char *topic, const struct clean_input *input,
                           const struct spans *spans, const char *operation, struct flow_result *out)
{
    struct table_txn *txns = NULL;
    struct plan plan = {.operation = operation};
    struct table_commit done;
    enum err err = make_txns(spans, topic, &txns, &plan.txn_count);

    plan.txns = txns;
    plan.schema = json_incref(flow->schema);
    if (!err)
        err = cleaner_feed(flow->cleaner, input);
    if (!err)
        err = plan_write(&plan, flow->table, flow->sql, cleaner_good_select(flow->cleaner));
    if (!err && !flow->schema)
        flow->schema = json_incref(plan.schema);
    /* Rows are good or set aside, so the count of the good ones tells whether the others need a look. */
    if (!err && plan.rows < (int64_t)input->count)
        err = commit_aside(flow, topic, spans, txns, plan.txn_count, operation, out);
    if (!err)
        err = plan_commit(&plan, flow->table, &done);
    if (!err) {
        out->rows += done.rows;
        out->bytes += done.bytes;
    }
    plan_release(&plan, flow->table);
    free(txns);
    return err;
}

enum err flow_commit(struct flow *flow, const char *topic, const struct raw_record *records, size_t count,
                     const char *operation, struct flow_result *out)
{
    struct clean_input input = {.topic = topic, .ingested_us = clock_wall_us()};
    enum err err;

    *out = (struct flow_result){0};
    do {
        struct spans spans = {0};
        struct raw_record *copy = NULL;
        err = table_refresh(flow->table);
        if (!err)
            err = take_new(flow->table, topic, records, count, &spans, &copy, &input.count);
        input.records = copy ? copy : records;
        if (!err && input.count > 0)
            err = commit_new(flow, topic, &input, &spans, operation, out);
        free(copy);
        free(spans.at);
    } while (err == ERR_CONFLICT);
    out->version = table_version(flow->table);
    return err;
}
