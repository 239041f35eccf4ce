/* offsets.h - how far each topic has come, asked at the Kafka door as any client would.
 *
 * Threads: an offsets belongs to one thread. */
#ifndef DASHBOARD_OFFSETS_H
#define DASHBOARD_OFFSETS_H

#include "base/bytes.h"
#include "base/config.h"

enum { OFFSETS_TOPICS_MOST = 64, OFFSETS_PARTITIONS_MOST = 2048 };

struct topic_offsets {
    const char *topic;
    int64_t acknowledged; /* end offsets, added up over its partitions */
    int64_t
        landed; /* what the lake's group has committed, added up; -1: not a topic of the lake, or not known */
};

struct offsets;

/* Nothing is asked yet. ERR_NO_MEMORY. */
enum err offsets_open(struct offsets **out, const struct config *config);
void offsets_close(struct offsets *offsets); /* accepts NULL */

/* The topics of the user (USER.* and streaming-USER-*), by name, in the arena; past OFFSETS_TOPICS_MOST topics the rest
 * are left out. Takes no longer than about a second a call to Kafka. ERR_UNREACHABLE: the note says where it knocked. */
enum err offsets_read(struct offsets *offsets, struct arena *arena, struct topic_offsets **out,
                      size_t *count);
/* The address that was last asked. */
const char *offsets_address(const struct offsets *offsets);

#endif
