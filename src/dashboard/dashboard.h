/* dashboard.h - one page that only reads.                                                insight -> [dashboard]
 *
 * GET / (the page and its assets, from the program itself), /api/... (JSON), /healthz, /readyz, /metrics. */
#ifndef DASHBOARD_DASHBOARD_H
#define DASHBOARD_DASHBOARD_H

#include "base/config.h"
#include "base/disk.h"
#include "base/sql.h"

struct dashboard;
/* Listen on `page` until stopped; a thread of its own with its own SQL connections. ERR_IO: the note says which
 * address could not be had. */
enum err dashboard_start(struct dashboard **out, const struct config *config, struct disk *disk,
                         struct sql_db *db);
void dashboard_stop(struct dashboard *dashboard); /* accepts NULL */
int dashboard_port(const struct dashboard *dashboard);

#endif
