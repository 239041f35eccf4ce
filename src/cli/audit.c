/* audit.c - `pinrail audit`: is everything that was acknowledged in every stage, once? */
#include <sysexits.h>

#include "base/clock.h"
#include "cli/cli_commands.h"
#include "cli/count.h"

const struct cli_option audit_options[] = {
    {"wait", "SECONDS", "count again until everything agrees, this long at most"},
    {NULL, NULL, NULL},
};

static void print_json(const struct stage_count *counts, size_t count)
{
    bool agree = true;

    printf("{\"partitions\":[");
    for (size_t i = 0; i < count; i++) {
        const struct stage_count *stage = &counts[i];
        char landed[32] = "null";
        if (stage->landed >= 0)
            snprintf(landed, sizeof(landed), "%lld", (long long)stage->landed);
        printf("%s{\"topic\":\"%s\",\"partition\":%d,\"way\":\"%s\",\"acknowledged\":%lld,\"landed\":%s,"
               "\"cleaned\":%lld,"
               "\"quarantined\":%lld,\"duplicates\":%lld,\"agree\":%s}",
               i ? "," : "", stage->topic, stage->partition, stage->way == COUNT_BATCH ? "batch" : "stream",
               (long long)stage->acknowledged, landed, (long long)stage->cleaned,
               (long long)stage->quarantined, (long long)stage->duplicates, stage->agree ? "true" : "false");
        agree = agree && stage->agree;
    }
    printf("],\"agree\":%s}\n", agree ? "true" : "false");
}

static bool all_agree(const struct stage_count *counts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!counts[i].agree)
            return false;
    return true;
}

int command_audit(struct cli *cli)
{
    struct sql_options options = {
        .temp_dir = config_path(cli->config, "run/spill-audit"),
        .memory_limit_bytes = (size_t)config_integer(cli->config, "lakehouse.memory.limit"),
    };
    int64_t give_up = clock_steady_ms() + cli_integer(cli, "wait", 0) * 1000;
    struct arena arena = arena_init(SIZE_MAX);
    struct stage_count *counts = NULL;
    struct sql_db *db = NULL;
    size_t count = 0;
    bool agree = false;
    enum err err;

    if (cli->operand_count)
        return cli_usage(cli, "audit takes no '%s'", cli->operands[0]);
    cli_catch_signals();
    err = sql_db_open(&db, &options);
    while (!err) {
        err = count_stages(cli->config, db, true, &arena, &counts, &count);
        if (err || all_agree(counts, count) || cli_stop || clock_steady_ms() >= give_up)
            break;
        clock_sleep_ms(500);
        arena_release(&arena);
    }
    if (!err) {
        agree = all_agree(counts, count);
        if (cli->json)
            print_json(counts, count);
        else
            count_print(counts, count);
        if (!agree && !cli->quiet)
            fprintf(stderr,
                    "Records that have landed are cleaned by `pinrail batch`; what is on its way may need "
                    "`pinrail audit --wait 30`.\n");
    }
    sql_db_close(db);
    arena_release(&arena);
    if (err)
        return cli_fail(err);
    return agree ? EX_OK : EX_DATAERR;
}
