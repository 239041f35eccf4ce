/* serve_lakehouse.c - the lakehouse process: lake, stream, schedule and dashboard. It owns DuckDB, and reaches ingest
 * only as any client would. */
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/trace.h"
#include "cli/cli.h"
#include "cli/serve.h"
#include "dashboard/dashboard.h"
#include "insight/insight.h"
#include "lake/lake.h"
#include "schedule/schedule.h"
#include "table/table.h"

struct lakehouse {
    const struct config *config;
    struct sql_db *db;
};

/* What the schedule runs: clean what is new in the lake, then answer the questions. */
static enum err run_batch(void *arg)
{
    struct lakehouse *lakehouse = arg;
    struct batch_result result;
    struct sql *sql = NULL;
    enum err err = batch_run(lakehouse->config, disk_real(), lakehouse->db, NULL, NULL, &result);

    if (!err)
        err = sql_open(&sql, lakehouse->db);
    if (!err)
        err = insight_run_all(lakehouse->config, disk_real(), sql, INSIGHT_FROM_TABLES);
    if (err == ERR_NOT_FOUND && sql) { /* a table has no rows yet: the questions wait, the batch was right */
        trace_info("batch", "%s", err_sentence());
        err = ERR_OK;
    }
    if (!err)
        trace_info("batch", "cleaned %lld records of %lld objects: %lld rows, %lld set aside, in %.1f s",
                   (long long)result.records, (long long)result.objects, (long long)result.rows,
                   (long long)result.aside, result.seconds);
    sql_close(sql);
    return err;
}

int serve_lakehouse(const struct config *config)
{
    struct sql_options options = {
        .temp_dir = config_path(config, "run/spill"),
        .memory_limit_bytes = (size_t)config_integer(config, "lakehouse.memory.limit"),
        .threads = (int)config_integer(config, "lakehouse.threads"),
    };
    struct lakehouse lakehouse = {config, NULL};
    struct lake_sink *sink = NULL;
    struct stream *stream = NULL;
    struct schedule *schedule = NULL;
    struct dashboard *dashboard = NULL;
    int64_t start = clock_steady_ms();
    enum err err = serve_check_address(config, "page");

    if (!err)
        err = disk_make_dirs(disk_real(), config_path(config, "run"));
    if (!err) /* before anybody can see that we are ready */
        err = serve_note(config, "lakehouse.pid", getpid());
    if (!err)
        err = sql_db_open(&lakehouse.db, &options);
    if (!err)
        err = lake_sink_start(&sink, config, disk_real());
    if (!err && config_flag(config, "stream.enable"))
        err = stream_start(&stream, config, disk_real(), lakehouse.db);
    if (!err && *config_text(config, "batch.schedule"))
        err = schedule_start(&schedule, config, disk_real(), "batch", config_text(config, "batch.schedule"),
                             run_batch, &lakehouse);
    if (!err)
        err = dashboard_start(&dashboard, config, disk_real(), lakehouse.db);
    if (!err)
        err = serve_note(config, "page.port", dashboard_port(dashboard));
    if (!err)
        trace_info("lakehouse", "serving the page on port %d after %lld ms", dashboard_port(dashboard),
                   (long long)(clock_steady_ms() - start));
    while (!err && !cli_stop)
        clock_sleep_ms(100);
    dashboard_stop(dashboard);
    schedule_stop(schedule);
    stream_stop(stream);
    lake_sink_stop(sink);
    sql_db_close(lakehouse.db);
    unlink(config_path(config, "run/lakehouse.pid"));
    return err ? cli_fail(err) : EX_OK;
}
