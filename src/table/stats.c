/* stats.c - what COPY says of a file it wrote, as Delta's statistics:
 *
 *     {"numRecords":2,"minValues":{"ind":1,"title":"a"},"maxValues":{"ind":9,"title":"z"},"nullCount":{"ind":0,...}}
 *
 * A reader leaves out files by these bounds, so a bound may be wide but never wrong: strings are cut to 32 characters
 * and a cut maximum is rounded up, times are cut to milliseconds with the maximum rounded up, and where no bound can
 * be given (binary, arrays, NaN) there is none. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "table/delta.h"

const char *const stats_select = "SELECT s.\"key\", s.\"value\"['min'], s.\"value\"['max'], "
                                 "s.\"value\"['null_count'], s.\"value\"['has_nan'], "
                                 "rows, bytes FROM (SELECT unnest(CASE WHEN len(map_keys(c4)) = 0 THEN "
                                 "[NULL] ELSE map_entries(c4) END) AS s, "
                                 "c1 AS rows, c2 AS bytes FROM pinrail_rows())";
enum { STAT_NAME, STAT_MIN, STAT_MAX, STAT_NULLS, STAT_NAN, STAT_ROWS, STAT_BYTES };

/* ---- strings ---- */

/* The size of the first `most` characters of UTF-8 text. */
static size_t prefix_size(struct bytes text, size_t most)
{
    size_t at = 0;

    while (at < text.size && most > 0) {
        at++;
        while (at < text.size && (text.at[at] & 0xc0) == 0x80)
            at++;
        most--;
    }
    return at;
}

static size_t put_character(uint32_t c, uint8_t at[4])
{
    if (c < 0x80) {
        at[0] = (uint8_t)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        at[i] = (uint8_t)(0x80 | (c & 0x3f));
    at[0] = (uint8_t)((size == 2 ? 0xc0 : size == 3 ? 0xe0 : 0xf0) | c);
    return size;
}

static uint32_t get_character(const uint8_t *at, size_t size)
{
    uint32_t c = size == 1 ? at[0] : at[0] & (0x7fu >> size);

    for (size_t i = 1; i < size; i++)
        c = c << 6 | (at[i] & 0x3f);
    return c;
}

bool stats_cut_text(struct bytes text, bool up, struct buf *out)
{
    size_t size = prefix_size(text, STATS_TEXT_MOST);

    if (size == text.size || !up)
        return buf_add(out, text.at, size) == ERR_OK;
    /* Rounded up: the last character that has a next one is replaced by it, what follows is dropped. Order by code
     * point is order by UTF-8 byte, which is what readers compare by. */
    while (size > 0) {
        size_t start = size - 1;
        while (start > 0 && (text.at[start] & 0xc0) == 0x80)
            start--;
        uint32_t next = get_character(text.at + start, size - start) + 1;
        if (next == 0xd800)
            next = 0xe000;
        if (next <= 0x10ffff) {
            uint8_t bytes[4];
            size_t count = put_character(next, bytes);
            return buf_add(out, text.at, start) == ERR_OK && buf_add(out, bytes, count) == ERR_OK;
        }
        size = start;
    }
    return false;
}

/* ---- times ---- */

bool stats_cut_time(struct bytes text, bool up, char out[40])
{
    char copy[64], fraction[8] = "000000";
    struct tm tm = {0};
    int used = 0;

    if (text.size >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    if (sscanf(copy, "%4d-%2d-%2d %2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &used) != 6)
        return false;
    if (copy[used] == '.') {
        size_t digits = strspn(copy + used + 1, "0123456789");
        if (digits > 6)
            return false;
        memcpy(fraction, copy + used + 1, digits);
        used += 1 + (int)digits;
    }
    if (strcmp(copy + used, "+00") != 0 && copy[used] != '\0')
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t us = (int64_t)timegm(&tm) * 1000000 + atoi(fraction);
    int64_t ms = (us - ((us % 1000) + 1000) % 1000) / 1000; /* rounded down, before 1970 too */
    if (up && ms * 1000 < us)
        ms++;
    time_t second = (time_t)((ms - ((ms % 1000) + 1000) % 1000) / 1000);
    if (!gmtime_r(&second, &tm) || tm.tm_year + 1900 > 9999 || tm.tm_year + 1900 < 1)
        return false;
    snprintf(out, 40, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (tm.tm_year + 1900) % 10000, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms - (int64_t)second * 1000));
    return true;
}

/* ---- a column ---- */

static json_t *number_bound(struct bytes text)
{
    char copy[64], *end;
    double real;

    if (text.size == 0 || text.size >= sizeof(copy))
        return NULL;
    memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    if (strspn(copy, "-0123456789") == text.size)
        return json_integer(strtoll(copy, NULL, 10));
    real = strtod(copy, &end);
    return *end || !isfinite(real) ? NULL : json_real(real);
}

/* One bound of a column of that Delta type; NULL if there is none to give. */
static json_t *bound_of(const char *type, struct bytes text, bool up)
{
    static const char *const numbers[] = {"integer", "long", "short", "byte", "float", "double"};
    struct buf cut = buf_init(STATS_TEXT_MOST * 4);
    char time[40];
    json_t *bound = NULL;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(type, numbers[i]) == 0)
            return number_bound(text);
    if (strcmp(type, "date") == 0 && text.size == 10)
        return json_stringn((const char *)text.at, text.size);
    if (strcmp(type, "timestamp") == 0 && stats_cut_time(text, up, time))
        return json_string(time);
    if (strcmp(type, "string") == 0 && stats_cut_text(text, up, &cut))
        bound = json_stringn((const char *)cut.at, cut.size);
    buf_release(&cut);
    return bound;
}

/* The row of `result` for that column: DuckDB gives its name as a quoted path. */
static bool find_row(const struct sql_result *result, const char *name, size_t *row)
{
    struct buf path = buf_init(4096);
    bool found = false;

    if (schema_quote_name(name, &path) == ERR_OK)
        for (size_t i = 0; i < sql_rows(result) && !found; i++)
            if (bytes_equal(sql_text(result, i, STAT_NAME), buf_bytes(&path))) {
                *row = i;
                found = true;
            }
    buf_release(&path);
    return found;
}

enum err stats_read(const struct sql_result *result, const json_t *schema, struct written_file *file,
                    struct buf *out)
{
    json_t *min = json_object(), *max = json_object(), *nulls = json_object(), *doc = NULL, *field;
    enum err err = ERR_OK;
    size_t i, row;

    if (sql_rows(result) == 0) {
        err = err_note(ERR_INVALID, "COPY said nothing of the file it wrote");
        goto out;
    }
    file->rows = sql_integer(result, 0, STAT_ROWS);
    file->bytes = sql_integer(result, 0, STAT_BYTES);
    json_array_foreach(schema_fields(schema), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        const char *type = json_string_value(json_object_get(field, "type"));
        if (!type || !find_row(result, name, &row))
            continue;
        if (!sql_is_null(result, row, STAT_NULLS))
            json_object_set_new(nulls, name, json_integer(sql_integer(result, row, STAT_NULLS)));
        if (sql_is_null(result, row, STAT_MIN) || sql_is_null(result, row, STAT_MAX) ||
            bytes_equal(sql_text(result, row, STAT_NAN), BYTES("true")))
            continue;
        json_t *low = bound_of(type, sql_text(result, row, STAT_MIN), false);
        json_t *high = bound_of(type, sql_text(result, row, STAT_MAX), true);
        if (low)
            json_object_set_new(min, name, low);
        if (high)
            json_object_set_new(max, name, high);
    }
    doc = json_pack("{s:I, s:O, s:O, s:O}", "numRecords", (json_int_t)file->rows, "minValues", min,
                    "maxValues", max, "nullCount", nulls);
    err = doc ? json_doc_write(doc, out) : err_note(ERR_NO_MEMORY, "out of memory for statistics");
out:
    json_decref(doc);
    json_decref(min);
    json_decref(max);
    json_decref(nulls);
    return err;
}
