/* group.c - the sink as a member of its consumer group: librdkafka, which partitions we have, where they begin. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/trace.h"
#include "lake/sink.h"

enum { COMMITTED_WAIT_MS = 5000, WAKE_WAIT_MS = 100 };

/* ---- partitions ---- */

struct part *group_part(struct lake_sink *sink, const rd_kafka_message_t *message)
{
    const char *topic = rd_kafka_topic_name(message->rkt);
    struct part *last = sink->last;

    if (last && last->partition == message->partition && strcmp(last->topic, topic) == 0)
        return last;
    for (size_t i = 0; i < sink->part_count; i++) {
        struct part *part = sink->parts[i];

        if (part->partition == message->partition && strcmp(part->topic, topic) == 0)
            return sink->last = part;
    }
    return NULL;
}

static void forget_parts(struct lake_sink *sink)
{
    for (size_t i = 0; i < sink->part_count; i++)
        part_free(sink->parts[i]);
    free(sink->parts);
    sink->parts = NULL;
    sink->part_count = 0;
    sink->last = NULL;
}

/* What the group committed for these partitions, into the list. Waits for Kafka until asked to stop. */
static enum err committed(struct lake_sink *sink, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t code;
    bool said = false;

    for (;;) {
        code = rd_kafka_committed(sink->kafka, list, COMMITTED_WAIT_MS);
        for (int i = 0; !code && i < list->cnt; i++)
            code = list->elems[i].err;
        if (!code)
            return ERR_OK;
        if (atomic_load(&sink->stop))
            return err_note(ERR_STOPPED, "asked to stop");
        if (!said)
            trace_warn("lake", "Kafka at %s does not tell the committed offsets: %s; asking on",
                       sink->bootstrap, rd_kafka_err2str(code));
        said = true;
        clock_sleep_ms(200);
    }
}

/* Parts for a new assignment, each beginning where the group committed. */
static enum err take_parts(struct lake_sink *sink, rd_kafka_topic_partition_list_t *list)
{
    enum err err = committed(sink, list);

    if (err)
        return err;
    sink->parts = calloc(list->cnt > 0 ? (size_t)list->cnt : 1, sizeof(*sink->parts));
    if (!sink->parts)
        return err_note(ERR_NO_MEMORY, "out of memory for the partitions of the lake");
    for (int i = 0; i < list->cnt; i++) {
        rd_kafka_topic_partition_t *entry = &list->elems[i];
        struct part *part = NULL;

        err = part_new(&part, sink, entry->topic, entry->partition);
        if (err)
            return err;
        sink->parts[sink->part_count++] = part;
        part_begin(part, entry->offset, entry->metadata, entry->metadata_size);
        if (entry->offset < 0)
            entry->offset = RD_KAFKA_OFFSET_BEGINNING;
        trace_debug("lake", "%s partition %d from offset %lld%s", part->topic, (int)part->partition,
                    (long long)part->start, part->settled_end >= 0 ? ", with a settled range" : "");
    }
    return ERR_OK;
}

static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    struct lake_sink *sink = opaque;

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        enum err err;

        forget_parts(sink);
        err = take_parts(sink, list);
        if (err) {
            if (err != ERR_STOPPED)
                trace_error("lake", "cannot take partitions: %s", err_sentence());
            forget_parts(sink);
            list = NULL;
        } else if (list->cnt > 0) {
            trace_info("lake", "reading %d partition%s", list->cnt, list->cnt == 1 ? "" : "s");
        }
        rd_kafka_assign(kafka, list);
        sink->wakes_left = WAKES_MOST;
        if (list) /* librdkafka keeps a pause across assignments: one that was in trouble would stay silent */
            rd_kafka_resume_partitions(kafka, list);
        return;
    }
    /* Partitions that were taken from us already belong to someone else: what is open here is theirs to put. */
    if (!rd_kafka_assignment_lost(kafka))
        settle(sink, sink->parts, sink->part_count);
    forget_parts(sink);
    rd_kafka_assign(kafka, NULL);
}

void group_pause(struct lake_sink *sink, const struct part *part)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, part->topic, part->partition);
    rd_kafka_pause_partitions(sink->kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void mend(struct lake_sink *sink, struct part *part)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_add(list, part->topic, part->partition);
    rd_kafka_error_t *error = NULL;
    rd_kafka_resp_err_t code = rd_kafka_committed(sink->kafka, list, COMMITTED_WAIT_MS);

    if (!code)
        code = entry->err;
    if (!code) {
        part_begin(part, entry->offset, entry->metadata, entry->metadata_size);
        if (entry->offset < 0)
            entry->offset = RD_KAFKA_OFFSET_BEGINNING;
        error = rd_kafka_seek_partitions(sink->kafka, list, COMMITTED_WAIT_MS);
        code = error ? rd_kafka_error_code(error) : entry->err;
        if (error)
            rd_kafka_error_destroy(error);
    }
    if (!code)
        rd_kafka_resume_partitions(sink->kafka, list);
    else
        part_trouble(sink, part, err_note(ERR_UNREACHABLE, "cannot begin again: %s", rd_kafka_err2str(code)));
    rd_kafka_topic_partition_list_destroy(list);
}

void group_mend(struct lake_sink *sink)
{
    for (size_t i = 0; i < sink->part_count && !atomic_load(&sink->stop); i++)
        if (sink->parts[i]->waiting && clock_steady_ms() >= sink->parts[i]->mend_at_ms)
            mend(sink, sink->parts[i]);
}

bool group_wake(struct lake_sink *sink)
{
    for (size_t i = 0; i < sink->part_count; i++) {
        struct part *part = sink->parts[i];
        int64_t low = 0, high = -1;

        rd_kafka_get_watermark_offsets(sink->kafka, part->topic, part->partition, &low, &high);
        if (part->waiting || (high >= 0 && high <= (part->next >= 0 ? part->next : low)))
            continue;
        rd_kafka_query_watermark_offsets(sink->kafka, part->topic, part->partition, &low, &high,
                                         WAKE_WAIT_MS);
        return true;
    }
    return false;
}

/* ---- the consumer ---- */

static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct lake_sink *sink = opaque;

    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !sink->unreachable) {
        trace_warn("lake", "Kafka at %s is not reachable; trying on until it is", sink->bootstrap);
        sink->unreachable = true;
    } else {
        trace_debug("lake", "kafka: %s", reason);
    }
}

static void on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    trace_debug("lake", "librdkafka %s: %s", facility, text);
}

/* The same for the same data folder on the same host, so that a sink that comes back after a crash has its partitions
 * at once (static membership) and none waits for the session of the one that died. */
static void name_instance(const struct lake_sink *sink, char out[200])
{
    const char *data_dir = config_text(sink->config, "data.dir");
    char host[100] = "host", *whole = realpath(data_dir, NULL);

    gethostname(host, sizeof(host) - 1);
    snprintf(out, 200, "pinrail-lake-%s-%08x", host,
             (unsigned)crc32c(bytes_of_text(whole ? whole : data_dir)));
    free(whole);
}

static enum err configure(struct lake_sink *sink, rd_kafka_conf_t *conf)
{
    int64_t session_ms = config_integer(sink->config, "lake.session.timeout.ms");
    char instance[200], session[24], heartbeat[24];
    const char *const values[][2] = {
        {"bootstrap.servers", sink->bootstrap},
        {"group.id", config_text(sink->config, "lake.group.id")},
        {"client.id", "pinrail-lake"},
        {"group.instance.id", instance},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "earliest"},
        {"check.crcs", "true"},
        /* New topics should land soon; and a sink that was killed should be replaced soon. */
        {"topic.metadata.refresh.interval.ms", "1000"},
        {"session.timeout.ms", session},
        {"heartbeat.interval.ms", heartbeat},
        {"reconnect.backoff.ms", "100"},
        {"reconnect.backoff.max.ms", "2000"},
        {"socket.nagle.disable", "true"},
    };
    char note[300];

    name_instance(sink, instance);
    snprintf(session, sizeof(session), "%lld", (long long)session_ms);
    snprintf(heartbeat, sizeof(heartbeat), "%lld", (long long)session_ms / 6);
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        if (rd_kafka_conf_set(conf, values[i][0], values[i][1], note, sizeof(note)) != RD_KAFKA_CONF_OK)
            return err_note(ERR_INVALID, "%s: %s", values[i][0], note);
    rd_kafka_conf_set_opaque(conf, sink);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    return ERR_OK;
}

enum err group_open(struct lake_sink *sink)
{
    rd_kafka_topic_partition_list_t *topics = NULL;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_resp_err_t code;
    char note[300];
    enum err err = configure(sink, conf);

    if (err)
        goto out;
    sink->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, note, sizeof(note));
    if (!sink->kafka) {
        err = err_note(ERR_IO, "cannot make a Kafka consumer: %s", note);
        goto out;
    }
    conf = NULL; /* the consumer's now */
    rd_kafka_poll_set_consumer(sink->kafka);
    topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, sink->subscription, RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(sink->kafka, topics);
    if (code)
        err = err_note(ERR_INVALID, "cannot subscribe to %s: %s", sink->subscription, rd_kafka_err2str(code));
out:
    if (topics)
        rd_kafka_topic_partition_list_destroy(topics);
    if (conf)
        rd_kafka_conf_destroy(conf);
    return err;
}

void group_close(struct lake_sink *sink)
{
    if (!sink->kafka)
        return;
    rd_kafka_consumer_close(sink->kafka); /* gives the partitions back: on_rebalance() */
    rd_kafka_destroy(sink->kafka);
    sink->kafka = NULL;
    forget_parts(sink);
}
