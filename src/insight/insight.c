/* insight.c - reads the questions, asks them, and keeps the answers.
 *
 * A question is plain SQL over pin, geo and user. Two things are done to its text: {{median}} becomes the median of
 * the setting insight.median, and for the streams the whole is put behind WITH pin AS (SELECT * FROM pin_stream), ...,
 * so that the very same file is asked of both. */
#include "insight/insight.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sql_files.h"
#include "base/trace.h"
#include "table/table.h"

enum { QUESTION_BYTES_MOST = 2 * SQL_FILE_BYTES_MOST, NAME_BYTES_MOST = 80 };

/* ---- the questions ---- */

/* category_by_country of 01_category_by_country.sql. */
static enum err name_of(const struct sql_file *file, struct arena *arena, char **out)
{
    const char *name = file->name, *from = name;
    size_t size;

    while (isdigit((unsigned char)*from))
        from++;
    from += from > name && *from == '_';
    size = strlen(from) - strlen(".sql");
    if (size == 0 || size > NAME_BYTES_MOST || strspn(from, "abcdefghijklmnopqrstuvwxyz0123456789_") != size)
        return err_note(ERR_INVALID,
                        "%s: the file of a question is named NN_name.sql, with lower-case letters, digits "
                        "and _ in the name",
                        file->path);
    *out = arena_text(arena, bytes_of(from, size));
    return *out ? ERR_OK : ERR_NO_MEMORY;
}

/* The first line, if it is a comment: the question in words; else its name. */
static char *title_of(const struct sql_file *file, const char *name, struct arena *arena)
{
    const char *text = (const char *)file->text.at;
    size_t size = strcspn(text, "\r\n");

    if (strncmp(text, "--", 2) != 0)
        return arena_text(arena, bytes_of_text(name));
    for (text += 2, size -= 2; size > 0 && *text == ' '; size--)
        text++;
    return arena_text(arena, bytes_of(text, size));
}

/* The file's text with {{median}} filled in, without the semicolon it may end in. */
static enum err fill_in(const struct config *config, const struct sql_file *file, struct buf *out)
{
    static const struct bytes median = {(const uint8_t *)"{{median}}", 10};
    bool exact = strcmp(config_text(config, "insight.median"), "exact") == 0;
    const uint8_t *at = file->text.at, *end = at + file->text.size, *braces;
    enum err err = ERR_OK;

    while (end > at && memchr("; \t\r\n", end[-1], 5))
        end--;
    while (!err && (braces = memmem(at, (size_t)(end - at), "{{", 2))) {
        if ((size_t)(end - braces) < median.size || memcmp(braces, median.at, median.size) != 0)
            return err_note(ERR_INVALID, "%s: {{median}} is all that may stand in double braces", file->path);
        err = buf_add(out, at, (size_t)(braces - at));
        if (!err)
            err = buf_add_text(out, exact ? "percentile_cont" : "percentile_disc");
        at = braces + median.size;
    }
    return err ? err : buf_add(out, at, (size_t)(end - at));
}

static enum err read_insight(const struct config *config, const struct sql_file *file, struct arena *arena,
                             struct insight *out)
{
    struct buf sql = buf_init(QUESTION_BYTES_MOST);
    enum err err = name_of(file, arena, &out->name);

    if (!err)
        err = fill_in(config, file, &sql);
    if (!err) {
        out->title = title_of(file, out->name, arena);
        out->sql = arena_text(arena, buf_bytes(&sql));
        if (!out->title || !out->sql)
            err = err_note(ERR_NO_MEMORY, "out of memory for the questions");
    }
    buf_release(&sql);
    return err;
}

enum err insight_list(const struct config *config, struct arena *arena, struct insight **out, size_t *count)
{
    struct sql_file *files = NULL;
    struct insight *insights;
    size_t files_count = 0;
    enum err err = sql_files_list(config, "insight", arena, &files, &files_count);

    if (err)
        return err;
    insights = arena_take(arena, (files_count + 1) * sizeof(*insights));
    if (!insights)
        return err_note(ERR_NO_MEMORY, "out of memory for the questions");
    for (size_t i = 0; i < files_count; i++) {
        err = read_insight(config, &files[i], arena, &insights[i]);
        if (err)
            return err;
        for (size_t j = 0; j < i; j++)
            if (strcmp(insights[j].name, insights[i].name) == 0)
                return err_note(ERR_INVALID, "%s: another file has a question %s; rename one", files[i].path,
                                insights[i].name);
    }
    *out = insights;
    *count = files_count;
    return ERR_OK;
}

/* ---- asking ---- */

struct entities {
    char *text, *rest;
};

/* Go through the setting `entities` ("pin,geo,user"). */
static enum err entities_open(struct entities *entities, const struct config *config)
{
    entities->text = entities->rest = strdup(config_text(config, "entities"));
    return entities->text ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for the entities");
}

static const char *entities_next(struct entities *entities)
{
    const char *name;

    do
        name = strsep(&entities->rest, ", ");
    while (name && !*name);
    return name;
}

static void entities_close(struct entities *entities)
{
    free(entities->text);
}

/* Does the table that the view reads have rows? Told from its log alone. */
static enum err check_rows(const struct config *config, struct disk *disk, struct sql *sql,
                           const char *entity, enum insight_from from)
{
    struct table *table = NULL;
    char name[256];
    enum err err;

    snprintf(name, sizeof(name), "%s_%s_%s", config_text(config, "user"), entity,
             from == INSIGHT_FROM_STREAMS ? "stream" : "table");
    err = table_open(&table, disk, sql, config_path(config, "tables"), name);
    if (!err && table_rows(table) == 0)
        err = err_note(
            ERR_NOT_FOUND,
            from == INSIGHT_FROM_STREAMS
                ? "table %s has no rows yet: post to the stream of %s (`pinrail emulate --mode streaming`) "
                  "while `pinrail serve` runs"
                : "table %s has no rows yet: run `pinrail batch` once posts of %s have landed in the lake",
            name, entity);
    table_close(table);
    return err;
}

/* Make the views as of now, for one question or many, and see that there is something to ask of. */
static enum err prepare(const struct config *config, struct disk *disk, struct sql *sql,
                        enum insight_from from, bool many)
{
    struct entities entities;
    const char *entity;
    enum err err = entities_open(&entities, config);

    while (!err && (entity = entities_next(&entities)))
        err = check_rows(config, disk, sql, entity, from);
    entities_close(&entities);
    if (err)
        return err;
    return many ? table_views_settled(sql, config, disk) : table_views(sql, config, disk);
}

/* The statement that asks `insight` of `from`. */
static enum err statement_of(const struct config *config, const struct insight *insight,
                             enum insight_from from, struct buf *out)
{
    struct entities entities;
    const char *entity, *before = "WITH ";
    enum err err;

    if (from == INSIGHT_FROM_TABLES)
        return buf_add(out, insight->sql, strlen(insight->sql) + 1);
    err = entities_open(&entities, config);
    while (!err && (entity = entities_next(&entities))) {
        err = buf_printf(out, "%s\"%s\" AS (SELECT * FROM \"%s_stream\")", before, entity, entity);
        before = ", ";
    }
    entities_close(&entities);
    if (!err)
        err = buf_printf(out, "\nSELECT * FROM (\n%s\n)", insight->sql);
    return err ? err : buf_add_char(out, 0);
}

static enum err with_name(const struct insight *insight, enum err err)
{
    char said[800];

    if (err != ERR_INVALID)
        return err;
    snprintf(said, sizeof(said), "%s", err_sentence());
    return err_note(err, "question %s: %s", insight->name, said);
}

enum err insight_prepare(const struct config *config, struct disk *disk, struct sql *sql,
                         enum insight_from from)
{
    return prepare(config, disk, sql, from, true);
}

enum err insight_ask_prepared(const struct config *config, struct sql *sql, const struct insight *insight,
                              enum insight_from from, struct sql_result **out)
{
    struct buf statement = buf_init(QUESTION_BYTES_MOST);
    enum err err = statement_of(config, insight, from, &statement);

    if (!err)
        err = with_name(insight, sql_query(sql, out, (const char *)statement.at));
    buf_release(&statement);
    return err;
}

enum err insight_ask(const struct config *config, struct disk *disk, struct sql *sql,
                     const struct insight *insight, enum insight_from from, struct sql_result **out)
{
    enum err err = prepare(config, disk, sql, from, false);

    return err ? err : insight_ask_prepared(config, sql, insight, from, out);
}

static enum err keep(const struct config *config, struct disk *disk, struct sql *sql,
                     const struct insight *insight, enum insight_from from)
{
    struct buf statement = buf_init(QUESTION_BYTES_MOST);
    struct table_commit commit;
    struct table *table = NULL;
    char name[256 + NAME_BYTES_MOST];
    enum err err = statement_of(config, insight, from, &statement);

    snprintf(name, sizeof(name), "%s_insight_%s%s", config_text(config, "user"), insight->name,
             from == INSIGHT_FROM_STREAMS ? "_stream" : "");
    if (!err)
        err = table_open(&table, disk, sql, config_path(config, "tables"), name);
    if (!err)
        err = with_name(insight, table_replace(table, sql, (const char *)statement.at, &commit));
    table_close(table);
    buf_release(&statement);
    return err;
}

enum err insight_run_all(const struct config *config, struct disk *disk, struct sql *sql,
                         enum insight_from from)
{
    struct arena arena = arena_init((size_t)64 << 20);
    struct insight *insights = NULL;
    enum err err, first = ERR_OK;
    char said[800] = "";
    size_t count = 0;

    err = insight_list(config, &arena, &insights, &count);
    if (!err)
        err = prepare(config, disk, sql, from, true);
    /* A question with a slip does not keep the others from their answers. */
    for (size_t i = 0; !err && i < count; i++) {
        enum err one = keep(config, disk, sql, &insights[i], from);
        if (one)
            trace_error("insight", "%s", err_sentence());
        if (one && !first) {
            first = one;
            snprintf(said, sizeof(said), "%s", err_sentence());
        }
    }
    arena_release(&arena);
    return err ? err : first ? err_note(first, "%s", said) : ERR_OK;
}
