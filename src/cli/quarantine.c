/* quarantine.c - `pinrail quarantine list` and `show [ID]`: what was set aside, why, and its bytes.
 *
 * A record's id is TOPIC/PARTITION/OFFSET: where it is in the log. */
#include <ctype.h>
#include <stdlib.h>

#include "base/disk.h"
#include "cli/cli_commands.h"
#include "cli/open_tables.h"
#include "cli/print.h"
#include "table/table.h"

enum { LIMIT_DEFAULT = 50 };

const struct cli_option quarantine_options[] = {
    {"entity", "NAME", "only records of that kind"},
    {"limit", "N", "the newest N (50)"},
    {"format", "FORMAT", "table (default), csv or json (an object a row)"},
    {NULL, NULL, NULL},
};

/* A FROM item of the rows set aside; none, said on stderr, when there is no such table yet. */
static enum err scan(const struct cli *cli, struct sql *sql, struct buf *from, bool *any)
{
    struct table *table = NULL;
    char name[256];
    enum err err;

    snprintf(name, sizeof(name), "%s_quarantine", config_text(cli->config, "user"));
    err = table_open(&table, disk_real(), sql, config_path(cli->config, "tables"), name);
    *any = !err && table_version(table) >= 0 && table_rows(table) > 0;
    if (*any)
        err = table_scan(table, -1, from);
    if (!err && *any && !buf_text(from))
        err = ERR_NO_MEMORY;
    table_close(table);
    if (!err && !*any && !cli->quiet)
        fprintf(stderr, "Nothing was set aside.\n");
    return err;
}

/* TOPIC/PARTITION/OFFSET; a topic's name has no slash. */
static bool parse_id(const char *id, struct bytes *topic, long *partition, long long *offset)
{
    const char *slash = strchr(id, '/');
    char *end;

    if (!slash || slash == id || !isdigit((unsigned char)slash[1]))
        return false;
    *topic = bytes_of(id, (size_t)(slash - id));
    *partition = strtol(slash + 1, &end, 10);
    if (*end != '/' || !isdigit((unsigned char)end[1]))
        return false;
    *offset = strtoll(end + 1, &end, 10);
    return *end == 0;
}

/* WHERE, from --entity and from an id that was parsed before; `id` NULL: any. */
static enum err where_of(const struct cli *cli, const char *id, struct buf *out)
{
    const char *entity = cli_value(cli, "entity");
    struct bytes topic;
    long long offset;
    long partition;
    enum err err = buf_add_text(out, "WHERE true");

    if (!err && entity) {
        err = buf_add_text(out, " AND entity = ");
        if (!err)
            err = sql_quote(bytes_of_text(entity), out);
    }
    if (!err && id && parse_id(id, &topic, &partition, &offset)) {
        err = buf_printf(out, " AND _partition = %ld AND _offset = %lld AND _topic = ", partition, offset);
        if (!err)
            err = sql_quote(topic, out);
    }
    return !err && !buf_text(out) ? ERR_NO_MEMORY : err;
}

/* For people: the facts a line each, then the bytes whole. */
static enum err show_record(const struct sql_result *result, size_t row)
{
    size_t last = sql_columns(result) - 1;
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < last; i++) {
        printf("%-12s", sql_column_name(result, i));
        err = print_text(stdout, sql_text(result, row, i));
        printf("\n");
    }
    printf("\n");
    if (!err && sql_is_null(result, row, last))
        printf("(no bytes: the value was null, or its rule drops them)");
    else if (!err)
        err = print_text(stdout, sql_text(result, row, last));
    printf("\n%s", row + 1 < sql_rows(result) ? "\n" : "");
    return err;
}

/* Print the newest rows; with `bytes` their original bytes too: as text where they are UTF-8, else as \x.. escapes. */
static enum err print_newest(const struct cli *cli, struct sql *sql, const char *from, const char *where,
                             const char *id, bool bytes)
{
    struct sql_result *result = NULL, *counted = NULL;
    enum print_format format;
    enum err err = format_asked(cli, &format);

    if (!err)
        err = sql_queryf(sql, &result,
                         "SELECT _topic || '/' || _partition || '/' || _offset AS id, entity, rule, reason, "
                         "_ingested_at AS set_aside%s FROM %s %s "
                         "ORDER BY _ingested_at DESC, _topic, _partition, _offset DESC LIMIT %lld",
                         bytes ? ", coalesce(TRY(decode(original)), CAST(original AS VARCHAR)) AS original"
                               : "",
                         from, where, (long long)cli_integer(cli, "limit", LIMIT_DEFAULT));
    if (!err)
        err = sql_queryf(sql, &counted, "SELECT count(*) FROM %s %s", from, where);
    if (!err && bytes && format == PRINT_TABLE)
        for (size_t row = 0; !err && row < sql_rows(result); row++)
            err = show_record(result, row);
    else if (!err)
        err = print_result(stdout, result, format);
    if (!err && !cli->quiet && sql_integer(counted, 0, 0) > (int64_t)sql_rows(result))
        fprintf(stderr, "The newest %zu of %lld; --limit shows more.\n", sql_rows(result),
                (long long)sql_integer(counted, 0, 0));
    if (!err && id && sql_rows(result) == 0)
        err = err_note(ERR_NOT_FOUND, "%s was not set aside; `pinrail quarantine list` shows what was", id);
    sql_result_free(result);
    sql_result_free(counted);
    return err;
}

static int list_or_show(struct cli *cli, const char *id, bool bytes)
{
    struct buf from = buf_init((size_t)256 << 20), where = buf_init(64 * 1024);
    struct open_tables tables = {0};
    bool any = false;
    enum err err = open_tables(&tables, cli, false);

    if (!err)
        err = scan(cli, tables.sql, &from, &any);
    if (!err && any)
        err = where_of(cli, id, &where);
    if (!err && any)
        err = print_newest(cli, tables.sql, (const char *)from.at, (const char *)where.at, id, bytes);
    open_tables_close(&tables);
    buf_release(&from);
    buf_release(&where);
    return finish_output(err);
}

int command_quarantine(struct cli *cli)
{
    const char *what = cli->operand_count > 0 ? cli->operands[0] : "";
    enum print_format format;
    struct bytes topic;
    long long offset;
    long partition;

    if (format_asked(cli, &format))
        return cli_usage(cli, "%s", err_sentence());
    if (cli_integer(cli, "limit", LIMIT_DEFAULT) < 1)
        return cli_usage(cli, "--limit must be 1 or more");
    if (strcmp(what, "list") == 0 && cli->operand_count == 1)
        return list_or_show(cli, NULL, false);
    if (strcmp(what, "show") == 0 && cli->operand_count == 1)
        return list_or_show(cli, NULL, true);
    if (strcmp(what, "show") == 0 && cli->operand_count == 2 &&
        parse_id(cli->operands[1], &topic, &partition, &offset))
        return list_or_show(cli, cli->operands[1], true);
    return cli_usage(
        cli, "quarantine takes list, or show with or without a TOPIC/PARTITION/OFFSET as list shows it");
}
