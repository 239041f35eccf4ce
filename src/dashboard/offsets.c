/* offsets.c - end offsets and the lake's committed offsets, by librdkafka. It joins no group: reading what a group has
 * committed needs only its name. */
#include "dashboard/offsets.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { ASK_MOST_MS = 1000, TOPICS_AGE_MOST_MS = 3000 };

struct offsets {
    const struct config *config;
    rd_kafka_t *kafka;
    char address[300];                         /* of `kafka` */
    rd_kafka_topic_partition_list_t *watched;  /* the partitions of our topics, by topic */
    int64_t watched_ms;                        /* steady; when the list was made */
    char lake_prefix[256], stream_prefix[256]; /* "USER." and "streaming-USER-" */
};

enum err offsets_open(struct offsets **out, const struct config *config)
{
    struct offsets *offsets = calloc(1, sizeof(*offsets));

    if (!offsets)
        return err_note(ERR_NO_MEMORY, "out of memory for the dashboard's Kafka client");
    offsets->config = config;
    snprintf(offsets->lake_prefix, sizeof(offsets->lake_prefix), "%s.", config_text(config, "user"));
    snprintf(offsets->stream_prefix, sizeof(offsets->stream_prefix), "streaming-%s-",
             config_text(config, "user"));
    *out = offsets;
    return ERR_OK;
}

static void forget_topics(struct offsets *offsets)
{
    if (offsets->watched)
        rd_kafka_topic_partition_list_destroy(offsets->watched);
    offsets->watched = NULL;
}

static void disconnect(struct offsets *offsets)
{
    forget_topics(offsets);
    if (offsets->kafka)
        rd_kafka_destroy_flags(offsets->kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    offsets->kafka = NULL;
}

void offsets_close(struct offsets *offsets)
{
    if (!offsets)
        return;
    disconnect(offsets);
    free(offsets);
}

const char *offsets_address(const struct offsets *offsets)
{
    return offsets->address;
}

static enum err unreachable(const struct offsets *offsets, rd_kafka_resp_err_t code)
{
    return err_note(
        ERR_UNREACHABLE,
        "no answer from Kafka at %s (%s); is `pinrail serve ingest` running, is bootstrap.servers right?",
        offsets->address, rd_kafka_err2str(code));
}

/* What librdkafka would print when nobody listens is said by the page's health line instead. */
static void drop_line(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
}

static enum err connect_to(struct offsets *offsets, const char *address)
{
    const char *settings[][2] = {
        {"bootstrap.servers", address},
        {"client.id", "pinrail-dashboard"},
        {"group.id", config_text(offsets->config, "lake.group.id")},
        {"enable.auto.commit", "false"},
        {"reconnect.backoff.max.ms", "1000"},
    };
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum err err = ERR_OK;

    rd_kafka_conf_set_log_cb(conf, drop_line);
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings) && !err; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof(reason)))
            err = err_note(ERR_INVALID, "librdkafka: %s", reason);
    if (err)
        goto out;
    offsets->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
    if (!offsets->kafka) {
        err = err_note(ERR_IO, "librdkafka: %s", reason);
        goto out;
    }
    conf = NULL; /* the client's now */
    snprintf(offsets->address, sizeof(offsets->address), "%s", address);
out:
    if (conf)
        rd_kafka_conf_destroy(conf);
    return err;
}

/* The door may have come back at another port. */
static enum err connect_where_it_is(struct offsets *offsets)
{
    char address[300];
    const char *servers = config_text(offsets->config, "bootstrap.servers");
    enum err err = ERR_OK;

    if (*servers)
        snprintf(address, sizeof(address), "%s", servers);
    else
        err = config_door(offsets->config, "kafka", address);
    if (err)
        return err;
    if (offsets->kafka && strcmp(address, offsets->address) == 0)
        return ERR_OK;
    disconnect(offsets);
    return connect_to(offsets, address);
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int by_topic_and_partition(const void *a, const void *b, void *unused)
{
    const rd_kafka_topic_partition_t *x = a, *y = b;
    int order = strcmp(x->topic, y->topic);

    return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* Which partitions there are. Asked now and then, because on a big cluster the answer is long. */
static enum err find_topics(struct offsets *offsets)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int64_t now = clock_steady_ms();
    rd_kafka_resp_err_t code;
    int topics = 0;

    if (offsets->watched && now - offsets->watched_ms < TOPICS_AGE_MOST_MS)
        return ERR_OK;
    code = rd_kafka_metadata(offsets->kafka, 1, NULL, &metadata, ASK_MOST_MS);
    if (code)
        return unreachable(offsets, code);
    forget_topics(offsets);
    offsets->watched = rd_kafka_topic_partition_list_new(16);
    offsets->watched_ms = now;
    for (int i = 0; i < metadata->topic_cnt && topics < OFFSETS_TOPICS_MOST; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        if (topic->err || (!has_prefix(topic->topic, offsets->lake_prefix) &&
                           !has_prefix(topic->topic, offsets->stream_prefix)))
            continue;
        topics++;
        for (int p = 0; p < topic->partition_cnt && offsets->watched->cnt < OFFSETS_PARTITIONS_MOST; p++)
            rd_kafka_topic_partition_list_add(offsets->watched, topic->topic, topic->partitions[p].id);
    }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_sort(offsets->watched, by_topic_and_partition, NULL);
    return ERR_OK;
}

/* Every end offset, with one request a broker: a time of -1 asks for the end. */
static enum err read_ends(struct offsets *offsets, rd_kafka_topic_partition_list_t **out)
{
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_copy(offsets->watched);
    rd_kafka_resp_err_t code;

    for (int i = 0; i < ends->cnt; i++)
        ends->elems[i].offset = RD_KAFKA_OFFSET_END;
    code = ends->cnt ? rd_kafka_offsets_for_times(offsets->kafka, ends, ASK_MOST_MS) : 0;
    if (code) {
        rd_kafka_topic_partition_list_destroy(ends);
        offsets->watched_ms -= TOPICS_AGE_MOST_MS; /* a topic may be gone: look again */
        return unreachable(offsets, code);
    }
    *out = ends;
    return ERR_OK;
}

/* What the lake has put, for the topics that it lands. NULL when the group's coordinator does not answer. */
static rd_kafka_topic_partition_list_t *read_committed(struct offsets *offsets)
{
    rd_kafka_topic_partition_list_t *committed = rd_kafka_topic_partition_list_new(16);

    for (int i = 0; i < offsets->watched->cnt; i++) {
        const rd_kafka_topic_partition_t *one = &offsets->watched->elems[i];
        if (has_prefix(one->topic, offsets->lake_prefix))
            rd_kafka_topic_partition_list_add(committed, one->topic, one->partition);
    }
    if (committed->cnt && rd_kafka_committed(offsets->kafka, committed, ASK_MOST_MS)) {
        rd_kafka_topic_partition_list_destroy(committed);
        return NULL;
    }
    return committed;
}

static enum err add_up(const struct offsets *offsets, const rd_kafka_topic_partition_list_t *ends,
                       rd_kafka_topic_partition_list_t *committed, struct arena *arena,
                       struct topic_offsets **out, size_t *count)
{
    struct topic_offsets *topics = arena_take(arena, sizeof(*topics) * OFFSETS_TOPICS_MOST);
    size_t n = 0;

    if (!topics)
        return err_note(ERR_NO_MEMORY, "out of memory for the topics' offsets");
    for (int i = 0; i < ends->cnt; i++) {
        const rd_kafka_topic_partition_t *end = &ends->elems[i], *done = NULL;
        struct topic_offsets *topic = n ? &topics[n - 1] : NULL;
        if (!topic || strcmp(topic->topic, end->topic) != 0) {
            topic = &topics[n++];
            topic->topic = arena_text(arena, bytes_of_text(end->topic));
            if (!topic->topic)
                return err_note(ERR_NO_MEMORY, "out of memory for the topics' offsets");
            topic->landed = committed && has_prefix(end->topic, offsets->lake_prefix) ? 0 : -1;
        }
        if (!end->err && end->offset > 0)
            topic->acknowledged += end->offset;
        if (topic->landed >= 0)
            done = rd_kafka_topic_partition_list_find(committed, end->topic, end->partition);
        if (done && !done->err && done->offset > 0)
            topic->landed += done->offset;
    }
    *out = topics;
    *count = n;
    return ERR_OK;
}

enum err offsets_read(struct offsets *offsets, struct arena *arena, struct topic_offsets **out, size_t *count)
{
    rd_kafka_topic_partition_list_t *ends = NULL, *committed = NULL;
    enum err err = connect_where_it_is(offsets);

    if (!err)
        err = find_topics(offsets);
    if (!err)
        err = read_ends(offsets, &ends);
    if (!err) {
        committed = read_committed(offsets);
        err = add_up(offsets, ends, committed, arena, out, count);
    }
    if (offsets->kafka)
        rd_kafka_poll(offsets->kafka, 0);
    if (ends)
        rd_kafka_topic_partition_list_destroy(ends);
    if (committed)
        rd_kafka_topic_partition_list_destroy(committed);
    return err;
}
