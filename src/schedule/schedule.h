/* schedule.h - when the stages run by themselves: cron expressions (five fields, UTC), retries, missed runs caught
 * up, one at a time, history kept in <data>/run/schedule.jsonl. */
#ifndef SCHEDULE_SCHEDULE_H
#define SCHEDULE_SCHEDULE_H

#include "base/config.h"
#include "base/disk.h"

struct cron; /* a parsed expression */

/* Five fields (minute hour day-of-month month day-of-week) with lists, ranges, steps and names, or @hourly, @daily,
 * @weekly, @monthly, @yearly. When both day fields are restricted either may match (POSIX crontab). ERR_INVALID: the note
 * says which field. */
enum err cron_parse(struct cron **out, const char *expression);
void cron_free(struct cron *cron);
/* The first time after `after_ms` (exclusive), in ms since 1970 UTC; -1: never (as 31 February). */
int64_t cron_next(const struct cron *cron, int64_t after_ms);

struct schedule;
typedef enum err schedule_job(void *arg);
/* Run `job` at the times of `expression`, in a thread of its own, until stopped. `name` is for the history. */
enum err schedule_start(struct schedule **out, const struct config *config, struct disk *disk,
                        const char *name, const char *expression, schedule_job *job, void *arg);
/* A running job is waited for. */
void schedule_stop(struct schedule *schedule); /* accepts NULL */

#endif
