/* sink.c - the lake's thread: records from Kafka into drafts, drafts into objects when it is time.
 *
 *     sink.c    the thread and the clock
 *     group.c   the consumer group: which partitions are ours, where they begin
 *     part.c    a record into its partition's draft; where a draft ends
 *     draft.c   the lines of an object that has no name yet
 *     settle.c  drafts to objects, exactly once
 *     object.c  names of objects, and listing them
 *     line.c    a record as a line */
#include <ctype.h>
#include <regex.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/trace.h"
#include "lake/sink.h"

enum {
    POLL_MS_MOST = 100,
    POLL_MS_BEHIND = 2,
    LOOK_EVERY_MS = 100,
    REOPEN_MS = 1000,
    SAY_AFTER_MS = 2000,              /* what mends itself sooner, as at a start, is not worth a line */
    DRAFTS_IN_MEMORY_MOST = 64 << 20, /* over all partitions: beyond it, all drafts go to their files */
};

/* ---- settings ---- */

/* The default takes the topics that begin with the user's name and a dot. Kafka (librdkafka) searches, connectors match
 * the whole name: so the expression is anchored on both sides. */
static enum err make_subscription(struct lake_sink *sink)
{
    const char *given = config_text(sink->config, "lake.topics.regex"),
               *user = config_text(sink->config, "user");
    struct buf text = buf_init(4096);
    regex_t compiled;
    char why[200];
    int code;
    enum err err = buf_add_text(&text, "^(");

    if (*given) {
        if (!err)
            err = buf_add_text(&text, given);
    } else {
        for (; !err && *user; user++) {
            if (!isalnum((unsigned char)*user) && *user != '_' && *user != '-')
                err = buf_add_char(&text, '\\');
            if (!err)
                err = buf_add_char(&text, *user);
        }
        if (!err)
            err = buf_add_text(&text, "\\..*");
    }
    if (!err)
        err = buf_add_text(&text, ")$");
    if (err || !buf_text(&text))
        goto out;
    code = regcomp(&compiled, (const char *)text.at, REG_EXTENDED | REG_NOSUB);
    if (code) {
        regerror(code, &compiled, why, sizeof(why));
        err =
            err_note(ERR_INVALID, "lake.topics.regex \"%s\" is not a regular expression (POSIX extended): %s",
                     given, why);
        goto out;
    }
    regfree(&compiled);
    sink->subscription = strdup((const char *)text.at);
    if (!sink->subscription)
        err = err_note(ERR_NO_MEMORY, "out of memory for the lake");
out:
    buf_release(&text);
    return err;
}

static enum err find_kafka(const struct lake_sink *sink, char out[300])
{
    const char *servers = config_text(sink->config, "bootstrap.servers");

    if (!*servers)
        return config_door(sink->config, "kafka", out);
    if (strlen(servers) >= 300)
        return err_note(ERR_INVALID, "bootstrap.servers is longer than 299 bytes");
    memcpy(out, servers, strlen(servers) + 1);
    return ERR_OK;
}

/* ---- the clock ---- */

static void show_lag(struct lake_sink *sink)
{
    int64_t total = 0;

    for (size_t i = 0; i < sink->part_count; i++) {
        struct part *part = sink->parts[i];
        int64_t low = 0, high = -1, from;

        rd_kafka_get_watermark_offsets(sink->kafka, part->topic, part->partition, &low, &high);
        if (high < 0)
            return; /* nothing was fetched from it yet */
        from = part->start >= 0 ? part->start : low > 0 ? low : 0;
        metric_set(part->lag_gauge, high > from ? high - from : 0);
        total += high > from ? high - from : 0;
    }
    if (sink->part_count > 0)
        atomic_store(&sink->lag, total);
}

static int64_t next_tick(const struct lake_sink *sink, int64_t now_ms)
{
    return sink->schedule_ms > 0 ? (now_ms / sink->schedule_ms + 1) * sink->schedule_ms : -1;
}

static void bound_memory(struct lake_sink *sink)
{
    size_t total = 0;

    for (size_t i = 0; i < sink->part_count; i++)
        total += sink->parts[i]->draft.lines.room;
    if (total <= DRAFTS_IN_MEMORY_MOST)
        return;
    for (size_t i = 0; i < sink->part_count; i++) {
        enum err err = draft_spill(&sink->parts[i]->draft);

        if (err)
            part_trouble(sink, sink->parts[i], err);
    }
}

/* What is to be done now and then. */
static void look_around(struct lake_sink *sink)
{
    int64_t now_ms = clock_wall_ms();

    if (sink->tick_ms >= 0 && (now_ms >= sink->tick_ms || now_ms < sink->tick_ms - sink->schedule_ms)) {
        settle(sink, sink->parts, sink->part_count);
        sink->tick_ms = next_tick(sink, now_ms);
    }
    bound_memory(sink);
    group_mend(sink);
    show_lag(sink);
}

/* ---- the thread ---- */

static void take(struct lake_sink *sink, rd_kafka_message_t *message)
{
    if (!message->err) {
        struct part *part = group_part(sink, message);

        if (sink->unreachable) {
            trace_info("lake", "Kafka at %s answers again", sink->bootstrap);
            sink->unreachable = false;
        }
        if (part)
            part_take(sink, part, message);
    } else {
        trace_debug("lake", "kafka: %s", rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
}

/* True when the door of this data folder has moved (a restart with port 0), or the consumer can go on no more. */
static bool must_reopen(const struct lake_sink *sink)
{
    char address[300], why[300];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(sink->kafka, why, sizeof(why));

    if (code) {
        trace_warn("lake", "the Kafka consumer failed: %s; beginning again", why);
        clock_sleep_ms(REOPEN_MS);
        return true;
    }
    return sink->unreachable && !find_kafka(sink, address) && strcmp(address, sink->bootstrap) != 0;
}

/* While records come, or some are known to be there, librdkafka is kept awake (see group_wake()). Not for ever: the end
 * of a partition may lie behind its last record. */
static void read_records(struct lake_sink *sink)
{
    while (!atomic_load(&sink->stop)) {
        bool behind = sink->wakes_left > 0;
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(sink->kafka, behind ? POLL_MS_BEHIND : POLL_MS_MOST);
        int64_t now_ms = clock_steady_ms();

        if (message) {
            take(sink, message);
            sink->wakes_left = WAKES_MOST;
        } else if (behind) {
            sink->wakes_left = group_wake(sink) ? sink->wakes_left - 1 : 0;
        }
        if (now_ms - sink->looked_ms < LOOK_EVERY_MS)
            continue;
        sink->looked_ms = now_ms;
        look_around(sink);
        if (must_reopen(sink))
            return;
    }
}

static void *run(void *arg)
{
    struct lake_sink *sink = arg;
    int64_t since_ms = clock_steady_ms();
    bool said = false;

    while (!atomic_load(&sink->stop)) {
        enum err err = find_kafka(sink, sink->bootstrap);

        if (!err)
            err = group_open(sink);
        if (err) {
            if (!said && clock_steady_ms() - since_ms >= SAY_AFTER_MS) {
                trace_warn("lake", "%s; waiting", err_sentence());
                said = true;
            }
            clock_sleep_ms(POLL_MS_MOST);
        } else {
            said = false;
            sink->unreachable = false;
            read_records(sink);
            if (atomic_load(&sink->stop)) {
                settle(sink, sink->parts, sink->part_count);
                show_lag(sink);
            }
        }
        group_close(sink);
    }
    return NULL;
}

/* ---- for others ---- */

static void sink_free(struct lake_sink *sink)
{
    if (!sink)
        return;
    free(sink->subscription);
    free(sink);
}

static void make_metrics(struct lake_sink *sink)
{
    sink->objects_total = metric_counter("pinrail_lake_objects_total", "", "Objects put into the lake");
    sink->bytes_total = metric_counter("pinrail_lake_bytes_total", "", "Bytes put into the lake");
    sink->failures_total =
        metric_counter("pinrail_lake_failures_total", "", "Times a partition of the lake had to begin again");
    sink->processed_seconds = metric_gauge("pinrail_lake_last_record_processed_timestamp_seconds", "",
                                           "When the newest object was put, in seconds since 1970");
}

/* Drafts of a process that was killed are of no use: their records are read again. */
static enum err make_drafts_folder(struct lake_sink *sink)
{
    const char *drafts = config_path(sink->config, "lake/.drafts");
    enum err err = disk_remove_tree(sink->disk, drafts);

    return err ? err : disk_make_dirs(sink->disk, drafts);
}

enum err lake_sink_start(struct lake_sink **out, const struct config *config, struct disk *disk)
{
    struct lake_sink *sink = calloc(1, sizeof(*sink));
    enum err err;

    if (!sink)
        return err_note(ERR_NO_MEMORY, "out of memory for the lake");
    sink->config = config;
    sink->disk = disk;
    atomic_store(&sink->lag, -1);
    sink->flush_size = config_integer(config, "lake.flush.size");
    sink->flush_bytes = config_integer(config, "lake.flush.bytes");
    sink->rotate_ms = config_integer(config, "lake.rotate.interval.ms");
    sink->schedule_ms = config_integer(config, "lake.rotate.schedule.interval.ms");
    sink->tick_ms = next_tick(sink, clock_wall_ms());
    make_metrics(sink);
    err = make_subscription(sink);
    if (!err)
        err = make_drafts_folder(sink);
    if (!err && pthread_create(&sink->thread, NULL, run, sink) != 0)
        err = err_note(ERR_IO, "cannot start the lake's thread");
    if (!err) {
        *out = sink;
        sink = NULL;
    }
    sink_free(sink);
    return err;
}

void lake_sink_stop(struct lake_sink *sink)
{
    if (!sink)
        return;
    atomic_store(&sink->stop, true);
    pthread_join(sink->thread, NULL);
    sink_free(sink);
}

int64_t lake_sink_lag(struct lake_sink *sink)
{
    return atomic_load(&sink->lag);
}
