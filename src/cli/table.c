/* table.c - `pinrail table list` and `pinrail table history NAME`: what the Delta logs say. */
#include "table/table.h"
#include "cli/cli_commands.h"
#include "cli/open_tables.h"

const struct cli_option table_options[] = {
    {"format", "FORMAT", "table (default), csv or json (an object a row)"},
    {NULL, NULL, NULL},
};

static enum err add_text(struct buf *out, const char *text)
{
    return sql_quote(bytes_of_text(text), out);
}

/* The lists come as C structs; as VALUES they are printed like any other result. */
static enum err print_rows(const struct cli *cli, struct sql *sql, struct buf *values, const char *columns,
                           size_t count)
{
    struct sql_result *result = NULL;
    enum print_format format;
    enum err err = format_asked(cli, &format);

    if (!err && !buf_text(values))
        err = ERR_NO_MEMORY;
    if (!err && count > 0)
        err = sql_queryf(sql, &result, "SELECT * FROM (VALUES %s) AS rows(%s)", (const char *)values->at,
                         columns);
    if (!err && result)
        err = print_result(stdout, result, format);
    sql_result_free(result);
    return err;
}

static int list(struct cli *cli)
{
    struct arena arena = arena_init((size_t)64 << 20);
    struct buf values = buf_init((size_t)64 << 20);
    struct open_tables opened = {0};
    struct table_info *tables = NULL;
    size_t count = 0;
    enum err err;

    if (cli->operand_count != 1)
        return cli_usage(cli, "table list takes no '%s'", cli->operands[1]);
    err = open_tables(&opened, cli, false);
    if (!err)
        err =
            table_list(disk_real(), opened.sql, config_path(cli->config, "tables"), &arena, &tables, &count);
    if (err == ERR_NOT_FOUND) /* no folder yet: no tables */
        err = ERR_OK;
    for (size_t i = 0; !err && i < count; i++) {
        const struct table_info *info = &tables[i];
        err = buf_add_text(&values, i > 0 ? ", (" : "(");
        if (!err)
            err = add_text(&values, info->name);
        if (!err)
            err = buf_printf(&values,
                             ", %lld::BIGINT, %lld::BIGINT, %lld::BIGINT, %lld::BIGINT, "
                             "make_timestamptz(%lld::BIGINT * 1000))",
                             (long long)info->version, (long long)info->rows, (long long)info->files,
                             (long long)info->bytes, (long long)info->modified_ms);
    }
    if (!err && count == 0 && !cli->quiet)
        fprintf(stderr, "There are no tables in %s yet: `pinrail batch` makes them from what has landed.\n",
                config_path(cli->config, "tables"));
    if (!err)
        err = print_rows(cli, opened.sql, &values, "name, version, rows, files, bytes, modified", count);
    open_tables_close(&opened);
    buf_release(&values);
    arena_release(&arena);
    return finish_output(err);
}

static enum err add_event(const struct table_event *event, bool first, struct buf *values)
{
    enum err err = buf_printf(values, "%s(%lld::BIGINT, make_timestamptz(%lld::BIGINT * 1000), ",
                              first ? "" : ", ", (long long)event->version, (long long)event->timestamp_ms);

    if (!err)
        err = add_text(values, event->operation ? event->operation : "");
    if (!err)
        err = buf_printf(values, ", %lld::BIGINT, %lld::BIGINT, %lld::BIGINT, ", (long long)event->rows,
                         (long long)event->files_added, (long long)event->files_removed);
    if (!err)
        err = add_text(values, event->txns ? event->txns : "");
    return err ? err : buf_add_char(values, ')');
}

static int history(struct cli *cli)
{
    struct arena arena = arena_init((size_t)1 << 30);
    struct buf values = buf_init((size_t)256 << 20);
    struct open_tables opened = {0};
    struct table_event *events = NULL;
    struct table *table = NULL;
    size_t count = 0;
    enum err err;

    if (cli->operand_count != 2)
        return cli_usage(cli, "table history takes one name, as `pinrail table list` shows it");
    if (cli->operands[1][0] == '.' || strchr(cli->operands[1], '/'))
        return cli_usage(cli, "'%s' is no name of a table", cli->operands[1]);
    err = open_tables(&opened, cli, false);
    if (!err)
        err =
            table_open(&table, disk_real(), opened.sql, config_path(cli->config, "tables"), cli->operands[1]);
    if (!err && table_version(table) < 0)
        err =
            err_note(ERR_NOT_FOUND, "there is no table %s in %s; `pinrail table list` shows those there are",
                     cli->operands[1], config_path(cli->config, "tables"));
    if (!err)
        err = table_history(table, &arena, &events, &count);
    for (size_t i = 0; !err && i < count; i++)
        err = add_event(&events[i], i == 0, &values);
    if (!err)
        err = print_rows(cli, opened.sql, &values,
                         "version, committed, operation, rows, files_added, files_removed, txns", count);
    table_close(table);
    open_tables_close(&opened);
    buf_release(&values);
    arena_release(&arena);
    return finish_output(err);
}

int command_table(struct cli *cli)
{
    enum print_format format;

    if (format_asked(cli, &format))
        return cli_usage(cli, "%s", err_sentence());
    if (cli->operand_count > 0 && strcmp(cli->operands[0], "list") == 0)
        return list(cli);
    if (cli->operand_count > 0 && strcmp(cli->operands[0], "history") == 0)
        return history(cli);
    return cli_usage(cli, "table takes list, or history and a name");
}
