/* kafka_metadata.c - who is there: Metadata and DescribeCluster. A cluster of one, which leads every partition, under
 * the address by which the client reached it. */
#include <stdio.h>

#include "base/json.h"
#include "base/trace.h"
#include "gateway/kafka_call.h"

struct wanted_topic {
    const char *name;  /* NULL: by id */
    const uint8_t *id; /* in the request */
};

struct wanted {
    bool everything, may_create;
    struct wanted_topic *topics;
    size_t topic_count;
};

void kafka_cluster_id(struct log *log, char out[KAFKA_CLUSTER_ID_BYTES])
{
    struct arena arena = arena_init(64 << 10);
    struct buf text = buf_init(KAFKA_CLUSTER_ID_BYTES - 1);
    struct topic_info info;

    /* As Kafka's, a UUID in URL-safe base64 without padding; that of the oldest internal topic will do. */
    snprintf(out, KAFKA_CLUSTER_ID_BYTES, "pinrail");
    if (!log_topic_find(log, "__consumer_offsets", &arena, &info) &&
        !base64_encode(bytes_of(info.id, TOPIC_ID_BYTES), &text)) {
        size_t size = 0;
        for (; size < text.size && text.at[size] != '='; size++)
            out[size] = (char)(text.at[size] == '+' ? '-' : text.at[size] == '/' ? '_' : text.at[size]);
        out[size] = 0;
    }
    buf_release(&text);
    arena_release(&arena);
}

bool kafka_topic_is_internal(const char *name)
{
    return strcmp(name, "__consumer_offsets") == 0 || strcmp(name, "__transaction_state") == 0 ||
           strncmp(name, "__pinrail_", strlen("__pinrail_")) == 0;
}

static enum err decode(struct kafka_call *call, struct wanted *wanted)
{
    struct kafka_in *in = &call->in;
    int32_t count = in_count(in);

    /* No list asks for all topics; before version 1, which had no null, an empty one did. */
    wanted->everything = count < 0 || (call->version == 0 && count == 0);
    wanted->topic_count = count < 0 ? 0 : (size_t)count;
    wanted->topics = in_room(in, wanted->topic_count, sizeof(*wanted->topics));
    for (size_t t = 0; t < wanted->topic_count && !in->err; t++) {
        struct wanted_topic *topic = &wanted->topics[t];
        topic->id = call->version >= 10 ? in_raw(in, TOPIC_ID_BYTES).at : NULL;
        topic->name = call->version >= 10 ? in_text_or_null(in) : in_text(in);
        in_tags(in);
    }
    wanted->may_create = call->version >= 4 ? in_bool(in) : true;
    if (call->version >= 8 && call->version <= 10)
        in_bool(in); /* with the cluster's authorized operations */
    if (call->version >= 8)
        in_bool(in); /* with the topics' */
    in_tags(in);
    return in_end(in);
}

static enum kafka_code create(struct kafka_call *call, const char *name)
{
    int32_t partitions = (int32_t)config_integer(call->config, "num.partitions");
    enum err err = log_topic_create(call->log, name, partitions, NULL, 0);

    if (err && err != ERR_EXISTS) {
        trace_warn("kafka", "topic %s could not be made: %s", name, err_sentence());
        return err == ERR_INVALID ? KAFKA_INVALID_TOPIC : KAFKA_UNKNOWN;
    }
    return KAFKA_NONE;
}

static enum kafka_code find(struct kafka_call *call, const struct wanted_topic *topic, bool may_create,
                            struct topic_info *info)
{
    enum kafka_code code;

    if (!topic->name)
        return log_topic_find_id(call->log, topic->id, &call->arena, info) ? KAFKA_UNKNOWN_TOPIC_ID
                                                                           : KAFKA_NONE;
    if (!topic_name_is_valid(bytes_of_text(topic->name)))
        return KAFKA_INVALID_TOPIC;
    if (!log_topic_find(call->log, topic->name, &call->arena, info))
        return KAFKA_NONE;
    if (!may_create || kafka_topic_is_internal(topic->name) ||
        !config_flag(call->config, "auto.create.topics.enable"))
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    code = create(call, topic->name);
    if (!code && log_topic_find(call->log, topic->name, &call->arena, info))
        code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    return code;
}

static void encode_partition(struct kafka_call *call, int32_t index)
{
    struct kafka_out *out = &call->out;

    out_i16(out, KAFKA_NONE);
    out_i32(out, index);
    out_i32(out, KAFKA_NODE_ID); /* leader */
    if (call->version >= 7)
        out_i32(out, KAFKA_LEADER_EPOCH);
    for (int list = 0; list < 2; list++) { /* replicas, and those in sync */
        out_count(out, 1);
        out_i32(out, KAFKA_NODE_ID);
    }
    if (call->version >= 5)
        out_count(out, 0); /* replicas that are down */
    out_tags(out);
}

static void encode_topic(struct kafka_call *call, enum kafka_code code, const char *name, const uint8_t *id,
                         const struct topic_info *info)
{
    static const uint8_t no_id[TOPIC_ID_BYTES];
    struct kafka_out *out = &call->out;
    int32_t partition_count = code ? 0 : info->partition_count;

    out_i16(out, (int16_t)code);
    out_text(out, name || call->version >= 12 ? name : "");
    if (call->version >= 10)
        out_raw(out, bytes_of(id ? id : no_id, TOPIC_ID_BYTES));
    if (call->version >= 1)
        out_bool(out, code ? name && kafka_topic_is_internal(name) : info->internal);
    out_count(out, partition_count);
    for (int32_t p = 0; p < partition_count; p++)
        encode_partition(call, p);
    if (call->version >= 8)
        out_i32(out, KAFKA_OPERATIONS_UNKNOWN);
    out_tags(out);
}

static void encode_brokers(struct kafka_call *call)
{
    struct kafka_out *out = &call->out;

    out_count(out, 1);
    out_i32(out, KAFKA_NODE_ID);
    out_text(out, call->host);
    out_i32(out, call->port);
    if (call->api->key != 3 || call->version >= 1)
        out_text(out, NULL); /* rack */
    out_tags(out);
}

enum err kafka_metadata(struct kafka_call *call)
{
    struct kafka_out *out = &call->out;
    struct wanted wanted = {0};
    struct topic_info *all = NULL;
    size_t count;
    enum err err = decode(call, &wanted);

    count = wanted.topic_count;
    if (!err && wanted.everything)
        err = log_topic_list(call->log, &call->arena, &all, &count);
    if (err)
        return err;

    if (call->version >= 3)
        out_i32(out, 0); /* throttle time */
    encode_brokers(call);
    if (call->version >= 2)
        out_text(out, call->cluster_id);
    if (call->version >= 1)
        out_i32(out, KAFKA_NODE_ID); /* controller */
    out_count(out, (int32_t)count);
    for (size_t t = 0; t < count; t++) {
        struct topic_info found;
        const struct topic_info *info = wanted.everything ? &all[t] : &found;
        const struct wanted_topic *topic = wanted.everything ? NULL : &wanted.topics[t];
        enum kafka_code code = topic ? find(call, topic, wanted.may_create, &found) : KAFKA_NONE;
        encode_topic(call, code, code ? topic->name : info->name, code ? topic->id : info->id, info);
    }
    if (call->version >= 8 && call->version <= 10)
        out_i32(out, KAFKA_OPERATIONS_UNKNOWN);
    out_tags(out);
    return ERR_OK;
}

enum err kafka_describe_cluster(struct kafka_call *call)
{
    struct kafka_out *out = &call->out;

    in_bool(&call->in); /* with authorized operations */
    in_tags(&call->in);
    if (in_end(&call->in))
        return in_end(&call->in);
    out_i32(out, 0); /* throttle time */
    out_i16(out, KAFKA_NONE);
    out_text(out, NULL);
    out_text(out, call->cluster_id);
    out_i32(out, KAFKA_NODE_ID); /* controller */
    encode_brokers(call);
    out_i32(out, KAFKA_OPERATIONS_UNKNOWN);
    out_tags(out);
    return ERR_OK;
}
