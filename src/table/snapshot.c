/* snapshot.c - actions applied, one commit after the other, give the state of a table.
 *
 *     {"protocol":{"minReaderVersion":1,"minWriterVersion":2}}          the latest counts
 *     {"metaData":{"id":..,"format":..,"schemaString":"..",..}}         the latest counts
 *     {"txn":{"appId":"demo.pin-0","version":41}}                       the latest of each application counts
 *     {"add":{"path":"part-..","partitionValues":{},"size":..,"modificationTime":..,"dataChange":true,"stats":".."}}
 *     {"remove":{"path":"part-..","deletionTimestamp":..,"dataChange":true}}
 *     {"commitInfo":{..}}                                               for people
 *
 * Of a file, add and remove are one story: the latest of them counts. Within a commit their order says nothing, so
 * removes are applied first. Actions and fields that we do not know are left alone. */
#include <stdio.h>
#include <stdlib.h>

#include "table/delta.h"

/* Bytes or rows of one file; no file has more, and sums over all files that fit into memory stay in range. */
#define FILE_NUMBER_MOST (1LL << 40)

enum err snapshot_init(struct snapshot *snapshot)
{
    *snapshot = (struct snapshot){.version = -1, .checkpoint = -1};
    snapshot->adds = json_object();
    snapshot->removes = json_object();
    snapshot->txns = json_object();
    if (snapshot->adds && snapshot->removes && snapshot->txns)
        return ERR_OK;
    snapshot_release(snapshot);
    return err_note(ERR_NO_MEMORY, "out of memory for a table's state");
}

void snapshot_release(struct snapshot *snapshot)
{
    json_decref(snapshot->protocol);
    json_decref(snapshot->meta);
    json_decref(snapshot->schema);
    json_decref(snapshot->adds);
    json_decref(snapshot->removes);
    json_decref(snapshot->txns);
    *snapshot = (struct snapshot){.version = -1, .checkpoint = -1};
}

/* ---- one action ---- */

int64_t add_rows(const json_t *add)
{
    const json_t *text = json_object_get(add, "stats");
    json_t *stats = NULL;
    int64_t rows = -1;

    if (json_string_length(text) > 0 &&
        !json_doc_parse(&stats, bytes_of(json_string_value(text), json_string_length(text))) &&
        json_is_integer(json_object_get(stats, "numRecords")))
        rows = json_integer_value(json_object_get(stats, "numRecords"));
    json_decref(stats);
    return rows > FILE_NUMBER_MOST ? -1 : rows;
}

/* What an action must have. Applying one that was checked fails only when memory is out, and can then be repeated. */

static bool is_field(const json_t *field)
{
    const json_t *type = json_object_get(field, "type");

    return json_is_string(json_object_get(field, "name")) && (json_is_string(type) || json_is_object(type));
}

static json_t *parse_schema(const json_t *meta)
{
    const json_t *text = json_object_get(meta, "schemaString");
    json_t *schema = NULL, *field;
    size_t i;

    if (!json_is_string(text) ||
        json_doc_parse(&schema, bytes_of(json_string_value(text), json_string_length(text))))
        return NULL;
    if (!json_is_array(schema_fields(schema)))
        goto bad;
    json_array_foreach(schema_fields(schema), i, field)
    {
        if (!is_field(field))
            goto bad;
    }
    return schema;
bad:
    json_decref(schema);
    return NULL;
}

static enum err check_meta(const json_t *meta)
{
    json_t *schema = parse_schema(meta);
    bool good = schema && json_is_array(json_object_get(meta, "partitionColumns"));

    json_decref(schema);
    return good ? ERR_OK
                : err_note(ERR_CORRUPT,
                           "metaData without partitionColumns or a schemaString that is a schema");
}

static enum err check_protocol(const json_t *protocol)
{
    if (json_is_integer(json_object_get(protocol, "minReaderVersion")) &&
        json_is_integer(json_object_get(protocol, "minWriterVersion")))
        return ERR_OK;
    return err_note(ERR_CORRUPT, "protocol without minReaderVersion or minWriterVersion");
}

static enum err check_txn(const json_t *txn)
{
    if (json_is_string(json_object_get(txn, "appId")) && json_is_integer(json_object_get(txn, "version")))
        return ERR_OK;
    return err_note(ERR_CORRUPT, "txn without appId or version");
}

static enum err check_remove(const json_t *remove)
{
    if (json_string_length(json_object_get(remove, "path")) > 0)
        return ERR_OK;
    return err_note(ERR_CORRUPT, "remove without path");
}

static enum err check_add(const json_t *add)
{
    const json_t *size = json_object_get(add, "size");

    if (json_string_length(json_object_get(add, "path")) > 0 && json_is_integer(size) &&
        json_integer_value(size) >= 0 && json_integer_value(size) <= FILE_NUMBER_MOST)
        return ERR_OK;
    return err_note(ERR_CORRUPT, "add without path or size");
}

int64_t snapshot_rows(const struct snapshot *snapshot)
{
    return snapshot->uncounted_files > 0 ? -1 : snapshot->rows;
}

/* `file` leaves or enters the live ones: keep the sums right. */
static void count_file(struct snapshot *snapshot, const json_t *file, int64_t sign)
{
    int64_t rows = add_rows(file),
            modified_ms = json_integer_value(json_object_get(file, "modificationTime"));

    snapshot->bytes += sign * json_integer_value(json_object_get(file, "size"));
    if (rows < 0)
        snapshot->uncounted_files += sign;
    else
        snapshot->rows += sign * rows;
    if (sign > 0 && modified_ms > snapshot->modified_ms)
        snapshot->modified_ms = modified_ms;
}

static void drop_file(struct snapshot *snapshot, const char *path)
{
    const json_t *file = json_object_get(snapshot->adds, path);

    if (file)
        count_file(snapshot, file, -1);
    json_object_del(snapshot->adds, path);
    json_object_del(snapshot->removes, path);
}

static int apply_meta(struct snapshot *snapshot, json_t *meta)
{
    json_t *schema = parse_schema(meta);

    if (!schema)
        return -1;
    json_decref(snapshot->meta);
    json_decref(snapshot->schema);
    snapshot->meta = json_incref(meta);
    snapshot->schema = schema;
    return 0;
}

static int apply_protocol(struct snapshot *snapshot, json_t *protocol)
{
    json_decref(snapshot->protocol);
    snapshot->protocol = json_incref(protocol);
    return 0;
}

static int apply_txn(struct snapshot *snapshot, json_t *txn)
{
    return json_object_set(snapshot->txns, json_string_value(json_object_get(txn, "appId")), txn);
}

static int apply_remove(struct snapshot *snapshot, json_t *remove)
{
    const char *path = json_string_value(json_object_get(remove, "path"));

    drop_file(snapshot, path);
    return json_object_set(snapshot->removes, path, remove);
}

static int apply_add(struct snapshot *snapshot, json_t *add)
{
    const char *path = json_string_value(json_object_get(add, "path"));

    drop_file(snapshot, path);
    count_file(snapshot, add, 1);
    return json_object_set(snapshot->adds, path, add);
}

static const struct action_kind {
    const char *name;
    enum err (*check)(const json_t *action);
    int (*apply)(struct snapshot *snapshot, json_t *action);
} action_kinds[] = {
    {"protocol", check_protocol, apply_protocol},
    {"metaData", check_meta, apply_meta},
    {"txn", check_txn, apply_txn},
    {"remove", check_remove, apply_remove},
    {"add", check_add, apply_add},
};

static const struct action_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(action_kinds) / sizeof(action_kinds[0]); i++)
        if (strcmp(action_kinds[i].name, name) == 0)
            return &action_kinds[i];
    return NULL;
}

enum err snapshot_apply(struct snapshot *snapshot, const char *name, json_t *action)
{
    const struct action_kind *kind = find_kind(name);
    enum err err = kind ? kind->check(action) : ERR_OK;

    if (!err && kind && kind->apply(snapshot, action))
        err = err_note(ERR_NO_MEMORY, "out of memory for a table's state");
    return err;
}

/* ---- one commit ---- */

/* The lines of a commit as an array of objects. */
static enum err parse_lines(struct bytes text, const char *path, json_t *lines)
{
    for (size_t line = 1; text.size > 0; line++) {
        const uint8_t *end = memchr(text.at, '\n', text.size);
        struct bytes one = {text.at, end ? (size_t)(end - text.at) : text.size};
        json_t *doc = NULL;

        text.at += one.size + (end ? 1 : 0);
        text.size -= one.size + (end ? 1 : 0);
        if (one.size == 0 || (one.size == 1 && one.at[0] == '\r'))
            continue;
        enum err err = json_doc_parse(&doc, one);
        if (err)
            return err_note(ERR_CORRUPT, "%s, line %zu, is not JSON", path, line);
        if (!json_is_object(doc)) {
            json_decref(doc);
            return err_note(ERR_CORRUPT, "%s, line %zu, is no object", path, line);
        }
        if (json_array_append_new(lines, doc))
            return err_note(ERR_NO_MEMORY, "out of memory for a commit");
    }
    return ERR_OK;
}

static enum err check_lines(const json_t *lines, const char *path)
{
    const char *name;
    json_t *line, *action;
    size_t i;

    json_array_foreach(lines, i, line)
    {
        json_object_foreach(line, name, action)
        {
            const struct action_kind *kind = find_kind(name);
            if (kind && kind->check(action)) {
                char why[256];
                snprintf(why, sizeof(why), "%s", err_sentence());
                return err_note(ERR_CORRUPT, "%s holds an action that is not whole: %s", path, why);
            }
        }
    }
    return ERR_OK;
}

static enum err apply_lines(struct snapshot *snapshot, const json_t *lines, bool adds)
{
    const char *name;
    json_t *line, *action;
    size_t i;

    json_array_foreach(lines, i, line)
    {
        json_object_foreach(line, name, action)
        {
            const struct action_kind *kind = find_kind(name);
            if (kind && (kind->apply == apply_add) == adds && kind->apply(snapshot, action))
                return err_note(ERR_NO_MEMORY, "out of memory for a table's state");
            if (strcmp(name, "commitInfo") == 0 && json_is_integer(json_object_get(action, "timestamp")))
                snapshot->modified_ms = json_integer_value(json_object_get(action, "timestamp"));
        }
    }
    return ERR_OK;
}

enum err snapshot_apply_commit(struct snapshot *snapshot, int64_t version, struct bytes text,
                               const char *path)
{
    json_t *lines = json_array();
    enum err err =
        lines ? parse_lines(text, path, lines) : err_note(ERR_NO_MEMORY, "out of memory for a commit");

    if (!err)
        err = check_lines(lines, path);
    if (!err)
        err = apply_lines(snapshot, lines, false);
    if (!err)
        err = apply_lines(snapshot, lines, true);
    if (!err)
        snapshot->version = version;
    json_decref(lines);
    return err;
}

static enum err summarize_action(const char *name, const json_t *action, struct commit_summary *summary)
{
    if (strcmp(name, "add") == 0) {
        int64_t rows = add_rows(action);
        summary->files_added++;
        summary->rows += rows > 0 ? rows : 0;
    } else if (strcmp(name, "remove") == 0) {
        summary->files_removed++;
    } else if (strcmp(name, "txn") == 0) {
        return buf_printf(&summary->txns, "%s%s=%lld", summary->txns.size ? ", " : "",
                          json_string_value(json_object_get(action, "appId")),
                          (long long)json_integer_value(json_object_get(action, "version")));
    } else if (strcmp(name, "commitInfo") == 0) {
        const char *operation = json_string_value(json_object_get(action, "operation"));
        summary->timestamp_ms = json_integer_value(json_object_get(action, "timestamp"));
        return buf_add_text(&summary->operation, operation ? operation : "");
    }
    return ERR_OK;
}

enum err commit_summarize(struct bytes text, const char *path, struct commit_summary *out)
{
    struct commit_summary summary = {.operation = buf_init(1 << 20), .txns = buf_init(16 << 20)};
    json_t *lines = json_array(), *line, *action;
    const char *name;
    size_t i;
    enum err err =
        lines ? parse_lines(text, path, lines) : err_note(ERR_NO_MEMORY, "out of memory for a commit");

    if (!err)
        err = check_lines(lines, path);
    json_array_foreach(lines, i, line)
    {
        json_object_foreach(line, name, action)
        {
            if (!err)
                err = summarize_action(name, action, &summary);
        }
    }
    json_decref(lines);
    if (err) {
        buf_release(&summary.operation);
        buf_release(&summary.txns);
        return err;
    }
    *out = summary;
    return ERR_OK;
}

/* ---- what we do and what not ---- */

/* The first name in the list of that key which is not in `known`; NULL if there is none. */
static const char *unknown_feature(const json_t *protocol, const char *key, const char *const *known)
{
    const json_t *name;
    size_t i;

    json_array_foreach(json_object_get(protocol, key), i, name)
    {
        const char *const *at = known;
        while (*at && json_is_string(name) && strcmp(*at, json_string_value(name)) != 0)
            at++;
        if (!*at)
            return json_is_string(name) ? json_string_value(name) : "(not a name)";
    }
    return NULL;
}

enum err snapshot_check_readable(const struct snapshot *snapshot, const char *table)
{
    static const char *const known[] = {NULL};
    const json_t *protocol = snapshot->protocol;
    int64_t version = json_integer_value(json_object_get(protocol, "minReaderVersion"));
    const char *feature;

    if (snapshot->version < 0)
        return ERR_OK;
    if (!protocol || !snapshot->meta)
        return err_note(ERR_CORRUPT, "the log of table %s has no %s", table,
                        protocol ? "metaData" : "protocol");
    if (version <= 1)
        return ERR_OK;
    if (version == 2)
        return err_note(ERR_UNSUPPORTED, "table %s needs the feature columnMapping (reader version 2)",
                        table);
    if (version > 3)
        return err_note(ERR_UNSUPPORTED, "table %s needs reader version %lld; we do 1", table,
                        (long long)version);
    feature = unknown_feature(protocol, "readerFeatures", known);
    return feature ? err_note(ERR_UNSUPPORTED, "table %s needs the feature %s of its readers", table, feature)
                   : ERR_OK;
}

static bool has_invariants(const json_t *schema)
{
    const json_t *field;
    size_t i;

    json_array_foreach(schema_fields(schema), i, field)
    {
        if (json_object_get(json_object_get(field, "metadata"), "delta.invariants"))
            return true;
    }
    return false;
}

enum err snapshot_check_writable(const struct snapshot *snapshot, const char *table, bool removes_rows)
{
    static const char *const known[] = {"appendOnly", "invariants", NULL};
    static const char *const by_version[] = {[3] = "checkConstraints",
                                             [4] = "changeDataFeed and generatedColumns",
                                             [5] = "columnMapping",
                                             [6] = "identityColumns"};
    int64_t version = json_integer_value(json_object_get(snapshot->protocol, "minWriterVersion"));
    const char *append_only = json_string_value(
        json_object_get(json_object_get(snapshot->meta, "configuration"), "delta.appendOnly"));
    const char *feature = NULL;

    if (snapshot->version < 0)
        return ERR_OK;
    if (version > 7)
        return err_note(ERR_UNSUPPORTED, "table %s needs writer version %lld; we do 2", table,
                        (long long)version);
    if (version >= 3 && version <= 6)
        feature = by_version[version];
    else if (version == 7)
        feature = unknown_feature(snapshot->protocol, "writerFeatures", known);
    if (!feature && has_invariants(snapshot->schema))
        feature = "invariants";
    if (!feature && json_array_size(json_object_get(snapshot->meta, "partitionColumns")) > 0)
        feature = "partitionColumns";
    if (feature)
        return err_note(ERR_UNSUPPORTED, "table %s needs the feature %s of its writers", table, feature);
    if (removes_rows && append_only && strcmp(append_only, "true") == 0)
        return err_note(ERR_DENIED, "table %s is append-only (delta.appendOnly)", table);
    return ERR_OK;
}
