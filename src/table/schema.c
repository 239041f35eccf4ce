/* schema.c - DuckDB's types and Delta's.
 *
 *     INTEGER integer   BIGINT long      SMALLINT short   TINYINT byte    FLOAT float    DOUBLE double
 *     VARCHAR string    BOOLEAN boolean  DATE date        BLOB binary     DECIMAL(p,s) decimal(p,s)
 *     TIMESTAMP WITH TIME ZONE timestamp (microseconds, UTC)              T[] {"type":"array",...}
 *
 * A TIMESTAMP without a zone is taken as UTC; JSON is a string. */
#include <stdio.h>
#include <stdlib.h>

#include "table/delta.h"

static const struct {
    const char *sql, *delta;
} plain_types[] = {
    {"INTEGER", "integer"},     {"BIGINT", "long"},     {"SMALLINT", "short"},
    {"TINYINT", "byte"},        {"FLOAT", "float"},     {"DOUBLE", "double"},
    {"VARCHAR", "string"},      {"BOOLEAN", "boolean"}, {"DATE", "date"},
    {"BLOB", "binary"},         {"JSON", "string"},     {"TIMESTAMP WITH TIME ZONE", "timestamp"},
    {"TIMESTAMP", "timestamp"},
};
enum { PLAIN_TYPE_COUNT = sizeof(plain_types) / sizeof(plain_types[0]) };

json_t *schema_fields(const json_t *schema)
{
    return json_object_get(schema, "fields");
}

enum err schema_quote_name(const char *name, struct buf *out)
{
    enum err err = buf_add_char(out, '"');

    for (; *name && !err; name++) {
        if (*name == '"')
            err = buf_add_char(out, '"');
        if (!err)
            err = buf_add_char(out, *name);
    }
    return err ? err : buf_add_char(out, '"');
}

static bool ends_with(const char *text, size_t size, const char *end)
{
    size_t end_size = strlen(end);

    return size > end_size && memcmp(text + size - end_size, end, end_size) == 0;
}

/* The Delta type for DuckDB's name of one; NULL if there is none. */
static json_t *delta_type(const char *name, size_t size)
{
    char decimal[32];
    unsigned precision, scale;

    for (size_t i = 0; i < PLAIN_TYPE_COUNT; i++)
        if (strlen(plain_types[i].sql) == size && memcmp(plain_types[i].sql, name, size) == 0)
            return json_string(plain_types[i].delta);
    if (ends_with(name, size, "[]")) {
        json_t *element = delta_type(name, size - 2);
        return element
                   ? json_pack("{s:s, s:o, s:b}", "type", "array", "elementType", element, "containsNull", 1)
                   : NULL;
    }
    if (size < sizeof(decimal) && sscanf(name, "DECIMAL(%u,%u)", &precision, &scale) == 2) {
        snprintf(decimal, sizeof(decimal), "decimal(%u,%u)", precision, scale);
        return json_string(decimal);
    }
    return NULL;
}

enum err schema_of_select(json_t **out, struct sql *sql, const char *select)
{
    struct sql_result *result = NULL;
    json_t *fields = json_array();
    enum err err = sql_queryf(sql, &result, "DESCRIBE SELECT * FROM (%s\n)", select);

    if (err)
        goto out;
    for (size_t i = 0; i < sql_rows(result); i++) {
        struct bytes name = sql_text(result, i, 0), type_name = sql_text(result, i, 1);
        json_t *type = delta_type((const char *)type_name.at, type_name.size);
        if (!type) {
            err =
                err_note(ERR_UNSUPPORTED, "column %.*s has the type %.*s, which a table cannot hold: cast it",
                         (int)name.size, name.at, (int)type_name.size, type_name.at);
            goto out;
        }
        json_array_append_new(fields, json_pack("{s:s%, s:o, s:b, s:{}}", "name", name.at, name.size, "type",
                                                type, "nullable", 1, "metadata"));
    }
    *out = json_pack("{s:s, s:O}", "type", "struct", "fields", fields);
    err = *out ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for a schema");
out:
    json_decref(fields);
    sql_result_free(result);
    return err;
}

static json_t *field_named(const json_t *schema, const char *name)
{
    json_t *field;
    size_t i;

    json_array_foreach(schema_fields(schema), i, field)
    {
        if (strcmp(json_string_value(json_object_get(field, "name")), name) == 0)
            return field;
    }
    return NULL;
}

static enum err note_field(struct buf *text, const char *what, const json_t *field)
{
    return buf_printf(text, "%s%s %s", text->size ? ", " : "", what,
                      json_string_value(json_object_get(field, "name")));
}

enum err schema_check(const json_t *want, const json_t *have, const char *table)
{
    struct buf text = buf_init(2048);
    json_t *field;
    size_t i;
    enum err err = ERR_OK;

    json_array_foreach(schema_fields(want), i, field)
    {
        json_t *other = field_named(have, json_string_value(json_object_get(field, "name")));
        if (!other)
            note_field(&text, "no column", field);
        else if (!json_equal(json_object_get(field, "type"), json_object_get(other, "type")))
            note_field(&text, "another type for column", field);
    }
    json_array_foreach(schema_fields(have), i, field)
    {
        if (!field_named(want, json_string_value(json_object_get(field, "name"))))
            note_field(&text, "the unknown column", field);
    }
    if (text.size)
        err = err_note(ERR_INVALID, "the rows do not fit table %s: they have %s", table, buf_text(&text));
    buf_release(&text);
    return err;
}

enum err schema_sql_type(const json_t *type, struct buf *out)
{
    const char *name = json_string_value(type);
    unsigned precision, scale;

    if (!name && json_is_object(type)) {
        const char *kind = json_string_value(json_object_get(type, "type"));
        if (kind && strcmp(kind, "array") == 0) {
            enum err err = schema_sql_type(json_object_get(type, "elementType"), out);
            return err ? err : buf_add_text(out, "[]");
        }
        return err_note(ERR_UNSUPPORTED, "columns of the type %s are not supported",
                        kind ? kind : "(unknown)");
    }
    if (!name)
        return err_note(ERR_CORRUPT, "a column's type is missing");
    for (size_t i = 0; i < PLAIN_TYPE_COUNT; i++)
        if (strcmp(plain_types[i].delta, name) == 0)
            return buf_add_text(out, plain_types[i].sql);
    if (sscanf(name, "decimal(%u,%u)", &precision, &scale) == 2)
        return buf_printf(out, "DECIMAL(%u,%u)", precision, scale);
    return err_note(ERR_UNSUPPORTED, "columns of the type %s are not supported", name);
}
