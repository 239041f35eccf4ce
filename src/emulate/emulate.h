/* emulate.h - posts rows as the course's scripts do, over a socket like any other client.
 *                                                                               source -> [emulate] -> gateway
 *
 * Rows are sent at least once: a request whose answer was lost is sent again, and the door may then have it twice.
 * Requests are begun in the order of the source; with several under way at once they may arrive in another. */
#ifndef EMULATE_EMULATE_H
#define EMULATE_EMULATE_H

#include "source/source.h"

enum emulate_mode {
    EMULATE_BATCH,     /* POST /topics/<user>.pin ... with application/vnd.kafka.json.v2+json */
    EMULATE_STREAMING, /* PUT /streams/streaming-<user>-pin/record, or /records when batch > 1 */
};

enum {
    EMULATE_BATCH_MOST = 10000,
    EMULATE_STREAMING_BATCH_MOST = 500, /* what Kinesis takes in one PutRecords */
    EMULATE_CONNECTIONS_MOST = 300,
};

struct emulate_options {
    enum emulate_mode mode;
    const char *url; /* http://127.0.0.1:8082, or https with a path in front: https://.../test */
    const char *user;
    int64_t count;   /* posts; -1: until the source ends */
    double rate;     /* posts a second; 0: as fast as possible */
    int batch;       /* rows a request; fewer where a request would wait over a second to fill at this rate */
    int connections; /* requests under way at once, three a post or batch of posts; 0: a sensible number */
    int64_t retry_most_ms; /* how long one request is tried again on a lost connection, a 5xx or a 429 */
    /* Called about ten times a second and once at the end; may be NULL. */
    void (*progress)(void *arg, int64_t posts, int64_t total, double seconds);
    /* A sentence for people: the door stopped answering, or answers again. NULL: a trace line. */
    void (*say)(void *arg, const char *sentence);
    void *arg;
    volatile int *stop; /* becomes non-zero: finish what was begun and return; may be NULL */
};

struct emulate_result {
    int64_t posts;             /* posts whose every row was acknowledged */
    int64_t pins, geos, users; /* rows acknowledged */
    int64_t retries;           /* requests sent again */
    double seconds;
};

/* Send posts from `source`. ERR_UNREACHABLE after the retries; ERR_INVALID when the door refuses a row (the note
 * has its answer) or an option is out of range. `result` is filled in any case. */
enum err emulate_run(struct source *source, const struct emulate_options *options,
                     struct emulate_result *result);

#endif
