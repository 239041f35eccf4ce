/* sql.c - `pinrail sql "..."`: any question of the tables. */
#include "cli/cli_commands.h"
#include "cli/open_tables.h"

const struct cli_option sql_options[] = {
    {"format", "FORMAT", "table (default), csv or json (an object a row)"},
    {NULL, NULL, NULL},
};

int command_sql(struct cli *cli)
{
    struct open_tables tables = {0};
    struct sql_result *result = NULL;
    enum print_format format;
    enum err err;

    if (cli->operand_count != 1)
        return cli_usage(cli, "sql takes one statement, in quotes");
    if (format_asked(cli, &format))
        return cli_usage(cli, "%s", err_sentence());
    err = open_tables(&tables, cli, true);
    if (!err)
        err = sql_query(tables.sql, &result, cli->operands[0]);
    if (!err)
        err = print_result(stdout, result, format);
    sql_result_free(result);
    open_tables_close(&tables);
    return finish_output(err);
}
