/* feed.h - the figures of the page: a thread looks about once a second and keeps what it saw.
 *
 * A snapshot is built whole, then takes the place of the one before: readers never see half of one.
 * Threads: feed_snapshot() and feed_rates() from any thread. */
#ifndef DASHBOARD_FEED_H
#define DASHBOARD_FEED_H

#include <jansson.h>

#include "base/config.h"
#include "base/disk.h"
#include "dashboard/ask.h"
#include "table/table.h"

/* Counts of -1 are not known. */
struct feed_topic {
    const char *topic;
    int64_t acknowledged, landed;
    double rate; /* records a second since the look before */
};
struct feed_stage {
    const char *entity;
    bool stream; /* the streaming way; else the batch way */
    int64_t acknowledged, landed, cleaned, quarantined;
};
struct feed_snapshot {
    struct arena arena;  /* of all that this points to */
    int64_t measured_ms; /* wall clock; 0: topics were never reached */
    bool reachable;
    const char *address, *note; /* of Kafka; why it is not reachable, or "" */
    const char *user;
    int64_t lake_lag;
    struct feed_topic *topics;
    size_t topic_count;
    struct feed_stage *stages;
    size_t stage_count;
    struct table_info *tables;
    size_t table_count;
};

struct feed;
/* ERR_NO_MEMORY. `asker` must outlive the feed. */
enum err feed_start(struct feed **out, const struct config *config, struct disk *disk, struct sql_db *db,
                    struct asker *asker);
void feed_stop(struct feed *feed); /* accepts NULL */

/* Has the feed looked at the tables once? */
bool feed_is_ready(struct feed *feed);
bool feed_has_table(struct feed *feed, const char *name);
/* The status as JSON (a new reference); NULL: no memory. */
json_t *feed_status(struct feed *feed);
/* The rates of the last five minutes as JSON: {"times": [ms], "topics": [{"topic", "rates": [...]}]}. */
json_t *feed_rates(struct feed *feed);

#endif
