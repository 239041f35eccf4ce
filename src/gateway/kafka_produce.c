/* kafka_produce.c - records in: Produce and InitProducerId. */
#include "gateway/kafka_call.h"

struct produce_part {
    int32_t index;
    struct bytes batch; /* in the request: gone once the call is parked */
    struct partition *partition;
    struct append append;
    enum kafka_code code;
    const char *message; /* a sentence that helps; NULL without an error */
    bool settled;
};

struct produce_topic {
    const char *name;
    struct produce_part *parts;
    size_t part_count;
};

struct produce {
    const char *transactional_id;
    int16_t acks;
    int32_t timeout_ms;
    struct produce_topic *topics;
    size_t topic_count;
};

static enum err decode(struct kafka_in *in, int16_t version, struct produce *produce)
{
    produce->transactional_id = version >= 3 ? in_text_or_null(in) : NULL;
    produce->acks = in_i16(in);
    produce->timeout_ms = in_i32(in);
    produce->topic_count = in_items(in);
    produce->topics = in_room(in, produce->topic_count, sizeof(*produce->topics));
    for (size_t t = 0; t < produce->topic_count && !in->err; t++) {
        struct produce_topic *topic = &produce->topics[t];
        topic->name = in_text(in);
        topic->part_count = in_items(in);
        topic->parts = in_room(in, topic->part_count, sizeof(*topic->parts));
        for (size_t p = 0; p < topic->part_count && !in->err; p++) {
            topic->parts[p].index = in_i32(in);
            topic->parts[p].batch = in_bytes(in);
            in_tags(in);
        }
        in_tags(in);
    }
    in_tags(in);
    return in_end(in);
}

static void release(void *state)
{
    struct produce *produce = state;

    for (size_t t = 0; t < produce->topic_count; t++)
        for (size_t p = 0; p < produce->topics[t].part_count; p++)
            partition_put(produce->topics[t].parts[p].partition);
}

static void refuse(struct kafka_call *call, struct produce_part *part, enum kafka_code code,
                   const char *message)
{
    part->code = code;
    part->message = arena_text(&call->arena, bytes_of_text(message));
    part->append.base_offset = -1;
    part->settled = true;
}

/* A batch of a kind that the log takes, but we do not (yet) act on as its producer means it. */
static const char *find_unsupported(struct bytes batch)
{
    enum { MAGIC_AT = 16, ATTRIBUTES_AT = 21, TRANSACTIONAL = 0x10, CONTROL = 0x20 };
    uint16_t attributes;

    if (batch.size < BATCH_HEADER_BYTES)
        return NULL;
    if (batch.at[MAGIC_AT] < 2)
        return "messages of the old formats (magic 0 and 1) are not taken; use a client of Kafka 0.11 or "
               "newer";
    attributes = get_u16(batch.at + ATTRIBUTES_AT);
    if (attributes & (TRANSACTIONAL | CONTROL))
        return "transactional batches are not taken";
    return NULL;
}

static void append_part(struct kafka_call *call, const struct produce *produce,
                        const struct produce_topic *topic, struct produce_part *part)
{
    const char *unsupported;
    enum err err;

    if (call->version < call->api->served)
        return refuse(call, part, KAFKA_UNSUPPORTED_VERSION, "");
    if (produce->acks < -1 || produce->acks > 1)
        return refuse(call, part, KAFKA_INVALID_REQUIRED_ACKS, "acks can be 0, 1 or all (-1)");
    if (kafka_topic_is_internal(topic->name))
        return refuse(call, part, KAFKA_INVALID_TOPIC, "internal topics are not for clients to write");
    if (!part->batch.at || part->batch.size == 0)
        return refuse(call, part, KAFKA_INVALID_RECORD, "a record batch is missing");
    unsupported = find_unsupported(part->batch);
    if (unsupported)
        return refuse(call, part, KAFKA_INVALID_RECORD, unsupported);
    part->partition = log_partition(call->log, topic->name, part->index);
    if (!part->partition)
        return refuse(call, part, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic or partition");
    err = partition_append(part->partition, part->batch, &part->append);
    if (err)
        refuse(call, part, kafka_code_of(err), err_sentence());
}

/* True when every batch is on disk, or will never be. */
static bool is_settled(struct kafka_call *call, struct produce *produce)
{
    bool all = true;

    for (size_t t = 0; t < produce->topic_count; t++) {
        for (size_t p = 0; p < produce->topics[t].part_count; p++) {
            struct produce_part *part = &produce->topics[t].parts[p];
            enum err err =
                part->settled ? ERR_OK : partition_settled(part->partition, part->append.end_offset);
            if (part->settled)
                continue;
            if (err == ERR_BUSY && call->expired)
                refuse(call, part, KAFKA_REQUEST_TIMED_OUT,
                       "the records were not on disk in time; they may be later");
            else if (err && err != ERR_BUSY)
                refuse(call, part, kafka_code_of(err), err_sentence());
            else if (!err)
                part->settled = true;
            else
                all = false;
        }
    }
    return all;
}

static void encode(struct kafka_out *out, int16_t version, const struct produce *produce)
{
    out_count(out, (int32_t)produce->topic_count);
    for (size_t t = 0; t < produce->topic_count; t++) {
        const struct produce_topic *topic = &produce->topics[t];
        out_text(out, topic->name);
        out_count(out, (int32_t)topic->part_count);
        for (size_t p = 0; p < topic->part_count; p++) {
            const struct produce_part *part = &topic->parts[p];
            out_i32(out, part->index);
            out_i16(out, (int16_t)part->code);
            out_i64(out, part->append.base_offset);
            if (version >= 2)
                out_i64(out, -1); /* log append time: records keep their own */
            if (version >= 5)
                out_i64(out, part->partition ? partition_start_offset(part->partition) : -1);
            if (version >= 8) {
                out_count(out, 0); /* errors of single records: a batch is taken whole or not at all */
                out_text(out, part->message);
            }
            out_tags(out);
        }
        out_tags(out);
    }
    if (version >= 1)
        out_i32(out, 0); /* throttle time */
    out_tags(out);
}

static enum err look(struct kafka_call *call)
{
    struct produce *produce = call->state;

    if (!is_settled(call, produce))
        return ERR_BUSY;
    encode(&call->out, call->version, produce);
    return ERR_OK;
}

enum err kafka_produce(struct kafka_call *call)
{
    struct produce *produce = arena_take(&call->arena, sizeof(*produce));
    enum err err;

    if (!produce)
        return ERR_NO_MEMORY;
    err = decode(&call->in, call->version, produce);
    if (err)
        return err; /* nothing was appended: a bad request is bad as a whole */
    call->state = produce;
    call->release = release;
    call->waits_for_commit = true;
    for (size_t t = 0; t < produce->topic_count; t++)
        for (size_t p = 0; p < produce->topics[t].part_count; p++)
            append_part(call, produce, &produce->topics[t], &produce->topics[t].parts[p]);
    if (produce->acks == 0)
        return ERR_END;
    err = look(call);
    return err == ERR_BUSY ? kafka_park(call, look, produce->timeout_ms > 0 ? produce->timeout_ms : 1) : err;
}

enum err kafka_init_producer_id(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    const char *transactional_id = in_text_or_null(in);
    int64_t producer_id = -1;
    enum kafka_code code;

    in_i32(in); /* the transaction's time limit */
    if (call->version >= 3) {
        in_i64(in); /* the id and epoch it had: without transactions it simply gets a new id */
        in_i16(in);
    }
    in_tags(in);
    if (in_end(in))
        return in_end(in);

    if (transactional_id)
        code = KAFKA_INVALID_REQUEST;
    else
        code = log_new_producer_id(call->log, &producer_id) ? KAFKA_COORDINATOR_NOT_AVAILABLE : KAFKA_NONE;

    out_i32(out, 0); /* throttle time */
    out_i16(out, (int16_t)code);
    out_i64(out, producer_id);
    out_i16(out, code ? -1 : 0);
    out_tags(out);
    return ERR_OK;
}
