/* group.c - consumer groups: what may be asked of them. group.h tells the rounds; group_state.c makes them. */
#include "log/group.h"

#include <stdlib.h>
#include <unistd.h>

#include "log/group_state.h"

enum err groups_open(struct groups **out, const struct group_options *options)
{
    struct groups *groups = calloc(1, sizeof(*groups));

    if (!groups)
        return err_note(ERR_NO_MEMORY, "out of memory for the group coordinator");
    pthread_mutex_init(&groups->lock, NULL);
    groups->options = *options;
    *out = groups;
    return ERR_OK;
}

void groups_close(struct groups *groups)
{
    if (!groups)
        return;
    for (size_t i = 0; i < GROUP_BUCKETS; i++)
        while (groups->buckets[i])
            group_drop(groups, groups->buckets[i]);
    pthread_mutex_destroy(&groups->lock);
    free(groups);
}

static void lock(struct groups *groups)
{
    pthread_mutex_lock(&groups->lock);
}

static void unlock(struct groups *groups)
{
    bool must_wake = groups->must_wake;
    uint64_t one = 1;

    groups->must_wake = false;
    pthread_mutex_unlock(&groups->lock);
    if (must_wake && groups->options.wake_fd >= 0 && write(groups->options.wake_fd, &one, sizeof(one)) < 0)
        return; /* the counter is full, so the door is awake already */
}

int64_t groups_tick(struct groups *groups, int64_t now_ms)
{
    int64_t due_ms = INT64_MAX;

    lock(groups);
    for (size_t i = 0; i < GROUP_BUCKETS; i++) {
        for (struct group *group = groups->buckets[i], *next; group; group = next) {
            int64_t group_due_ms = group_tick(groups, group, now_ms);
            next = group->next;
            if (group_is_idle(group))
                group_drop(groups, group); /* what it committed is in the log */
            else if (group_due_ms < due_ms)
                due_ms = group_due_ms;
        }
    }
    unlock(groups);
    return due_ms;
}

/* ---- who speaks ---- */

/* The member that speaks, if it is who it says. */
static enum group_code identify(struct group *group, const struct group_speaker *who, struct member **out)
{
    struct member *member;

    if (!group)
        return GROUP_UNKNOWN_MEMBER;
    if (who->instance_id) {
        member = member_find_instance(group, who->instance_id);
        if (!member)
            return GROUP_UNKNOWN_MEMBER;
        if (strcmp(member->id, who->member_id) != 0)
            return GROUP_FENCED;
    } else {
        member = member_find(group, who->member_id);
        if (!member)
            return GROUP_UNKNOWN_MEMBER;
    }
    *out = member;
    return GROUP_OK;
}

static const char *text_of(struct arena *arena, const char *text)
{
    const char *copy = text ? arena_text(arena, bytes_of_text(text)) : NULL;

    return copy ? copy : "";
}

/* A copy in the arena; .at is NULL when that is full. */
static struct bytes bytes_copy(struct arena *arena, struct bytes bytes)
{
    return bytes_of(arena_text(arena, bytes), bytes.size);
}

/* The members as others see them, in the arena; NULL when that is full. */
static struct group_member *show_members(const struct group *group, struct arena *arena)
{
    struct group_member *members = arena_take(arena, (group->member_count + 1) * sizeof(*members)),
                        *to = members;

    for (const struct member *member = group->members; member && members; member = member->next, to++) {
        to->member_id = text_of(arena, member->id);
        to->instance_id = member->instance_id ? text_of(arena, member->instance_id) : NULL;
        to->client_id = text_of(arena, member->client_id);
        to->client_host = text_of(arena, member->client_host);
        to->metadata = bytes_copy(arena, member_metadata(member, group->protocol));
        to->assignment = bytes_copy(arena, bytes_of(member->assignment, member->assignment_size));
        if (!to->metadata.at || !to->assignment.at)
            return NULL;
    }
    return members;
}

/* ---- join ---- */

/* What a join is told when its generation has begun. */
static enum group_code tell_joined(const struct group *group, const struct member *member, int32_t generation,
                                   struct arena *arena, struct group_joined *out)
{
    out->generation = generation;
    out->protocol_type = text_of(arena, group->protocol_type);
    out->protocol = text_of(arena, group->protocol);
    out->leader_id = text_of(arena, group->leader_id);
    out->member_id = text_of(arena, member->id);
    if (!member_is_leader(group, member))
        return GROUP_OK;
    out->members = show_members(group, arena);
    out->member_count = out->members ? group->member_count : 0;
    return out->members ? GROUP_OK : GROUP_FULL;
}

static enum group_code wait_for_round(struct groups *groups, struct group *group, struct member *member,
                                      int64_t now_ms, uint64_t *ticket)
{
    *ticket = member_wait(groups, member, WAITING_FOR_JOIN);
    if (group->state != GROUP_PREPARING)
        group_rebalance(groups, group, now_ms);
    else if (group->is_first_round && now_ms + groups->options.initial_delay_ms <= group->due_most_ms)
        group->due_ms = now_ms + groups->options.initial_delay_ms;
    group_try_begin(groups, group, now_ms);
    return GROUP_WAIT;
}

static enum group_code join_new(struct groups *groups, struct group *group, const struct group_join *join,
                                const char *member_id, int64_t now_ms, uint64_t *ticket)
{
    struct member *member = member_add(groups, group, join, member_id, now_ms);

    if (!member)
        return GROUP_FULL;
    if (group->state == GROUP_EMPTY) {
        free(group->protocol_type);
        group->protocol_type = strdup(join->protocol_type);
    }
    return wait_for_round(groups, group, member, now_ms, ticket);
}

/* A static member is back under a new id: the old one is fenced. With unchanged protocols in a stable group nobody else
 * need notice. */
static enum group_code join_static_again(struct groups *groups, struct group *group, struct member *member,
                                         const struct group_join *join, const char *member_id, int64_t now_ms,
                                         struct arena *arena, struct group_joined *out, uint64_t *ticket)
{
    bool same = member_has_protocols(member, join), was_leader = member_is_leader(group, member);
    char *id = strdup(member_id), *leader_id = was_leader ? strdup(member_id) : NULL;

    if (!id || (was_leader && !leader_id) || !member_update(groups, member, join)) {
        free(id);
        free(leader_id);
        return GROUP_FULL;
    }
    if (member->waiting != WAITING_FOR_NOTHING)
        member_settle(groups, member, GROUP_FENCED, -1);
    free(member->id);
    member->id = id;
    if (was_leader) {
        free(group->leader_id);
        group->leader_id = leader_id;
    }
    member->heard_ms = now_ms;
    if (same && group->state == GROUP_STABLE)
        return tell_joined(group, member, group->generation, arena, out);
    return wait_for_round(groups, group, member, now_ms, ticket);
}

static enum group_code join_without_id(struct groups *groups, struct group *group,
                                       const struct group_join *join, int64_t now_ms, struct arena *arena,
                                       struct group_joined *out, uint64_t *ticket)
{
    struct member *before = join->who.instance_id ? member_find_instance(group, join->who.instance_id) : NULL;
    const char *name = join->who.instance_id ? join->who.instance_id : join->client_id;

    out->member_id = member_new_id(arena, name);
    if (!out->member_id)
        return GROUP_FULL;
    if (before)
        return join_static_again(groups, group, before, join, out->member_id, now_ms, arena, out, ticket);
    if (!join->who.instance_id && join->knows_required_id)
        return pending_add(group, out->member_id, now_ms + join->session_timeout_ms)
                   ? GROUP_MEMBER_ID_REQUIRED
                   : GROUP_FULL;
    return join_new(groups, group, join, out->member_id, now_ms, ticket);
}

static enum group_code join_with_id(struct groups *groups, struct group *group, const struct group_join *join,
                                    int64_t now_ms, struct arena *arena, struct group_joined *out,
                                    uint64_t *ticket)
{
    struct member *member = NULL;
    enum group_code code;
    bool same;

    out->member_id = text_of(arena, join->who.member_id);
    if (!join->who.instance_id && pending_find(group, join->who.member_id)) {
        pending_remove(group, join->who.member_id);
        return join_new(groups, group, join, join->who.member_id, now_ms, ticket);
    }
    code = identify(group, &join->who, &member);
    if (code)
        return code;
    same = member_has_protocols(member, join);
    if (!member_update(groups, member, join))
        return GROUP_FULL;
    member->heard_ms = now_ms;
    /* A repeat of a join whose answer got lost, or a follower that asks without need. */
    if (same && (group->state == GROUP_COMPLETING ||
                 (group->state == GROUP_STABLE && !member_is_leader(group, member))))
        return tell_joined(group, member, group->generation, arena, out);
    return wait_for_round(groups, group, member, now_ms, ticket);
}

static enum group_code check_join(struct groups *groups, const struct group *group,
                                  const struct group_join *join, const struct member *but)
{
    if (!*join->who.group)
        return GROUP_INVALID_ID;
    if (join->session_timeout_ms < groups->options.session_ms_min ||
        join->session_timeout_ms > groups->options.session_ms_max)
        return GROUP_BAD_SESSION;
    if (!*join->protocol_type || join->protocol_count == 0 || join->protocol_count > GROUP_PROTOCOLS_MOST)
        return GROUP_INCONSISTENT;
    if (!group || !group->members)
        return *join->who.member_id && !group ? GROUP_UNKNOWN_MEMBER : GROUP_OK;
    if (!group->protocol_type || strcmp(group->protocol_type, join->protocol_type) != 0 ||
        !group_agrees(group, join, but))
        return GROUP_INCONSISTENT;
    return GROUP_OK;
}

enum group_code group_join(struct groups *groups, const struct group_join *join, int64_t now_ms,
                           struct arena *arena, struct group_joined *out, uint64_t *ticket)
{
    struct group *group;
    struct member *self = NULL;
    enum group_code code;

    memset(out, 0, sizeof(*out));
    out->generation = -1;
    out->member_id = join->who.member_id;
    lock(groups);
    group = group_find(groups, join->who.group);
    if (group)
        self = join->who.instance_id ? member_find_instance(group, join->who.instance_id)
                                     : member_find(group, join->who.member_id);
    code = check_join(groups, group, join, self);
    if (!code && !group) {
        group = group_make(groups, join->who.group);
        code = group ? GROUP_OK : GROUP_FULL;
    }
    if (!code && *join->who.member_id)
        code = join_with_id(groups, group, join, now_ms, arena, out, ticket);
    else if (!code)
        code = join_without_id(groups, group, join, now_ms, arena, out, ticket);
    groups->must_wake = true;
    unlock(groups);
    return code;
}

/* The member whose ticket this is. GROUP_OK: its outcome is there. */
static enum group_code find_outcome(struct groups *groups, const struct group_speaker *who, uint64_t ticket,
                                    struct group **group, struct member **member)
{
    enum group_code code;

    *group = group_find(groups, who->group);
    code = identify(*group, who, member);
    if (code)
        return code;
    if ((*member)->ticket != ticket)
        return GROUP_REBALANCING; /* the same member has asked again since, and that is what counts */
    return (*member)->outcome;
}

enum group_code group_join_answer(struct groups *groups, const struct group_speaker *who, uint64_t ticket,
                                  struct arena *arena, struct group_joined *out)
{
    struct group *group;
    struct member *member;
    enum group_code code;

    memset(out, 0, sizeof(*out));
    out->generation = -1;
    out->member_id = who->member_id;
    lock(groups);
    code = find_outcome(groups, who, ticket, &group, &member);
    if (!code)
        code = tell_joined(group, member, member->outcome_generation, arena, out);
    unlock(groups);
    return code;
}

/* ---- sync ---- */

static enum group_code tell_synced(const struct group *group, const struct member *member,
                                   struct arena *arena, struct group_synced *out)
{
    out->protocol_type = text_of(arena, group->protocol_type);
    out->protocol = text_of(arena, group->protocol);
    out->assignment = bytes_copy(arena, bytes_of(member->assignment, member->assignment_size));
    return out->assignment.at ? GROUP_OK : GROUP_FULL;
}

/* The leader has shared out the work: everybody who waits gets the own part. Members it forgot get nothing to do. */
static enum group_code share_out(struct groups *groups, struct group *group, const struct group_sync *sync)
{
    for (size_t i = 0; i < sync->assignment_count; i++) {
        struct member *member = member_find(group, sync->assignments[i].member_id);
        if (member && !member_assign(groups, member, sync->assignments[i].assignment))
            return GROUP_FULL;
    }
    group->state = GROUP_STABLE;
    for (struct member *member = group->members; member; member = member->next)
        if (member->waiting == WAITING_FOR_SYNC)
            member_settle(groups, member, GROUP_OK, group->generation);
    return GROUP_OK;
}

static bool sync_contradicts(const struct group *group, const struct group_sync *sync)
{
    return (sync->protocol_type && group->protocol_type &&
            strcmp(sync->protocol_type, group->protocol_type) != 0) ||
           (sync->protocol && group->protocol && strcmp(sync->protocol, group->protocol) != 0);
}

static enum group_code sync_in_group(struct groups *groups, struct group *group, struct member *member,
                                     const struct group_sync *sync, int64_t now_ms, struct arena *arena,
                                     struct group_synced *out, uint64_t *ticket)
{
    enum group_code code = GROUP_OK;

    if (sync->generation != group->generation)
        return GROUP_ILLEGAL_GENERATION;
    if (sync_contradicts(group, sync))
        return GROUP_INCONSISTENT;
    member->heard_ms = now_ms;
    if (group->state == GROUP_PREPARING)
        return GROUP_REBALANCING;
    if (group->state == GROUP_COMPLETING && !member_is_leader(group, member)) {
        *ticket = member_wait(groups, member, WAITING_FOR_SYNC);
        return GROUP_WAIT;
    }
    if (group->state == GROUP_COMPLETING)
        code = share_out(groups, group, sync);
    return code ? code : tell_synced(group, member, arena, out);
}

enum group_code group_sync(struct groups *groups, const struct group_sync *sync, int64_t now_ms,
                           struct arena *arena, struct group_synced *out, uint64_t *ticket)
{
    struct group *group;
    struct member *member;
    enum group_code code;

    memset(out, 0, sizeof(*out));
    lock(groups);
    group = group_find(groups, sync->who.group);
    code = identify(group, &sync->who, &member);
    if (!code)
        code = sync_in_group(groups, group, member, sync, now_ms, arena, out, ticket);
    groups->must_wake = true;
    unlock(groups);
    return code;
}

enum group_code group_sync_answer(struct groups *groups, const struct group_speaker *who, uint64_t ticket,
                                  struct arena *arena, struct group_synced *out)
{
    struct group *group;
    struct member *member;
    enum group_code code;

    memset(out, 0, sizeof(*out));
    lock(groups);
    code = find_outcome(groups, who, ticket, &group, &member);
    if (!code)
        code = tell_synced(group, member, arena, out);
    unlock(groups);
    return code;
}

/* ---- heartbeat, leave, commit ---- */

enum group_code group_heartbeat(struct groups *groups, const struct group_speaker *who, int32_t generation,
                                int64_t now_ms)
{
    struct group *group;
    struct member *member;
    enum group_code code;

    lock(groups);
    group = group_find(groups, who->group);
    code = identify(group, who, &member);
    if (!code && generation != group->generation)
        code = GROUP_ILLEGAL_GENERATION;
    if (!code) {
        member->heard_ms = now_ms;
        code = group->state == GROUP_PREPARING ? GROUP_REBALANCING : GROUP_OK;
    }
    unlock(groups);
    return code;
}

enum group_code group_leave(struct groups *groups, const struct group_speaker *who, int64_t now_ms)
{
    struct group *group;
    struct member *member = NULL;
    enum group_code code;

    lock(groups);
    group = group_find(groups, who->group);
    if (group && who->instance_id && !*who->member_id) {
        member = member_find_instance(group, who->instance_id);
        code = member ? GROUP_OK : GROUP_UNKNOWN_MEMBER;
    } else {
        code = identify(group, who, &member);
    }
    if (!code) {
        group_remove(groups, group, member, now_ms);
    } else if (group && !who->instance_id && pending_find(group, who->member_id)) {
        pending_remove(group, who->member_id);
        group_try_begin(groups, group, now_ms);
        code = GROUP_OK;
    }
    groups->must_wake = true;
    unlock(groups);
    return code;
}

enum group_code group_may_commit(struct groups *groups, const struct group_speaker *who, int32_t generation,
                                 int64_t now_ms)
{
    struct group *group;
    struct member *member = NULL;
    enum group_code code;

    if (!*who->group)
        return GROUP_INVALID_ID;
    lock(groups);
    group = group_find(groups, who->group);
    if (!group || !group->members) {
        code = generation < 0 ? GROUP_OK : GROUP_ILLEGAL_GENERATION;
    } else {
        code = identify(group, who, &member);
        if (!code && generation != group->generation)
            code = GROUP_ILLEGAL_GENERATION;
        if (!code) {
            member->heard_ms = now_ms;
            code = group->state == GROUP_COMPLETING ? GROUP_REBALANCING : GROUP_OK;
        }
    }
    unlock(groups);
    return code;
}

/* ---- for operators ---- */

static void show(const struct group *group, struct arena *arena, struct group_info *out)
{
    memset(out, 0, sizeof(*out));
    out->id = text_of(arena, group->id);
    out->protocol_type = text_of(arena, group->protocol_type);
    out->protocol = text_of(arena, group->protocol);
    out->state = group->state;
}

enum group_code group_describe(struct groups *groups, const char *id, struct arena *arena,
                               struct group_info *out)
{
    enum group_code code = GROUP_NOT_FOUND;
    struct group *group;

    lock(groups);
    group = group_find(groups, id);
    if (group) {
        show(group, arena, out);
        out->members = show_members(group, arena);
        out->member_count = group->member_count;
        code = out->members ? GROUP_OK : GROUP_FULL;
    }
    unlock(groups);
    return code;
}

enum err group_list(struct groups *groups, struct arena *arena, struct group_info **out, size_t *count)
{
    size_t total = 0;
    enum err err = ERR_OK;

    lock(groups);
    for (size_t i = 0; i < GROUP_BUCKETS; i++)
        for (const struct group *group = groups->buckets[i]; group; group = group->next)
            total++;
    *out = arena_take(arena, (total + 1) * sizeof(**out));
    *count = 0;
    if (!*out)
        err = err_note(ERR_NO_MEMORY, "out of memory for a list of %zu groups", total);
    for (size_t i = 0; !err && i < GROUP_BUCKETS; i++)
        for (const struct group *group = groups->buckets[i]; group; group = group->next)
            show(group, arena, &(*out)[(*count)++]);
    unlock(groups);
    return err;
}

enum group_code group_forget(struct groups *groups, const char *id)
{
    enum group_code code = GROUP_NOT_FOUND;
    struct group *group;

    lock(groups);
    group = group_find(groups, id);
    if (group && !group_is_idle(group)) {
        code = GROUP_NOT_EMPTY;
    } else if (group) {
        group_drop(groups, group);
        code = GROUP_OK;
    }
    unlock(groups);
    return code;
}

const char *group_state_name(enum group_state state)
{
    static const char *const names[] = {
        [GROUP_EMPTY] = "Empty",
        [GROUP_PREPARING] = "PreparingRebalance",
        [GROUP_COMPLETING] = "CompletingRebalance",
        [GROUP_STABLE] = "Stable",
    };

    return names[state];
}
