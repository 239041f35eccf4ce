/* kafka_fetch.c - records out.
 *
 * A fetch waits until there is enough (min_bytes) or its time (max_wait) is up. What was read before is kept while it
 * waits, so that no byte is read twice; `next_offset` says where each partition goes on. */
#include "gateway/kafka_call.h"

struct fetch_part {
    int32_t index, leader_epoch;
    int64_t offset; /* asked for */
    int32_t bytes_most;
    struct partition *partition;
    int64_t next_offset;
    struct buf records;
    enum kafka_code code;
};

struct fetch_topic {
    const char *name;
    struct fetch_part *parts;
    size_t part_count;
};

struct fetch {
    int32_t wait_ms, bytes_least, bytes_most;
    int32_t session_id, session_epoch;
    struct fetch_topic *topics;
    size_t topic_count;
    size_t bytes; /* read so far */
    enum kafka_code code;
};

enum {
    FETCH_LEAST = 64 << 10, /* even when much is unsent, so that all readers go on */
    HELD_MOST = 1 << 20,    /* min_bytes above this are not waited for: what is held meanwhile is memory */
    UNSENT_WISHED = 64 << 20,
    BATCH_LENGTH_AT = 8,
    BATCH_HEAD = 12, /* base offset and length: the length counts from behind them */
    BATCH_LAST_DELTA_AT = 23,
};

static void decode_part(struct kafka_in *in, int16_t version, struct fetch_part *part)
{
    part->index = in_i32(in);
    part->leader_epoch = version >= 9 ? in_i32(in) : -1;
    part->offset = part->next_offset = in_i64(in);
    if (version >= 12)
        in_i32(in); /* epoch of the last record it has: ours never change */
    if (version >= 5)
        in_i64(in); /* a follower's log start */
    part->bytes_most = in_i32(in);
    in_tags(in);
}

static enum err decode(struct kafka_in *in, int16_t version, struct fetch *fetch)
{
    in_i32(in); /* the replica: -1, a consumer */
    fetch->wait_ms = in_i32(in);
    fetch->bytes_least = in_i32(in);
    fetch->bytes_most = version >= 3 ? in_i32(in) : INT32_MAX;
    if (version >= 4)
        in_i8(in); /* isolation: without transactions both levels see the same */
    fetch->session_id = version >= 7 ? in_i32(in) : 0;
    fetch->session_epoch = version >= 7 ? in_i32(in) : -1;
    fetch->topic_count = in_items(in);
    fetch->topics = in_room(in, fetch->topic_count, sizeof(*fetch->topics));
    for (size_t t = 0; t < fetch->topic_count && !in->err; t++) {
        struct fetch_topic *topic = &fetch->topics[t];
        topic->name = in_text(in);
        topic->part_count = in_items(in);
        topic->parts = in_room(in, topic->part_count, sizeof(*topic->parts));
        for (size_t p = 0; p < topic->part_count && !in->err; p++)
            decode_part(in, version, &topic->parts[p]);
        in_tags(in);
    }
    /* What follows (topics that a session forgets, the client's rack) means nothing without sessions and racks. */
    return in_end(in);
}

static void release(void *state)
{
    struct fetch *fetch = state;

    for (size_t t = 0; t < fetch->topic_count; t++) {
        for (size_t p = 0; p < fetch->topics[t].part_count; p++) {
            partition_put(fetch->topics[t].parts[p].partition);
            buf_release(&fetch->topics[t].parts[p].records);
        }
    }
}

static void open_part(struct kafka_call *call, const struct fetch_topic *topic, struct fetch_part *part)
{
    part->records = buf_init(KAFKA_REPLY_MOST);
    if (call->version < call->api->served) {
        part->code = KAFKA_UNSUPPORTED_VERSION;
        return;
    }
    part->partition = log_partition(call->log, topic->name, part->index);
    if (!part->partition)
        part->code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    else if (part->leader_epoch > KAFKA_LEADER_EPOCH)
        part->code = KAFKA_UNKNOWN_LEADER_EPOCH;
}

/* Where reading goes on behind the whole batches from `from` on. */
static int64_t offset_behind(struct bytes records, size_t from, int64_t offset)
{
    while (records.size - from >= BATCH_HEADER_BYTES) {
        const uint8_t *batch = records.at + from;
        offset = (int64_t)get_u64(batch) + (int32_t)get_u32(batch + BATCH_LAST_DELTA_AT) + 1;
        from += BATCH_HEAD + get_u32(batch + BATCH_LENGTH_AT);
        if (from > records.size)
            break;
    }
    return offset;
}

static size_t less(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void read_part(struct fetch *fetch, struct fetch_part *part, size_t most)
{
    size_t before = part->records.size, part_most = part->bytes_most > 0 ? (size_t)part->bytes_most : 0;
    size_t room = less(most - less(most, fetch->bytes), part_most - less(part_most, before));
    enum err err;

    if (room == 0 && fetch->bytes > 0)
        return; /* but the first batch of an answer is given over every limit, or the reader would stand still */
    err = partition_read(part->partition, part->next_offset, room, &part->records);
    if (err && before > 0)
        return; /* trimmed or offline meanwhile: the next fetch will hear of it */
    if (err) {
        part->code = kafka_code_of(err);
        return;
    }
    part->next_offset = offset_behind(buf_bytes(&part->records), before, part->next_offset);
    fetch->bytes += part->records.size - before;
}

/* Read what has come. True: there is something that must be answered at once. */
static bool read_all(struct fetch *fetch, size_t most)
{
    bool must_answer = fetch->code != KAFKA_NONE || fetch->topic_count == 0;

    for (size_t t = 0; t < fetch->topic_count; t++) {
        for (size_t p = 0; p < fetch->topics[t].part_count; p++) {
            struct fetch_part *part = &fetch->topics[t].parts[p];
            if (!part->code && part->next_offset != partition_end_offset(part->partition))
                read_part(fetch, part, most);
            must_answer = must_answer || part->code;
        }
    }
    return must_answer;
}

static void encode_part(struct kafka_out *out, int16_t version, const struct fetch_part *part)
{
    int64_t end = part->partition ? partition_end_offset(part->partition) : -1;
    struct bytes records = buf_bytes(&part->records);

    out_i32(out, part->index);
    out_i16(out, (int16_t)part->code);
    out_i64(out, end);
    if (version >= 4)
        out_i64(out, end); /* the last stable offset: no transaction is ever open */
    if (version >= 5)
        out_i64(out, part->partition ? partition_start_offset(part->partition) : -1);
    if (version >= 4)
        out_count(out, -1); /* aborted transactions */
    if (version >= 11)
        out_i32(out, -1); /* no better replica to read from */
    out_bytes(out, records.at ? records : bytes_of("", 0));
    out_tags(out);
}

static void encode(struct kafka_out *out, int16_t version, const struct fetch *fetch)
{
    if (version >= 1)
        out_i32(out, 0); /* throttle time */
    if (version >= 7) {
        out_i16(out, (int16_t)fetch->code);
        out_i32(out, 0); /* no session */
    }
    out_count(out, fetch->code ? 0 : (int32_t)fetch->topic_count);
    for (size_t t = 0; t < fetch->topic_count && !fetch->code; t++) {
        const struct fetch_topic *topic = &fetch->topics[t];
        out_text(out, topic->name);
        out_count(out, (int32_t)topic->part_count);
        for (size_t p = 0; p < topic->part_count; p++)
            encode_part(out, version, &topic->parts[p]);
        out_tags(out);
    }
    out_tags(out);
}

/* Slow readers make everybody's answers smaller, so that memory stays bounded. */
static size_t bytes_most(const struct kafka_call *call, const struct fetch *fetch)
{
    size_t room = call->unsent_bytes < UNSENT_WISHED ? KAFKA_FETCH_MOST : FETCH_LEAST;

    return fetch->bytes_most > 0 ? less((size_t)fetch->bytes_most, room) : 0;
}

static enum err look(struct kafka_call *call)
{
    struct fetch *fetch = call->state;
    size_t most = bytes_most(call, fetch);
    bool must_answer = read_all(fetch, most);
    size_t enough = fetch->bytes_least > 0 ? less((size_t)fetch->bytes_least, less(most, HELD_MOST)) : 0;

    if (!must_answer && !call->expired && fetch->bytes < enough)
        return ERR_BUSY;
    encode(&call->out, call->version, fetch);
    return ERR_OK;
}

enum err kafka_fetch(struct kafka_call *call)
{
    struct fetch *fetch = arena_take(&call->arena, sizeof(*fetch));
    enum err err;

    if (!fetch)
        return ERR_NO_MEMORY;
    err = decode(&call->in, call->version, fetch);
    if (err)
        return err;
    if (fetch->session_id != 0 && fetch->session_epoch > 0)
        fetch->code = KAFKA_FETCH_SESSION_ID_NOT_FOUND; /* the client starts over with a full fetch */
    call->state = fetch;
    call->release = release;
    for (size_t t = 0; t < fetch->topic_count; t++)
        for (size_t p = 0; p < fetch->topics[t].part_count; p++)
            open_part(call, &fetch->topics[t], &fetch->topics[t].parts[p]);
    call->expired = fetch->wait_ms <= 0 || call->is_stopping;
    err = look(call);
    return err == ERR_BUSY ? kafka_park(call, look, fetch->wait_ms) : err;
}
