/* batch.c - `pinrail batch`: clean what is new in the lake, and answer the questions. */
#include <sysexits.h>

#include "base/clock.h"
#include "cli/cli_commands.h"
#include "cli/count.h"
#include "insight/insight.h"
#include "table/table.h"

const struct cli_option batch_options[] = {
    {"no-insight", NULL, "only clean; leave the questions"},
    {NULL, NULL, NULL},
};

struct shown {
    struct progress progress;
    const char *entity;
    int64_t start_ms;
};

static void show(void *arg, const char *entity, int64_t done_bytes, int64_t total_bytes)
{
    struct shown *shown = arg;

    if (shown->progress.quiet)
        return;
    if (shown->entity && strcmp(shown->entity, entity) != 0)
        progress_end(&shown->progress);
    if (!shown->entity || strcmp(shown->entity, entity) != 0) {
        shown->entity = entity;
        shown->start_ms = clock_steady_ms();
    }
    shown->progress.what = "MB cleaned";
    progress_show(&shown->progress, done_bytes / 1000000, total_bytes / 1000000,
                  (double)(clock_steady_ms() - shown->start_ms) / 1000);
}

int command_batch(struct cli *cli)
{
    struct sql_options options = {
        .temp_dir = config_path(cli->config, "run/spill-batch"),
        .memory_limit_bytes = (size_t)config_integer(cli->config, "lakehouse.memory.limit"),
        .threads = (int)config_integer(cli->config, "lakehouse.threads"),
    };
    struct shown shown = {.progress = {.quiet = cli->quiet || cli->json}};
    struct batch_result result = {0};
    struct sql_db *db = NULL;
    struct sql *sql = NULL;
    enum err err;

    if (cli->operand_count)
        return cli_usage(cli, "batch takes no '%s'", cli->operands[0]);
    cli_catch_signals();
    err = sql_db_open(&db, &options);
    if (!err)
        err = batch_run(cli->config, disk_real(), db, show, &shown, &result);
    if (shown.entity)
        progress_end(&shown.progress);
    if (!err && !cli_value(cli, "no-insight"))
        err = sql_open(&sql, db);
    if (!err && sql)
        err = insight_run_all(cli->config, disk_real(), sql, INSIGHT_FROM_TABLES);
    if (err == ERR_NOT_FOUND &&
        sql) { /* a table has no rows yet: nothing to answer, but no fault of the batch */
        if (result.rows > 0 && !cli->quiet)
            fprintf(stderr, "The questions wait: %s\n", err_sentence());
        err = ERR_OK;
    }
    if (!err && cli->json)
        printf("{\"objects\":%lld,\"records\":%lld,\"rows\":%lld,\"quarantined\":%lld,\"seconds\":%.3f}\n",
               (long long)result.objects, (long long)result.records, (long long)result.rows,
               (long long)result.aside, result.seconds);
    else if (!err && !cli->quiet)
        fprintf(
            stderr,
            "cleaned %s records of %s objects in %.1f s: %s rows, %s set aside. Next: `pinrail insight`\n",
            count_text(result.records), count_text(result.objects), result.seconds, count_text(result.rows),
            count_text(result.aside));
    sql_close(sql);
    sql_db_close(db);
    return err ? cli_fail(err) : EX_OK;
}
