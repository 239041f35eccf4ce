/* open_tables.c - opens the tables for a command that reads them, and ends its output. */
#include "cli/open_tables.h"

#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/disk.h"
#include "table/table.h"

enum err open_tables(struct open_tables *out, const struct cli *cli, bool views)
{
    struct open_tables tables = {0};
    struct sql_options options = {
        .memory_limit_bytes = (size_t)config_integer(cli->config, "lakehouse.memory.limit"),
        .threads = (int)config_integer(cli->config, "lakehouse.threads"),
    };
    enum err err;

    if (access(config_path(cli->config, "run"), W_OK) == 0) /* reading does not make a data folder */
        options.temp_dir = config_path(cli->config, "run/spill-cli");
    err = sql_db_open(&tables.db, &options);
    if (!err)
        err = sql_open(&tables.sql, tables.db);
    if (!err && views)
        err = table_views(tables.sql, cli->config, disk_real());
    if (err)
        open_tables_close(&tables);
    else
        *out = tables;
    return err;
}

void open_tables_close(struct open_tables *tables)
{
    sql_close(tables->sql);
    sql_db_close(tables->db);
    *tables = (struct open_tables){0};
}

enum err format_asked(const struct cli *cli, enum print_format *out)
{
    const char *name = cli_value(cli, "format");

    *out = cli->json ? PRINT_JSON : PRINT_TABLE;
    return name ? print_format_of(name, out) : ERR_OK;
}

int finish_output(enum err err)
{
    if (!err && fflush(stdout) != 0)
        err = err_note(ERR_IO, "cannot write the result: %s", strerror(errno));
    return err ? cli_fail(err) : EX_OK;
}
