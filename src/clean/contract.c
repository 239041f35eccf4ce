/* contract.c - reads a contract with libyaml; every mistake in it is told with its line. */
#include "clean/contract.h"

#include <yaml.h>

struct reader {
    yaml_document_t document;
    struct arena *arena;
    const char *from;
};

/* One key that a map may have: a text, or a list. */
struct field {
    const char *name;
    const char **text;
    yaml_node_t **list;
    bool required;
    yaml_node_t *seen;
};

static enum err wrong(const struct reader *reader, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static enum err wrong(const struct reader *reader, const yaml_node_t *node, const char *format, ...)
{
    char what[600];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return err_note(ERR_INVALID, "%s:%zu: %s", reader->from, node->start_mark.line + 1, what);
}

static enum err out_of_memory(void)
{
    return err_note(ERR_NO_MEMORY, "out of memory for a contract");
}

static bool is_text(const yaml_node_t *node, const char *text)
{
    return node->type == YAML_SCALAR_NODE && strcmp((const char *)node->data.scalar.value, text) == 0;
}

/* The names of the fields, for the note on a key that is none of them. */
static const char *names_of(const struct field *fields, size_t count, char *out, size_t room)
{
    size_t at = 0;

    for (size_t i = 0; i < count && at < room; i++)
        at += (size_t)snprintf(out + at, room - at, "%s%s", i > 0 ? ", " : "", fields[i].name);
    return out;
}

static enum err take_field(const struct reader *reader, struct field *field, yaml_node_t *key,
                           yaml_node_t *value)
{
    if (field->seen)
        return wrong(reader, key, "`%s` is there twice; keep one", field->name);
    field->seen = value;
    if (field->list) {
        if (value->type != YAML_SEQUENCE_NODE)
            return wrong(reader, value, "`%s` must be a list (lines that begin with -)", field->name);
        *field->list = value;
        return ERR_OK;
    }
    if (value->type != YAML_SCALAR_NODE || value->data.scalar.length == 0)
        return wrong(reader, value, "`%s` must be a text", field->name);
    if (memchr(value->data.scalar.value, 0, value->data.scalar.length))
        return wrong(reader, value, "`%s` holds a NUL byte", field->name);
    *field->text = arena_text(reader->arena, bytes_of(value->data.scalar.value, value->data.scalar.length));
    return *field->text ? ERR_OK : out_of_memory();
}

/* Put the values of a map's keys where `fields` wants them. `what` is the map's name in notes. */
static enum err read_map(struct reader *reader, yaml_node_t *map, const char *what, struct field *fields,
                         size_t count)
{
    char names[256];
    enum err err;

    if (map->type != YAML_MAPPING_NODE)
        return wrong(reader, map, "%s must have keys: %s", what,
                     names_of(fields, count, names, sizeof(names)));
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(&reader->document, pair->key);
        yaml_node_t *value = yaml_document_get_node(&reader->document, pair->value);
        size_t i = 0;

        while (i < count && !is_text(key, fields[i].name))
            i++;
        if (i == count)
            return wrong(reader, key, "%s has a key `%.80s`; it may have %s", what,
                         key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value
                                                       : "that is no text",
                         names_of(fields, count, names, sizeof(names)));
        err = take_field(reader, &fields[i], key, value);
        if (err)
            return err;
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && !fields[i].seen)
            return wrong(reader, map, "%s lacks `%s`", what, fields[i].name);
    return ERR_OK;
}

/* The place of `text` among `choices` (of which the last is NULL), told as a note if it is none of them. */
static enum err choose(const struct reader *reader, const yaml_node_t *node, const char *key,
                       const char *text, const char *const *choices, int *out)
{
    char all[256];
    size_t at = 0;

    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0) {
            *out = i;
            return ERR_OK;
        }
        at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", i > 0 ? ", " : "", choices[i]);
    }
    return wrong(reader, node, "`%s: %.80s`: it may be %s", key, text, all);
}

/* A name becomes part of SQL, so it is a plain one. */
static enum err check_name(const struct reader *reader, const yaml_node_t *node, const char *what,
                           const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

    if (strlen(name) <= CONTRACT_NAME_BYTES_MOST && strspn(name, allowed) == strlen(name) && name[0] > '9')
        return ERR_OK;
    return wrong(reader, node,
                 "%s `%.80s`: a name has lower-case letters, digits and _, begins with no digit and has at "
                 "most %d bytes",
                 what, name, CONTRACT_NAME_BYTES_MOST);
}

static enum err read_column(struct reader *reader, yaml_node_t *node, struct contract_column *out)
{
    static const char *const types[] = {"string", "integer", "number", "boolean", NULL};
    static const char *const flags[] = {"false", "true", NULL};
    const char *name = NULL, *type = NULL, *required = "true";
    struct field fields[] = {
        {"name", &name, NULL, true, NULL},
        {"type", &type, NULL, true, NULL},
        {"required", &required, NULL, false, NULL},
    };
    int type_at = 0, required_at = 0;
    enum err err = read_map(reader, node, "a column", fields, sizeof(fields) / sizeof(fields[0]));

    if (!err)
        err = check_name(reader, node, "column", name);
    if (!err && name[0] == '_')
        err = wrong(reader, node, "column `%s`: names that begin with _ are the pipeline's own", name);
    if (!err)
        err = choose(reader, node, "type", type, types, &type_at);
    if (!err)
        err = choose(reader, node, "required", required, flags, &required_at);
    if (err)
        return err;
    *out = (struct contract_column){bytes_of_text(name), (enum column_type)type_at, required_at == 1};
    return ERR_OK;
}

static enum err read_expectation(struct reader *reader, yaml_node_t *node, struct expectation *out)
{
    static const char *const actions[] = {"quarantine", "warn", "drop", "fail", NULL};
    struct expectation read = {0};
    const char *action = "quarantine";
    struct field fields[] = {
        {"name", &read.name, NULL, true, NULL},         {"expect", &read.expect, NULL, true, NULL},
        {"column", &read.column, NULL, true, NULL},     {"found", &read.found, NULL, false, NULL},
        {"expected", &read.expected, NULL, true, NULL}, {"action", &action, NULL, false, NULL},
    };
    int action_at = 0;
    enum err err = read_map(reader, node, "an expectation", fields, sizeof(fields) / sizeof(fields[0]));

    if (!err)
        err = check_name(reader, node, "expectation", read.name);
    if (!err)
        err = choose(reader, node, "action", action, actions, &action_at);
    if (err)
        return err;
    read.action = (enum expectation_action)action_at;
    *out = read;
    return ERR_OK;
}

static size_t list_length(const yaml_node_t *list)
{
    return list ? (size_t)(list->data.sequence.items.top - list->data.sequence.items.start) : 0;
}

static enum err read_columns(struct reader *reader, yaml_node_t *list, struct contract *out)
{
    size_t count = list_length(list);

    if (count == 0 || count > CONTRACT_COLUMNS_MOST)
        return wrong(reader, list, "`columns` has %zu; there may be 1 to %d", count, CONTRACT_COLUMNS_MOST);
    out->columns = arena_take(&out->arena, count * sizeof(*out->columns));
    if (!out->columns)
        return out_of_memory();
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *node = yaml_document_get_node(&reader->document, list->data.sequence.items.start[i]);
        enum err err = read_column(reader, node, &out->columns[i]);
        if (err)
            return err;
        for (size_t j = 0; j < i; j++)
            if (bytes_equal(out->columns[j].name, out->columns[i].name))
                return wrong(reader, node, "column `%s` is there twice; keep one",
                             (const char *)out->columns[i].name.at);
    }
    out->column_count = count;
    return ERR_OK;
}

static enum err read_expectations(struct reader *reader, yaml_node_t *list, struct contract *out)
{
    size_t count = list_length(list);

    if (count == 0)
        return ERR_OK;
    if (count > CONTRACT_EXPECTATIONS_MOST)
        return wrong(reader, list, "`expectations` has %zu; there may be %d", count,
                     CONTRACT_EXPECTATIONS_MOST);
    out->expectations = arena_take(&out->arena, count * sizeof(*out->expectations));
    if (!out->expectations)
        return out_of_memory();
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *node = yaml_document_get_node(&reader->document, list->data.sequence.items.start[i]);
        enum err err = read_expectation(reader, node, &out->expectations[i]);
        if (err)
            return err;
        for (size_t j = 0; j < i; j++)
            if (strcmp(out->expectations[j].name, out->expectations[i].name) == 0)
                return wrong(reader, node, "expectation `%s` is there twice; keep one",
                             out->expectations[i].name);
    }
    out->expectation_count = count;
    return ERR_OK;
}

static enum err read_document(struct reader *reader, struct contract *out)
{
    static const char *const unknown[] = {"quarantine", "ignore", NULL};
    const char *unknown_columns = "quarantine";
    yaml_node_t *columns = NULL, *expectations = NULL, *root = yaml_document_get_root_node(&reader->document);
    struct field fields[] = {
        {"entity", &out->entity, NULL, true, NULL},
        {"unknown_columns", &unknown_columns, NULL, false, NULL},
        {"columns", NULL, &columns, true, NULL},
        {"expectations", NULL, &expectations, false, NULL},
    };
    int unknown_at = 0;
    enum err err;

    if (!root)
        return err_note(ERR_INVALID, "%s: the file is empty; a contract has entity and columns",
                        reader->from);
    err = read_map(reader, root, "a contract", fields, sizeof(fields) / sizeof(fields[0]));
    if (!err)
        err = check_name(reader, root, "entity", out->entity);
    if (!err)
        err = choose(reader, root, "unknown_columns", unknown_columns, unknown, &unknown_at);
    if (!err)
        err = read_columns(reader, columns, out);
    if (!err)
        err = read_expectations(reader, expectations, out);
    out->ignore_unknown = unknown_at == 1;
    return err;
}

enum err contract_read(struct contract *out, struct bytes yaml, const char *from)
{
    struct contract contract = {.arena = arena_init(4 * CONTRACT_BYTES_MOST)};
    struct reader reader = {.arena = &contract.arena, .from = from};
    yaml_parser_t parser;
    enum err err;

    *out = (struct contract){.arena = arena_init(0)};
    if (yaml.size > CONTRACT_BYTES_MOST)
        return err_note(ERR_INVALID, "%s: a contract has at most %d bytes", from, CONTRACT_BYTES_MOST);
    if (!yaml_parser_initialize(&parser))
        return out_of_memory();
    yaml_parser_set_input_string(&parser, yaml.at, yaml.size);
    if (!yaml_parser_load(&parser, &reader.document)) {
        err =
            err_note(parser.error == YAML_MEMORY_ERROR ? ERR_NO_MEMORY : ERR_INVALID, "%s:%zu: not YAML: %s",
                     from, parser.problem_mark.line + 1, parser.problem ? parser.problem : "out of memory");
        goto out;
    }
    err = read_document(&reader, &contract);
    yaml_document_delete(&reader.document);
    if (!err) {
        *out = contract;
        contract = (struct contract){.arena = arena_init(0)};
    }
out:
    yaml_parser_delete(&parser);
    contract_release(&contract);
    return err;
}

void contract_release(struct contract *contract)
{
    arena_release(&contract->arena);
}

const char *column_type_name(enum column_type type)
{
    static const char *const names[] = {"a string", "a whole number", "a number", "true or false"};

    return names[type];
}
