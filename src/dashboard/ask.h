/* ask.h - the dashboard's questions to SQL: one at a time, each answer kept until a table changes.
 *
 * Asking is bounded: results are cut at a limit, and however often a page asks, the same question is run again only
 * after a pause of several times what it cost, so that watching never takes more than a share of the machine.
 *
 * Threads: any; they take turns. */
#ifndef DASHBOARD_ASK_H
#define DASHBOARD_ASK_H

#include "base/config.h"
#include "base/disk.h"
#include "base/sql.h"
#include "insight/insight.h"

enum { ASK_ROWS_MOST = 500, ASK_NEWEST_MOST = 200 };

struct asker;
enum err asker_open(struct asker **out, const struct config *config, struct disk *disk, struct sql_db *db);
void asker_close(struct asker *asker); /* accepts NULL */
/* Ends the question that runs now, and every later one, with ERR_STOPPED. */
void asker_stop(struct asker *asker);

/* All insights as JSON text, appended to `out`. ERR_BUSY: another question takes long; try again. */
enum err asker_insights(struct asker *asker, enum insight_from from, struct buf *out);
/* The rows of a table that came last, as JSON text. `table` was checked to exist. ERR_BUSY; ERR_NOT_FOUND. */
enum err asker_newest(struct asker *asker, const char *table, size_t limit, struct buf *out);
/* How many rows of the table, at that version, came from the topic. Does not wait: while another question runs the
 * count of an earlier version is given, or ERR_BUSY when there is none. */
enum err asker_topic_rows(struct asker *asker, const char *table, int64_t version, const char *topic,
                          int64_t *rows);

#endif
