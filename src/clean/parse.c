/* parse.c - a JSON record cut into the columns of its contract, in one pass and without a tree. */
#include "clean/parse.h"

#include "base/json.h"

enum {
    RECORD_BYTES_MOST = 128 * 1024 * 1024, /* of unescaped text; records come in far smaller */
    FAULTS_TOLD_MOST = 8, /* a record of another table has as many faults as it has columns */
    FOUND_BYTES_MOST = 60,
    FAULT_BYTES_MOST = 8192,
};

enum rule {
    RULE_NULL_VALUE,
    RULE_NOT_JSON,
    RULE_NOT_AN_OBJECT,
    RULE_WRONG_TYPE,
    RULE_MISSING_COLUMN,
    RULE_UNKNOWN_COLUMN,
    RULE_DUPLICATE_COLUMN,
    RULE_COUNT,
};

static const char *const rule_names[RULE_COUNT] = {
    "null_value",     "not_json",       "not_an_object",    "wrong_type",
    "missing_column", "unknown_column", "duplicate_column",
};

void parser_init(struct parser *parser, const struct contract *contract)
{
    *parser = (struct parser){
        .contract = contract,
        .fault = buf_init(FAULT_BYTES_MOST),
        .rule = buf_init(FAULT_BYTES_MOST),
        .unescaped = buf_init(RECORD_BYTES_MOST),
        .unwrapped = buf_init(RECORD_BYTES_MOST),
        .name = buf_init(RECORD_BYTES_MOST),
    };
}

void parser_release(struct parser *parser)
{
    buf_release(&parser->fault);
    buf_release(&parser->rule);
    buf_release(&parser->unescaped);
    buf_release(&parser->unwrapped);
    buf_release(&parser->name);
}

static void forget_texts(struct parser *parser)
{
    for (size_t i = 0; i < parser->contract->column_count; i++) {
        parser->texts[i] = bytes_of(NULL, 0);
        parser->seen[i] = false;
        parser->unescaped_at[i] = SIZE_MAX;
    }
    buf_clear(&parser->unescaped);
    parser->any_unescaped = false;
    parser->next = 0;
}

static void forget_faults(struct parser *parser)
{
    buf_clear(&parser->fault);
    buf_clear(&parser->rule);
    parser->fault_count = 0;
    parser->rules = 0;
}

/* The first bytes of `text` for a reason, cut before a character that would be torn. */
static int shown(struct bytes text)
{
    size_t size = text.size;

    if (size > FOUND_BYTES_MOST) {
        size = FOUND_BYTES_MOST;
        while (size > 0 && (text.at[size] & 0xc0) == 0x80)
            size--;
    }
    return (int)size;
}

static const char *ellipsis(struct bytes text)
{
    return text.size > FOUND_BYTES_MOST ? "…" : "";
}

/* Count a fault; true if it is among those that are told, and its place in the reason is made. */
static bool tell(struct parser *parser, enum rule rule, enum err *err)
{
    parser->rules |= 1u << rule;
    *err = ERR_OK;
    if (parser->fault_count++ >= FAULTS_TOLD_MOST)
        return false;
    if (parser->fault.size > 0)
        *err = buf_add_text(&parser->fault, "; ");
    return !*err;
}

static enum err tell_column(struct parser *parser, enum rule rule, struct bytes column, const char *what)
{
    enum err err;

    if (tell(parser, rule, &err))
        err = buf_printf(&parser->fault, "%.*s%s: %s", shown(column), (const char *)column.at,
                         ellipsis(column), what);
    return err;
}

static enum err tell_type(struct parser *parser, const struct contract_column *column, struct bytes found)
{
    enum err err;

    if (tell(parser, RULE_WRONG_TYPE, &err))
        err =
            buf_printf(&parser->fault, "%s: found %.*s%s, expected %s", (const char *)column->name.at,
                       shown(found), (const char *)found.at, ellipsis(found), column_type_name(column->type));
    return err;
}

/* A fault of the record as a whole takes the place of any that was found before. */
static enum err tell_whole(struct parser *parser, enum rule rule, const char *what)
{
    enum err err;

    forget_texts(parser);
    forget_faults(parser);
    if (tell(parser, rule, &err))
        err = buf_add_text(&parser->fault, what);
    return err;
}

static size_t column_of(struct parser *parser, struct bytes name)
{
    const struct contract *contract = parser->contract;

    if (parser->next < contract->column_count && bytes_equal(contract->columns[parser->next].name, name))
        return parser->next;
    for (size_t i = 0; i < contract->column_count; i++)
        if (bytes_equal(contract->columns[i].name, name))
            return i;
    return contract->column_count;
}

static enum err take_string(struct parser *parser, size_t column, const struct json_value *value)
{
    size_t at = parser->unescaped.size;
    enum err err;

    if (value->plain) {
        parser->texts[column] = json_plain_text(*value);
        return ERR_OK;
    }
    err = json_text(*value, &parser->unescaped);
    if (err)
        return err;
    parser->unescaped_at[column] = at;
    parser->texts[column].size = parser->unescaped.size - at;
    parser->any_unescaped = true;
    return ERR_OK;
}

static enum err take_value(struct parser *parser, size_t index, const struct json_value *value)
{
    const struct contract_column *column = &parser->contract->columns[index];
    bool fits = false;
    int64_t integer;

    if (value->kind == JSON_NULL)
        return ERR_OK;
    switch (column->type) {
    case COLUMN_STRING:
        if (value->kind == JSON_STRING)
            return take_string(parser, index, value);
        break;
    case COLUMN_INTEGER:
        fits = value->kind == JSON_NUMBER && json_int64(*value, &integer) == ERR_OK;
        break;
    case COLUMN_NUMBER:
        fits = value->kind == JSON_NUMBER;
        break;
    case COLUMN_BOOLEAN:
        fits = value->kind == JSON_TRUE || value->kind == JSON_FALSE;
        break;
    }
    if (!fits)
        return tell_type(parser, column, value->bytes);
    parser->texts[index] = value->bytes;
    return ERR_OK;
}

static enum err take_member(struct parser *parser, const struct json_value *key,
                            const struct json_value *value)
{
    struct bytes name;
    size_t column;
    enum err err;

    if (key->plain) {
        name = json_plain_text(*key);
    } else {
        buf_clear(&parser->name);
        err = json_text(*key, &parser->name);
        if (err)
            return err;
        name = buf_bytes(&parser->name);
    }
    column = column_of(parser, name);
    if (column == parser->contract->column_count) {
        if (parser->contract->ignore_unknown)
            return ERR_OK;
        return tell_column(parser, RULE_UNKNOWN_COLUMN, bytes_of(key->bytes.at + 1, key->bytes.size - 2),
                           "unknown column");
    }
    if (parser->seen[column])
        return tell_column(parser, RULE_DUPLICATE_COLUMN, name, "there twice");
    parser->seen[column] = true;
    parser->next = column + 1;
    return take_value(parser, column, value);
}

/* ERR_END: the object was read whole; ERR_INVALID: it is not JSON. */
static enum err read_object(struct parser *parser, struct json_pull *pull)
{
    struct json_value key, value;
    enum err err = json_pull_enter(pull, JSON_OBJECT);

    while (!err) {
        err = json_pull_next(pull, &key);
        if (!err)
            err = json_pull_value(pull, &value);
        if (!err && take_member(parser, &key, &value))
            return ERR_NO_MEMORY;
    }
    return err == ERR_END ? json_pull_end(pull) : err;
}

/* What is no object. */
static enum err read_other(struct parser *parser, const struct json_value *value)
{
    static const char *const said[] = {
        [JSON_NULL] = "the value is null",
        [JSON_FALSE] = "found false, expected an object",
        [JSON_TRUE] = "found true, expected an object",
        [JSON_NUMBER] = "found a number, expected an object",
        [JSON_STRING] = "found a string, expected an object",
        [JSON_ARRAY] = "found an array, expected an object",
    };

    return tell_whole(parser, value->kind == JSON_NULL ? RULE_NULL_VALUE : RULE_NOT_AN_OBJECT,
                      said[value->kind]);
}

/* The object inside a JSON string, if it holds one; else it is told what it is. */
static enum err unwrap(struct parser *parser, struct json_pull *pull, bool *is_object)
{
    struct json_value value;
    enum err err = json_pull_value(pull, &value);

    if (!err)
        err = json_pull_end(pull);
    if (err)
        return err;
    buf_clear(&parser->unwrapped);
    if (value.kind == JSON_STRING) {
        if (json_text(value, &parser->unwrapped))
            return ERR_NO_MEMORY;
        if (parser->unwrapped.size > 0)
            *pull = json_pull(buf_bytes(&parser->unwrapped));
        if (parser->unwrapped.size > 0 && json_pull_kind(pull) == JSON_OBJECT) {
            *is_object = true;
            return ERR_OK;
        }
    }
    return read_other(parser, &value);
}

static enum err tell_missing(struct parser *parser)
{
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < parser->contract->column_count; i++)
        if (!parser->seen[i] && parser->contract->columns[i].required)
            err = tell_column(parser, RULE_MISSING_COLUMN, parser->contract->columns[i].name, "missing");
    return err;
}

static enum err end_faults(struct parser *parser)
{
    enum err err = ERR_OK;

    if (parser->fault_count > FAULTS_TOLD_MOST)
        err = buf_printf(&parser->fault, "; and %zu more", parser->fault_count - FAULTS_TOLD_MOST);
    for (int i = 0; !err && i < RULE_COUNT; i++)
        if (parser->rules & 1u << i)
            err = buf_printf(&parser->rule, "%s%s", parser->rule.size > 0 ? "; " : "", rule_names[i]);
    return err;
}

enum err parser_read(struct parser *parser, struct bytes value)
{
    struct json_pull pull = json_pull(value.at ? value : BYTES("null"));
    bool is_object = json_pull_kind(&pull) == JSON_OBJECT;
    enum err err = ERR_OK;

    forget_texts(parser);
    forget_faults(parser);
    if (!is_object)
        err = unwrap(parser, &pull, &is_object);
    if (!err && is_object) {
        err = read_object(parser, &pull);
        if (!err)
            err = tell_missing(parser);
    }
    if (err == ERR_INVALID) /* the note says what is wrong with it as JSON, in words of ours alone */
        err = tell_whole(parser, RULE_NOT_JSON, err_sentence());
    if (!err && parser->fault_count > 0)
        err = end_faults(parser);
    if (parser->any_unescaped)
        for (size_t i = 0; i < parser->contract->column_count; i++)
            if (parser->unescaped_at[i] != SIZE_MAX)
                parser->texts[i].at = parser->unescaped.at + parser->unescaped_at[i];
    return err;
}
