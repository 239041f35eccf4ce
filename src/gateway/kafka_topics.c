/* kafka_topics.c - topics made, grown, trimmed and deleted: CreateTopics, CreatePartitions, DeleteRecords,
 * DeleteTopics. */
#include "gateway/kafka_call.h"

/* What one item of a request came to. */
struct outcome {
    enum kafka_code code;
    const char *message; /* NULL without an error */
};

static struct outcome outcome_of(struct kafka_call *call, enum err err, enum kafka_code code)
{
    const char *message = err ? arena_text(&call->arena, bytes_of_text(err_sentence())) : NULL;

    return (struct outcome){err ? code : KAFKA_NONE, message};
}

static struct outcome refused(enum kafka_code code, const char *message)
{
    return (struct outcome){code, message};
}

/* ---- CreateTopics ---- */

enum { REPLICATION_DEFAULT = -1, PARTITIONS_DEFAULT = -1 };

struct new_topic {
    const char *name;
    int32_t partition_count;
    int16_t replication;
    int32_t assigned_count; /* partitions whose replicas the client chose itself */
    bool assigned_elsewhere;
    const char **names, **values; /* settings */
    size_t setting_count;
};

static void decode_assignment(struct kafka_in *in, struct new_topic *topic)
{
    size_t count = in_items(in);

    topic->assigned_count = (int32_t)count;
    for (size_t a = 0; a < count && !in->err; a++) {
        in_i32(in); /* partition */
        for (size_t left = in_items(in); left > 0 && !in->err; left--)
            topic->assigned_elsewhere = in_i32(in) != KAFKA_NODE_ID || topic->assigned_elsewhere;
        in_tags(in);
    }
}

static struct new_topic *decode_new_topics(struct kafka_in *in, size_t *count)
{
    struct new_topic *topics;

    *count = in_items(in);
    topics = in_room(in, *count, sizeof(*topics));
    for (size_t t = 0; t < *count && !in->err; t++) {
        struct new_topic *topic = &topics[t];
        topic->name = in_text(in);
        topic->partition_count = in_i32(in);
        topic->replication = in_i16(in);
        decode_assignment(in, topic);
        topic->setting_count = in_items(in);
        topic->names = in_room(in, topic->setting_count, sizeof(*topic->names));
        topic->values = in_room(in, topic->setting_count, sizeof(*topic->values));
        for (size_t s = 0; s < topic->setting_count && !in->err; s++) {
            topic->names[s] = in_text(in);
            topic->values[s] = in_text_or_null(in);
            in_tags(in);
        }
        in_tags(in);
    }
    return topics;
}

static struct outcome check_new_topic(struct kafka_call *call, struct new_topic *topic)
{
    struct topic_info info;

    if (!topic_name_is_valid(bytes_of_text(topic->name)))
        return refused(KAFKA_INVALID_TOPIC,
                       "a topic's name is 1 to 249 of A-Z a-z 0-9 . _ -, and not . or ..");
    if (kafka_topic_is_internal(topic->name))
        return refused(KAFKA_INVALID_TOPIC, "the name is that of an internal topic");
    if (!log_topic_find(call->log, topic->name, &call->arena, &info))
        return refused(KAFKA_TOPIC_ALREADY_EXISTS, "there is a topic of that name already");
    if (topic->assigned_elsewhere)
        return refused(KAFKA_INVALID_REPLICA_ASSIGNMENT, "this is a cluster of one node, number 1");
    if (topic->assigned_count > 0)
        topic->partition_count = topic->assigned_count;
    else if (topic->replication != 1 && topic->replication != REPLICATION_DEFAULT)
        return refused(KAFKA_INVALID_REPLICATION_FACTOR,
                       "this is a cluster of one node: the replication factor is 1");
    if (topic->partition_count == PARTITIONS_DEFAULT)
        topic->partition_count = (int32_t)config_integer(call->config, "num.partitions");
    if (topic->partition_count < 1 || topic->partition_count > TOPIC_PARTITIONS_MOST)
        return refused(KAFKA_INVALID_PARTITIONS, "a topic has 1 to 10000 partitions");
    for (size_t s = 0; s < topic->setting_count; s++) {
        enum err err = kafka_topic_setting_check(topic->names[s], topic->values[s]);
        if (err)
            return outcome_of(call, err, KAFKA_INVALID_CONFIG);
    }
    return refused(KAFKA_NONE, NULL);
}

static struct outcome create_topic(struct kafka_call *call, const struct new_topic *topic)
{
    struct topic_setting *settings = arena_take(&call->arena, (topic->setting_count + 1) * sizeof(*settings));
    size_t count = 0;
    enum err err;

    if (!settings)
        return refused(KAFKA_UNKNOWN, "out of memory");
    for (size_t s = 0; s < topic->setting_count; s++)
        if (topic->values[s] && *topic->values[s])
            settings[count++] = kafka_topic_setting(topic->names[s], topic->values[s]);
    err = log_topic_create(call->log, topic->name, topic->partition_count, settings, count);
    return outcome_of(call, err, err == ERR_EXISTS ? KAFKA_TOPIC_ALREADY_EXISTS : KAFKA_STORAGE_ERROR);
}

static void encode_created(struct kafka_call *call, const struct new_topic *topic, struct outcome outcome)
{
    static const uint8_t no_id[TOPIC_ID_BYTES];
    struct kafka_out *out = &call->out;
    struct topic_info info;
    bool there = !outcome.code && !log_topic_find(call->log, topic->name, &call->arena, &info);

    out_text(out, topic->name);
    if (call->version >= 7)
        out_raw(out, bytes_of(there ? info.id : no_id, TOPIC_ID_BYTES));
    out_i16(out, (int16_t)outcome.code);
    if (call->version >= 1)
        out_text(out, outcome.message);
    if (call->version >= 5) {
        out_i32(out, outcome.code ? -1 : topic->partition_count);
        out_i16(out, outcome.code ? -1 : 1);
        if (outcome.code)
            out_count(out, -1);
        else
            kafka_encode_settings(call, there ? &info : NULL);
    }
    out_tags(out);
}

enum err kafka_create_topics(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t count;
    struct new_topic *topics = decode_new_topics(in, &count);
    bool only_check;

    in_i32(in); /* time limit: it is done when we answer */
    only_check = call->version >= 1 && in_bool(in);
    in_tags(in);
    if (in_end(in))
        return in_end(in);

    if (call->version >= 2)
        out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)count);
    for (size_t t = 0; t < count; t++) {
        struct outcome outcome = check_new_topic(call, &topics[t]);
        if (!outcome.code && !only_check)
            outcome = create_topic(call, &topics[t]);
        encode_created(call, &topics[t], outcome);
    }
    out_tags(out);
    return ERR_OK;
}

/* ---- CreatePartitions ---- */

struct growth {
    const char *name;
    int32_t count;
    bool elsewhere;
};

static struct outcome grow(struct kafka_call *call, const struct growth *growth, bool only_check)
{
    struct topic_info info;

    if (kafka_topic_is_internal(growth->name))
        return refused(KAFKA_INVALID_TOPIC, "an internal topic keeps its partitions");
    if (log_topic_find(call->log, growth->name, &call->arena, &info))
        return refused(KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic");
    if (growth->elsewhere)
        return refused(KAFKA_INVALID_REPLICA_ASSIGNMENT, "this is a cluster of one node, number 1");
    if (growth->count <= info.partition_count || growth->count > TOPIC_PARTITIONS_MOST)
        return refused(KAFKA_INVALID_PARTITIONS,
                       "the new count must be above the present one, and at most 10000");
    if (only_check)
        return refused(KAFKA_NONE, NULL);
    return outcome_of(call, log_topic_grow(call->log, growth->name, growth->count), KAFKA_STORAGE_ERROR);
}

enum err kafka_create_partitions(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t count = in_items(in);
    struct growth *growths = in_room(in, count, sizeof(*growths));
    bool only_check;

    for (size_t t = 0; t < count && !in->err; t++) {
        growths[t].name = in_text(in);
        growths[t].count = in_i32(in);
        for (size_t left = in_items(in); left > 0 && !in->err; left--) { /* replicas, a list a partition */
            for (size_t nodes = in_items(in); nodes > 0 && !in->err; nodes--)
                growths[t].elsewhere = in_i32(in) != KAFKA_NODE_ID || growths[t].elsewhere;
            in_tags(in);
        }
        in_tags(in);
    }
    in_i32(in); /* time limit */
    only_check = in_bool(in);
    in_tags(in);
    if (in_end(in))
        return in_end(in);

    out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)count);
    for (size_t t = 0; t < count; t++) {
        struct outcome outcome = grow(call, &growths[t], only_check);
        out_text(out, growths[t].name);
        out_i16(out, (int16_t)outcome.code);
        out_text(out, outcome.message);
        out_tags(out);
    }
    out_tags(out);
    return ERR_OK;
}

/* ---- DeleteTopics ---- */

struct doomed {
    const char *name;  /* NULL: by id */
    const uint8_t *id; /* in the request */
};

static struct outcome delete_topic(struct kafka_call *call, struct doomed *doomed)
{
    struct topic_info *info = arena_take(&call->arena, sizeof(*info));
    enum err err;

    if (!info)
        return refused(KAFKA_UNKNOWN, "out of memory");
    err = doomed->name ? log_topic_find(call->log, doomed->name, &call->arena, info)
                       : log_topic_find_id(call->log, doomed->id, &call->arena, info);
    if (err)
        return refused(doomed->name ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_UNKNOWN_TOPIC_ID,
                       "there is no such topic");
    doomed->name = info->name;
    doomed->id = info->id;
    if (info->internal)
        return refused(KAFKA_INVALID_TOPIC, "an internal topic cannot be deleted");
    err = log_topic_delete(call->log, info->name);
    return outcome_of(call, err,
                      err == ERR_NOT_FOUND ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_STORAGE_ERROR);
}

enum err kafka_delete_topics(struct kafka_call *call)
{
    static const uint8_t no_id[TOPIC_ID_BYTES];
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t count = in_items(in);
    struct doomed *doomed = in_room(in, count, sizeof(*doomed));

    for (size_t t = 0; t < count && !in->err; t++) {
        doomed[t].name = call->version >= 6 ? in_text_or_null(in) : in_text(in);
        if (call->version < 6)
            continue;
        doomed[t].id = in_raw(in, TOPIC_ID_BYTES).at;
        in_tags(in);
    }
    in_i32(in); /* time limit */
    in_tags(in);
    if (in_end(in))
        return in_end(in);

    if (call->version >= 1)
        out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)count);
    for (size_t t = 0; t < count; t++) {
        struct outcome outcome = delete_topic(call, &doomed[t]);
        out_text(out, doomed[t].name);
        if (call->version >= 6)
            out_raw(out, bytes_of(doomed[t].id ? doomed[t].id : no_id, TOPIC_ID_BYTES));
        out_i16(out, (int16_t)outcome.code);
        if (call->version >= 5)
            out_text(out, outcome.message);
        out_tags(out);
    }
    out_tags(out);
    return ERR_OK;
}

/* ---- DeleteRecords ---- */

struct trim_part {
    int32_t index;
    int64_t offset; /* -1: up to the end */
};

struct trim_topic {
    const char *name;
    struct trim_part *parts;
    size_t part_count;
};

static enum kafka_code trim(struct kafka_call *call, const char *topic, const struct trim_part *part,
                            int64_t *start)
{
    struct partition *partition = log_partition(call->log, topic, part->index);
    enum kafka_code code;
    int64_t end;

    *start = -1;
    if (!partition)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    end = partition_end_offset(partition);
    if (kafka_topic_is_internal(topic))
        code = KAFKA_POLICY_VIOLATION;
    else if (part->offset > end || part->offset < -1)
        code = KAFKA_OFFSET_OUT_OF_RANGE;
    else
        code = kafka_code_of(partition_trim(partition, part->offset < 0 ? end : part->offset));
    if (!code)
        *start = partition_start_offset(partition);
    partition_put(partition);
    return code;
}

enum err kafka_delete_records(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t count = in_items(in);
    struct trim_topic *topics = in_room(in, count, sizeof(*topics));

    for (size_t t = 0; t < count && !in->err; t++) {
        topics[t].name = in_text(in);
        topics[t].part_count = in_items(in);
        topics[t].parts = in_room(in, topics[t].part_count, sizeof(*topics[t].parts));
        for (size_t p = 0; p < topics[t].part_count && !in->err; p++) {
            topics[t].parts[p].index = in_i32(in);
            topics[t].parts[p].offset = in_i64(in);
            in_tags(in);
        }
        in_tags(in);
    }
    in_i32(in); /* time limit */
    in_tags(in);
    if (in_end(in))
        return in_end(in);

    out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)count);
    for (size_t t = 0; t < count; t++) {
        out_text(out, topics[t].name);
        out_count(out, (int32_t)topics[t].part_count);
        for (size_t p = 0; p < topics[t].part_count; p++) {
            int64_t start;
            enum kafka_code code = trim(call, topics[t].name, &topics[t].parts[p], &start);
            out_i32(out, topics[t].parts[p].index);
            out_i64(out, start);
            out_i16(out, (int16_t)code);
            out_tags(out);
        }
        out_tags(out);
    }
    out_tags(out);
    return ERR_OK;
}
