/* quarantine.c - `pinrail quarantine list` and `show ID`: what was set aside, why, and its bytes.
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
    {"entity", "NAME", "list: only records of that kind"},
    {"limit", "N", "list: the newest N (50)"},
    {"format", "FORMAT", "table (default), csv or json (an object a row)"},
    {NULL, NULL, NULL},
};

/* A FROM item of the rows set aside; none, said on stderr, when there is no such table yet. */
static enum err scan(const struct cli *cli, struct buf *from, bool *any)
{
    struct table *table = NULL;
    char name[256];
    enum err err;

    snprintf(name, sizeof(name), "%s_quarantine", config_text(cli->config, "user"));
    err = table_open(&table, disk_real(), config_path(cli->config, "tables"), name);
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

static enum err where_of(const char *entity, struct buf *out)
{
    enum err err = ERR_OK;

    if (entity) {
        err = buf_add_text(out, "WHERE entity = ");
        if (!err)
            err = sql_quote(bytes_of_text(entity), out);
    }
    return !err && !buf_text(out) ? ERR_NO_MEMORY : err;
}

static int list(struct cli *cli)
{
    struct buf from = buf_init((size_t)256 << 20), where = buf_init(64 * 1024);
    int64_t limit = cli_integer(cli, "limit", LIMIT_DEFAULT), all = 0;
    struct open_tables tables = {0};
    struct sql_result *result = NULL, *counted = NULL;
    enum print_format format;
    bool any = false;
    enum err err;

    if (cli->operand_count != 1)
        return cli_usage(cli, "quarantine list takes no '%s'", cli->operands[1]);
    if (limit < 1)
        return cli_usage(cli, "--limit must be 1 or more");
    err = format_asked(cli, &format);
    if (!err)
        err = scan(cli, &from, &any);
    if (!err && any)
        err = where_of(cli_value(cli, "entity"), &where);
    if (err || !any)
        goto out;
    err = open_tables(&tables, cli, false);
    if (!err)
        err = sql_queryf(tables.sql, &result,
                         "SELECT _topic || '/' || _partition || '/' || _offset AS id, entity, rule, reason, "
                         "_ingested_at AS set_aside "
                         "FROM %s %s ORDER BY _ingested_at DESC, _topic, _partition, _offset DESC LIMIT %lld",
                         (const char *)from.at, (const char *)where.at, (long long)limit);
    if (!err)
        err = sql_queryf(tables.sql, &counted, "SELECT count(*) FROM %s %s", (const char *)from.at,
                         (const char *)where.at);
    if (!err)
        err = print_result(stdout, result, format);
    if (!err)
        all = sql_integer(counted, 0, 0);
    if (!err && !cli->quiet && all > (int64_t)sql_rows(result))
        fprintf(stderr, "The newest %zu of %lld; --limit shows more.\n", sql_rows(result), (long long)all);
out:
    sql_result_free(result);
    sql_result_free(counted);
    open_tables_close(&tables);
    buf_release(&from);
    buf_release(&where);
    return finish_output(err);
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

/* For people: the facts a line each, then the bytes whole. */
static enum err show_record(const struct sql_result *result)
{
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i + 1 < sql_columns(result); i++) {
        printf("%-12s", sql_column_name(result, i));
        err = print_text(stdout, sql_text(result, 0, i));
        printf("\n");
    }
    printf("\n");
    if (!err && sql_is_null(result, 0, sql_columns(result) - 1))
        printf("(no bytes: the value was null, or its rule drops them)\n");
    else if (!err)
        err = print_text(stdout, sql_text(result, 0, sql_columns(result) - 1));
    printf("\n");
    return err;
}

static int show(struct cli *cli)
{
    struct buf from = buf_init((size_t)256 << 20), topic_sql = buf_init(64 * 1024);
    struct open_tables tables = {0};
    struct sql_result *result = NULL;
    enum print_format format;
    struct bytes topic;
    long long offset;
    long partition;
    bool any = false;
    enum err err;

    if (cli->operand_count != 2 || !parse_id(cli->operands[1], &topic, &partition, &offset))
        return cli_usage(
            cli, "quarantine show takes TOPIC/PARTITION/OFFSET, as `pinrail quarantine list` shows it");
    err = format_asked(cli, &format);
    if (!err)
        err = scan(cli, &from, &any);
    if (err || !any)
        goto out;
    err = sql_quote(topic, &topic_sql);
    if (!err && !buf_text(&topic_sql))
        err = ERR_NO_MEMORY;
    if (!err)
        err = open_tables(&tables, cli, false);
    if (!err)
        err = sql_queryf(tables.sql, &result,
                         "SELECT _topic || '/' || _partition || '/' || _offset AS id, entity, rule, reason, "
                         "_ingested_at AS set_aside, "
                         "coalesce(TRY(decode(original)), CAST(original AS VARCHAR)) AS original FROM %s "
                         "WHERE _topic = %s AND _partition = %ld AND _offset = %lld LIMIT 1",
                         (const char *)from.at, (const char *)topic_sql.at, partition, offset);
    if (!err && sql_rows(result) == 0)
        err = err_note(ERR_NOT_FOUND, "%s was not set aside; `pinrail quarantine list` shows what was",
                       cli->operands[1]);
    if (!err)
        err = format == PRINT_TABLE ? show_record(result) : print_result(stdout, result, format);
out:
    sql_result_free(result);
    open_tables_close(&tables);
    buf_release(&from);
    buf_release(&topic_sql);
    return finish_output(err);
}

int command_quarantine(struct cli *cli)
{
    enum print_format format;

    if (format_asked(cli, &format))
        return cli_usage(cli, "%s", err_sentence());
    if (cli->operand_count > 0 && strcmp(cli->operands[0], "list") == 0)
        return list(cli);
    if (cli->operand_count > 0 && strcmp(cli->operands[0], "show") == 0)
        return show(cli);
    return cli_usage(cli, "quarantine takes list, or show and TOPIC/PARTITION/OFFSET");
}
