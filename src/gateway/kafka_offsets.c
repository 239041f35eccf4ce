/* kafka_offsets.c - where records are, and how far groups have read: ListOffsets, OffsetForLeaderEpoch, OffsetCommit,
 * OffsetFetch, OffsetDelete. */
#include "base/clock.h"
#include "gateway/kafka_call.h"

/* ---- ListOffsets ---- */

enum { TIME_LATEST = -1, TIME_EARLIEST = -2, TIME_MAX = -3 };

struct list_part {
    int32_t index, leader_epoch;
    int64_t time_ms;
};

struct list_topic {
    const char *name;
    struct list_part *parts;
    size_t part_count;
};

static struct list_topic *decode_list(struct kafka_in *in, int16_t version, size_t *count)
{
    struct list_topic *topics;

    in_i32(in); /* the replica */
    if (version >= 2)
        in_i8(in); /* isolation */
    *count = in_items(in);
    topics = in_room(in, *count, sizeof(*topics));
    for (size_t t = 0; t < *count && !in->err; t++) {
        struct list_topic *topic = &topics[t];
        topic->name = in_text(in);
        topic->part_count = in_items(in);
        topic->parts = in_room(in, topic->part_count, sizeof(*topic->parts));
        for (size_t p = 0; p < topic->part_count && !in->err; p++) {
            topic->parts[p].index = in_i32(in);
            topic->parts[p].leader_epoch = version >= 4 ? in_i32(in) : -1;
            topic->parts[p].time_ms = in_i64(in);
            in_tags(in);
        }
        in_tags(in);
    }
    in_tags(in);
    return topics;
}

static enum kafka_code find_offset(struct kafka_call *call, const char *topic, const struct list_part *part,
                                   int64_t *offset, int64_t *time_ms)
{
    struct partition *partition = log_partition(call->log, topic, part->index);
    enum err err = ERR_OK;

    if (!partition)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (part->leader_epoch > KAFKA_LEADER_EPOCH) {
        partition_put(partition);
        return KAFKA_UNKNOWN_LEADER_EPOCH;
    }
    if (part->time_ms == TIME_LATEST)
        *offset = partition_end_offset(partition);
    else if (part->time_ms == TIME_EARLIEST)
        *offset = partition_start_offset(partition);
    else if (part->time_ms == TIME_MAX)
        err = partition_max_time(partition, offset, time_ms);
    else
        err = partition_find_time(partition, part->time_ms, offset, time_ms);
    partition_put(partition);
    if (err == ERR_END) { /* no such record: said by -1, not by an error */
        *offset = *time_ms = -1;
        return KAFKA_NONE;
    }
    return kafka_code_of(err);
}

enum err kafka_list_offsets(struct kafka_call *call)
{
    struct kafka_out *out = &call->out;
    size_t count;
    struct list_topic *topics = decode_list(&call->in, call->version, &count);

    if (in_end(&call->in))
        return in_end(&call->in);
    if (call->version >= 2)
        out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)count);
    for (size_t t = 0; t < count; t++) {
        out_text(out, topics[t].name);
        out_count(out, (int32_t)topics[t].part_count);
        for (size_t p = 0; p < topics[t].part_count; p++) {
            int64_t offset = -1, time_ms = -1;
            enum kafka_code code = find_offset(call, topics[t].name, &topics[t].parts[p], &offset, &time_ms);
            out_i32(out, topics[t].parts[p].index);
            out_i16(out, (int16_t)code);
            out_i64(out, time_ms);
            out_i64(out, offset);
            if (call->version >= 4)
                out_i32(out, offset < 0 ? -1 : KAFKA_LEADER_EPOCH);
            out_tags(out);
        }
        out_tags(out);
    }
    out_tags(out);
    return ERR_OK;
}

/* ---- OffsetForLeaderEpoch ---- */

enum err kafka_offset_for_leader_epoch(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t topic_count;

    if (call->version >= 3)
        in_i32(in); /* the replica */
    topic_count = in_items(in);
    out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)topic_count);
    for (size_t t = 0; t < topic_count && !in->err; t++) {
        const char *topic = in_text(in);
        size_t part_count = in_items(in);
        out_text(out, topic);
        out_count(out, (int32_t)part_count);
        for (size_t p = 0; p < part_count && !in->err; p++) {
            int32_t index = in_i32(in), current = in_i32(in), asked = in_i32(in);
            struct partition *partition = log_partition(call->log, topic, index);
            bool known = partition && current <= KAFKA_LEADER_EPOCH && asked == KAFKA_LEADER_EPOCH;
            in_tags(in);
            out_i16(out, !partition                     ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION
                         : current > KAFKA_LEADER_EPOCH ? KAFKA_UNKNOWN_LEADER_EPOCH
                                                        : KAFKA_NONE);
            out_i32(out, index);
            out_i32(out, known ? KAFKA_LEADER_EPOCH : -1);
            out_i64(out, known ? partition_end_offset(partition) : -1);
            out_tags(out);
            partition_put(partition);
        }
        in_tags(in);
        out_tags(out);
    }
    out_tags(out);
    return in_end(in);
}

/* ---- OffsetCommit ---- */

struct commit_part {
    int32_t index, leader_epoch;
    int64_t offset;
    struct bytes metadata; /* in the request */
    struct partition *where;
    int64_t end_offset;
    enum kafka_code code;
};

struct commit_topic {
    const char *name;
    struct commit_part *parts;
    size_t part_count;
};

struct commit {
    struct group_speaker who;
    int32_t generation;
    struct commit_topic *topics;
    size_t topic_count;
};

static enum err decode_commit(struct kafka_in *in, int16_t version, struct commit *commit)
{
    commit->who.group = in_text(in);
    commit->generation = in_i32(in);
    commit->who.member_id = in_text(in);
    if (version >= 7)
        commit->who.instance_id = in_text_or_null(in);
    if (version <= 4)
        in_i64(in); /* retention of this commit: the group's rules hold */
    commit->topic_count = in_items(in);
    commit->topics = in_room(in, commit->topic_count, sizeof(*commit->topics));
    for (size_t t = 0; t < commit->topic_count && !in->err; t++) {
        struct commit_topic *topic = &commit->topics[t];
        topic->name = in_text(in);
        topic->part_count = in_items(in);
        topic->parts = in_room(in, topic->part_count, sizeof(*topic->parts));
        for (size_t p = 0; p < topic->part_count && !in->err; p++) {
            struct commit_part *part = &topic->parts[p];
            part->index = in_i32(in);
            part->offset = in_i64(in);
            part->leader_epoch = version >= 6 ? in_i32(in) : -1;
            part->metadata = in_text_view(in);
            in_tags(in);
        }
        in_tags(in);
    }
    in_tags(in);
    return in_end(in);
}

static void release_commit(void *state)
{
    struct commit *commit = state;

    for (size_t t = 0; t < commit->topic_count; t++)
        for (size_t p = 0; p < commit->topics[t].part_count; p++)
            partition_put(commit->topics[t].parts[p].where);
}

static enum kafka_code commit_part(struct kafka_call *call, const char *group, const char *topic,
                                   struct commit_part *part)
{
    struct partition *partition = log_partition(call->log, topic, part->index);
    enum err err;

    if (!partition)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    partition_put(partition);
    err = log_offset_commit(call->log, group, topic, part->index, part->offset, part->leader_epoch,
                            part->metadata, &part->where, &part->end_offset);
    return err == ERR_TOO_LARGE ? KAFKA_OFFSET_METADATA_TOO_LARGE : kafka_code_of(err);
}

static bool commit_is_settled(struct kafka_call *call, struct commit *commit)
{
    for (size_t t = 0; t < commit->topic_count; t++) {
        for (size_t p = 0; p < commit->topics[t].part_count; p++) {
            struct commit_part *part = &commit->topics[t].parts[p];
            enum err err = part->where ? partition_settled(part->where, part->end_offset) : ERR_OK;
            if (err == ERR_BUSY && !call->expired)
                return false;
            if (!err)
                continue;
            part->code = err == ERR_BUSY ? KAFKA_REQUEST_TIMED_OUT : KAFKA_COORDINATOR_NOT_AVAILABLE;
            partition_put(part->where);
            part->where = NULL;
        }
    }
    return true;
}

static enum err look_at_commit(struct kafka_call *call)
{
    struct commit *commit = call->state;
    struct kafka_out *out = &call->out;

    if (!commit_is_settled(call, commit))
        return ERR_BUSY;
    if (call->version >= 3)
        out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)commit->topic_count);
    for (size_t t = 0; t < commit->topic_count; t++) {
        out_text(out, commit->topics[t].name);
        out_count(out, (int32_t)commit->topics[t].part_count);
        for (size_t p = 0; p < commit->topics[t].part_count; p++) {
            out_i32(out, commit->topics[t].parts[p].index);
            out_i16(out, (int16_t)commit->topics[t].parts[p].code);
            out_tags(out);
        }
        out_tags(out);
    }
    out_tags(out);
    return ERR_OK;
}

enum err kafka_offset_commit(struct kafka_call *call)
{
    enum { COMMIT_WAIT_MS = 5000 }; /* Kafka's offsets.commit.timeout.ms */
    struct commit *commit = arena_take(&call->arena, sizeof(*commit));
    enum kafka_code code;
    enum err err;

    if (!commit)
        return ERR_NO_MEMORY;
    err = decode_commit(&call->in, call->version, commit);
    if (err)
        return err;
    call->state = commit;
    call->release = release_commit;
    call->waits_for_commit = true;
    code = kafka_code_of_group(
        group_may_commit(call->groups, &commit->who, commit->generation, clock_steady_ms()));
    for (size_t t = 0; t < commit->topic_count; t++) {
        struct commit_topic *topic = &commit->topics[t];
        for (size_t p = 0; p < topic->part_count; p++)
            topic->parts[p].code =
                code ? code : commit_part(call, commit->who.group, topic->name, &topic->parts[p]);
    }
    err = look_at_commit(call);
    return err == ERR_BUSY ? kafka_park(call, look_at_commit, COMMIT_WAIT_MS) : err;
}

/* ---- OffsetFetch ---- */

struct wanted_topic {
    const char *name;
    int32_t *parts;
    size_t part_count;
};

struct wanted {
    const char *group;
    bool everything; /* all that the group has committed */
    struct wanted_topic *topics;
    size_t topic_count;
};

static void decode_wanted(struct kafka_in *in, struct wanted *wanted)
{
    int32_t count;

    wanted->group = in_text(in);
    count = in_count(in);
    wanted->everything = count < 0;
    wanted->topic_count = count < 0 ? 0 : (size_t)count;
    wanted->topics = in_room(in, wanted->topic_count, sizeof(*wanted->topics));
    for (size_t t = 0; t < wanted->topic_count && !in->err; t++) {
        struct wanted_topic *topic = &wanted->topics[t];
        topic->name = in_text(in);
        topic->part_count = in_items(in);
        topic->parts = in_room(in, topic->part_count, sizeof(*topic->parts));
        for (size_t p = 0; p < topic->part_count && !in->err; p++)
            topic->parts[p] = in_i32(in);
        in_tags(in);
    }
}

static void encode_committed(struct kafka_call *call, int32_t index, const struct committed *committed)
{
    struct kafka_out *out = &call->out;

    out_i32(out, index);
    out_i64(out, committed ? committed->offset : -1);
    if (call->version >= 5)
        out_i32(out, committed ? committed->leader_epoch : -1);
    out_text(out, committed ? committed->metadata : "");
    out_i16(out, KAFKA_NONE); /* nothing committed is no error */
    out_tags(out);
}

static void encode_wanted(struct kafka_call *call, const struct wanted *wanted)
{
    struct kafka_out *out = &call->out;

    out_count(out, (int32_t)wanted->topic_count);
    for (size_t t = 0; t < wanted->topic_count; t++) {
        const struct wanted_topic *topic = &wanted->topics[t];
        out_text(out, topic->name);
        out_count(out, (int32_t)topic->part_count);
        for (size_t p = 0; p < topic->part_count; p++) {
            struct committed committed;
            enum err err = log_offset_fetch(call->log, wanted->group, topic->name, topic->parts[p],
                                            &call->arena, &committed);
            encode_committed(call, topic->parts[p], err ? NULL : &committed);
        }
        out_tags(out);
    }
}

/* Everything the group has, a run of entries of one topic at a time. */
static enum err encode_everything(struct kafka_call *call, const char *group)
{
    struct kafka_out *out = &call->out;
    struct committed_entry *entries;
    size_t count, topic_count = 0;
    enum err err = log_offset_list(call->log, group, &call->arena, &entries, &count);

    if (err)
        return err;
    for (size_t i = 0; i < count; i++)
        topic_count += i == 0 || strcmp(entries[i].topic, entries[i - 1].topic) != 0;
    out_count(out, (int32_t)topic_count);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && strcmp(entries[to].topic, entries[from].topic) == 0;)
            to++;
        out_text(out, entries[from].topic);
        out_count(out, (int32_t)(to - from));
        for (size_t i = from; i < to; i++)
            encode_committed(call, entries[i].partition, &entries[i].committed);
        out_tags(out);
    }
    return ERR_OK;
}

enum err kafka_offset_fetch(struct kafka_call *call)
{
    bool many = call->version >= 8; /* groups in one request */
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t count = many ? in_items(in) : 1;
    struct wanted *wanted = in_room(in, count, sizeof(*wanted));
    enum err err;

    for (size_t g = 0; g < count && !in->err; g++) {
        decode_wanted(in, &wanted[g]);
        if (many)
            in_tags(in);
    }
    if (call->version >= 7)
        in_bool(in); /* require stable: no transaction is ever open */
    in_tags(in);
    err = in_end(in);
    if (err)
        return err;

    if (call->version >= 3)
        out_i32(out, 0); /* throttle time */
    if (many)
        out_count(out, (int32_t)count);
    for (size_t g = 0; g < count && !err; g++) {
        if (many)
            out_text(out, wanted[g].group);
        if (wanted[g].everything)
            err = encode_everything(call, wanted[g].group);
        else
            encode_wanted(call, &wanted[g]);
        if (call->version >= 2)
            out_i16(out, KAFKA_NONE);
        if (many)
            out_tags(out);
    }
    out_tags(out);
    return err;
}

/* ---- OffsetDelete ---- */

/* Does the metadata of a consumer (version i16, topics) name the topic? */
static bool metadata_names(struct kafka_call *call, struct bytes metadata, const char *topic)
{
    struct kafka_in in = {metadata.at, metadata.at + metadata.size, &call->arena, false, ERR_OK};

    in_i16(&in);
    for (size_t left = in_items(&in); left > 0 && !in.err; left--)
        if (bytes_equal(in_text_view(&in), bytes_of_text(topic)))
            return !in.err;
    return false;
}

static enum kafka_code delete_offset(struct kafka_call *call, const struct group_info *info,
                                     const char *group, const char *topic, int32_t index)
{
    enum err err;

    for (size_t i = 0; i < info->member_count; i++)
        if (strcmp(info->protocol_type, "consumer") != 0 ||
            metadata_names(call, info->members[i].metadata, topic))
            return KAFKA_GROUP_SUBSCRIBED_TO_TOPIC;
    err = log_offset_delete(call->log, group, topic, index);
    return err == ERR_NOT_FOUND ? KAFKA_NONE : kafka_code_of(err);
}

enum err kafka_offset_delete(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    struct wanted wanted = {0};
    struct group_info info = {0};
    struct committed_entry *entries;
    size_t count = 0;
    bool known;

    decode_wanted(in, &wanted);
    if (in_end(in))
        return in_end(in);
    known = group_describe(call->groups, wanted.group, &call->arena, &info) == GROUP_OK ||
            (!log_offset_list(call->log, wanted.group, &call->arena, &entries, &count) && count > 0);

    out_i16(out, known ? KAFKA_NONE : KAFKA_GROUP_ID_NOT_FOUND);
    out_i32(out, 0); /* throttle time */
    out_count(out, known ? (int32_t)wanted.topic_count : 0);
    for (size_t t = 0; t < wanted.topic_count && known; t++) {
        out_text(out, wanted.topics[t].name);
        out_count(out, (int32_t)wanted.topics[t].part_count);
        for (size_t p = 0; p < wanted.topics[t].part_count; p++) {
            int32_t index = wanted.topics[t].parts[p];
            out_i32(out, index);
            out_i16(out, (int16_t)delete_offset(call, &info, wanted.group, wanted.topics[t].name, index));
        }
    }
    return ERR_OK;
}
