/* count.h - how many records each stage has, per topic and partition. */
#ifndef CLI_COUNT_H
#define CLI_COUNT_H

#include "base/config.h"
#include "base/sql.h"

enum count_way { COUNT_BATCH, COUNT_STREAM };

struct stage_count {
    char topic[256];
    char entity[64];
    enum count_way way;
    int32_t partition;
    int64_t acknowledged; /* offsets given out by the log, each durable */
    int64_t landed;       /* lines of lake objects; -1 for streams, which do not land */
    int64_t cleaned;      /* rows of the entity's tables */
    int64_t quarantined;
    int64_t duplicates; /* offsets that are there more than once in the lake, or in the tables */
    bool agree;
};

/* Count everything for the configuration's user, in the arena: the topics of the batch way first. `with_lake` false
 * leaves the objects unread (landed is then what the log has). ERR_UNREACHABLE: the log's Kafka door does not answer. */
enum err count_stages(const struct config *config, struct sql_db *db, bool with_lake, struct arena *arena,
                      struct stage_count **out, size_t *count);

/* "30,000": digits in groups of three, in a buffer of this thread, valid until its eighth next call. */
const char *count_text(int64_t number);
/* The counts as a table on stdout, and a closing line; true when all agree. */
bool count_print(const struct stage_count *counts, size_t count);

#endif
