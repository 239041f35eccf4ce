/* metric.c - a table of counters and gauges: adding is lock-free, making and rendering take a lock. */
#include "base/metric.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

enum { METRICS_MOST = 4096 };

struct metric {
    char *name, *labels, *help;
    bool gauge;
    _Atomic int64_t value;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *metrics[METRICS_MOST]; /* sorted by name, then labels: the order of the rendering */
static size_t metric_count;
static struct metric dropped = {(char *)"pinrail_metrics_dropped", (char *)"",
                                (char *)"values of metrics beyond the bound, taken together", false, 0};

static int order(const struct metric *metric, const char *name, const char *labels)
{
    int by_name = strcmp(metric->name, name);

    return by_name ? by_name : strcmp(metric->labels, labels);
}

static struct metric *metric_new(const char *name, const char *labels, const char *help, bool gauge)
{
    struct metric *metric = calloc(1, sizeof(*metric));

    if (!metric)
        return NULL;
    metric->name = strdup(name);
    metric->labels = strdup(labels);
    metric->help = strdup(help);
    metric->gauge = gauge;
    if (metric->name && metric->labels && metric->help)
        return metric;
    free(metric->name);
    free(metric->labels);
    free(metric->help);
    free(metric);
    return NULL;
}

static struct metric *find_or_make(const char *name, const char *labels, const char *help, bool gauge)
{
    struct metric *metric = &dropped;
    size_t low = 0, high;

    pthread_mutex_lock(&lock);
    high = metric_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order(metrics[middle], name, labels) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < metric_count && order(metrics[low], name, labels) == 0) {
        metric = metrics[low];
    } else if (metric_count < METRICS_MOST) {
        struct metric *made = metric_new(name, labels, help, gauge);
        if (made) {
            memmove(&metrics[low + 1], &metrics[low], (metric_count - low) * sizeof(struct metric *));
            metrics[low] = metric = made;
            metric_count++;
        }
    }
    pthread_mutex_unlock(&lock);
    return metric;
}

struct metric *metric_counter(const char *name, const char *labels, const char *help)
{
    return find_or_make(name, labels, help, false);
}

struct metric *metric_gauge(const char *name, const char *labels, const char *help)
{
    return find_or_make(name, labels, help, true);
}

void metric_add(struct metric *metric, int64_t by)
{
    atomic_fetch_add_explicit(&metric->value, by, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

int64_t metric_value(const struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

static enum err render_head(struct buf *out, const char *name, const char *help, bool gauge)
{
    return buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, gauge ? "gauge" : "counter");
}

static enum err render(struct buf *out, const struct metric *metric, const struct metric *before)
{
    enum err err = ERR_OK;

    if (!before || strcmp(before->name, metric->name) != 0)
        err = render_head(out, metric->name, metric->help, metric->gauge);
    if (err)
        return err;
    if (metric->labels[0])
        return buf_printf(out, "%s{%s} %lld\n", metric->name, metric->labels,
                          (long long)metric_value(metric));
    return buf_printf(out, "%s %lld\n", metric->name, (long long)metric_value(metric));
}

/* Resident memory, CPU time and start, read from /proc, under the names every Prometheus client library
 * uses. */
static enum err render_process(struct buf *out)
{
    double ticks = (double)sysconf(_SC_CLK_TCK), uptime = 0;
    unsigned long user, kernel;
    unsigned long long started;
    long resident;
    enum err err;
    FILE *file = fopen("/proc/self/stat", "r");
    int read = 0;

    if (file) { /* fields 14, 15: CPU; 22: start; 24: resident pages */
        read = fscanf(file,
                      "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d "
                      "%*d %llu %*u %ld",
                      &user, &kernel, &started, &resident);
        fclose(file);
    }
    file = read == 4 ? fopen("/proc/uptime", "r") : NULL;
    if (!file)
        return ERR_OK; /* no /proc here: nothing to say */
    read = fscanf(file, "%lf", &uptime);
    fclose(file);
    err = render_head(out, "process_resident_memory_bytes", "resident memory", true);
    if (!err)
        err = buf_printf(out, "process_resident_memory_bytes %lld\n",
                         (long long)resident * sysconf(_SC_PAGESIZE));
    if (!err)
        err = render_head(out, "process_cpu_seconds_total", "user and system CPU time", false);
    if (!err)
        err = buf_printf(out, "process_cpu_seconds_total %.2f\n", (double)(user + kernel) / ticks);
    if (!err && read == 1)
        err =
            render_head(out, "process_start_time_seconds", "start of the process, seconds since 1970", true);
    if (!err && read == 1)
        err = buf_printf(out, "process_start_time_seconds %.2f\n",
                         (double)clock_wall_ms() / 1000 - (uptime - (double)started / ticks));
    return err;
}

enum err metric_render(struct buf *out)
{
    const struct metric *before = NULL;
    enum err err = ERR_OK;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; !err && i < metric_count; i++) {
        err = render(out, metrics[i], before);
        before = metrics[i];
    }
    pthread_mutex_unlock(&lock);
    if (!err && metric_value(&dropped))
        err = render(out, &dropped, NULL);
    return err ? err : render_process(out);
}
