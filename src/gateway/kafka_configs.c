/* kafka_configs.c - settings of topics and of the broker: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs.
 *
 * A topic setting is taken if we honour it, or if not acting on it keeps its promise: whoever allows us to delete or
 * compact records loses nothing when they stay. What we would break (another timestamp type, another compression, more
 * replicas in sync than there are) is refused. */
#include <errno.h>
#include <stdlib.h>

#include "gateway/kafka_call.h"

enum resource_type { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };
enum config_source { SOURCE_TOPIC = 1, SOURCE_STATIC_BROKER = 4, SOURCE_DEFAULT = 5 };
enum config_type {
    TYPE_BOOLEAN = 1,
    TYPE_STRING = 2,
    TYPE_INT = 3,
    TYPE_LONG = 5,
    TYPE_DOUBLE = 6,
    TYPE_LIST = 7
};

struct known_setting {
    const char *name, *fallback;
    enum config_type type;
    const char *only;   /* the values it can have, with bars between; NULL: any of its type */
    const char *broker; /* our setting that holds the default; NULL: `fallback` */
};

static const struct known_setting known_settings[] = {
    {"cleanup.policy", "delete", TYPE_LIST, "delete|compact|compact,delete|delete,compact", NULL},
    {"compression.type", "producer", TYPE_STRING, "producer", NULL},
    {"delete.retention.ms", "86400000", TYPE_LONG, NULL, NULL},
    {"flush.messages", "1", TYPE_LONG, NULL, NULL},
    {"flush.ms", "0", TYPE_LONG, NULL, NULL},
    {"max.compaction.lag.ms", "9223372036854775807", TYPE_LONG, NULL, NULL},
    {"max.message.bytes", "", TYPE_INT, NULL, "message.max.bytes"},
    {"message.timestamp.type", "CreateTime", TYPE_STRING, "CreateTime", NULL},
    {"min.cleanable.dirty.ratio", "0.5", TYPE_DOUBLE, NULL, NULL},
    {"min.compaction.lag.ms", "0", TYPE_LONG, NULL, NULL},
    {"min.insync.replicas", "1", TYPE_INT, "1", NULL},
    {"retention.bytes", "-1", TYPE_LONG, NULL, NULL},
    {"retention.ms", "-1", TYPE_LONG, NULL, NULL},
    {"segment.bytes", "", TYPE_INT, NULL, "log.segment.bytes"},
    {"segment.ms", "9223372036854775807", TYPE_LONG, NULL, NULL},
};
enum { KNOWN_COUNT = sizeof(known_settings) / sizeof(*known_settings) };

/* Ours that have Kafka's names, and so are what DescribeConfigs of the broker shows. */
static const char *const broker_settings[] = {
    "auto.create.topics.enable",
    "group.initial.rebalance.delay.ms",
    "group.max.session.timeout.ms",
    "group.min.session.timeout.ms",
    "log.segment.bytes",
    "message.max.bytes",
    "num.partitions",
};
enum { BROKER_COUNT = sizeof(broker_settings) / sizeof(*broker_settings) };

static const struct known_setting *known_find(const char *name)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        if (strcmp(known_settings[i].name, name) == 0)
            return &known_settings[i];
    return NULL;
}

static bool is_one_of(const char *value, const char *choices)
{
    size_t length = strlen(value);

    for (const char *at = choices; *at;) {
        size_t size = strcspn(at, "|");
        if (size == length && strncmp(at, value, size) == 0)
            return true;
        at += size + (at[size] == '|');
    }
    return false;
}

static bool is_of_type(const char *value, enum config_type type)
{
    char *end;

    errno = 0;
    if (type == TYPE_DOUBLE)
        strtod(value, &end);
    else if (type == TYPE_INT || type == TYPE_LONG)
        strtoll(value, &end, 10);
    else
        return true;
    return end != value && *end == 0 && errno == 0;
}

enum err kafka_topic_setting_check(const char *name, const char *value)
{
    const struct known_setting *known = known_find(name);

    if (!known)
        return err_note(ERR_INVALID, "topics have no setting '%s'; docs/kafka.md lists them", name);
    if (!value || !*value)
        return ERR_OK;
    if (strlen(value) >= sizeof(((struct topic_setting *)0)->value) || !is_of_type(value, known->type))
        return err_note(ERR_INVALID, "%s cannot be '%.100s'", name, value);
    if (known->only && !is_one_of(value, known->only))
        return err_note(ERR_INVALID, "%s cannot be '%.100s' here, only %s", name, value, known->only);
    return ERR_OK;
}

struct topic_setting kafka_topic_setting(const char *name, const char *value)
{
    struct topic_setting setting = {0};

    memcpy(setting.name, name, strnlen(name, sizeof(setting.name) - 1));
    memcpy(setting.value, value, strnlen(value, sizeof(setting.value) - 1));
    return setting;
}

/* ---- showing ---- */

/* What a topic has for a setting, and where that comes from. */
static const char *value_of(struct kafka_call *call, const struct topic_info *info,
                            const struct known_setting *known, enum config_source *source)
{
    for (size_t s = 0; info && s < info->setting_count; s++) {
        if (strcmp(info->settings[s].name, known->name) == 0) {
            *source = SOURCE_TOPIC;
            return info->settings[s].value;
        }
    }
    *source = SOURCE_DEFAULT;
    if (!known->broker)
        return known->fallback;
    return arena_printf(&call->arena, "%lld", (long long)config_integer(call->config, known->broker));
}

void kafka_encode_settings(struct kafka_call *call, const struct topic_info *info)
{
    struct kafka_out *out = &call->out;

    out_count(out, KNOWN_COUNT);
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        enum config_source source;
        const char *value = value_of(call, info, &known_settings[i], &source);
        out_text(out, known_settings[i].name);
        out_text(out, value);
        out_bool(out, false); /* read-only */
        out_i8(out, (int8_t)source);
        out_bool(out, false); /* sensitive */
        out_tags(out);
    }
}

struct resource {
    int8_t type;
    const char *name;
    const char **keys; /* asked for; NULL: all */
    size_t key_count;
};

static bool is_asked_for(const struct resource *resource, const char *key)
{
    for (size_t k = 0; resource->keys && k < resource->key_count; k++)
        if (strcmp(resource->keys[k], key) == 0)
            return true;
    return !resource->keys;
}

static void encode_setting(struct kafka_call *call, const char *name, const char *value,
                           enum config_source source, enum config_type type, bool with_synonyms)
{
    struct kafka_out *out = &call->out;

    out_text(out, name);
    out_text(out, value);
    out_bool(out, source == SOURCE_STATIC_BROKER); /* read-only */
    if (call->version == 0)
        out_bool(out, source == SOURCE_DEFAULT);
    else
        out_i8(out, (int8_t)source);
    out_bool(out, false); /* sensitive */
    if (call->version >= 1) {
        out_count(out, with_synonyms);
        if (with_synonyms) {
            out_text(out, name);
            out_text(out, value);
            out_i8(out, (int8_t)source);
            out_tags(out);
        }
    }
    if (call->version >= 3) {
        out_i8(out, (int8_t)type);
        out_text(out, NULL); /* documentation */
    }
    out_tags(out);
}

static void encode_topic_settings(struct kafka_call *call, const struct resource *resource,
                                  const struct topic_info *info, bool with_synonyms)
{
    int32_t count = 0;

    for (size_t i = 0; i < KNOWN_COUNT; i++)
        count += is_asked_for(resource, known_settings[i].name);
    out_count(&call->out, count);
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        enum config_source source;
        const char *value = value_of(call, info, &known_settings[i], &source);
        if (is_asked_for(resource, known_settings[i].name))
            encode_setting(call, known_settings[i].name, value, source, known_settings[i].type,
                           with_synonyms);
    }
}

static void encode_broker_settings(struct kafka_call *call, const struct resource *resource,
                                   bool with_synonyms)
{
    int32_t count = 0;

    for (size_t i = 0; i < BROKER_COUNT; i++)
        count += is_asked_for(resource, broker_settings[i]);
    out_count(&call->out, count);
    for (size_t i = 0; i < BROKER_COUNT; i++) {
        const char *name = broker_settings[i], *value = config_text(call->config, name);
        bool is_flag = strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
        if (!is_flag) /* sizes may be written with units */
            value = arena_printf(&call->arena, "%lld", (long long)config_integer(call->config, name));
        if (is_asked_for(resource, name))
            encode_setting(call, name, value, SOURCE_STATIC_BROKER, is_flag ? TYPE_BOOLEAN : TYPE_LONG,
                           with_synonyms);
    }
}

static void encode_resource(struct kafka_call *call, const struct resource *resource, bool with_synonyms)
{
    struct kafka_out *out = &call->out;
    struct topic_info info;
    enum kafka_code code = KAFKA_NONE;

    if (resource->type == RESOURCE_TOPIC && log_topic_find(call->log, resource->name, &call->arena, &info))
        code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    else if (resource->type == RESOURCE_BROKER && *resource->name && atoi(resource->name) != KAFKA_NODE_ID)
        code = KAFKA_INVALID_REQUEST;
    else if (resource->type != RESOURCE_TOPIC && resource->type != RESOURCE_BROKER)
        code = KAFKA_INVALID_REQUEST;

    out_i16(out, (int16_t)code);
    out_text(out, code ? "there is no such topic or broker with settings" : NULL);
    out_i8(out, resource->type);
    out_text(out, resource->name);
    if (code)
        out_count(out, 0);
    else if (resource->type == RESOURCE_TOPIC)
        encode_topic_settings(call, resource, &info, with_synonyms);
    else
        encode_broker_settings(call, resource, with_synonyms);
    out_tags(out);
}

enum err kafka_describe_configs(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t count = in_items(in);
    struct resource *resources = in_room(in, count, sizeof(*resources));
    bool with_synonyms;

    for (size_t r = 0; r < count && !in->err; r++) {
        int32_t key_count;
        resources[r].type = in_i8(in);
        resources[r].name = in_text(in);
        key_count = in_count(in);
        resources[r].key_count = key_count < 0 ? 0 : (size_t)key_count;
        resources[r].keys =
            key_count < 0 ? NULL : in_room(in, resources[r].key_count, sizeof(*resources[r].keys));
        for (size_t k = 0; k < resources[r].key_count && !in->err; k++)
            resources[r].keys[k] = in_text(in);
        in_tags(in);
    }
    with_synonyms = call->version >= 1 && in_bool(in);
    if (call->version >= 3)
        in_bool(in); /* with documentation: docs/kafka.md has it */
    in_tags(in);
    if (in_end(in))
        return in_end(in);

    out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)count);
    for (size_t r = 0; r < count; r++)
        encode_resource(call, &resources[r], with_synonyms);
    out_tags(out);
    return ERR_OK;
}

/* ---- changing ---- */

enum operation { OPERATION_SET = 0, OPERATION_DELETE = 1 };

struct change {
    int8_t type;
    const char *name; /* of the topic */
    size_t count;
    const char **keys, **values;
    int8_t *operations;
};

static struct change *decode_changes(struct kafka_in *in, bool incremental, size_t *count)
{
    struct change *changes;

    *count = in_items(in);
    changes = in_room(in, *count, sizeof(*changes));
    for (size_t c = 0; c < *count && !in->err; c++) {
        struct change *change = &changes[c];
        change->type = in_i8(in);
        change->name = in_text(in);
        change->count = in_items(in);
        change->keys = in_room(in, change->count, sizeof(*change->keys));
        change->values = in_room(in, change->count, sizeof(*change->values));
        change->operations = in_room(in, change->count, sizeof(*change->operations));
        for (size_t k = 0; k < change->count && !in->err; k++) {
            change->keys[k] = in_text(in);
            change->operations[k] = incremental ? in_i8(in) : OPERATION_SET;
            change->values[k] = in_text_or_null(in);
            in_tags(in);
        }
        in_tags(in);
    }
    return changes;
}

static enum err check_change(const struct change *change)
{
    for (size_t k = 0; k < change->count; k++) {
        enum err err;
        if (change->operations[k] != OPERATION_SET && change->operations[k] != OPERATION_DELETE)
            return err_note(ERR_INVALID, "%s: settings can be set and deleted, not appended to",
                            change->keys[k]);
        err = kafka_topic_setting_check(change->keys[k], change->values[k]);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* A plain change replaces all settings: those not named go back to their defaults. */
static enum err apply(struct kafka_call *call, const struct change *change, const struct topic_info *info,
                      bool incremental)
{
    size_t count = 0, others = incremental ? 0 : info->setting_count;
    struct topic_setting *settings =
        arena_take(&call->arena, (change->count + others + 1) * sizeof(*settings));

    if (!settings)
        return err_note(ERR_NO_MEMORY, "out of memory for settings");
    for (size_t s = 0; s < others; s++)
        settings[count++] = kafka_topic_setting(info->settings[s].name, "");
    for (size_t k = 0; k < change->count; k++) {
        bool set = change->operations[k] == OPERATION_SET && change->values[k];
        settings[count++] = kafka_topic_setting(change->keys[k], set ? change->values[k] : "");
    }
    return log_topic_set(call->log, change->name, settings, count);
}

static enum kafka_code alter(struct kafka_call *call, const struct change *change, bool incremental,
                             bool only_check, const char **message)
{
    struct topic_info info;
    enum kafka_code code = KAFKA_NONE;
    enum err err = ERR_OK;

    *message = NULL;
    if (change->type != RESOURCE_TOPIC) {
        *message = "only topics' settings can be changed here; the broker's are in pinrail.yaml";
        return KAFKA_INVALID_REQUEST;
    }
    if (log_topic_find(call->log, change->name, &call->arena, &info)) {
        *message = "there is no such topic";
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    }
    if (info.internal) {
        *message = "an internal topic keeps its settings";
        return KAFKA_INVALID_TOPIC;
    }
    err = check_change(change);
    if (err)
        code = KAFKA_INVALID_CONFIG;
    else if (!only_check)
        err = apply(call, change, &info, incremental);
    if (err && !code)
        code = KAFKA_STORAGE_ERROR;
    if (err)
        *message = arena_text(&call->arena, bytes_of_text(err_sentence()));
    return code;
}

static enum err alter_all(struct kafka_call *call, bool incremental)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t count;
    struct change *changes = decode_changes(in, incremental, &count);
    bool only_check = in_bool(in);

    in_tags(in);
    if (in_end(in))
        return in_end(in);
    out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)count);
    for (size_t c = 0; c < count; c++) {
        const char *message;
        enum kafka_code code = alter(call, &changes[c], incremental, only_check, &message);
        out_i16(out, (int16_t)code);
        out_text(out, message);
        out_i8(out, changes[c].type);
        out_text(out, changes[c].name);
        out_tags(out);
    }
    out_tags(out);
    return ERR_OK;
}

enum err kafka_alter_configs(struct kafka_call *call)
{
    return alter_all(call, false);
}

enum err kafka_incremental_alter_configs(struct kafka_call *call)
{
    return alter_all(call, true);
}
