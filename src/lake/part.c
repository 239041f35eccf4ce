/* part.c - one partition: records into its draft, and where a draft ends. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/trace.h"
#include "lake/object.h"
#include "lake/sink.h"

enum { BACKOFF_MOST_MS = 10000 };

enum err part_new(struct part **out, struct lake_sink *sink, const char *topic, int32_t partition)
{
    struct part *part = calloc(1, sizeof(*part));
    char path[4200], labels[400];
    enum err err = err_note(ERR_NO_MEMORY, "out of memory for the partitions of the lake");

    if (!part)
        goto out;
    part->topic = strdup(topic);
    part->partition = partition;
    part->backoff_ms = PART_BACKOFF_FIRST_MS;
    if (!part->topic)
        goto out;
    snprintf(path, sizeof(path), "%s/%lld", config_path(sink->config, "lake/.drafts"),
             (long long)sink->draft_count++);
    err = draft_init(&part->draft, sink->disk, path);
    if (err)
        goto out;
    snprintf(labels, sizeof(labels), "topic=\"%s\"", topic);
    part->records_total =
        metric_counter("pinrail_lake_records_total", labels, "Records put into lake objects");
    snprintf(labels, sizeof(labels), "topic=\"%s\",partition=\"%d\"", topic, (int)partition);
    part->lag_gauge =
        metric_gauge("pinrail_lake_lag_records", labels, "Records that are not in a lake object yet");
    part_begin(part, -1, NULL, 0);
    *out = part;
    part = NULL;
out:
    part_free(part);
    return err;
}

void part_free(struct part *part)
{
    if (!part)
        return;
    if (part->lag_gauge)
        metric_set(part->lag_gauge, 0);
    draft_release(&part->draft);
    free(part->topic);
    free(part);
}

void part_begin(struct part *part, int64_t offset, const char *metadata, size_t metadata_size)
{
    draft_drop(&part->draft);
    part->records = 0;
    part->start = part->next = offset < 0 ? -1 : offset;
    part->settled_end = offset < 0 ? -1 : settled_parse(metadata, metadata_size, offset);
    part->pass_until = 0;
    part->waiting = false;
}

void part_trouble(struct lake_sink *sink, struct part *part, enum err err)
{
    if (part->backoff_ms == PART_BACKOFF_FIRST_MS)
        trace_warn("lake", "%s partition %d: %s (%s); trying again until it works", part->topic,
                   (int)part->partition, err_sentence(), err_name(err));
    metric_add(sink->failures_total, 1);
    group_pause(sink, part);
    draft_drop(&part->draft);
    part->records = 0;
    part->waiting = true;
    part->mend_at_ms = clock_steady_ms() + part->backoff_ms;
    part->backoff_ms = part->backoff_ms * 2 < BACKOFF_MOST_MS ? part->backoff_ms * 2 : BACKOFF_MOST_MS;
}

/* Records of a settled range are not in the topic any more (retention). If its object was put, they are in there, and
 * so are those of the range that are left; if not, they are lost to the lake, and it goes on with what there is. */
static void settled_range_is_cut(struct lake_sink *sink, struct part *part, int64_t offset)
{
    bool put = object_exists(sink->config, sink->disk, part->topic, part->partition, part->start);

    trace_warn("lake", "%s partition %d: offsets from %lld to %lld have left the topic; they %s", part->topic,
               (int)part->partition, (long long)part->next, (long long)offset - 1,
               put ? "were in the lake already" : "did not reach the lake");
    draft_drop(&part->draft);
    part->records = 0;
    if (put)
        part->pass_until = part->settled_end;
    part->settled_end = -1;
}

static bool must_end_before(const struct lake_sink *sink, const struct part *part, int64_t offset,
                            int64_t time_ms)
{
    if (part->records == 0)
        return false;
    if (offset != part->next)
        return true;
    return part->settled_end < 0 && sink->rotate_ms >= 0 && time_ms >= 0 && part->first_ms >= 0 &&
           time_ms - part->first_ms >= sink->rotate_ms;
}

static bool must_end_behind(const struct lake_sink *sink, const struct part *part)
{
    if (part->settled_end >= 0)
        return part->next == part->settled_end;
    return part->records >= sink->flush_size || draft_bytes(&part->draft) >= sink->flush_bytes;
}

void part_take(struct lake_sink *sink, struct part *part, const rd_kafka_message_t *message)
{
    int64_t offset = message->offset, time_ms;
    rd_kafka_timestamp_type_t time_type;
    enum err err;

    if (part->waiting || offset < part->next)
        return;
    time_ms = rd_kafka_message_timestamp(message, &time_type);
    if (part->settled_end >= 0 && offset != part->next)
        settled_range_is_cut(sink, part, offset);
    if (offset < part->pass_until)
        return;
    if (must_end_before(sink, part, offset, time_ms)) {
        settle(sink, &part, 1);
        if (part->waiting)
            return;
    }
    if (part->records == 0) {
        part->start = offset;
        part->first_ms = time_ms;
    }
    err = draft_add(&part->draft, bytes_of(message->payload, message->len));
    if (err) {
        part_trouble(sink, part, err);
        return;
    }
    part->records++;
    part->next = offset + 1;
    if (must_end_behind(sink, part))
        settle(sink, &part, 1);
}
