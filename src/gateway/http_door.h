/* http_door.h - inside the HTTP door: a request on its way through, and the tables of what is answered.
 *
 *     http.c       sockets, bodies, parking, the loop         rest*.c     Kafka REST Proxy v2
 *     call.c       a call and its answer                      kinesis*.c  the Kinesis JSON API
 *     route.c      method and path to handler                 streams.c   the API-Gateway routes
 *     produce.c    records to batches to the log              operate.c   /healthz, /metrics, ...
 *
 * Everything runs in the door's one thread: a handler decodes, asks the log and writes its answer as if all
 * went well; if it appended, the call is parked until the commit that holds its records, and only then
 * answered. */
#ifndef GATEWAY_HTTP_DOOR_H
#define GATEWAY_HTTP_DOOR_H

#include <microhttpd.h>
#include <pthread.h>

#include "base/config.h"
#include "base/json.h"
#include "base/metric.h"
#include "log/log.h"

enum {
    CALL_HEADERS_MOST = 8,
    CALL_REPLY_MOST = 64 << 20,
    CALL_ARENA_MOST = 64 << 20,
    PATH_SEGMENTS_MOST = 8,
    SECRET_BYTES = 32,
};

/* Memory that a request uses only while its handler runs, so one set serves them all. */
struct door_scratch {
    struct buf text;    /* decoded and compacted keys and values */
    struct buf batch;   /* a record batch being built */
    struct buf read;    /* what the log gave to read */
    struct buf records; /* struct produce_record[] */
};

struct http_door {
    const struct config *config;
    struct log *log;
    struct MHD_Daemon *daemon;
    struct door_scratch scratch;
    struct call *parked; /* waiting for a commit */
    struct call *spare;  /* to be used again */
    size_t spare_count;
    size_t body_bytes; /* held by bodies being read, in all */
    size_t body_most;  /* http.body.max.bytes */
    int commit_fd, stop_fd, epoll_fd;
    bool stopping;
    int port;
    uint32_t turn; /* keyless requests take partitions in turn */
    uint64_t request_count;
    uint8_t secret[SECRET_BYTES]; /* seals shard iterators */
    struct metric *requests, *records, *errors, *connections;
    pthread_t thread;
};

enum call_state { CALL_READING, CALL_DRAINING, CALL_PARKED, CALL_SETTLED, CALL_ANSWERED };

struct call_wait {
    struct partition *partition; /* ours to put back */
    int64_t end_offset;
};

struct call {
    struct http_door *door;
    struct MHD_Connection *connection;
    enum call_state state;
    const char *method; /* "GET" for HEAD too */
    const char *path;
    struct bytes segments[PATH_SEGMENTS_MOST]; /* of the path, stage prefix taken off */
    size_t segment_count;
    struct bytes at[2]; /* what stood for {...} in the route, in order */
    struct buf body;
    size_t body_seen; /* bytes that came, kept or not */
    struct arena arena;

    unsigned status;
    const char *type;
    struct buf reply;
    enum err reply_err; /* the reply is incomplete */
    struct {
        const char *name, *value; /* in the arena, or constant */
    } headers[CALL_HEADERS_MOST];
    size_t header_count;

    struct call_wait *waits; /* in the arena */
    size_t wait_count, wait_room;
    enum err settled;                              /* what became of the appended records */
    void (*fail)(struct call *call, enum err err); /* writes the protocol's answer for a failed commit */

    struct call *next, *previous;
};

/* ---- call.c ---- */

/* A fresh or used call; NULL without memory. Given back with call_put(). */
struct call *call_take(struct http_door *door, struct MHD_Connection *connection, const char *method);
void call_put(struct call *call);
void call_free_spares(struct http_door *door);

/* A request header or query parameter; NULL if absent. */
const char *call_header(const struct call *call, const char *name);
const char *call_query(const struct call *call, const char *name);

/* Begin the answer anew. `type` is the Content-Type. */
void call_answer(struct call *call, unsigned status, const char *type);
void call_add_header(struct call *call, const char *name, const char *value);
/* Write to the answer. Errors are kept in reply_err, so that nobody needs to look after each. */
void say(struct call *call, const char *text);
void say_bytes(struct call *call, struct bytes bytes);
void say_integer(struct call *call, int64_t value);
void say_quoted(struct call *call, struct bytes text); /* as a JSON string */
void say_quoted_text(struct call *call, const char *text);
void say_base64(struct call *call, struct bytes bytes); /* with quotes */
void say_format(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The call is answered only when everything below `end_offset` is on disk. Takes over the reference to
 * `partition`. */
enum err call_wait(struct call *call, struct partition *partition, int64_t end_offset);
/* ERR_BUSY: something it waits for is still on its way. ERR_OK, ERR_IO. */
enum err call_settled(struct call *call);

/* ---- route.c ---- */

typedef void handler(struct call *call);

/* A method and path that is answered. In `path`, {name} stands for one segment. */
struct route {
    const char *method, *path;
    handler *handle;
};
/* Every route of the door; each ends with a NULL method. docs/rest.md and docs/kinesis.md list the same. */
extern const struct route rest_routes[], stream_routes[], operate_routes[];

void route_call(struct call *call);

/* Why there is no handler. */
struct route_miss {
    bool gateway;     /* where an API Gateway would stand: behind a stage, or under /streams */
    char allowed[64]; /* the path is ours, but only for these methods */
};
/* The handler for call->method and a path (already percent-decoded); call->segments and call->at are views
 * into it. NULL: *miss says why. */
handler *route_find(struct call *call, const char *path, struct route_miss *miss);

/* ---- produce.c ---- */

/* The records of one request on their way into one topic. */
struct produce_record {
    struct bytes key, value; /* at NULL: null; they must stay until produce_append() */
    int32_t partition;
    enum err err;         /* why this record was not taken; ERR_OK: it was */
    const char *sentence; /* and in words */
    int64_t offset;       /* where it is */
    uint32_t next;        /* the next record of the same partition, plus one */
};

struct produce {
    struct call *call;
    struct topic_info topic;
    struct produce_record *records;
    size_t count;
    int64_t now_ms;
};

enum { PARTITION_BY_KEY = -1 }; /* or in turn, for records without a key */

/* Begin with no records, those of the request before forgotten, and no topic. */
void produce_start(struct produce *produce, struct call *call);
/* Find the topic, or make it when `create` and auto.create.topics.enable allow. ERR_NOT_FOUND, ERR_INVALID
 * (name), ERR_DENIED (internal). */
enum err produce_topic(struct produce *produce, struct bytes topic, bool create);
/* Room for one more record; NULL without memory. Later calls may move the records. */
struct produce_record *produce_add(struct produce *produce);
/* Append all records, those of a partition together, and let the call wait for them. Single records may fail;
 * ERR_* only if none could be tried. */
enum err produce_append(struct produce *produce);

/* The named settings of a topic as a number, or `fallback`. */
int64_t topic_setting_integer(const struct topic_info *topic, const char *name, int64_t fallback);

/* ---- rest.c, operate.c ---- */

/* {"error_code":...,"message":...}; the status is that of the code. */
void rest_error(struct call *call, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- streams.c ---- */

/* API Gateway's answer for a route that is not there. */
void streams_no_route(struct call *call);

/* ---- kinesis.c ---- */

/* POST / with an X-Amz-Target. */
void kinesis_call(struct call *call);

#endif
