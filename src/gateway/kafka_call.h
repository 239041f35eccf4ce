/* kafka_call.h - one request of the Kafka door on its way to its answer, and the table of requests.
 *
 * kafka_door.c cuts requests out of the sockets and makes a call of each; the handler that kafka_table.c names for it
 * decodes call->in, asks the log, and encodes call->out. A handler that must wait (for a commit, for records, for
 * other group members) parks the call with a function that looks again.
 *
 * Threads: all of this belongs to the door's one thread. */
#ifndef GATEWAY_KAFKA_CALL_H
#define GATEWAY_KAFKA_CALL_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/config.h"
#include "gateway/kafka_codec.h"
#include "log/group.h"
#include "log/log.h"

enum kafka_code { /* as Kafka numbers them */
                  KAFKA_UNKNOWN = -1,
                  KAFKA_NONE = 0,
                  KAFKA_OFFSET_OUT_OF_RANGE = 1,
                  KAFKA_CORRUPT_MESSAGE = 2,
                  KAFKA_UNKNOWN_TOPIC_OR_PARTITION = 3,
                  KAFKA_REQUEST_TIMED_OUT = 7,
                  KAFKA_MESSAGE_TOO_LARGE = 10,
                  KAFKA_OFFSET_METADATA_TOO_LARGE = 12,
                  KAFKA_COORDINATOR_NOT_AVAILABLE = 15,
                  KAFKA_INVALID_TOPIC = 17,
                  KAFKA_INVALID_REQUIRED_ACKS = 21,
                  KAFKA_ILLEGAL_GENERATION = 22,
                  KAFKA_INCONSISTENT_GROUP_PROTOCOL = 23,
                  KAFKA_INVALID_GROUP_ID = 24,
                  KAFKA_UNKNOWN_MEMBER_ID = 25,
                  KAFKA_INVALID_SESSION_TIMEOUT = 26,
                  KAFKA_REBALANCE_IN_PROGRESS = 27,
                  KAFKA_UNSUPPORTED_VERSION = 35,
                  KAFKA_TOPIC_ALREADY_EXISTS = 36,
                  KAFKA_INVALID_PARTITIONS = 37,
                  KAFKA_INVALID_REPLICATION_FACTOR = 38,
                  KAFKA_INVALID_REPLICA_ASSIGNMENT = 39,
                  KAFKA_INVALID_CONFIG = 40,
                  KAFKA_INVALID_REQUEST = 42,
                  KAFKA_POLICY_VIOLATION = 44,
                  KAFKA_OUT_OF_ORDER_SEQUENCE = 45,
                  KAFKA_INVALID_PRODUCER_EPOCH = 47,
                  KAFKA_STORAGE_ERROR = 56,
                  KAFKA_NON_EMPTY_GROUP = 68,
                  KAFKA_GROUP_ID_NOT_FOUND = 69,
                  KAFKA_FETCH_SESSION_ID_NOT_FOUND = 70,
                  KAFKA_UNKNOWN_LEADER_EPOCH = 75,
                  KAFKA_MEMBER_ID_REQUIRED = 79,
                  KAFKA_GROUP_MAX_SIZE_REACHED = 81,
                  KAFKA_FENCED_INSTANCE_ID = 82,
                  KAFKA_GROUP_SUBSCRIBED_TO_TOPIC = 86,
                  KAFKA_INVALID_RECORD = 87,
                  KAFKA_UNKNOWN_TOPIC_ID = 100,
};

enum {
    KAFKA_NODE_ID = 1,      /* we are a cluster of one */
    KAFKA_LEADER_EPOCH = 0, /* and its leader has never changed */
    KAFKA_OPERATIONS_UNKNOWN = INT32_MIN,
    KAFKA_CLUSTER_ID_BYTES = 64,
    KAFKA_ARENA_MOST = 16 << 20, /* decoded structures of one request */
    KAFKA_REPLY_MOST = 256 << 20,
    KAFKA_FETCH_MOST = 8 << 20, /* records in one fetch answer, but for a single larger batch */
};

struct kafka_door;
struct kafka_connection;
struct kafka_call;

/* A handler or a look at a parked call. ERR_OK: call->out holds the whole answer. ERR_BUSY: parked, see kafka_park().
 * ERR_END: the client wants no answer. Anything else: the request is malformed as a whole, or cannot be answered; the
 * connection is closed, as brokers do. */
typedef enum err kafka_handler(struct kafka_call *call);

struct kafka_api {
    int16_t key;
    int16_t min, max; /* what we list */
    int16_t
        served; /* versions below are listed for old clients' sake, and refused in each item's error code */
    int16_t flexible; /* the first flexible version; -1: none */
    const char *name;
    kafka_handler *handle;
    const char *remark; /* for docs/kafka.md */
};

extern const struct kafka_api kafka_apis[];
extern const size_t kafka_api_count;

/* The table row for an API key; NULL: not ours. */
const struct kafka_api *kafka_api_find(int16_t key);
/* The table of docs/kafka.md. */
enum err kafka_table_markdown(struct buf *out);

struct kafka_call {
    struct kafka_connection *connection;
    const struct kafka_api *api;
    int16_t version;
    int32_t correlation_id;
    const char *client_id; /* "" if none was given */
    struct arena arena;
    struct kafka_in in; /* the request's bytes are there only until the handler first returns */
    struct kafka_out out;
    struct buf reply;

    /* What handlers may ask of. */
    struct log *log;
    struct groups *groups;
    const struct config *config;
    const char *cluster_id;
    const char *host; /* the address by which the client reached us */
    int port;
    const char *client_host;
    size_t unsent_bytes; /* answers of the whole door that wait for slow readers, at the start of the call */
    bool is_stopping;    /* at the start of the call: do not wait for what may not come */

    /* While parked. */
    kafka_handler *again;
    void (*release)(void *state); /* gives back what `state` holds besides arena memory; may be NULL */
    void *state;
    bool expired;          /* the deadline has passed */
    bool waits_for_commit; /* set by the handler: the answer comes soon, also when the door is stopping */
    bool done;             /* answered, but answers before it are still awaited */
    bool silent;           /* done, and there is nothing to send */
    bool timer_set;
    struct event timer;
    struct kafka_call *next;                         /* of the connection, in order of arrival */
    struct kafka_call *parked_before, *parked_after; /* of the door */
};

/* Park the call: `again` is called whenever the log has committed, a group has moved on, or (with call->expired) after
 * `wait_ms`; -1: no deadline. Returns ERR_BUSY, for the handler to return in turn. */
enum err kafka_park(struct kafka_call *call, kafka_handler *again, int64_t wait_ms);

/* The cluster's id: it stays as long as the log folder does. */
void kafka_cluster_id(struct log *log, char out[KAFKA_CLUSTER_ID_BYTES]);

/* Kafka's code for what the log or the groups said. */
enum kafka_code kafka_code_of(enum err err);
enum kafka_code kafka_code_of_group(enum group_code code);

/* Internal topics are shown, never made or written by clients. */
bool kafka_topic_is_internal(const char *name);

/* The settings a topic can have: ERR_INVALID (with a note) for one that we do not know, or whose value we would not
 * honour. `value` NULL or empty: back to the default. */
enum err kafka_topic_setting_check(const char *name, const char *value);
struct topic_setting kafka_topic_setting(const char *name, const char *value);
/* The settings of a topic as CreateTopics' answer has them: set ones and defaults. `info` NULL: all defaults. */
void kafka_encode_settings(struct kafka_call *call, const struct topic_info *info);

kafka_handler kafka_produce, kafka_fetch, kafka_list_offsets, kafka_metadata, kafka_offset_commit,
    kafka_offset_fetch, kafka_find_coordinator, kafka_join_group, kafka_heartbeat, kafka_leave_group,
    kafka_sync_group, kafka_describe_groups, kafka_list_groups, kafka_api_versions, kafka_create_topics,
    kafka_delete_topics, kafka_delete_records, kafka_init_producer_id, kafka_offset_for_leader_epoch,
    kafka_describe_configs, kafka_alter_configs, kafka_create_partitions, kafka_delete_groups,
    kafka_incremental_alter_configs, kafka_offset_delete, kafka_describe_cluster;

#endif
