/* print.c - results for programs: CSV (RFC 4180, lines end in \n) and JSON, an object a line. For people: print_table.c.
 *
 * JSON has numbers and booleans as such, lists of them as arrays, null as null; all else is a string with DuckDB's
 * text of it. CSV has nothing for null and "" for an empty text. */
#include "cli/print.h"
#include "base/json.h"
#include "cli/cli.h"

enum err print_format_of(const char *name, enum print_format *out)
{
    static const char *const names[] = {[PRINT_TABLE] = "table", [PRINT_CSV] = "csv", [PRINT_JSON] = "json"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum print_format)i;
            return ERR_OK;
        }
    return err_note(ERR_INVALID, "no format is named '%s': table, csv and json are", name);
}

bool print_is_number(const char *type)
{
    static const char *const types[] = {"TINYINT",   "SMALLINT", "INTEGER", "BIGINT",   "HUGEINT", "UTINYINT",
                                        "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT",   "DOUBLE"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return strncmp(type, "DECIMAL(", 8) == 0 && strchr(type, ')')[1] == 0;
}

/* A list, or list of lists, of numbers or booleans: its text is JSON but for NULL. */
static bool is_plain_list(const char *type)
{
    char element[64];
    size_t size = strlen(type);

    while (size >= 2 && strcmp(type + size - 2, "[]") == 0 && size < sizeof(element)) {
        size -= 2;
        memcpy(element, type, size);
        element[size] = 0;
        if (print_is_number(element) || strcmp(element, "BOOLEAN") == 0)
            return true;
        type = element;
    }
    return false;
}

/* ---- CSV ---- */

static enum err add_csv(struct buf *out, struct bytes text, bool null)
{
    bool quote = text.size == 0 && !null;
    enum err err;

    for (size_t i = 0; !quote && i < text.size; i++)
        quote = memchr(",\"\r\n", text.at[i], 4) || ((i == 0 || i + 1 == text.size) && text.at[i] == ' ');
    if (!quote)
        return buf_add_bytes(out, text);
    err = buf_add_char(out, '"');
    for (size_t i = 0; !err && i < text.size; i++) {
        if (text.at[i] == '"')
            err = buf_add_char(out, '"');
        if (!err)
            err = buf_add_char(out, (char)text.at[i]);
    }
    return err ? err : buf_add_char(out, '"');
}

static enum err csv_row(const struct sql_result *result, size_t row, struct buf *out)
{
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < sql_columns(result); i++) {
        if (i > 0)
            err = buf_add_char(out, ',');
        if (!err)
            err = add_csv(out, sql_text(result, row, i), sql_is_null(result, row, i));
    }
    return err;
}

static enum err csv_header(const struct sql_result *result, struct buf *out)
{
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < sql_columns(result); i++) {
        if (i > 0)
            err = buf_add_char(out, ',');
        if (!err)
            err = add_csv(out, bytes_of_text(sql_column_name(result, i)), false);
    }
    return err ? err : buf_add_char(out, '\n');
}

/* ---- JSON ---- */

/* DuckDB's words in a number or a list of them that JSON has not: NULL, nan, inf. */
static enum err add_plain(struct buf *out, struct bytes text)
{
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < text.size;) {
        size_t end = i;
        while (end < text.size && !memchr("[], ", text.at[end], 4))
            end++;
        struct bytes word = bytes_of(text.at + i, end - i);
        if (word.size == 0)
            err = text.at[i] == ' ' ? ERR_OK : buf_add_char(out, (char)text.at[i]);
        else if (bytes_equal(word, BYTES("NULL")) || memchr(word.at, 'n', word.size))
            err = buf_add_text(out, "null");
        else
            err = buf_add_bytes(out, word);
        i = word.size > 0 ? end : i + 1;
    }
    return err;
}

static enum err json_row(const struct sql_result *result, size_t row, struct buf *out)
{
    enum err err = buf_add_char(out, '{');

    for (size_t i = 0; !err && i < sql_columns(result); i++) {
        const char *type = sql_column_type(result, i);
        if (i > 0)
            err = buf_add_char(out, ',');
        if (!err)
            err = json_quote(bytes_of_text(sql_column_name(result, i)), out);
        if (!err)
            err = buf_add_char(out, ':');
        if (err)
            break;
        if (sql_is_null(result, row, i))
            err = buf_add_text(out, "null");
        else if (print_is_number(type) || strcmp(type, "BOOLEAN") == 0 || is_plain_list(type))
            err = add_plain(out, sql_text(result, row, i));
        else
            err = json_quote(sql_text(result, row, i), out);
    }
    return err ? err : buf_add_char(out, '}');
}

enum err print_flush(FILE *out, struct buf *text)
{
    size_t written = fwrite(text->at, 1, text->size, out);

    if (written != text->size)
        return err_note(ERR_IO, "cannot write the result");
    buf_clear(text);
    return ERR_OK;
}

enum err print_result(FILE *out, const struct sql_result *result, enum print_format format)
{
    struct buf line = buf_init(SIZE_MAX / 2);
    enum err err = ERR_OK;

    if (format == PRINT_TABLE)
        return print_table(out, result, 0);
    if (format == PRINT_CSV)
        err = csv_header(result, &line);
    for (size_t row = 0; !err && row < sql_rows(result); row++) {
        err = format == PRINT_CSV ? csv_row(result, row, &line) : json_row(result, row, &line);
        if (!err)
            err = buf_add_char(&line, '\n');
        if (!err && line.size > 65536)
            err = print_flush(out, &line);
    }
    if (!err && line.size > 0)
        err = print_flush(out, &line);
    buf_release(&line);
    return err;
}
