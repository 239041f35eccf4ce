/* kafka_group.c - consumer groups on the wire: log/group.h keeps them, here they are only decoded and encoded. */
#include "base/clock.h"
#include "gateway/kafka_call.h"

/* A join or sync that waits for the other members. */
struct group_wait {
    struct group_speaker who;
    uint64_t ticket;
};

static struct group_wait *wait_new(struct kafka_call *call, const struct group_speaker *who)
{
    struct group_wait *wait = arena_take(&call->arena, sizeof(*wait));

    if (wait)
        wait->who = *who;
    return wait;
}

/* ---- FindCoordinator: it is always us ---- */

static void encode_coordinator(struct kafka_call *call, const char *key, bool is_group, bool many)
{
    struct kafka_out *out = &call->out;
    int16_t code = is_group ? KAFKA_NONE : KAFKA_COORDINATOR_NOT_AVAILABLE;
    const char *message = is_group ? NULL : "transactions are not served";

    if (many)
        out_text(out, key);
    if (!many)
        out_i16(out, code);
    if (!many && call->version >= 1)
        out_text(out, message);
    out_i32(out, is_group ? KAFKA_NODE_ID : -1);
    out_text(out, is_group ? call->host : "");
    out_i32(out, is_group ? call->port : -1);
    if (many) {
        out_i16(out, code);
        out_text(out, message);
    }
    out_tags(out);
}

enum err kafka_find_coordinator(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    bool many = call->version >= 4;
    const char *key = many ? "" : in_text(in);
    bool is_group = call->version < 1 || in_i8(in) == 0;
    size_t count = many ? in_items(in) : 0;
    const char **keys = in_room(in, count, sizeof(*keys));

    for (size_t i = 0; i < count && !in->err; i++)
        keys[i] = in_text(in);
    in_tags(in);
    if (in_end(in))
        return in_end(in);

    if (call->version >= 1)
        out_i32(out, 0); /* throttle time */
    if (!many) {
        encode_coordinator(call, key, is_group, false);
        return ERR_OK;
    }
    out_count(out, (int32_t)count);
    for (size_t i = 0; i < count; i++)
        encode_coordinator(call, keys[i], is_group, true);
    out_tags(out);
    return ERR_OK;
}

/* ---- JoinGroup ---- */

static enum err decode_join(struct kafka_call *call, struct group_join *join)
{
    struct kafka_in *in = &call->in;
    struct group_protocol *protocols;

    join->who.group = in_text(in);
    join->session_timeout_ms = in_i32(in);
    join->rebalance_timeout_ms = call->version >= 1 ? in_i32(in) : join->session_timeout_ms;
    join->who.member_id = in_text(in);
    join->who.instance_id = call->version >= 5 ? in_text_or_null(in) : NULL;
    join->protocol_type = in_text(in);
    join->protocol_count = in_items(in);
    protocols = in_room(in, join->protocol_count, sizeof(*protocols));
    for (size_t i = 0; i < join->protocol_count && !in->err; i++) {
        protocols[i].name = in_text(in);
        protocols[i].metadata = in_bytes(in);
        in_tags(in);
    }
    join->protocols = protocols;
    if (call->version >= 8)
        in_text_view(in); /* why it joins: for people */
    in_tags(in);
    join->client_id = call->client_id;
    join->client_host = call->client_host;
    join->knows_required_id = call->version >= 4;
    return in_end(in);
}

static void encode_joined(struct kafka_call *call, enum group_code code, const struct group_joined *joined)
{
    struct kafka_out *out = &call->out;
    bool failed = code != GROUP_OK;

    if (call->version >= 2)
        out_i32(out, 0); /* throttle time */
    out_i16(out, (int16_t)kafka_code_of_group(code));
    out_i32(out, joined->generation);
    if (call->version >= 7)
        out_text(out, failed ? NULL : joined->protocol_type);
    out_text(out, failed ? (call->version >= 7 ? NULL : "") : joined->protocol);
    out_text(out, failed ? "" : joined->leader_id);
    if (call->version >= 9)
        out_bool(out, false); /* the leader is to share out the work, always */
    out_text(out, joined->member_id ? joined->member_id : "");
    out_count(out, (int32_t)joined->member_count);
    for (size_t i = 0; i < joined->member_count; i++) {
        const struct group_member *member = &joined->members[i];
        out_text(out, member->member_id);
        if (call->version >= 5)
            out_text(out, member->instance_id);
        out_bytes(out, member->metadata);
        out_tags(out);
    }
    out_tags(out);
}

static enum err look_at_join(struct kafka_call *call)
{
    const struct group_wait *wait = call->state;
    struct group_joined joined;
    enum group_code code = group_join_answer(call->groups, &wait->who, wait->ticket, &call->arena, &joined);

    if (code == GROUP_WAIT && !call->expired)
        return ERR_BUSY;
    encode_joined(call, code, &joined);
    return ERR_OK;
}

enum err kafka_join_group(struct kafka_call *call)
{
    struct group_join join = {0};
    struct group_joined joined;
    struct group_wait *wait;
    uint64_t ticket = 0;
    enum group_code code;
    enum err err = decode_join(call, &join);

    if (err)
        return err;
    code = group_join(call->groups, &join, clock_steady_ms(), &call->arena, &joined, &ticket);
    if (code != GROUP_WAIT) {
        encode_joined(call, code, &joined);
        return ERR_OK;
    }
    wait = wait_new(call, &join.who);
    if (!wait)
        return ERR_NO_MEMORY;
    wait->who.member_id = joined.member_id; /* the one it was given just now */
    wait->ticket = ticket;
    call->state = wait;
    return kafka_park(call, look_at_join, -1); /* the group has its own deadlines */
}

/* ---- SyncGroup ---- */

static enum err decode_sync(struct kafka_call *call, struct group_sync *sync)
{
    struct kafka_in *in = &call->in;
    struct group_assignment *assignments;

    sync->who.group = in_text(in);
    sync->generation = in_i32(in);
    sync->who.member_id = in_text(in);
    sync->who.instance_id = call->version >= 3 ? in_text_or_null(in) : NULL;
    sync->protocol_type = call->version >= 5 ? in_text_or_null(in) : NULL;
    sync->protocol = call->version >= 5 ? in_text_or_null(in) : NULL;
    sync->assignment_count = in_items(in);
    assignments = in_room(in, sync->assignment_count, sizeof(*assignments));
    for (size_t i = 0; i < sync->assignment_count && !in->err; i++) {
        assignments[i].member_id = in_text(in);
        assignments[i].assignment = in_bytes(in);
        in_tags(in);
    }
    sync->assignments = assignments;
    in_tags(in);
    return in_end(in);
}

static void encode_synced(struct kafka_call *call, enum group_code code, const struct group_synced *synced)
{
    struct kafka_out *out = &call->out;

    if (call->version >= 1)
        out_i32(out, 0); /* throttle time */
    out_i16(out, (int16_t)kafka_code_of_group(code));
    if (call->version >= 5) {
        out_text(out, code ? NULL : synced->protocol_type);
        out_text(out, code ? NULL : synced->protocol);
    }
    out_bytes(out, code ? bytes_of("", 0) : synced->assignment);
    out_tags(out);
}

static enum err look_at_sync(struct kafka_call *call)
{
    const struct group_wait *wait = call->state;
    struct group_synced synced;
    enum group_code code = group_sync_answer(call->groups, &wait->who, wait->ticket, &call->arena, &synced);

    if (code == GROUP_WAIT && !call->expired)
        return ERR_BUSY;
    encode_synced(call, code, &synced);
    return ERR_OK;
}

enum err kafka_sync_group(struct kafka_call *call)
{
    struct group_sync sync = {0};
    struct group_synced synced;
    struct group_wait *wait;
    uint64_t ticket = 0;
    enum group_code code;
    enum err err = decode_sync(call, &sync);

    if (err)
        return err;
    code = group_sync(call->groups, &sync, clock_steady_ms(), &call->arena, &synced, &ticket);
    if (code != GROUP_WAIT) {
        encode_synced(call, code, &synced);
        return ERR_OK;
    }
    wait = wait_new(call, &sync.who);
    if (!wait)
        return ERR_NO_MEMORY;
    wait->ticket = ticket;
    call->state = wait;
    return kafka_park(call, look_at_sync, -1);
}

/* ---- Heartbeat, LeaveGroup ---- */

enum err kafka_heartbeat(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct group_speaker who = {0};
    int32_t generation;

    who.group = in_text(in);
    generation = in_i32(in);
    who.member_id = in_text(in);
    who.instance_id = call->version >= 3 ? in_text_or_null(in) : NULL;
    in_tags(in);
    if (in_end(in))
        return in_end(in);
    if (call->version >= 1)
        out_i32(&call->out, 0); /* throttle time */
    out_i16(&call->out,
            (int16_t)kafka_code_of_group(group_heartbeat(call->groups, &who, generation, clock_steady_ms())));
    out_tags(&call->out);
    return ERR_OK;
}

enum err kafka_leave_group(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    bool many = call->version >= 3;
    const char *group = in_text(in);
    size_t count = many ? in_items(in) : 1;
    struct group_speaker *leavers = in_room(in, count, sizeof(*leavers));
    enum group_code code = GROUP_OK;

    for (size_t i = 0; i < count && !in->err; i++) {
        leavers[i].group = group;
        leavers[i].member_id = in_text(in);
        if (!many)
            continue;
        leavers[i].instance_id = in_text_or_null(in);
        if (call->version >= 5)
            in_text_view(in); /* why it leaves */
        in_tags(in);
    }
    in_tags(in);
    if (in_end(in))
        return in_end(in);

    if (!many)
        code = group_leave(call->groups, &leavers[0], clock_steady_ms());
    if (call->version >= 1)
        out_i32(out, 0); /* throttle time */
    out_i16(out, (int16_t)kafka_code_of_group(code));
    if (many) {
        out_count(out, (int32_t)count);
        for (size_t i = 0; i < count; i++) {
            out_text(out, leavers[i].member_id);
            out_text(out, leavers[i].instance_id);
            out_i16(out,
                    (int16_t)kafka_code_of_group(group_leave(call->groups, &leavers[i], clock_steady_ms())));
            out_tags(out);
        }
    }
    out_tags(out);
    return ERR_OK;
}

/* ---- for operators: DescribeGroups, ListGroups, DeleteGroups ---- */

/* A group without members is known by the offsets that it has in the log. */
static bool has_offsets(struct kafka_call *call, const char *group)
{
    struct committed_entry *entries;
    size_t count = 0;

    return !log_offset_list(call->log, group, &call->arena, &entries, &count) && count > 0;
}

static void encode_group(struct kafka_call *call, const char *group)
{
    struct kafka_out *out = &call->out;
    struct group_info info = {0};
    enum group_code code = group_describe(call->groups, group, &call->arena, &info);
    const char *state = code == GROUP_OK           ? group_state_name(info.state)
                        : has_offsets(call, group) ? "Empty"
                                                   : "Dead";

    out_i16(out, code == GROUP_FULL ? KAFKA_UNKNOWN : KAFKA_NONE);
    out_text(out, group);
    out_text(out, state);
    out_text(out, info.protocol_type ? info.protocol_type : "");
    out_text(out, info.protocol ? info.protocol : "");
    out_count(out, (int32_t)info.member_count);
    for (size_t i = 0; i < info.member_count; i++) {
        const struct group_member *member = &info.members[i];
        out_text(out, member->member_id);
        if (call->version >= 4)
            out_text(out, member->instance_id);
        out_text(out, member->client_id);
        out_text(out, member->client_host);
        out_bytes(out, member->metadata);
        out_bytes(out, member->assignment);
        out_tags(out);
    }
    if (call->version >= 3)
        out_i32(out, KAFKA_OPERATIONS_UNKNOWN);
    out_tags(out);
}

enum err kafka_describe_groups(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t count = in_items(in);
    const char **groups = in_room(in, count, sizeof(*groups));

    for (size_t i = 0; i < count && !in->err; i++)
        groups[i] = in_text(in);
    if (call->version >= 3)
        in_bool(in); /* with authorized operations: nobody is refused yet */
    in_tags(in);
    if (in_end(in))
        return in_end(in);
    if (call->version >= 1)
        out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)count);
    for (size_t i = 0; i < count; i++)
        encode_group(call, groups[i]);
    out_tags(out);
    return ERR_OK;
}

/* Texts of a filter; none: everything passes. */
struct filter {
    struct bytes *texts;
    size_t count;
};

static struct filter decode_filter(struct kafka_in *in)
{
    struct filter filter;

    filter.count = in_items(in);
    filter.texts = in_room(in, filter.count, sizeof(*filter.texts));
    for (size_t i = 0; i < filter.count && !in->err; i++)
        filter.texts[i] = in_text_view(in);
    return filter;
}

static bool passes(const struct filter *filter, const char *text)
{
    for (size_t i = 0; i < filter->count; i++)
        if (filter->texts[i].size == strlen(text) &&
            strncasecmp((const char *)filter->texts[i].at, text, strlen(text)) == 0)
            return true;
    return filter->count == 0;
}

/* Groups with members first, then those that only have offsets. */
static enum err collect_groups(struct kafka_call *call, const struct filter *states, struct group_info **out,
                               size_t *count)
{
    struct group_info *live, *all;
    char **stored;
    size_t live_count, stored_count, n = 0;
    enum err err = group_list(call->groups, &call->arena, &live, &live_count);

    if (!err)
        err = log_group_list(call->log, &call->arena, &stored, &stored_count);
    if (err)
        return err;
    all = arena_take(&call->arena, (live_count + stored_count + 1) * sizeof(*all));
    if (!all)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < live_count; i++)
        if (passes(states, group_state_name(live[i].state)))
            all[n++] = live[i];
    for (size_t i = 0; i < stored_count && passes(states, group_state_name(GROUP_EMPTY)); i++) {
        size_t l = 0;
        while (l < live_count && strcmp(live[l].id, stored[i]) != 0)
            l++;
        if (l == live_count)
            all[n++] = (struct group_info){
                .id = stored[i], .protocol_type = "", .protocol = "", .state = GROUP_EMPTY};
    }
    *out = all;
    *count = n;
    return ERR_OK;
}

enum err kafka_list_groups(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    struct filter states = {0}, types = {0};
    struct group_info *groups;
    size_t count;
    enum err err;

    if (call->version >= 4)
        states = decode_filter(in);
    if (call->version >= 5)
        types = decode_filter(in);
    in_tags(in);
    if (in_end(in))
        return in_end(in);
    err = collect_groups(call, &states, &groups, &count);
    if (err)
        return err;
    if (!passes(&types, "classic"))
        count = 0;

    if (call->version >= 1)
        out_i32(out, 0); /* throttle time */
    out_i16(out, KAFKA_NONE);
    out_count(out, (int32_t)count);
    for (size_t i = 0; i < count; i++) {
        out_text(out, groups[i].id);
        out_text(out, groups[i].protocol_type);
        if (call->version >= 4)
            out_text(out, group_state_name(groups[i].state));
        if (call->version >= 5)
            out_text(out, "classic");
        out_tags(out);
    }
    out_tags(out);
    return ERR_OK;
}

static enum kafka_code delete_group(struct kafka_call *call, const char *group)
{
    enum group_code code = group_forget(call->groups, group);
    bool stored = has_offsets(call, group);

    if (code == GROUP_NOT_EMPTY || (code == GROUP_NOT_FOUND && !stored))
        return kafka_code_of_group(code);
    return stored ? kafka_code_of(log_offset_delete(call->log, group, NULL, -1)) : KAFKA_NONE;
}

enum err kafka_delete_groups(struct kafka_call *call)
{
    struct kafka_in *in = &call->in;
    struct kafka_out *out = &call->out;
    size_t count = in_items(in);
    const char **groups = in_room(in, count, sizeof(*groups));

    for (size_t i = 0; i < count && !in->err; i++)
        groups[i] = in_text(in);
    in_tags(in);
    if (in_end(in))
        return in_end(in);
    out_i32(out, 0); /* throttle time */
    out_count(out, (int32_t)count);
    for (size_t i = 0; i < count; i++) {
        out_text(out, groups[i]);
        out_i16(out, (int16_t)delete_group(call, groups[i]));
        out_tags(out);
    }
    out_tags(out);
    return ERR_OK;
}
