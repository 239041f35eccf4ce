/* mysql.c - posts from MySQL or MariaDB: pinterest_data, geolocation_data, user_data.
 *
 * Each-once order reads the three tables side by side, a page of keys at a time, so memory stays bounded and no
 * result is held open while the posts are sent slowly. Course order asks as the course's script does:
 * SELECT * FROM table LIMIT n, 1.
 *
 * A row becomes a JSON object in column order: whole numbers and decimals as numbers (a FLOAT as the server prints it,
 * 17.5632, always with a point), dates as ISO 8601, null as null, all else as text in UTF-8. */
#include <errmsg.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/trace.h"
#include "source/parts.h"

enum {
    TABLES = 3,
    PAGE_ROWS = 2000,
    ROW_MOST = 64 * 1024 * 1024,
    TIMEOUT_S = 30,
    TRIES = 4,
    TRY_DELAY_MS = 250,
};

struct table_rows {
    const char *table, *key_column;
    MYSQL_RES *page;
    int key_field;     /* of the page */
    int64_t next_from; /* keys from here on are yet to be read */
    uint64_t left;     /* rows of the page yet to be given out */
    bool last_page, have, given;
    int64_t key;
    struct buf row;
};

struct mysql_source {
    struct source source;
    struct creds creds;
    MYSQL *mysql;
    struct course course;
    struct table_rows tables[TABLES];
};

/* ---- the connection ---- */

static bool is_lost(unsigned code)
{
    return code == CR_SERVER_GONE_ERROR || code == CR_SERVER_LOST || code == CR_CONNECTION_ERROR ||
           code == CR_CONN_HOST_ERROR;
}

/* The server's sentence; it never holds a password. */
static enum err note_mysql(struct mysql_source *source, const char *doing)
{
    enum { ACCESS_DENIED = 1045, DB_ACCESS_DENIED = 1044, UNKNOWN_DATABASE = 1049, NO_SUCH_TABLE = 1146 };
    const struct creds *creds = &source->creds;
    unsigned code = mysql_errno(source->mysql);
    enum err err = code == ACCESS_DENIED || code == DB_ACCESS_DENIED   ? ERR_DENIED
                   : code == UNKNOWN_DATABASE || code == NO_SUCH_TABLE ? ERR_NOT_FOUND
                   : is_lost(code)                                     ? ERR_UNREACHABLE
                                                                       : ERR_IO;

    return err_note(err, "cannot %s at %s:%d as %s: %s", doing, creds->host, creds->port, creds->user,
                    mysql_error(source->mysql));
}

static enum err connect_once(struct mysql_source *source)
{
    const unsigned timeout = TIMEOUT_S, no = 0;
    const struct creds *creds = &source->creds;

    if (source->mysql)
        mysql_close(source->mysql);
    source->mysql = mysql_init(NULL);
    if (!source->mysql)
        return err_note(ERR_NO_MEMORY, "no memory for a database connection");
    mysql_options(source->mysql, MYSQL_SET_CHARSET_NAME, creds->charset);
    mysql_options(source->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_options(source->mysql, MYSQL_OPT_READ_TIMEOUT, &timeout);
    mysql_options(source->mysql, MYSQL_OPT_WRITE_TIMEOUT, &timeout);
    mysql_options(source->mysql, MYSQL_OPT_LOCAL_INFILE, &no); /* or a server could ask for our files */
    if (creds->ssl_ca)
        mysql_ssl_set(source->mysql, NULL, NULL, creds->ssl_ca, NULL, NULL);
    if (!mysql_real_connect(source->mysql, creds->host, creds->user, creds->password, creds->database,
                            (unsigned)creds->port, creds->socket, creds->ssl_ca ? CLIENT_SSL : 0))
        return note_mysql(source, "reach the database");
    return ERR_OK;
}

/* Run a query and keep its whole result, which the caller frees. A lost connection is made anew a few times: every
 * query here only reads, so asking twice changes nothing. */
static enum err ask(struct mysql_source *source, const char *query, MYSQL_RES **out)
{
    int64_t delay_ms = TRY_DELAY_MS;
    enum err err = ERR_OK;

    for (int tried = 1;; tried++) {
        if (!err && mysql_query(source->mysql, query) == 0) {
            *out = mysql_store_result(source->mysql);
            if (*out)
                return ERR_OK;
        }
        if (!err)
            err = note_mysql(source, "read");
        if (err != ERR_UNREACHABLE || tried == TRIES)
            return err;
        trace_warn("source", "%s; trying again", err_sentence());
        clock_sleep_ms(delay_ms);
        delay_ms *= 2;
        err = connect_once(source);
    }
}

/* ---- a row as JSON ---- */

/* The sign and digits without leading zeros (ZEROFILL columns have them), with a point if it is a fraction's type. */
static enum err add_number(struct buf *out, struct bytes text, bool fraction)
{
    enum err err = ERR_OK;
    size_t from = 0;

    if (text.size > 0 && text.at[0] == '-') {
        err = buf_add_char(out, '-');
        from = 1;
    }
    while (from + 1 < text.size && text.at[from] == '0' && text.at[from + 1] >= '0' &&
           text.at[from + 1] <= '9')
        from++;
    if (!err)
        err = buf_add(out, text.at + from, text.size - from);
    if (!err && fraction && !memchr(text.at, '.', text.size) && !memchr(text.at, 'e', text.size))
        err = buf_add_text(out, ".0");
    return err;
}

/* 2018-01-31 10:20:30[.000000] as 2018-01-31T10:20:30; the zero date is null. */
static enum err add_time(struct buf *out, struct bytes text)
{
    char iso[40];
    size_t size = text.size;

    if (size < 19 || size >= sizeof(iso) || memcmp(text.at, "0000-00-00", 10) == 0)
        return buf_add_text(out, "null");
    memcpy(iso, text.at, size);
    iso[10] = 'T';
    if (size > 20 && strspn(iso + 20, "0") >= size - 20)
        size = 19;
    return buf_printf(out, "\"%.*s\"", (int)size, iso);
}

static enum err add_value(struct buf *out, const MYSQL_FIELD *field, struct bytes text)
{
    if (!text.at)
        return buf_add_text(out, "null");
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        return add_number(out, text, false);
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return add_number(out, text, true);
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return add_time(out, text);
    default:
        return json_quote(text, out);
    }
}

static enum err row_as_json(struct buf *out, MYSQL_RES *result, MYSQL_ROW row)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    const unsigned long *sizes = mysql_fetch_lengths(result);
    unsigned count = mysql_num_fields(result);
    enum err err = ERR_OK;

    buf_clear(out);
    for (unsigned f = 0; f < count && !err; f++) {
        err = buf_add_char(out, f == 0 ? '{' : ',');
        if (!err)
            err = json_quote(bytes_of(fields[f].name, fields[f].name_length), out);
        if (!err)
            err = buf_add_char(out, ':');
        if (!err)
            err = add_value(out, &fields[f], bytes_of(row[f], row[f] ? sizes[f] : 0));
    }
    return err ? err : buf_add_char(out, '}');
}

static enum err find_key_field(struct table_rows *rows, MYSQL_RES *result)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);

    for (unsigned f = 0; f < mysql_num_fields(result); f++) {
        if (strcmp(fields[f].name, rows->key_column) == 0) {
            rows->key_field = (int)f;
            return ERR_OK;
        }
    }
    return err_note(ERR_INVALID, "table %s has no column `%s`", rows->table, rows->key_column);
}

static enum err key_of(const struct table_rows *rows, MYSQL_ROW row, int64_t *out)
{
    const char *text = row[rows->key_field];
    char *end = NULL;

    *out = text ? strtoll(text, &end, 10) : 0;
    if (!text || end == text || *end)
        return err_note(ERR_INVALID, "table %s has a row whose `%s` is not a whole number", rows->table,
                        rows->key_column);
    return ERR_OK;
}

/* ---- each row once ---- */

static enum err read_page(struct mysql_source *source, struct table_rows *rows)
{
    char query[256];
    uint64_t count;
    int64_t first, last;
    enum err err;

    mysql_free_result(rows->page);
    rows->page = NULL;
    snprintf(query, sizeof(query), "SELECT * FROM `%s` WHERE `%s` >= %lld ORDER BY `%s` LIMIT %d",
             rows->table, rows->key_column, (long long)rows->next_from, rows->key_column, PAGE_ROWS);
    err = ask(source, query, &rows->page);
    if (!err)
        err = find_key_field(rows, rows->page);
    if (err)
        return err;
    count = rows->left = mysql_num_rows(rows->page);
    rows->last_page = count < PAGE_ROWS;
    if (rows->last_page)
        return ERR_OK;
    /* Rows of the last key may go on behind the page: leave them to the next one. */
    err = key_of(rows, mysql_fetch_row(rows->page), &first);
    mysql_data_seek(rows->page, count - 1);
    if (!err)
        err = key_of(rows, mysql_fetch_row(rows->page), &last);
    if (err)
        return err;
    if (first == last)
        return err_note(ERR_TOO_LARGE, "table %s has %d rows or more whose `%s` is %lld", rows->table,
                        PAGE_ROWS, rows->key_column, (long long)first);
    for (; rows->left > 0; rows->left--) {
        int64_t key;
        mysql_data_seek(rows->page, rows->left - 1);
        err = key_of(rows, mysql_fetch_row(rows->page), &key);
        if (err)
            return err;
        if (key != last)
            break;
    }
    rows->next_from = last;
    mysql_data_seek(rows->page, 0);
    return ERR_OK;
}

static enum err read_row(struct mysql_source *source, struct table_rows *rows)
{
    MYSQL_ROW row;
    enum err err;

    rows->have = rows->given = false;
    if (rows->left == 0) {
        if (rows->last_page)
            return ERR_OK;
        err = read_page(source, rows);
        if (err)
            return err;
        if (rows->left == 0)
            return ERR_OK;
    }
    row = mysql_fetch_row(rows->page);
    rows->left--;
    err = key_of(rows, row, &rows->key);
    if (!err)
        err = row_as_json(&rows->row, rows->page, row);
    rows->have = !err;
    return err;
}

static void give(struct post *out, int table, const struct table_rows *rows)
{
    struct bytes *const places[TABLES] = {&out->pin, &out->geo, &out->user};

    *places[table] = buf_bytes(&rows->row);
}

static enum err next_each_once(struct source *base, struct post *out)
{
    struct mysql_source *source = (struct mysql_source *)base;
    const struct table_rows *lowest = NULL;

    for (int t = 0; t < TABLES; t++) {
        struct table_rows *rows = &source->tables[t];
        enum err err = rows->given ? read_row(source, rows) : ERR_OK;
        if (err)
            return err;
        if (rows->have && (!lowest || rows->key < lowest->key))
            lowest = rows;
    }
    if (!lowest)
        return ERR_END;
    *out = (struct post){.index = lowest->key};
    for (int t = 0; t < TABLES; t++) {
        struct table_rows *rows = &source->tables[t];
        if (rows->have && rows->key == out->index) {
            give(out, t, rows);
            rows->given = true;
        }
    }
    return ERR_OK;
}

/* ---- as the course's script ---- */

static enum err draw_row(struct mysql_source *source, struct table_rows *rows, int64_t place)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    char query[128];
    enum err err;

    rows->have = false;
    snprintf(query, sizeof(query), "SELECT * FROM `%s` LIMIT %lld, 1", rows->table, (long long)place);
    err = ask(source, query, &result);
    if (err)
        return err;
    err = find_key_field(rows, result);
    row = err ? NULL : mysql_fetch_row(result);
    if (row) {
        err = key_of(rows, row, &rows->key);
        if (!err)
            err = row_as_json(&rows->row, result, row);
        rows->have = !err;
    }
    mysql_free_result(result);
    return err;
}

/* Draw until a table is long enough: the script's own tables always are. */
static enum err next_course(struct source *base, struct post *out)
{
    struct mysql_source *source = (struct mysql_source *)base;
    bool found = false;

    while (!found) {
        int64_t place = course_next(&source->course);
        *out = (struct post){.index = place};
        for (int t = TABLES - 1; t >= 0; t--) {
            enum err err = draw_row(source, &source->tables[t], place);
            if (err)
                return err;
            if (!source->tables[t].have)
                continue;
            give(out, t, &source->tables[t]);
            out->index = source->tables[t].key; /* the pin's, if there is one */
            found = true;
        }
    }
    return ERR_OK;
}

/* ---- opening ---- */

static void mysql_source_close(struct source *base)
{
    struct mysql_source *source = (struct mysql_source *)base;

    for (int t = 0; t < TABLES; t++) {
        mysql_free_result(source->tables[t].page);
        buf_release(&source->tables[t].row);
    }
    if (source->mysql)
        mysql_close(source->mysql);
    creds_release(&source->creds);
    free(source);
}

/* As many as the longest table has rows: right where every key of the others is in it, as in the course's tables. */
static enum err count_posts(struct mysql_source *source)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    enum err err = ask(source,
                       "SELECT GREATEST((SELECT COUNT(*) FROM pinterest_data), (SELECT COUNT(*) FROM "
                       "geolocation_data), (SELECT COUNT(*) FROM user_data))",
                       &result);

    if (err)
        return err;
    row = mysql_fetch_row(result);
    source->source.count = row && row[0] ? strtoll(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    if (source->source.count == 0)
        return err_note(ERR_NOT_FOUND,
                        "database %s has no row in pinterest_data, geolocation_data and user_data",
                        source->creds.database);
    return ERR_OK;
}

enum err mysql_open(struct source **out, struct creds *creds, const struct source_options *options)
{
    static const char *const names[TABLES] = {"pinterest_data", "geolocation_data", "user_data"};
    bool course = options->order == SOURCE_COURSE;
    struct mysql_source *source = calloc(1, sizeof(*source));
    enum err err;

    if (!source)
        return err_note(ERR_NO_MEMORY, "no memory for a source");
    source->source = (struct source){course ? next_course : next_each_once, mysql_source_close, 0};
    source->creds = *creds; /* ours from now on */
    *creds = (struct creds){0};
    course_seed(&source->course, options->seed);
    for (int t = 0; t < TABLES; t++)
        source->tables[t] = (struct table_rows){.table = names[t],
                                                .key_column = t == 0 ? "index" : "ind",
                                                .next_from = INT64_MIN,
                                                .row = buf_init(ROW_MOST)};
    err = connect_once(source);
    if (!err)
        err = count_posts(source);
    for (int t = 0; t < TABLES && !err && !course; t++)
        err = read_row(source, &source->tables[t]);
    if (err) {
        mysql_source_close(&source->source);
        return err;
    }
    if (course)
        source->source.count = -1;
    *out = &source->source;
    return ERR_OK;
}
