/* kafka_table.c - every request the Kafka door answers. Dispatch, the ApiVersions reply and docs/kafka.md are all made
 * from this table, so they cannot disagree.
 *
 * Ranges begin lower than we serve where old clients look for a single old version before they dare use a feature:
 * librdkafka before 2.11.1 asks for Produce 0-2 and Fetch 0-2. kafka-python takes the broker's version from the ends. */
#include <stdio.h>

#include "gateway/kafka_call.h"

const struct kafka_api kafka_apis[] = {
    /* min max served flexible */
    {0, 0, 9, 3, 9, "Produce", kafka_produce,
     "below 3: error 35; record batches of magic 2 only; no transactions"},
    {1, 0, 12, 4, 12, "Fetch", kafka_fetch, "below 4: error 35; without sessions (session id 0)"},
    {2, 1, 7, 1, 6, "ListOffsets", kafka_list_offsets, "by time, earliest, latest, largest timestamp"},
    {3, 0, 12, 0, 9, "Metadata", kafka_metadata, "a cluster of one; the address by which the client came"},
    {8, 2, 8, 2, 8, "OffsetCommit", kafka_offset_commit, "answered when the commit is on disk"},
    {9, 1, 8, 1, 6, "OffsetFetch", kafka_offset_fetch, ""},
    {10, 0, 4, 0, 3, "FindCoordinator", kafka_find_coordinator, "groups only; for transactions error 15"},
    {11, 0, 9, 0, 6, "JoinGroup", kafka_join_group, ""},
    {12, 0, 4, 0, 4, "Heartbeat", kafka_heartbeat, ""},
    {13, 0, 5, 0, 4, "LeaveGroup", kafka_leave_group, ""},
    {14, 0, 5, 0, 4, "SyncGroup", kafka_sync_group, ""},
    {15, 0, 5, 0, 5, "DescribeGroups", kafka_describe_groups, ""},
    {16, 0, 5, 0, 3, "ListGroups", kafka_list_groups, ""},
    {18, 0, 4, 0, 3, "ApiVersions", kafka_api_versions,
     "other versions: answered as version 0 with error 35"},
    {19, 0, 7, 0, 5, "CreateTopics", kafka_create_topics, "replication factor 1 or -1"},
    {20, 0, 6, 0, 4, "DeleteTopics", kafka_delete_topics, "by name, or by id from version 6"},
    {21, 0, 2, 0, 2, "DeleteRecords", kafka_delete_records, ""},
    {22, 0, 4, 0, 2, "InitProducerId", kafka_init_producer_id,
     "idempotent producers; with a transactional id: error 42"},
    {23, 2, 4, 2, 4, "OffsetForLeaderEpoch", kafka_offset_for_leader_epoch, "the epoch is always 0"},
    {32, 0, 4, 0, 4, "DescribeConfigs", kafka_describe_configs, "topics and the broker"},
    {33, 0, 2, 0, 2, "AlterConfigs", kafka_alter_configs, "topics"},
    {37, 0, 3, 0, 2, "CreatePartitions", kafka_create_partitions, ""},
    {42, 0, 2, 0, 2, "DeleteGroups", kafka_delete_groups, ""},
    {44, 0, 1, 0, 1, "IncrementalAlterConfigs", kafka_incremental_alter_configs, "topics; set and delete"},
    {47, 0, 0, 0, -1, "OffsetDelete", kafka_offset_delete, ""},
    {60, 0, 0, 0, 0, "DescribeCluster", kafka_describe_cluster, ""},
};
const size_t kafka_api_count = sizeof(kafka_apis) / sizeof(*kafka_apis);

const struct kafka_api *kafka_api_find(int16_t key)
{
    for (size_t i = 0; i < kafka_api_count; i++)
        if (kafka_apis[i].key == key)
            return &kafka_apis[i];
    return NULL;
}

enum err kafka_table_markdown(struct buf *out)
{
    enum err err =
        buf_add_text(out, "| key | request | versions | flexible from | remarks |\n|---|---|---|---|---|\n");

    for (size_t i = 0; !err && i < kafka_api_count; i++) {
        const struct kafka_api *api = &kafka_apis[i];
        char flexible[8] = "-";
        if (api->flexible >= 0)
            snprintf(flexible, sizeof(flexible), "%d", api->flexible);
        err = buf_printf(out, "| %d | %s | %d-%d | %s | %s |\n", api->key, api->name, api->min, api->max,
                         flexible, api->remark);
    }
    return err;
}

/* The first thing a client asks. It may come in a version newer than ours: then the plain version 0 tells it so, with
 * our range for this request alone, and it asks again. */
enum err kafka_api_versions(struct kafka_call *call)
{
    bool known = call->version >= call->api->min && call->version <= call->api->max;
    int16_t version = known ? call->version : 0;
    struct kafka_out *out = &call->out;

    if (known && version >= 3) {
        in_text_view(&call->in); /* the client's software */
        in_text_view(&call->in); /* and its version */
        in_tags(&call->in);
    }
    if (in_end(&call->in))
        return in_end(&call->in);

    out_i16(out, known ? KAFKA_NONE : KAFKA_UNSUPPORTED_VERSION);
    out_count(out, known ? (int32_t)kafka_api_count : 1);
    for (size_t i = 0; i < kafka_api_count; i++) {
        const struct kafka_api *api = &kafka_apis[i];
        if (!known && api != call->api)
            continue;
        out_i16(out, api->key);
        out_i16(out, api->min);
        out_i16(out, api->max);
        out_tags(out);
    }
    if (version >= 1)
        out_i32(out, 0); /* throttle time */
    out_tags(out);
    return ERR_OK;
}

enum kafka_code kafka_code_of(enum err err)
{
    switch (err) {
    case ERR_OK:
        return KAFKA_NONE;
    case ERR_NOT_FOUND:
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    case ERR_EXISTS:
        return KAFKA_TOPIC_ALREADY_EXISTS;
    case ERR_INVALID:
        return KAFKA_INVALID_RECORD;
    case ERR_TOO_LARGE:
        return KAFKA_MESSAGE_TOO_LARGE;
    case ERR_CORRUPT:
        return KAFKA_CORRUPT_MESSAGE;
    case ERR_RANGE:
        return KAFKA_OFFSET_OUT_OF_RANGE;
    case ERR_SEQUENCE:
        return KAFKA_OUT_OF_ORDER_SEQUENCE;
    case ERR_FENCED:
        return KAFKA_INVALID_PRODUCER_EPOCH;
    case ERR_BUSY:
        return KAFKA_REQUEST_TIMED_OUT;
    case ERR_IO:
    case ERR_FULL:
        return KAFKA_STORAGE_ERROR;
    default:
        return KAFKA_UNKNOWN;
    }
}

enum kafka_code kafka_code_of_group(enum group_code code)
{
    static const enum kafka_code codes[] = {
        [GROUP_OK] = KAFKA_NONE,
        [GROUP_WAIT] = KAFKA_REBALANCE_IN_PROGRESS,
        [GROUP_INVALID_ID] = KAFKA_INVALID_GROUP_ID,
        [GROUP_UNKNOWN_MEMBER] = KAFKA_UNKNOWN_MEMBER_ID,
        [GROUP_ILLEGAL_GENERATION] = KAFKA_ILLEGAL_GENERATION,
        [GROUP_REBALANCING] = KAFKA_REBALANCE_IN_PROGRESS,
        [GROUP_INCONSISTENT] = KAFKA_INCONSISTENT_GROUP_PROTOCOL,
        [GROUP_BAD_SESSION] = KAFKA_INVALID_SESSION_TIMEOUT,
        [GROUP_MEMBER_ID_REQUIRED] = KAFKA_MEMBER_ID_REQUIRED,
        [GROUP_FENCED] = KAFKA_FENCED_INSTANCE_ID,
        [GROUP_FULL] = KAFKA_GROUP_MAX_SIZE_REACHED,
        [GROUP_NOT_EMPTY] = KAFKA_NON_EMPTY_GROUP,
        [GROUP_NOT_FOUND] = KAFKA_GROUP_ID_NOT_FOUND,
    };

    return codes[code];
}
