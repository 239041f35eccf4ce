/* history.h - what ran when: <data>/run/schedule.jsonl, a JSON object a line.
 *
 *     {"name":"batch","due":1795219200000,"started":...,"ended":...,"attempt":1,"outcome":"ok","error":""}
 *
 * Times in milliseconds since 1970 UTC; outcome: ok, failed. `due` is the time the expression gave, of several
 * missed ones the last. Kept small: the older half goes when it passes a mebibyte.
 *
 * Threads: any; one writes at a time. */
#ifndef SCHEDULE_HISTORY_H
#define SCHEDULE_HISTORY_H

#include "base/config.h"
#include "base/disk.h"

struct history_run {
    const char *name;
    int64_t due_ms, started_ms, ended_ms;
    int attempt; /* 1 is the first */
    enum err err;
    const char *error; /* the sentence, "" when it went well */
};

enum err history_add(const struct config *config, struct disk *disk, const struct history_run *run);
/* When the last run of that name was due; -1: there was none. */
enum err history_last_due(const struct config *config, struct disk *disk, const char *name, int64_t *due_ms);

#endif
