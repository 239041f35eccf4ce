/* api.c - builds the JSON of the page's API. */
#include "dashboard/api.h"

#include <math.h>
#include <stdlib.h>

#include "dashboard/feed.h"

/* Counts that are not known are null, not a number that could be mistaken for one. */
static json_t *known(int64_t count)
{
    return count < 0 ? json_null() : json_integer(count);
}

json_t *api_rate(double rate)
{
    return rate < 10 ? json_real(round(rate * 10) / 10) : json_integer(llround(rate));
}

json_t *api_error(const char *name, const char *sentence)
{
    return json_pack("{s:s, s:s}", "error", name, "message", sentence);
}

enum err api_number(const char *text, int64_t least, int64_t most, int64_t fallback, int64_t *out)
{
    int64_t value = 0;

    if (!text) {
        *out = fallback;
        return ERR_OK;
    }
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || value > most)
            return err_note(ERR_INVALID, "not a number from %lld to %lld", (long long)least, (long long)most);
        value = value * 10 + (*c - '0');
    }
    if (!*text || value < least || value > most)
        return err_note(ERR_INVALID, "not a number from %lld to %lld", (long long)least, (long long)most);
    *out = value;
    return ERR_OK;
}

/* ---- status ---- */

static json_t *topics_of(const struct feed_snapshot *snapshot)
{
    json_t *list = json_array();

    for (size_t i = 0; i < snapshot->topic_count; i++) {
        const struct feed_topic *topic = &snapshot->topics[i];
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "topic", topic->topic, "acknowledged",
                                              known(topic->acknowledged), "landed", known(topic->landed),
                                              "rate", api_rate(topic->rate)));
    }
    return list;
}

static json_t *stages_of(const struct feed_snapshot *snapshot)
{
    json_t *list = json_array();

    for (size_t i = 0; i < snapshot->stage_count; i++) {
        const struct feed_stage *stage = &snapshot->stages[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "entity", stage->entity, "way",
                                        stage->stream ? "stream" : "batch", "acknowledged",
                                        known(stage->acknowledged), "landed", known(stage->landed), "cleaned",
                                        known(stage->cleaned), "quarantined", known(stage->quarantined)));
    }
    return list;
}

static json_t *tables_of(const struct feed_snapshot *snapshot)
{
    json_t *list = json_array();

    for (size_t i = 0; i < snapshot->table_count; i++) {
        const struct table_info *table = &snapshot->tables[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "name", table->name, "version",
                                        (json_int_t)table->version, "rows", (json_int_t)table->rows, "files",
                                        (json_int_t)table->files, "bytes", (json_int_t)table->bytes,
                                        "modified_ms", (json_int_t)table->modified_ms));
    }
    return list;
}

json_t *api_status(const struct feed_snapshot *snapshot, int64_t now_ms)
{
    json_t *ingest = json_pack("{s:b, s:s, s:s}", "reachable", snapshot->reachable, "address",
                               snapshot->address, "note", snapshot->note);

    return json_pack("{s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "now_ms", (json_int_t)now_ms, "measured_ms",
                     (json_int_t)snapshot->measured_ms, "user", snapshot->user, "ingest", ingest, "lake_lag",
                     known(snapshot->lake_lag), "topics", topics_of(snapshot), "stages", stages_of(snapshot),
                     "tables", tables_of(snapshot));
}

/* ---- results ---- */

static bool is_whole_type(const char *type)
{
    const char *const types[] = {"TINYINT",  "SMALLINT",  "INTEGER",  "BIGINT",  "HUGEINT",
                                 "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"};

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

/* Cut at a character's border. jansson takes only UTF-8, and SQL gives nothing else. */
static json_t *text_cell(struct bytes text)
{
    char cut[API_CELL_BYTES_MOST + sizeof("…")];
    size_t size = text.size;

    if (size <= API_CELL_BYTES_MOST)
        return json_stringn((const char *)text.at, size);
    size = API_CELL_BYTES_MOST;
    while (size && (text.at[size] & 0xc0) == 0x80)
        size--;
    memcpy(cut, text.at, size);
    memcpy(cut + size, "…", sizeof("…"));
    return json_string(cut);
}

json_t *api_cell(const char *type, struct bytes text)
{
    const int64_t exact_most = 1LL << 53; /* past this a page's numbers have gaps */
    char number[64], *end;

    if (strcmp(type, "BOOLEAN") == 0)
        return json_boolean(bytes_equal(text, BYTES("true")));
    if (text.size == 0)
        return json_string("");
    if (text.size >= sizeof(number))
        return text_cell(text);
    memcpy(number, text.at, text.size);
    number[text.size] = 0;
    if (is_whole_type(type)) {
        long long value = strtoll(number, &end, 10);
        if (!*end && value <= exact_most && value >= -exact_most)
            return json_integer(value);
    } else if (strcmp(type, "DOUBLE") == 0 || strcmp(type, "FLOAT") == 0 ||
               strncmp(type, "DECIMAL", 7) == 0) {
        double value = strtod(number, &end);
        if (!*end && isfinite(value))
            return json_real(value);
    }
    return text_cell(text);
}

json_t *api_result(const struct sql_result *result, size_t rows_most)
{
    size_t rows = sql_rows(result), columns = sql_columns(result);
    json_t *names = json_array(), *list = json_array();

    for (size_t c = 0; c < columns; c++)
        json_array_append_new(names, json_string(sql_column_name(result, c)));
    for (size_t r = 0; r < rows && r < rows_most; r++) {
        json_t *row = json_array();
        for (size_t c = 0; c < columns; c++)
            json_array_append_new(row, sql_is_null(result, r, c)
                                           ? json_null()
                                           : api_cell(sql_column_type(result, c), sql_text(result, r, c)));
        json_array_append_new(list, row);
    }
    return json_pack("{s:o, s:o, s:b}", "columns", names, "rows", list, "truncated", rows > rows_most);
}
