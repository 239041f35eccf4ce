/* insight.h - questions asked of the tables.                                  table -> [insight] -> dashboard
 *
 * A question is a file sql/insight/NN_name.sql, one SELECT over the views pin, geo, user; the same file is asked of
 * the streamed tables. `{{median}}` in it stands for the median that insight.median names. Each answer is kept as a
 * Delta table <user>_insight_<name> (of the streams: <user>_insight_<name>_stream), one version a run. */
#ifndef INSIGHT_INSIGHT_H
#define INSIGHT_INSIGHT_H

#include "base/config.h"
#include "base/disk.h"
#include "base/sql.h"

struct insight {
    char *name;  /* category_by_country */
    char *title; /* the first comment line: the question in words */
    char *sql;   /* with {{median}} filled in */
};
/* All questions, in the order of their numbers (from sql.dir or the built-in files), in the arena. */
enum err insight_list(const struct config *config, struct arena *arena, struct insight **out, size_t *count);

enum insight_from { INSIGHT_FROM_TABLES, INSIGHT_FROM_STREAMS };
/* Ask one question of the batch's or the stream's tables, as they are now. The caller frees *out. ERR_NOT_FOUND when
 * the tables have no rows yet: the note says what to run. */
enum err insight_ask(const struct config *config, struct disk *disk, struct sql *sql,
                     const struct insight *insight, enum insight_from from, struct sql_result **out);
/* The same for many questions: prepare once, then ask each. The answers are of the tables as they were when prepared,
 * on this connection. insight_prepare() gives ERR_NOT_FOUND where insight_ask() would. */
enum err insight_prepare(const struct config *config, struct disk *disk, struct sql *sql,
                         enum insight_from from);
enum err insight_ask_prepared(const struct config *config, struct sql *sql, const struct insight *insight,
                              enum insight_from from, struct sql_result **out);
/* Ask all, and keep each answer as a version of its table. */
enum err insight_run_all(const struct config *config, struct disk *disk, struct sql *sql,
                         enum insight_from from);

#endif
