/* metric.h - counters and gauges for /metrics, in Prometheus' text format.
 *
 * Names follow its conventions: `pinrail_` first, base units, `_total` for counters; labels few and bounded.
 * A metric lives as long as the process. Threads: any; adding is one atomic operation. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/bytes.h"

struct metric;

/* The metric of that name and label set, made at first use. `labels` is what stands between the braces, for
 * example `topic="demo.pin",stage="lake"`, or "" for none. Never NULL: past the bound of 4,096 metrics (or
 * without memory) all further ones share one called pinrail_metrics_dropped. */
struct metric *metric_counter(const char *name, const char *labels, const char *help);
struct metric *metric_gauge(const char *name, const char *labels, const char *help);

void metric_add(struct metric *metric, int64_t by);
void metric_set(struct metric *metric, int64_t value);
int64_t metric_value(const struct metric *metric);

/* Everything, appended to `out`, with HELP and TYPE lines; process metrics (resident memory, start time, CPU
 * seconds) too. */
enum err metric_render(struct buf *out);

#endif
