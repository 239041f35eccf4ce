/* stream.c - Kinesis streams -> flow: micro-batches, committed as records come in.
 *
 * One reader (a thread) for each entity's stream. It asks all shards in turn, gathers what they give, and hands it to
 * the one commit code when the trigger's time is up or enough has gathered. Where a shard goes on is what the table
 * says (flow_position()): rows and position are one commit, so a reader that is stopped, or killed, simply goes on.
 * A commit that fails is tried again with the same records. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/kinesis_client.h"
#include "base/clock.h"
#include "base/metric.h"
#include "base/sequence.h"
#include "base/trace.h"
#include "clean/clean.h"
#include "table/table.h"

enum {
    GET_RECORDS_MOST = 10000,
    BATCH_BYTES_MOST = 128 << 20, /* a micro-batch is committed early at this size */
    GET_BYTES_MOST = 64 << 20,    /* above what one GetRecords can add */
    IDLE_MS = 200,                /* between questions when nothing came: five a second, as AWS allows */
    FEW_MS = 50, /* and when little came, so that a trickle is not asked for record by record */
    FEW_RECORDS = 500,
    RETRY_MS_MOST = 2000,
    SAY_AFTER_MS = 2000, /* what mends itself sooner, as at a start, is not worth a line */
};

struct shard {
    const char *id;
    int32_t partition;
    int64_t created_s; /* of the stream, as the shard's sequence numbers have it */
    char *iterator;    /* NULL: to be asked for */
    struct arena text; /* the iterator's memory */
    int64_t next;      /* offset of the next record */
    bool ended;        /* closed, and read to its end */
};

struct reader {
    struct stream *stream;
    const char *entity;
    char *name; /* of the Kinesis stream, and of its topic */
    char *into; /* the table */
    pthread_t thread;
    bool started;
    struct flow *flow;
    struct kinesis_client *client;
    char endpoint[512];
    struct shard *shards;
    size_t shard_count;
    struct arena names; /* of shards */
    /* the micro-batch; values are positions in `data` (as pointers from NULL) until it is complete */
    struct raw_record *records;
    size_t count, most;
    struct buf data;
    int64_t trigger_ms, due_ms; /* steady clock: when what has gathered is committed */
    int64_t trouble_since_ms;   /* steady clock; 0: all is well */
    bool said;                  /* that there is trouble */
    int64_t retry_ms;
    struct metric *records_total, *commits_total, *behind_ms;
};

struct stream {
    const struct config *config;
    struct disk *disk;
    struct sql_db *db;
    atomic_bool stop;
    char *entities;
    struct reader *readers;
    size_t reader_count;
};

static bool must_stop(const struct reader *reader)
{
    return atomic_load(&reader->stream->stop);
}

static void pause_ms(const struct reader *reader, int64_t ms)
{
    for (; ms > 0 && !must_stop(reader); ms -= 50)
        clock_sleep_ms(ms < 50 ? ms : 50);
}

/* Say what is wrong, once, and wait a little longer each time. */
static void trouble(struct reader *reader)
{
    int64_t now_ms = clock_steady_ms();

    if (reader->trouble_since_ms == 0)
        reader->trouble_since_ms = now_ms;
    if (!reader->said && now_ms - reader->trouble_since_ms >= SAY_AFTER_MS) {
        trace_warn("stream", "%s: %s; trying again until it works", reader->name, err_sentence());
        reader->said = true;
    }
    pause_ms(reader, reader->retry_ms);
    reader->retry_ms = reader->retry_ms * 2 < RETRY_MS_MOST ? reader->retry_ms * 2 : RETRY_MS_MOST;
}

static void trouble_is_over(struct reader *reader)
{
    if (reader->said)
        trace_info("stream", "%s: goes on", reader->name);
    reader->said = false;
    reader->trouble_since_ms = 0;
    reader->retry_ms = IDLE_MS;
}

/* ---- shards ---- */

static void forget_iterator(struct shard *shard)
{
    arena_release(&shard->text);
    shard->iterator = NULL;
}

static void disconnect(struct reader *reader)
{
    for (size_t i = 0; i < reader->shard_count; i++)
        arena_release(&reader->shards[i].text);
    free(reader->shards);
    reader->shards = NULL;
    reader->shard_count = 0;
    arena_release(&reader->names);
    kinesis_close(reader->client);
    reader->client = NULL;
}

static enum err find_kinesis(struct reader *reader)
{
    const char *given = config_text(reader->stream->config, "kinesis.endpoint");
    char door[300];
    enum err err;

    if (*given) {
        if (strlen(given) >= sizeof(reader->endpoint))
            return err_note(ERR_INVALID, "kinesis.endpoint is longer than %zu bytes",
                            sizeof(reader->endpoint) - 1);
        memcpy(reader->endpoint, given, strlen(given) + 1);
        return ERR_OK;
    }
    err = config_door(reader->stream->config, "http", door);
    if (!err)
        snprintf(reader->endpoint, sizeof(reader->endpoint), "http://%s", door);
    return err;
}

/* shardId-000000000003 is partition 3 of the stream's topic. */
static enum err partition_of(const char *shard_id, int32_t *out)
{
    const char *dash = strrchr(shard_id, '-');
    char *end = NULL;
    long long number = dash ? strtoll(dash + 1, &end, 10) : -1;

    if (number < 0 || number > INT32_MAX || !end || *end)
        return err_note(ERR_UNSUPPORTED, "the shard id %.128s does not end in a number", shard_id);
    *out = (int32_t)number;
    return ERR_OK;
}

/* Open the connection and list the shards, each to go on where the table is. */
static enum err connect_shards(struct reader *reader)
{
    struct kinesis_shard *shards = NULL;
    size_t count = 0;
    enum err err;

    disconnect(reader);
    err = find_kinesis(reader);
    if (!err)
        err = kinesis_open(&reader->client, reader->endpoint,
                           config_text(reader->stream->config, "kinesis.region"));
    if (!err)
        err = kinesis_shards(reader->client, reader->name, &reader->names, &shards, &count);
    if (err)
        return err;
    reader->shards = calloc(count ? count : 1, sizeof(*reader->shards));
    if (!reader->shards)
        return err_note(ERR_NO_MEMORY, "out of memory for the shards of %s", reader->name);
    for (size_t i = 0; !err && i < count; i++) {
        struct shard *shard = &reader->shards[i];

        shard->id = shards[i].id;
        if (sequence_parse(bytes_of_text(shards[i].start), &shard->created_s, NULL, NULL))
            shard->created_s = 0;
        shard->text = arena_init(128 << 10);
        err = partition_of(shards[i].id, &shard->partition);
        if (!err)
            shard->next = flow_position(reader->flow, reader->name, shard->partition);
        reader->shard_count++;
    }
    return err;
}

/* An iterator behind the last record that was taken. Its sequence number is made anew from the offset: of one of ours
 * the door compares the stream's creation and the shard, not the arrival. */
static enum err renew_iterator(struct reader *reader, struct shard *shard)
{
    char after[SEQUENCE_TEXT_BYTES];

    forget_iterator(shard);
    if (shard->next > 0)
        sequence_format(shard->created_s, (uint32_t)shard->partition, shard->next - 1, 0, after);
    return kinesis_iterator(reader->client, reader->name, shard->id, shard->next > 0 ? after : NULL,
                            &shard->text, &shard->iterator);
}

/* ---- the micro-batch ---- */

static enum err gather_record(struct reader *reader, struct shard *shard, const struct kinesis_record *record)
{
    int64_t offset = kinesis_offset_of(record->sequence_number);
    size_t at = reader->data.size;
    enum err err;

    if (offset < 0)
        return err_note(ERR_UNSUPPORTED, "the sequence number %.*s is not of a pinrail stream",
                        (int)(record->sequence_number.size < 128 ? record->sequence_number.size : 128),
                        (const char *)record->sequence_number.at);
    if (offset < shard->next)
        return ERR_OK; /* seen before */
    err = buf_add_bytes(&reader->data, record->data);
    if (err)
        return err;
    reader->records[reader->count++] = (struct raw_record){
        .value = {(const uint8_t *)at, record->data.size},
        .partition = shard->partition,
        .offset = offset,
    };
    shard->next = offset + 1;
    return ERR_OK;
}

static bool has_room(const struct reader *reader)
{
    return reader->count < reader->most && reader->data.size < BATCH_BYTES_MOST;
}

/* Ask one shard once. *got counts the records it gave. */
static enum err ask_shard(struct reader *reader, struct shard *shard, size_t *got)
{
    struct kinesis_records answer = {0};
    size_t room = reader->most - reader->count;
    struct bytes next;
    enum err err = shard->iterator ? ERR_OK : renew_iterator(reader, shard);

    if (!err)
        err = kinesis_get(reader->client, shard->iterator,
                          room < GET_RECORDS_MOST ? (int)room : GET_RECORDS_MOST, &answer);
    if (err == ERR_RANGE ||
        err == ERR_BUSY) { /* expired: the next turn asks for another; too fast: it waits */
        if (err == ERR_RANGE)
            forget_iterator(shard);
        return ERR_OK;
    }
    for (size_t i = 0; !err && i < answer.count && i < room; i++)
        err = gather_record(reader, shard, &answer.records[i]);
    if (err) {
        forget_iterator(shard);
        return err;
    }
    *got += answer.count;
    metric_set(reader->behind_ms, answer.behind_ms);
    next = bytes_of_text(answer.next_iterator);
    forget_iterator(shard);
    shard->ended = next.size == 0;
    if (!shard->ended)
        shard->iterator = arena_text(&shard->text, next);
    return ERR_OK;
}

/* Values were positions, because the buffer moved while it grew: make them pointers. */
static void complete(struct reader *reader)
{
    /* Even an empty value has an address: without one it would be no value at all. */
    static const uint8_t empty;

    for (size_t i = 0; i < reader->count; i++) {
        struct bytes *value = &reader->records[i].value;

        value->at = value->size > 0 ? reader->data.at + (uintptr_t)value->at : &empty;
    }
}

/* Commit what has gathered, until it works or we are asked to stop. */
static void commit(struct reader *reader)
{
    struct flow_result done;

    complete(reader);
    for (;;) {
        enum err err = flow_commit(reader->flow, reader->name, reader->records, reader->count,
                                   "STREAMING UPDATE", &done);

        if (!err)
            break;
        if (must_stop(reader))
            return;
        trouble(reader);
    }
    trouble_is_over(reader);
    metric_add(reader->records_total, (int64_t)reader->count);
    metric_add(reader->commits_total, 1);
    reader->count = 0;
    buf_clear(&reader->data);
}

/* ---- the reader ---- */

/* Ask every shard once. */
static enum err ask_all(struct reader *reader, size_t *got)
{
    enum err err = ERR_OK;

    *got = 0;
    for (size_t i = 0; !err && i < reader->shard_count && has_room(reader); i++)
        if (!reader->shards[i].ended)
            err = ask_shard(reader, &reader->shards[i], got);
    return err;
}

/* How long to wait before asking again: not past the time when what has gathered is due. */
static int64_t idle_ms(const struct reader *reader, size_t got, int64_t now_ms)
{
    int64_t wait_ms = got ? FEW_MS : IDLE_MS;

    return reader->count > 0 && reader->due_ms - now_ms < wait_ms ? reader->due_ms - now_ms : wait_ms;
}

static void read_stream(struct reader *reader)
{
    reader->due_ms = clock_steady_ms();
    while (!must_stop(reader)) {
        int64_t now_ms;
        size_t got = 0;
        enum err err = reader->client ? ERR_OK : connect_shards(reader);

        if (!err)
            err = ask_all(reader, &got);
        if (err) {
            disconnect(reader);
            if (reader->count > 0)
                commit(reader); /* the shards begin behind what the table has */
            trouble(reader);
            continue;
        }
        trouble_is_over(reader);
        now_ms = clock_steady_ms();
        if (reader->count > 0 && (now_ms >= reader->due_ms || !has_room(reader))) {
            reader->due_ms = now_ms + reader->trigger_ms;
            commit(reader);
        } else if (got < FEW_RECORDS) {
            pause_ms(reader, idle_ms(reader, got, now_ms));
        }
    }
    if (reader->count > 0)
        commit(reader);
}

static void *run(void *arg)
{
    struct reader *reader = arg;
    struct stream *stream = reader->stream;

    while (!must_stop(reader)) {
        if (!flow_open(&reader->flow, stream->config, stream->disk, stream->db, reader->entity,
                       reader->into)) {
            read_stream(reader);
            break;
        }
        trouble(reader);
    }
    disconnect(reader);
    flow_close(reader->flow);
    reader->flow = NULL;
    return NULL;
}

/* ---- for others ---- */

static void reader_release(struct reader *reader)
{
    free(reader->name);
    free(reader->into);
    free(reader->records);
    buf_release(&reader->data);
}

static enum err reader_init(struct reader *reader, struct stream *stream, const char *entity)
{
    const char *user = config_text(stream->config, "user");
    char labels[400];

    *reader = (struct reader){
        .stream = stream,
        .entity = entity,
        .names = arena_init(16 << 20),
        .data = buf_init(BATCH_BYTES_MOST + GET_BYTES_MOST),
        .most = (size_t)config_integer(stream->config, "stream.batch.records"),
        .trigger_ms = config_integer(stream->config, "stream.trigger.ms"),
        .retry_ms = IDLE_MS,
    };
    if (asprintf(&reader->name, "streaming-%s-%s", user, entity) < 0)
        reader->name = NULL;
    if (asprintf(&reader->into, "%s_%s_%s", user, entity, config_text(stream->config, "stream.into")) < 0)
        reader->into = NULL;
    reader->records = malloc(reader->most * sizeof(*reader->records));
    if (!reader->name || !reader->into || !reader->records)
        return err_note(ERR_NO_MEMORY, "out of memory for the stream of %s", entity);
    snprintf(labels, sizeof(labels), "stream=\"%.300s\"", reader->name);
    reader->records_total =
        metric_counter("pinrail_stream_records_total", labels, "Records committed from streams");
    reader->commits_total = metric_counter("pinrail_stream_commits_total", labels, "Micro-batches committed");
    reader->behind_ms = metric_gauge("pinrail_stream_behind_milliseconds", labels,
                                     "How far the last answer was behind the newest record");
    return ERR_OK;
}

static enum err start_readers(struct stream *stream)
{
    char *rest = NULL;
    size_t room = 1;

    for (const char *at = stream->entities; *at; at++)
        room += *at == ',';
    stream->readers = calloc(room, sizeof(*stream->readers));
    if (!stream->readers)
        return err_note(ERR_NO_MEMORY, "out of memory for the streams");
    for (char *entity = strtok_r(stream->entities, ", ", &rest); entity && stream->reader_count < room;
         entity = strtok_r(NULL, ", ", &rest)) {
        struct reader *reader = &stream->readers[stream->reader_count++];
        enum err err = reader_init(reader, stream, entity);

        if (err)
            return err;
        if (pthread_create(&reader->thread, NULL, run, reader) != 0)
            return err_note(ERR_IO, "cannot start the thread of stream %s", reader->name);
        reader->started = true;
    }
    return ERR_OK;
}

enum err stream_start(struct stream **out, const struct config *config, struct disk *disk, struct sql_db *db)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    enum err err;

    if (!stream)
        return err_note(ERR_NO_MEMORY, "out of memory for the streams");
    stream->config = config;
    stream->disk = disk;
    stream->db = db;
    stream->entities = strdup(config_text(config, "entities"));
    err = stream->entities ? start_readers(stream) : err_note(ERR_NO_MEMORY, "out of memory for the streams");
    if (!err) {
        *out = stream;
        stream = NULL;
    }
    stream_stop(stream);
    return err;
}

void stream_stop(struct stream *stream)
{
    if (!stream)
        return;
    atomic_store(&stream->stop, true);
    for (size_t i = 0; i < stream->reader_count; i++) {
        if (stream->readers[i].started)
            pthread_join(stream->readers[i].thread, NULL);
        reader_release(&stream->readers[i]);
    }
    free(stream->readers);
    free(stream->entities);
    free(stream);
}
