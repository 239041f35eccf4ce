/* views.c - the tables as people query them.
 *
 * Each table is a view under its name. `pin` (from <user>_pin_table) and `pin_stream` (from <user>_pin_stream) are views
 * over those with one row per key: a client may have sent a row twice, and the first offset wins.
 *
 * Keys that are there twice are few or none, so the view is the whole table joined with the first rows of those keys.
 * Measured on ten million pins, 1 GiB, two cores: a question of three columns takes 0.1 s of the bare table; 1.1 s
 * through QUALIFY row_number() = 1, which runs out of memory as soon as all columns are asked for; 1.9 s through this
 * join, whatever is asked for; 0.3 s when the first rows were looked up before (table_views_settled()); arg_min() over
 * (_offset, _partition) takes 7 s. */
#include <stdio.h>
#include <stdlib.h>

#include "base/trace.h"
#include "table/delta.h"

enum { VIEW_BYTES_MOST = 256 << 20 };
static const char key[] = "ind";

/* ---- a table under its name ---- */

static enum err make_view(struct sql *sql, struct buf *text)
{
    return buf_text(text) ? sql_run(sql, (const char *)text->at)
                          : err_note(ERR_FULL, "a view's text is too long");
}

static enum err begin_view(const char *name, struct buf *out)
{
    enum err err = buf_add_text(out, "CREATE OR REPLACE TEMP VIEW ");

    if (!err)
        err = schema_quote_name(name, out);
    return err ? err : buf_add_text(out, " AS ");
}

static enum err table_view(struct table *table, struct sql *sql)
{
    struct buf text = buf_init(VIEW_BYTES_MOST);
    enum err err = begin_view(table->name, &text);

    if (!err)
        err = buf_add_text(&text, "SELECT * FROM ");
    if (!err)
        err = table_scan(table, -1, &text);
    if (!err)
        err = make_view(sql, &text);
    buf_release(&text);
    return err;
}

/* ---- one row per key ---- */

static bool has_column(const struct table *table, const char *name)
{
    const json_t *field;
    size_t i;

    json_array_foreach(schema_fields(table->snapshot.schema), i, field)
    {
        if (strcmp(json_string_value(json_object_get(field, "name")), name) == 0)
            return true;
    }
    return false;
}

/* The first rows of the keys that the table has more than once. */
static enum err add_firsts(const char *name, struct buf *out)
{
    return buf_printf(out,
                      "SELECT %s AS k, _offset AS o, _partition AS p, _topic AS t FROM \"%s\" WHERE %s IN "
                      "(SELECT %s FROM \"%s\" GROUP BY 1 HAVING count(*) > 1) "
                      "QUALIFY row_number() OVER (PARTITION BY %s ORDER BY _offset, _partition, _topic) = 1",
                      key, name, key, key, name, key);
}

/* Look the firsts up now and keep them as a table of this connection; its name is appended to `out`. */
static enum err settle_firsts(const struct table *table, struct sql *sql, struct buf *out)
{
    struct buf text = buf_init(65536);
    enum err err = buf_printf(&text, "CREATE OR REPLACE TEMP TABLE \"%s firsts\" AS ", table->name);

    if (!err)
        err = add_firsts(table->name, &text);
    if (!err)
        err = make_view(sql, &text);
    buf_release(&text);
    return err ? err : buf_printf(out, "\"%s firsts\"", table->name);
}

static enum err add_public_columns(const struct table *table, struct buf *out)
{
    const json_t *field;
    bool any = false;
    size_t i;
    enum err err = ERR_OK;

    json_array_foreach(schema_fields(table->snapshot.schema), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        if (name[0] == '_' || err)
            continue;
        err = buf_add_text(out, any ? ", all_rows." : "all_rows.");
        if (!err)
            err = schema_quote_name(name, out);
        any = true;
    }
    return err;
}

static enum err distinct_view(const struct table *table, struct sql *sql, const char *view, bool settled)
{
    bool can = has_column(table, key) && has_column(table, "_offset") && has_column(table, "_partition") &&
               has_column(table, "_topic");
    struct buf text = buf_init(1 << 20);
    enum err err = begin_view(view, &text);

    if (!err)
        err = buf_add_text(&text, "SELECT ");
    if (!err)
        err = add_public_columns(table, &text);
    if (!err)
        err = buf_printf(&text, " FROM \"%s\" AS all_rows", table->name);
    if (!err && can)
        err = buf_add_text(&text, settled ? " LEFT JOIN " : " LEFT JOIN (");
    if (!err && can)
        err = settled ? settle_firsts(table, sql, &text) : add_firsts(table->name, &text);
    if (!err && can)
        err =
            buf_printf(&text,
                       "%s AS firsts ON firsts.k = all_rows.%s WHERE firsts.k IS NULL OR (firsts.o = "
                       "all_rows._offset AND firsts.p = all_rows._partition AND firsts.t = all_rows._topic)",
                       settled ? "" : ")", key);
    if (!err)
        err = make_view(sql, &text);
    buf_release(&text);
    return err;
}

/* The name of the view with one row per key that this table is for: pin for demo_pin_table, pin_stream for
 * demo_pin_stream; false if it is for none. */
static bool entity_view_of(const struct config *config, const char *table, char out[300])
{
    char entities[1024], name[320];

    snprintf(entities, sizeof(entities), "%s", config_text(config, "entities"));
    for (char *rest = entities, *entity; (entity = strsep(&rest, ", "));) {
        if (!*entity)
            continue;
        snprintf(name, sizeof(name), "%s_%s_table", config_text(config, "user"), entity);
        snprintf(out, 300, "%s", entity);
        if (strcmp(name, table) == 0)
            return true;
        snprintf(name, sizeof(name), "%s_%s_stream", config_text(config, "user"), entity);
        snprintf(out, 300, "%s_stream", entity);
        if (strcmp(name, table) == 0)
            return true;
    }
    return false;
}

static enum err make_views(struct sql *sql, const struct config *config, struct disk *disk, bool settled)
{
    struct arena arena = arena_init(64 << 20);
    const char *dir = config_path(config, "tables");
    char **names = NULL, view[300];
    size_t count;
    enum err err = table_names(disk, dir, &arena, &names, &count);

    for (size_t i = 0; i < count && !err; i++) {
        struct table *table = NULL;
        enum err here = table_open(&table, disk, sql, dir, names[i]);
        if (!here && table_version(table) >= 0) {
            here = table_view(table, sql);
            if (!here && entity_view_of(config, names[i], view))
                here = distinct_view(table, sql, view, settled);
        }
        table_close(table);
        if (here == ERR_NO_MEMORY || here == ERR_STOPPED)
            err = here;
        else if (here)
            trace_warn("table", "table %s gets no view: %s", names[i], err_sentence());
    }
    arena_release(&arena);
    return err;
}

enum err table_views(struct sql *sql, const struct config *config, struct disk *disk)
{
    return make_views(sql, config, disk, false);
}

enum err table_views_settled(struct sql *sql, const struct config *config, struct disk *disk)
{
    return make_views(sql, config, disk, true);
}
