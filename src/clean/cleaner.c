/* cleaner.c - one entity's records as something SQL can read, and the two selects over it.
 *
 *     records --parse.c--> raw_<entity>  --<entity>.sql--> typed columns --expectations--> good select
 *             text columns, _fault, _rule                                             \--> aside select
 *
 * raw_<entity> is a view on a feed (sql.h), so that the entity's SQL says FROM raw_pin in Spark as well. Behind the
 * contract's columns it has _topic, _partition, _offset, _ingested_at, _fault, _rule and _original. The clean row
 * takes long to make and the row aside is rare, so the first select does not even read the original bytes. */
#include "clean/clean.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sql_files.h"
#include "base/trace.h"
#include "clean/parse.h"

enum { PARSERS_MOST = 64, SELECT_BYTES_MOST = 1024 * 1024, COLUMNS_OWN = 7 };

/* The feed's columns behind those of the contract. */
enum own_column { OWN_TOPIC, OWN_PARTITION, OWN_OFFSET, OWN_INGESTED_AT, OWN_FAULT, OWN_RULE, OWN_ORIGINAL };
static const struct sql_feed_column own_columns[COLUMNS_OWN] = {
    [OWN_TOPIC] = {"_topic", SQL_FEED_TEXT},       [OWN_PARTITION] = {"_partition", SQL_FEED_INT},
    [OWN_OFFSET] = {"_offset", SQL_FEED_INTEGER},  [OWN_INGESTED_AT] = {"_ingested_at", SQL_FEED_TIMESTAMP},
    [OWN_FAULT] = {"_fault", SQL_FEED_TEXT},       [OWN_RULE] = {"_rule", SQL_FEED_TEXT},
    [OWN_ORIGINAL] = {"_original", SQL_FEED_BLOB},
};

struct cleaner {
    struct sql *sql;
    struct contract contract;
    struct arena arena; /* the files' texts */
    struct sql_file entity_sql;
    struct buf good, aside, warned;

    struct sql_feed feed;
    struct sql_feed_column columns[CONTRACT_COLUMNS_MOST + COLUMNS_OWN];
    struct clean_input input;
    struct bytes topic;
    atomic_size_t next;   /* the first record that no thread has taken */
    atomic_size_t starts; /* how often a statement began to read */

    pthread_mutex_t lock; /* guards the parsers that are idle */
    struct parser parsers[PARSERS_MOST];
    struct parser *idle[PARSERS_MOST];
    size_t idle_count;
};

/* ---- the feed ---- */

static void feed_start(void *arg)
{
    struct cleaner *cleaner = arg;

    atomic_store(&cleaner->next, 0);
    atomic_fetch_add(&cleaner->starts, 1);
}

static struct parser *parser_take(struct cleaner *cleaner)
{
    struct parser *parser;

    pthread_mutex_lock(&cleaner->lock);
    assert(cleaner->idle_count > 0); /* DuckDB keeps to feed.parallel, and there are as many */
    parser = cleaner->idle[--cleaner->idle_count];
    pthread_mutex_unlock(&cleaner->lock);
    return parser;
}

static void parser_give_back(struct cleaner *cleaner, struct parser *parser)
{
    pthread_mutex_lock(&cleaner->lock);
    cleaner->idle[cleaner->idle_count++] = parser;
    pthread_mutex_unlock(&cleaner->lock);
}

static void feed_bytes(struct sql_feed_chunk *chunk, size_t column, size_t row, struct bytes text)
{
    if (text.at)
        sql_feed_text(chunk, column, row, text);
    else
        sql_feed_null(chunk, column, row);
}

static void feed_record(struct cleaner *cleaner, const struct parser *parser, const struct raw_record *record,
                        struct sql_feed_chunk *chunk, size_t row)
{
    size_t own = cleaner->contract.column_count;
    bool faulty = parser->fault.size > 0;

    for (size_t i = 0; i < own; i++)
        feed_bytes(chunk, i, row, parser->texts[i]);
    sql_feed_text(chunk, own + OWN_TOPIC, row, cleaner->topic);
    sql_feed_integer(chunk, own + OWN_PARTITION, row, record->partition);
    sql_feed_integer(chunk, own + OWN_OFFSET, row, record->offset);
    sql_feed_integer(chunk, own + OWN_INGESTED_AT, row, cleaner->input.ingested_us);
    feed_bytes(chunk, own + OWN_FAULT, row, faulty ? buf_bytes(&parser->fault) : bytes_of(NULL, 0));
    feed_bytes(chunk, own + OWN_RULE, row, faulty ? buf_bytes(&parser->rule) : bytes_of(NULL, 0));
    if (sql_feed_wants(chunk, own + OWN_ORIGINAL))
        feed_bytes(chunk, own + OWN_ORIGINAL, row, record->value);
}

static size_t feed_pull(void *arg, struct sql_feed_chunk *chunk)
{
    struct cleaner *cleaner = arg;
    size_t first = atomic_fetch_add(&cleaner->next, SQL_FEED_CHUNK_ROWS), rows;
    struct parser *parser;

    if (first >= cleaner->input.count)
        return 0;
    rows = cleaner->input.count - first;
    if (rows > SQL_FEED_CHUNK_ROWS)
        rows = SQL_FEED_CHUNK_ROWS;
    parser = parser_take(cleaner);
    for (size_t row = 0; row < rows; row++) {
        const struct raw_record *record = &cleaner->input.records[first + row];
        if (parser_read(parser, record->value)) {
            rows = SQL_FEED_FAILED;
            break;
        }
        feed_record(cleaner, parser, record, chunk, row);
    }
    parser_give_back(cleaner, parser);
    return rows;
}

static enum err feed_define(struct cleaner *cleaner, int threads)
{
    struct contract *contract = &cleaner->contract;
    char name[CONTRACT_NAME_BYTES_MOST + 8];
    enum err err;

    for (size_t i = 0; i < contract->column_count; i++)
        cleaner->columns[i] =
            (struct sql_feed_column){(const char *)contract->columns[i].name.at, SQL_FEED_TEXT};
    memcpy(cleaner->columns + contract->column_count, own_columns, sizeof(own_columns));
    if (threads < 1)
        threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (threads < 1 || threads > PARSERS_MOST)
        threads = threads < 1 ? 1 : PARSERS_MOST;
    for (int i = 0; i < threads; i++) {
        parser_init(&cleaner->parsers[i], contract);
        parser_give_back(cleaner, &cleaner->parsers[i]);
    }
    cleaner->feed = (struct sql_feed){
        .columns = cleaner->columns,
        .column_count = contract->column_count + COLUMNS_OWN,
        .parallel = threads,
        .start = feed_start,
        .pull = feed_pull,
        .arg = cleaner,
    };
    snprintf(name, sizeof(name), "raw_%s", contract->entity);
    err = sql_feed_define(cleaner->sql, name, &cleaner->feed);
    return err ? err
               : sql_runf(cleaner->sql, "CREATE OR REPLACE TEMP VIEW %s AS SELECT * FROM %s()", name, name);
}

/* ---- the selects ---- */

/* buf_* errors gather here, so that building a text reads as the text. */
struct writer {
    struct buf *out;
    enum err err;
};

static void write_format(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void write_format(struct writer *writer, const char *format, ...)
{
    char small[512], *text = small;
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (size < 0 || writer->err)
        return;
    if ((size_t)size >= sizeof(small)) {
        va_start(args, format);
        size = vasprintf(&text, format, args);
        va_end(args);
        if (size < 0) {
            writer->err = ERR_NO_MEMORY;
            return;
        }
    }
    writer->err = buf_add(writer->out, text, (size_t)size);
    if (text != small)
        free(text);
}

static void write_quoted(struct writer *writer, const char *text)
{
    if (!writer->err)
        writer->err = sql_quote(bytes_of_text(text), writer->out);
}

/* FROM (the entity's SQL), without the semicolon it may end in. */
static void write_from(struct writer *writer, const struct cleaner *cleaner)
{
    struct bytes text = cleaner->entity_sql.text;

    while (text.size > 0 && strchr("; \t\r\n", text.at[text.size - 1]))
        text.size--;
    write_format(writer, "\nFROM (\n");
    if (!writer->err)
        writer->err = buf_add_bytes(writer->out, text);
    write_format(writer, "\n)\n");
}

static bool sets_aside(const struct expectation *expectation)
{
    return expectation->action == EXPECT_QUARANTINE || expectation->action == EXPECT_DROP;
}

/* "age: found 430, expected 0 to 120", as an SQL expression. */
static void write_reason(struct writer *writer, const struct expectation *expectation)
{
    write_format(writer, "concat(");
    write_quoted(writer, expectation->column);
    if (expectation->found)
        write_format(writer, ", ': found ', coalesce(left(CAST(%s AS STRING), 60), 'null'), ', expected ', ",
                     expectation->found);
    else
        write_format(writer, ", ': expected ', ");
    write_quoted(writer, expectation->expected);
    write_format(writer, ")");
}

static void write_good(struct writer *writer, const struct cleaner *cleaner, const struct sql_result *columns)
{
    write_format(writer, "SELECT ");
    for (size_t i = 0; i < sql_columns(columns); i++)
        if (sql_column_name(columns, i)[0] != '_')
            write_format(writer, "\"%s\", ", sql_column_name(columns, i));
    write_format(writer, "_topic, _partition, _offset, _ingested_at");
    write_from(writer, cleaner);
    write_format(writer, "WHERE _fault IS NULL");
    for (size_t i = 0; i < cleaner->contract.expectation_count; i++) {
        const struct expectation *expectation = &cleaner->contract.expectations[i];
        if (sets_aside(expectation)) {
            write_format(writer, "\n  AND (%s) IS NOT FALSE", expectation->expect);
        } else if (expectation->action == EXPECT_FAIL) {
            write_format(writer, "\n  AND CASE WHEN (%s) IS FALSE THEN error(concat('expectation %s: ', ",
                         expectation->expect, expectation->name);
            write_reason(writer, expectation);
            write_format(writer, ")) ELSE true END");
        }
    }
}

static void write_aside(struct writer *writer, const struct cleaner *cleaner)
{
    const struct contract *contract = &cleaner->contract;

    write_format(writer, "SELECT '%s' AS entity, concat_ws('; ', _fault", contract->entity);
    for (size_t i = 0; i < contract->expectation_count; i++)
        if (sets_aside(&contract->expectations[i])) {
            write_format(writer, ",\n  CASE WHEN (%s) IS FALSE THEN ", contract->expectations[i].expect);
            write_reason(writer, &contract->expectations[i]);
            write_format(writer, " END");
        }
    write_format(writer, ") AS reason,\n  concat_ws('; ', _rule");
    for (size_t i = 0; i < contract->expectation_count; i++)
        if (sets_aside(&contract->expectations[i]))
            write_format(writer, ", CASE WHEN (%s) IS FALSE THEN '%s' END", contract->expectations[i].expect,
                         contract->expectations[i].name);
    /* The bytes go only if nothing but drops speaks against the row. */
    write_format(writer, ") AS rule,\n  CASE WHEN _fault IS NOT NULL");
    for (size_t i = 0; i < contract->expectation_count; i++)
        if (contract->expectations[i].action == EXPECT_QUARANTINE)
            write_format(writer, " OR (%s) IS FALSE", contract->expectations[i].expect);
    write_format(writer, " THEN _original END AS original,\n  _topic, _partition, _offset, _ingested_at");
    write_from(writer, cleaner);
    write_format(writer, "WHERE _fault IS NOT NULL");
    for (size_t i = 0; i < contract->expectation_count; i++)
        if (sets_aside(&contract->expectations[i]))
            write_format(writer, " OR (%s) IS FALSE", contract->expectations[i].expect);
}

/* How many rows break each expectation that only warns; nothing when there is none. */
static void write_warned(struct writer *writer, const struct cleaner *cleaner)
{
    const struct contract *contract = &cleaner->contract;
    bool any = false;

    for (size_t i = 0; i < contract->expectation_count; i++)
        if (contract->expectations[i].action == EXPECT_WARN) {
            write_format(
                writer,
                "%s count(CASE WHEN (%s) IS FALSE THEN 1 END) AS %s, min(CASE WHEN (%s) IS FALSE THEN ",
                any ? "," : "SELECT", contract->expectations[i].expect, contract->expectations[i].name,
                contract->expectations[i].expect);
            write_reason(writer, &contract->expectations[i]);
            write_format(writer, " END)");
            any = true;
        }
    if (any) {
        write_from(writer, cleaner);
        write_format(writer, "WHERE _fault IS NULL");
    }
}

/* Run a text on no records, so that a slip in a file is told when it is loaded and not at the first record. One that
 * reads the records at two places would get each of them at only one. */
static enum err try_select(struct cleaner *cleaner, const char *path, const char *select,
                           struct sql_result **out)
{
    char said[700];
    enum err err;

    atomic_store(&cleaner->starts, 0);
    err = sql_query(cleaner->sql, out, select);
    if (err == ERR_INVALID) {
        snprintf(said, sizeof(said), "%s", err_sentence());
        err = err_note(ERR_INVALID, "%s: %s", path, said);
    }
    if (!err && atomic_load(&cleaner->starts) > 1)
        err = err_note(ERR_INVALID, "%s: raw_%s may be read at one place only; WITH names it for more", path,
                       cleaner->contract.entity);
    return err;
}

static enum err check_own_columns(const struct cleaner *cleaner, const struct sql_result *columns)
{
    for (size_t i = 0; i < COLUMNS_OWN; i++) {
        size_t at = 0;
        while (at < sql_columns(columns) && strcmp(sql_column_name(columns, at), own_columns[i].name) != 0)
            at++;
        if (at == sql_columns(columns))
            return err_note(ERR_INVALID, "%s: the rows lack %s; pass it on from raw_%s",
                            cleaner->entity_sql.path, own_columns[i].name, cleaner->contract.entity);
    }
    for (size_t i = 0; i < sql_columns(columns); i++)
        if (strchr(sql_column_name(columns, i), '"'))
            return err_note(ERR_INVALID, "%s: a column's name has a quote; name it with AS",
                            cleaner->entity_sql.path);
    return ERR_OK;
}

static enum err make_selects(struct cleaner *cleaner, const char *contract_path)
{
    struct writer from = {&(struct buf){.most = SELECT_BYTES_MOST}, ERR_OK};
    struct writer good = {&cleaner->good, ERR_OK}, aside = {&cleaner->aside, ERR_OK},
                  warned = {&cleaner->warned, ERR_OK};
    struct sql_result *columns = NULL, *tried = NULL;
    enum err err;

    write_format(&from, "SELECT *");
    write_from(&from, cleaner);
    err = from.err;
    if (!err && !buf_text(from.out))
        err = ERR_NO_MEMORY;
    if (!err)
        err = try_select(cleaner, cleaner->entity_sql.path, (const char *)from.out->at, &columns);
    if (!err)
        err = check_own_columns(cleaner, columns);
    if (err)
        goto out;
    write_good(&good, cleaner, columns);
    write_aside(&aside, cleaner);
    write_warned(&warned, cleaner);
    err = good.err ? good.err : aside.err ? aside.err : warned.err;
    if (!err && !(buf_text(&cleaner->good) && buf_text(&cleaner->aside) && buf_text(&cleaner->warned)))
        err = ERR_NO_MEMORY;
    for (int i = 0; !err && i < 3; i++) {
        struct buf *select = i == 0 ? &cleaner->good : i == 1 ? &cleaner->aside : &cleaner->warned;
        if (select->size == 0)
            continue;
        err = try_select(cleaner, contract_path, (const char *)select->at, &tried);
        sql_result_free(tried);
        tried = NULL;
    }
out:
    sql_result_free(columns);
    buf_release(from.out);
    return err;
}

/* ---- opening, feeding ---- */

static enum err load(struct cleaner *cleaner, const struct config *config, const char *entity)
{
    char below[CONTRACT_NAME_BYTES_MOST + 16];
    struct sql_file yaml, prelude;
    enum err err;

    if (strlen(entity) > CONTRACT_NAME_BYTES_MOST ||
        strspn(entity, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(entity))
        return err_note(ERR_INVALID, "entity `%.80s`: a name has lower-case letters, digits and _ only",
                        entity);
    snprintf(below, sizeof(below), "clean/%s.yaml", entity);
    err = sql_file_read(config, below, &cleaner->arena, &yaml);
    if (!err)
        err = contract_read(&cleaner->contract, yaml.text, yaml.path);
    if (!err && strcmp(cleaner->contract.entity, entity) != 0)
        err = err_note(ERR_INVALID, "%s: `entity: %s`: by its file name it is %s", yaml.path,
                       cleaner->contract.entity, entity);
    snprintf(below, sizeof(below), "clean/%s.sql", entity);
    if (!err)
        err = sql_file_read(config, below, &cleaner->arena, &cleaner->entity_sql);
    if (!err)
        err = sql_file_read(config, "prelude.duckdb.sql", &cleaner->arena, &prelude);
    if (!err)
        err = sql_run(cleaner->sql, (const char *)prelude.text.at);
    if (!err)
        err = feed_define(cleaner, (int)config_integer(config, "lakehouse.threads"));
    return err ? err : make_selects(cleaner, yaml.path);
}

enum err cleaner_open(struct cleaner **out, const struct config *config, struct sql *sql, const char *entity)
{
    struct cleaner *cleaner = calloc(1, sizeof(*cleaner));
    enum err err;

    if (!cleaner)
        return err_note(ERR_NO_MEMORY, "out of memory for a cleaner");
    pthread_mutex_init(&cleaner->lock, NULL);
    cleaner->sql = sql;
    cleaner->arena = arena_init(4 * SQL_FILE_BYTES_MOST);
    cleaner->good = cleaner->aside = cleaner->warned = buf_init(SELECT_BYTES_MOST);
    err = load(cleaner, config, entity);
    if (err)
        cleaner_close(cleaner);
    else
        *out = cleaner;
    return err;
}

void cleaner_close(struct cleaner *cleaner)
{
    if (!cleaner)
        return;
    for (size_t i = 0; i < PARSERS_MOST; i++)
        parser_release(&cleaner->parsers[i]);
    buf_release(&cleaner->good);
    buf_release(&cleaner->aside);
    buf_release(&cleaner->warned);
    contract_release(&cleaner->contract);
    arena_release(&cleaner->arena);
    pthread_mutex_destroy(&cleaner->lock);
    free(cleaner);
}

/* Say how many rows break an expectation that only warns. Its columns come in pairs: count, an example. */
static enum err tell_warned(struct cleaner *cleaner)
{
    struct sql_result *result = NULL;
    enum err err = sql_query(cleaner->sql, &result, (const char *)cleaner->warned.at);

    for (size_t i = 0; !err && i + 1 < sql_columns(result); i += 2) {
        int64_t rows = sql_integer(result, 0, i);
        struct bytes example = sql_text(result, 0, i + 1);
        if (rows > 0)
            trace_warn("clean", "%s: %lld rows of %s break %s, for example %.*s", cleaner->input.topic,
                       (long long)rows, cleaner->contract.entity, sql_column_name(result, i),
                       (int)example.size, (const char *)example.at);
    }
    sql_result_free(result);
    return err;
}

enum err cleaner_feed(struct cleaner *cleaner, const struct clean_input *input)
{
    cleaner->input = *input;
    cleaner->topic = bytes_of_text(input->topic);
    return cleaner->warned.size > 0 ? tell_warned(cleaner) : ERR_OK;
}

const char *cleaner_good_select(const struct cleaner *cleaner)
{
    return (const char *)cleaner->good.at;
}

const char *cleaner_aside_select(const struct cleaner *cleaner)
{
    return (const char *)cleaner->aside.at;
}
