/* insight.c - `pinrail insight [NAME]`: the answers, as they are now. */
#include "insight/insight.h"
#include "cli/cli_commands.h"
#include "cli/open_tables.h"

enum { ROWS_MOST = 20, BARS_MOST = 12 }; /* of each, when all are shown */

const struct cli_option insight_options[] = {
    {"stream", NULL, "ask what the streams brought, not the batch's tables"},
    {"format", "FORMAT", "table (default), csv or json (an object a row)"},
    {NULL, NULL, NULL},
};

/* For people: the question, its answer, and a picture of it. */
static enum err show(const struct insight *insight, const struct sql_result *result, bool one)
{
    const char *bold = cli_has_colour(stdout) ? "\033[1m" : "", *plain = *bold ? "\033[0m" : "";
    enum err err;

    printf("%s%s%s  (%s)\n\n", bold, insight->title, plain, insight->name);
    err = print_table(stdout, result, one ? 0 : ROWS_MOST);
    if (!err && sql_rows(result) > 1) {
        printf("\n");
        err = print_bars(stdout, result, one ? SIZE_MAX : BARS_MOST);
    }
    return err;
}

static enum err answer(const struct cli *cli, const struct open_tables *tables, const struct insight *insight,
                       enum print_format format, bool one)
{
    enum insight_from from = cli_value(cli, "stream") ? INSIGHT_FROM_STREAMS : INSIGHT_FROM_TABLES;
    struct buf named_sql = buf_init(SIZE_MAX / 2);
    struct sql_result *result = NULL;
    struct insight asked = *insight;
    enum err err = ERR_OK;

    if (format == PRINT_JSON && !one) { /* a row must say which answer it belongs to */
        err = buf_printf(&named_sql, "SELECT '%s' AS insight, * FROM (\n%s\n)", insight->name, insight->sql);
        if (!err)
            err = buf_add_char(&named_sql, 0);
        asked.sql = (char *)named_sql.at;
    }
    if (!err)
        err = insight_ask(cli->config, disk_real(), tables->sql, &asked, from, &result);
    if (!err)
        err = format == PRINT_TABLE ? show(insight, result, one) : print_result(stdout, result, format);
    sql_result_free(result);
    buf_release(&named_sql);
    return err;
}

static int unknown(const struct cli *cli, const struct insight *insights, size_t count)
{
    char names[1024];
    size_t at = 0;

    for (size_t i = 0; i < count && at < sizeof(names); i++)
        at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i > 0 ? ", " : "", insights[i].name);
    return cli_usage(cli, "no question is named '%s': %s are", cli->operands[0], count > 0 ? names : "none");
}

int command_insight(struct cli *cli)
{
    struct arena arena = arena_init((size_t)64 << 20);
    struct insight *insights = NULL;
    struct open_tables tables = {0};
    enum print_format format;
    size_t count = 0, first = 0, end;
    bool one = cli->operand_count == 1;
    enum err err;

    if (cli->operand_count > 1)
        return cli_usage(cli, "insight takes one name, or none for all");
    if (format_asked(cli, &format))
        return cli_usage(cli, "%s", err_sentence());
    if (format == PRINT_CSV && !one)
        return cli_usage(cli, "the answers have different columns: name one for csv");
    err = insight_list(cli->config, &arena, &insights, &count);
    end = count;
    if (!err && one) {
        while (first < count && strcmp(insights[first].name, cli->operands[0]) != 0)
            first++;
        if (first == count) {
            int status = unknown(cli, insights, count);
            arena_release(&arena);
            return status;
        }
        end = first + 1;
    }
    if (!err)
        err = open_tables(&tables, cli, false);
    for (size_t i = first; !err && i < end; i++) {
        if (i > first && format == PRINT_TABLE)
            printf("\n");
        err = answer(cli, &tables, &insights[i], format, one);
    }
    open_tables_close(&tables);
    arena_release(&arena);
    return finish_output(err);
}
