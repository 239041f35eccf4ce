/* settle.c - drafts to objects: settle, put, go on (see sink.h). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/trace.h"
#include "lake/object.h"
#include "lake/sink.h"

enum { COMMIT_WAIT_MS_MOST = 15000, COMMIT_WAIT_AT_STOP_MS_MOST = 3000 };

void settled_format(int64_t start, int64_t end, char out[SETTLED_TEXT_BYTES])
{
    snprintf(out, SETTLED_TEXT_BYTES, "pinrail settled [%lld,%lld)", (long long)start, (long long)end);
}

int64_t settled_parse(const char *text, size_t size, int64_t start)
{
    char copy[SETTLED_TEXT_BYTES], again[SETTLED_TEXT_BYTES];
    long long from, to;

    if (!text || size == 0 || size >= sizeof(copy))
        return -1;
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (sscanf(copy, "pinrail settled [%lld,%lld)", &from, &to) != 2)
        return -1;
    settled_format(from, to, again); /* what does not come out the same was not written by us */
    return strcmp(copy, again) == 0 && from == start && to > from ? to : -1;
}

/* The answer to a commit, waited for. */
static enum err commit_answer(struct lake_sink *sink, rd_kafka_queue_t *queue)
{
    int64_t since = clock_steady_ms();
    rd_kafka_event_t *event;
    const rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;

    while (!(event = rd_kafka_queue_poll(queue, 100))) {
        int64_t waited = clock_steady_ms() - since;

        if (waited > COMMIT_WAIT_MS_MOST ||
            (atomic_load(&sink->stop) && waited > COMMIT_WAIT_AT_STOP_MS_MOST))
            return err_note(ERR_UNREACHABLE, "Kafka at %s does not answer a commit", sink->bootstrap);
    }
    code = rd_kafka_event_error(event);
    list = rd_kafka_event_topic_partition_list(event);
    for (int i = 0; !code && list && i < list->cnt; i++)
        code = list->elems[i].err;
    rd_kafka_event_destroy(event);
    return code ? err_note(ERR_UNREACHABLE, "Kafka refused a commit: %s", rd_kafka_err2str(code)) : ERR_OK;
}

/* Commit these offsets (and metadata) and wait for the answer. All went well or none is to be relied on. */
static enum err commit(struct lake_sink *sink, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(sink->kafka);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(sink->kafka, list, queue, NULL, NULL);
    enum err err;

    if (code)
        err = err_note(ERR_UNREACHABLE, "cannot commit to Kafka: %s", rd_kafka_err2str(code));
    else
        err = commit_answer(sink, queue);
    rd_kafka_queue_destroy(queue);
    return err;
}

/* Has the part a draft that may be put? A settled one only as a whole. */
static bool is_ready(const struct part *part)
{
    return !part->waiting && part->records > 0 && (part->settled_end < 0 || part->settled_end == part->next);
}

/* Step 1: fix the ranges. One that was found settled has been committed already. */
static enum err settle_ranges(struct lake_sink *sink, struct part **parts, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    enum err err = ERR_OK;

    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *entry;
        char text[SETTLED_TEXT_BYTES];

        if (!is_ready(parts[i]) || parts[i]->settled_end == parts[i]->next)
            continue;
        settled_format(parts[i]->start, parts[i]->next, text);
        entry = rd_kafka_topic_partition_list_add(list, parts[i]->topic, parts[i]->partition);
        entry->offset = parts[i]->start;
        entry->metadata = strdup(text); /* freed with the list */
        entry->metadata_size = entry->metadata ? strlen(text) : 0;
        if (!entry->metadata)
            err = err_note(ERR_NO_MEMORY, "out of memory for a commit");
    }
    if (!err && list->cnt > 0)
        err = commit(sink, list);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

/* Step 2: the object of one partition. */
static enum err put(struct lake_sink *sink, struct part *part)
{
    struct buf folder = buf_init(PATH_MAX), path = buf_init(PATH_MAX);
    int64_t bytes = draft_bytes(&part->draft);
    enum err err = ERR_OK;

    if (!part->has_folder)
        err = object_make_folder(sink->config, sink->disk, part->topic, part->partition);
    if (!err)
        err = object_folder(sink->config, part->topic, part->partition, &folder);
    if (!err)
        err = object_path(sink->config, part->topic, part->partition, part->start, &path);
    if (!err)
        err = draft_put(&part->draft, (const char *)folder.at, (const char *)path.at);
    part->has_folder = !err;
    if (!err) {
        metric_add(sink->bytes_total, bytes);
        trace_debug("lake", "put %s: %lld records, %lld bytes", (const char *)path.at,
                    (long long)part->records, (long long)bytes);
    }
    buf_release(&folder);
    buf_release(&path);
    return err;
}

/* Step 3: go on behind the objects. */
static enum err go_on(struct lake_sink *sink, struct part **parts, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    enum err err = ERR_OK;

    for (size_t i = 0; i < count; i++)
        if (is_ready(parts[i]))
            rd_kafka_topic_partition_list_add(list, parts[i]->topic, parts[i]->partition)->offset =
                parts[i]->next;
    if (list->cnt > 0)
        err = commit(sink, list);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

static void all_in_trouble(struct lake_sink *sink, struct part **parts, size_t count, enum err err)
{
    for (size_t i = 0; i < count; i++)
        if (is_ready(parts[i]))
            part_trouble(sink, parts[i], err);
}

void settle(struct lake_sink *sink, struct part **parts, size_t count)
{
    enum err err = settle_ranges(sink, parts, count);

    if (err) {
        all_in_trouble(sink, parts, count, err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_ready(parts[i]))
            continue;
        err = put(sink, parts[i]);
        if (err)
            part_trouble(sink, parts[i], err);
    }
    err = go_on(sink, parts, count);
    if (err) {
        all_in_trouble(sink, parts, count, err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct part *part = parts[i];

        if (!is_ready(part))
            continue;
        metric_add(part->records_total, part->records);
        metric_add(sink->objects_total, 1);
        metric_set(sink->processed_seconds, clock_wall_ms() / 1000);
        part->records = 0;
        part->start = part->next;
        part->settled_end = -1;
        part->backoff_ms = PART_BACKOFF_FIRST_MS;
    }
}
