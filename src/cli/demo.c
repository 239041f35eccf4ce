/* demo.c - `pinrail demo`: the whole way once. A pipeline of its own in a temporary (or the given) folder, generated
 * posts by the batch way and by the streaming way, the answers as tables and bars, and the audit. Exits 0 only when
 * everything adds up. */
#include <ftw.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/trace.h"
#include "cli/cli_commands.h"
#include "cli/count.h"
#include "cli/serve.h"
#include "emulate/emulate.h"
#include "insight/insight.h"
#include "table/table.h"

const struct cli_option demo_options[] = {
    {"posts", "N", "posts to send by each way [10000]"},
    {"seed", "N", "seed of the generator [1]"},
    {"keep", NULL, "leave the folder when done, and say where it is"},
    {NULL, NULL, NULL},
};

enum { READY_MS = 20000, LAND_MS = 60000, BARS_MOST = 12, ROWS_MOST = 16 };

struct demo {
    struct cli *cli;
    struct config *config;
    char folder[4096];
    bool own_folder;
    int64_t posts;
    uint64_t seed;
    struct supervisor *supervisor;
    struct sql_db *db;
    struct sql *sql;
};

/* ---- a folder and a configuration ---- */

static enum err make_folder(struct demo *demo)
{
    const char *tmp = getenv("TMPDIR");

    if (strcmp(config_origin(demo->cli->config, "data.dir"), "default") != 0) {
        snprintf(demo->folder, sizeof(demo->folder), "%s", config_text(demo->cli->config, "data.dir"));
        return disk_make_dirs(disk_real(), demo->folder);
    }
    snprintf(demo->folder, sizeof(demo->folder), "%s/pinrail-demo-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(demo->folder))
        return err_note(ERR_IO, "cannot make a folder like %s", demo->folder);
    demo->own_folder = true;
    return ERR_OK;
}

/* Free ports, and objects closed every half second: a demo does not wait for the usual rotation. */
static enum err make_config(struct demo *demo)
{
    const char *const flags[][2] = {
        {"data.dir", demo->folder},
        {"http", "127.0.0.1:0"},
        {"kafka", "127.0.0.1:0"},
        {"page", "127.0.0.1:0"},
        {"bootstrap.servers", ""},
        {"kinesis.endpoint", ""},
        {"lake.rotate.schedule.interval.ms", "500"},
        {"stream.trigger.ms", "250"},
        {"batch.schedule", ""},
        {"trace", cli_value(demo->cli, "verbose") ? "debug" : "warn"},
    };

    return config_copy(&demo->config, demo->cli->config, flags[0], sizeof(flags) / sizeof(*flags));
}

/* ---- the steps ---- */

struct shown {
    struct progress progress;
};

static void show(void *arg, int64_t posts, int64_t total, double seconds)
{
    struct shown *shown = arg;

    progress_show(&shown->progress, posts, total, seconds);
}

static enum err post(struct demo *demo, enum emulate_mode mode)
{
    struct shown shown = {{.what = "posts", .quiet = demo->cli->quiet}};
    struct source_options source_options = {.url = "demo", .seed = demo->seed};
    struct emulate_result result = {0};
    struct source *source = NULL;
    char door[300], url[320];
    enum err err = config_door(demo->config, "http", door);

    if (err)
        return err;
    snprintf(url, sizeof(url), "http://%s", door);
    struct emulate_options options = {
        .mode = mode,
        .url = url,
        .user = config_text(demo->config, "user"),
        .count = demo->posts,
        .batch = 100,
        .retry_most_ms = 10000,
        .progress = show,
        .arg = &shown,
        .stop = &cli_stop,
    };
    err = source_open(&source, &source_options);
    if (!err)
        err = emulate_run(source, &options, &result);
    progress_end(&shown.progress);
    source_close(source);
    if (!err && cli_stop)
        err = err_note(ERR_STOPPED, "stopped");
    if (!err)
        printf("  %s posts by the %s way: %s pins, %s geos, %s users acknowledged in %.1f s (%s rows a "
               "second)\n",
               count_text(result.posts), mode == EMULATE_BATCH ? "batch" : "streaming",
               count_text(result.pins), count_text(result.geos), count_text(result.users), result.seconds,
               count_text((int64_t)((double)(result.pins + result.geos + result.users) /
                                    (result.seconds > 0 ? result.seconds : 1))));
    return err;
}

/* Wait until one way's records are where the next step wants them. */
static enum err wait_for(struct demo *demo, enum count_way way, const char *what)
{
    int64_t give_up = clock_steady_ms() + LAND_MS;

    for (;;) {
        struct arena arena = arena_init(SIZE_MAX);
        struct stage_count *counts = NULL;
        size_t count = 0, done = 0, wanted = 0;
        enum err err = count_stages(demo->config, demo->db, way == COUNT_BATCH, &arena, &counts, &count);
        for (size_t i = 0; !err && i < count; i++) {
            if (counts[i].way != way)
                continue;
            wanted++;
            done += way == COUNT_BATCH ? counts[i].landed == counts[i].acknowledged
                                       : counts[i].cleaned + counts[i].quarantined == counts[i].acknowledged;
        }
        arena_release(&arena);
        if (err || (wanted > 0 && done == wanted))
            return err;
        if (cli_stop)
            return err_note(ERR_STOPPED, "stopped");
        if (clock_steady_ms() > give_up)
            return err_note(ERR_BUSY, "after %d s not everything was %s; see the lines above", LAND_MS / 1000,
                            what);
        clock_sleep_ms(50);
    }
}

static enum err batch(struct demo *demo)
{
    struct batch_result result = {0};
    enum err err = batch_run(demo->config, disk_real(), demo->db, NULL, NULL, &result);

    if (!err)
        err = insight_run_all(demo->config, disk_real(), demo->sql, INSIGHT_FROM_TABLES);
    if (!err)
        printf("  %s records of %s objects cleaned in %.1f s: %s rows, %s set aside\n",
               count_text(result.records), count_text(result.objects), result.seconds,
               count_text(result.rows), count_text(result.aside));
    return err;
}

/* ---- the answers ---- */

static bool same_rows(const struct sql_result *a, const struct sql_result *b)
{
    if (sql_rows(a) != sql_rows(b) || sql_columns(a) != sql_columns(b))
        return false;
    for (size_t row = 0; row < sql_rows(a); row++)
        for (size_t column = 0; column < sql_columns(a); column++)
            if (!bytes_equal(sql_text(a, row, column), sql_text(b, row, column)))
                return false;
    return true;
}

static enum err answer(struct demo *demo, const struct insight *insight, bool *same)
{
    struct sql_result *batch_rows = NULL, *stream_rows = NULL;
    enum err err =
        insight_ask(demo->config, disk_real(), demo->sql, insight, INSIGHT_FROM_TABLES, &batch_rows);

    if (!err)
        err = insight_ask(demo->config, disk_real(), demo->sql, insight, INSIGHT_FROM_STREAMS, &stream_rows);
    if (err)
        goto out;
    printf("\n%s\n", insight->title);
    err = print_table(stdout, batch_rows, ROWS_MOST);
    if (!err)
        err = print_bars(stdout, batch_rows, BARS_MOST);
    if (!same_rows(batch_rows, stream_rows)) {
        *same = false;
        printf("THE STREAM'S ANSWER DIFFERS (%zu rows, batch %zu rows)\n", sql_rows(stream_rows),
               sql_rows(batch_rows));
    }
out:
    sql_result_free(batch_rows);
    sql_result_free(stream_rows);
    return err;
}

static enum err answers(struct demo *demo)
{
    struct arena arena = arena_init(SIZE_MAX);
    struct insight *insights = NULL;
    size_t count = 0;
    bool same = true;
    enum err err = insight_list(demo->config, &arena, &insights, &count);

    for (size_t i = 0; !err && i < count; i++)
        err = answer(demo, &insights[i], &same);
    if (!err)
        printf("\nThe stream's answers %s.\n", same ? "are the same" : "DIFFER from the batch's");
    if (!err && !same)
        err = err_note(ERR_CORRUPT, "batch and stream disagree about the same posts");
    arena_release(&arena);
    return err;
}

static enum err audit(struct demo *demo)
{
    struct arena arena = arena_init(SIZE_MAX);
    struct stage_count *counts = NULL;
    size_t count = 0;
    enum err err = count_stages(demo->config, demo->db, true, &arena, &counts, &count);

    if (!err) {
        printf("\n");
        if (!count_print(counts, count))
            err = err_note(ERR_CORRUPT, "the stages do not have the same records");
    }
    arena_release(&arena);
    return err;
}

static enum err run(struct demo *demo)
{
    struct sql_options options = {.temp_dir = config_path(demo->config, "run/spill-demo")};
    enum err err = supervisor_start(&demo->supervisor, demo->config);

    if (!err)
        err = supervisor_wait_ready(demo->supervisor, READY_MS);
    if (!err)
        err = sql_db_open(&demo->db, &options);
    if (!err)
        err = sql_open(&demo->sql, demo->db);
    if (err)
        return err;
    printf("1. Posts go in over HTTP, to topics and to streams.\n");
    err = post(demo, EMULATE_BATCH);
    if (!err)
        err = post(demo, EMULATE_STREAMING);
    if (!err) {
        printf("2. The topics land in the lake as objects, and a batch cleans them into Delta tables.\n");
        err = wait_for(demo, COUNT_BATCH, "landed in the lake");
    }
    if (!err)
        err = batch(demo);
    if (!err) {
        printf("3. The streams have been cleaned as they came in.\n");
        err = wait_for(demo, COUNT_STREAM, "cleaned by the stream");
    }
    if (!err) {
        printf("4. The answers:\n");
        err = answers(demo);
    }
    return err ? err : audit(demo);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    return remove(path);
}

int command_demo(struct cli *cli)
{
    struct demo demo = {
        .cli = cli, .posts = cli_integer(cli, "posts", 10000), .seed = (uint64_t)cli_integer(cli, "seed", 1)};
    int64_t start = clock_steady_ms();
    int stop_status;
    enum err err;

    if (cli->operand_count)
        return cli_usage(cli, "demo takes no '%s'", cli->operands[0]);
    if (demo.posts < 1)
        return cli_usage(cli, "--posts wants at least 1");
    cli_catch_signals();
    if (!cli_value(cli, "verbose"))
        trace_set_level(TRACE_WARN);
    err = make_folder(&demo);
    if (!err)
        err = make_config(&demo);
    if (!err)
        err = run(&demo);
    sql_close(demo.sql);
    sql_db_close(demo.db);
    stop_status = supervisor_stop(demo.supervisor);
    if (err)
        cli_fail(err);
    else if (stop_status == EX_OK)
        printf("done in %.1f s\n", (double)(clock_steady_ms() - start) / 1000);
    if (demo.own_folder && !cli_value(cli, "keep"))
        nftw(demo.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    else if (*demo.folder)
        fprintf(
            stderr,
            "the folder is %s; look at it with `pinrail sql --data-dir %s \"select count(*) from pin\"`\n",
            demo.folder, demo.folder);
    config_free(demo.config);
    return err ? err_exit_status(err) : stop_status;
}
