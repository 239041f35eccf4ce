/* produce.c - the records of one request become record batches: one a partition, or a few when the topic's
 * limit asks for it; then the log takes them and the call waits for the commit. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gateway/http_door.h"

enum {
    RECORD_OVERHEAD_MOST = 64, /* varints and attributes around a record's key and value */
    BATCH_TARGET_BYTES =
        1 << 20, /* more records than this go into another batch: readers take batches whole */
};

int64_t topic_setting_integer(const struct topic_info *topic, const char *name, int64_t fallback)
{
    for (size_t i = 0; i < topic->setting_count; i++)
        if (strcmp(topic->settings[i].name, name) == 0)
            return strtoll(topic->settings[i].value, NULL, 10);
    return fallback;
}

static enum err find_or_create(struct produce *produce, const char *name, bool create)
{
    struct call *call = produce->call;
    const struct config *config = call->door->config;
    enum err err = log_topic_find(call->door->log, name, &call->arena, &produce->topic);

    if (err != ERR_NOT_FOUND)
        return err;
    if (!create || !config_flag(config, "auto.create.topics.enable"))
        return err_note(ERR_NOT_FOUND, "topic %s does not exist: make it with `pinrail topic create %s`%s",
                        name, name, create ? ", or set auto.create.topics.enable" : "");
    err = log_topic_create(call->door->log, name, (int32_t)config_integer(config, "num.partitions"), NULL, 0);
    if (err && err != ERR_EXISTS)
        return err;
    return log_topic_find(call->door->log, name, &call->arena, &produce->topic);
}

void produce_start(struct produce *produce, struct call *call)
{
    *produce = (struct produce){.call = call, .now_ms = clock_wall_ms()};
    buf_clear(&call->door->scratch.records);
}

enum err produce_topic(struct produce *produce, struct bytes topic, bool create)
{
    char name[TOPIC_NAME_MOST + 1];
    enum err err;

    if (!topic_name_is_valid(topic))
        return err_note(ERR_INVALID, "%.*s is no topic name: 1 to 249 of A-Z a-z 0-9 . _ - and not . or ..",
                        (int)(topic.size < 300 ? topic.size : 300), (const char *)topic.at);
    memcpy(name, topic.at, topic.size);
    name[topic.size] = 0;
    err = find_or_create(produce, name, create);
    if (!err && produce->topic.internal)
        return err_note(ERR_DENIED, "topic %s is internal: it is written by pinrail alone", name);
    return err;
}

struct produce_record *produce_add(struct produce *produce)
{
    struct buf *records = &produce->call->door->scratch.records;
    struct produce_record *record;

    if (buf_reserve(records, sizeof(*record)))
        return NULL;
    record = (struct produce_record *)(void *)(records->at + records->size);
    *record = (struct produce_record){.partition = PARTITION_BY_KEY};
    records->size += sizeof(*record);
    produce->records = (struct produce_record *)(void *)records->at;
    produce->count++;
    return record;
}

/* Records by partition: heads[p] is the first one's index plus one, `next` leads on, in the order they
 * came. */
static uint32_t *group(struct produce *produce)
{
    int32_t count = produce->topic.partition_count;
    uint32_t *heads = arena_take(&produce->call->arena, (size_t)count * sizeof(*heads));
    int32_t in_turn = -1;

    for (size_t i = produce->count; heads && i-- > 0;) {
        struct produce_record *record = &produce->records[i];
        if (record->err)
            continue;
        if (record->partition == PARTITION_BY_KEY) {
            if (record->key.at) {
                record->partition = partition_of_key(record->key, count);
            } else {
                if (in_turn < 0) /* one partition a request: one batch, one write */
                    in_turn = (int32_t)(produce->call->door->turn++ % (uint32_t)count);
                record->partition = in_turn;
            }
        }
        assert(record->partition >= 0 && record->partition < count);
        record->next = heads[record->partition];
        heads[record->partition] = (uint32_t)i + 1;
    }
    return heads;
}

static void fail_run(struct produce *produce, uint32_t from, uint32_t end, enum err err, const char *sentence)
{
    const char *kept = arena_text(&produce->call->arena, bytes_of_text(sentence));

    for (uint32_t i = from; i != end; i = produce->records[i - 1].next) {
        produce->records[i - 1].err = err;
        produce->records[i - 1].sentence = kept ? kept : err_name(err);
    }
}

/* Append the batch that holds the records from index `from` to before `end`. */
static enum err append_run(struct produce *produce, struct partition *partition, uint32_t from, uint32_t end,
                           struct bytes batch, int64_t *settles_at)
{
    struct append append;
    enum err err = partition_append(partition, batch, &append);
    int64_t offset;

    if (err) {
        fail_run(produce, from, end, err, err_sentence());
        return err;
    }
    offset = append.base_offset;
    for (uint32_t i = from; i != end; i = produce->records[i - 1].next)
        produce->records[i - 1].offset = offset++;
    *settles_at = append.end_offset;
    metric_add(produce->call->door->records, append.end_offset - append.base_offset);
    return ERR_OK;
}

/* Build one batch of the records from index *at on, as many as go into `most_bytes`; *at is then the first
 * one left. */
static enum err build_batch(struct produce *produce, uint32_t *at, size_t most_bytes, struct bytes *batch)
{
    struct buf *out = &produce->call->door->scratch.batch;
    struct batch_writer writer;
    enum err err;

    buf_clear(out);
    err = batch_begin(&writer, out);
    for (uint32_t from = *at; !err && *at;) {
        const struct produce_record *record = &produce->records[*at - 1];
        if (*at != from &&
            out->size + record->key.size + record->value.size + RECORD_OVERHEAD_MOST > most_bytes)
            break;
        err = batch_add(
            &writer,
            &(struct record){.timestamp_ms = produce->now_ms, .key = record->key, .value = record->value});
        *at = record->next;
    }
    return err ? err : batch_finish(&writer, batch);
}

/* Append one partition's records. One that is too large is left out, an error of another kind ends it. */
static void append_partition(struct produce *produce, struct partition *partition, uint32_t head,
                             int64_t *settles_at)
{
    int64_t most = topic_setting_integer(&produce->topic, "max.message.bytes",
                                         config_integer(produce->call->door->config, "message.max.bytes"));
    size_t most_bytes = most < BATCH_TARGET_BYTES ? (size_t)most : BATCH_TARGET_BYTES;
    enum err err = ERR_OK;

    for (uint32_t at = head, from; at && (!err || err == ERR_TOO_LARGE);) {
        struct bytes batch;
        from = at;
        err = build_batch(produce, &at, most_bytes, &batch);
        if (err)
            fail_run(produce, from, at, err, err_sentence());
        else
            err = append_run(produce, partition, from, at, batch, settles_at);
        if (err && err != ERR_TOO_LARGE)
            fail_run(produce, at, 0, err, err_sentence());
    }
}

enum err produce_append(struct produce *produce)
{
    uint32_t *heads = group(produce);
    struct call *call = produce->call;
    enum err err = ERR_OK;

    if (!heads)
        return err_note(ERR_NO_MEMORY, "out of memory for a request over many partitions");
    for (int32_t i = 0; !err && i < produce->topic.partition_count; i++) {
        struct partition *partition;
        int64_t settles_at = -1;
        if (!heads[i])
            continue;
        partition = log_partition(call->door->log, produce->topic.name, i);
        if (!partition) {
            fail_run(produce, heads[i], 0, ERR_NOT_FOUND, "the topic was deleted just now");
            continue;
        }
        append_partition(produce, partition, heads[i], &settles_at);
        if (settles_at >= 0)
            err = call_wait(call, partition, settles_at);
        else
            partition_put(partition);
    }
    return err;
}
