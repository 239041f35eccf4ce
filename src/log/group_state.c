/* group_state.c - members, pending ids and the rounds of a group. */
#include "log/group_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* ---- groups ---- */

static struct group **bucket_of(struct groups *groups, const char *id)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 16777619u;
    return &groups->buckets[hash % GROUP_BUCKETS];
}

struct group *group_find(struct groups *groups, const char *id)
{
    struct group *group = *bucket_of(groups, id);

    while (group && strcmp(group->id, id) != 0)
        group = group->next;
    return group;
}

struct group *group_make(struct groups *groups, const char *id)
{
    struct group **bucket = bucket_of(groups, id);
    struct group *group = calloc(1, sizeof(*group));

    if (!group)
        return NULL;
    group->id = strdup(id);
    if (!group->id) {
        free(group);
        return NULL;
    }
    group->next = *bucket;
    *bucket = group;
    return group;
}

static void member_free(struct groups *groups, struct member *member)
{
    groups->memory -= member->charged;
    free(member->id);
    free(member->instance_id);
    free(member->client_id);
    free(member->client_host);
    free(member->protocols);
    free(member->assignment);
    free(member);
}

void group_drop(struct groups *groups, struct group *group)
{
    struct group **link = bucket_of(groups, group->id);

    while (*link != group)
        link = &(*link)->next;
    *link = group->next;
    while (group->members) {
        struct member *member = group->members;
        group->members = member->next;
        member_free(groups, member);
    }
    while (group->pending)
        pending_remove(group, group->pending->id);
    free(group->id);
    free(group->protocol_type);
    free(group->protocol);
    free(group->leader_id);
    free(group);
}

bool group_is_idle(const struct group *group)
{
    return !group->members && !group->pending;
}

/* ---- members ---- */

struct member *member_find(struct group *group, const char *id)
{
    struct member *member = group->members;

    while (member && strcmp(member->id, id) != 0)
        member = member->next;
    return member;
}

struct member *member_find_instance(struct group *group, const char *instance_id)
{
    struct member *member = group->members;

    while (member && (!member->instance_id || strcmp(member->instance_id, instance_id) != 0))
        member = member->next;
    return member;
}

const char *member_new_id(struct arena *arena, const char *client_id)
{
    uint64_t random[2];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return NULL;
    return arena_printf(arena, "%.200s-%08x-%04x-%04x-%04x-%012llx", client_id, (unsigned)(random[0] >> 32),
                        (unsigned)(random[0] >> 16 & 0xffff), (unsigned)(0x4000 | (random[0] & 0x0fff)),
                        (unsigned)(0x8000 | (random[1] >> 48 & 0x3fff)),
                        (unsigned long long)(random[1] & 0xffffffffffffull));
}

static bool charge(struct groups *groups, struct member *member, size_t less, size_t more)
{
    if (groups->memory - less + more > GROUPS_MEMORY_MOST)
        return false;
    groups->memory = groups->memory - less + more;
    member->charged = member->charged - less + more;
    return true;
}

static size_t protocols_size(const struct group_protocol *protocols, size_t count)
{
    size_t size = count * sizeof(*protocols);

    for (size_t i = 0; i < count; i++)
        size += strlen(protocols[i].name) + 1 + protocols[i].metadata.size;
    return size;
}

bool member_update(struct groups *groups, struct member *member, const struct group_join *join)
{
    size_t size = protocols_size(join->protocols, join->protocol_count);
    size_t before = protocols_size(member->protocols, member->protocol_count);
    struct group_protocol *copy = malloc(size ? size : 1);
    uint8_t *at;

    if (!copy || !charge(groups, member, before, size)) {
        free(copy);
        return false;
    }
    at = (uint8_t *)(copy + join->protocol_count);
    for (size_t i = 0; i < join->protocol_count; i++) {
        const struct group_protocol *from = &join->protocols[i];
        size_t name_size = strlen(from->name) + 1;
        copy[i].name = memcpy(at, from->name, name_size);
        at += name_size;
        copy[i].metadata = bytes_of(at, from->metadata.size);
        if (from->metadata.size > 0)
            memcpy(at, from->metadata.at, from->metadata.size);
        at += from->metadata.size;
    }
    free(member->protocols);
    member->protocols = copy;
    member->protocol_count = join->protocol_count;
    member->session_ms = join->session_timeout_ms;
    member->rebalance_ms =
        join->rebalance_timeout_ms > 0 ? join->rebalance_timeout_ms : join->session_timeout_ms;
    return true;
}

struct member *member_add(struct groups *groups, struct group *group, const struct group_join *join,
                          const char *id, int64_t now_ms)
{
    struct member *member, **link = &group->members;

    if (group->member_count >= GROUP_MEMBERS_MOST)
        return NULL;
    member = calloc(1, sizeof(*member));
    if (!member)
        return NULL;
    member->id = strdup(id);
    member->instance_id = join->who.instance_id ? strdup(join->who.instance_id) : NULL;
    member->client_id = strdup(join->client_id);
    member->client_host = strdup(join->client_host);
    if (!member->id || (join->who.instance_id && !member->instance_id) || !member->client_id ||
        !member->client_host || !member_update(groups, member, join)) {
        member_free(groups, member);
        return NULL;
    }
    member->heard_ms = now_ms;
    while (*link)
        link = &(*link)->next;
    *link = member;
    group->member_count++;
    return member;
}

bool member_assign(struct groups *groups, struct member *member, struct bytes assignment)
{
    uint8_t *copy = malloc(assignment.size ? assignment.size : 1);

    if (!copy || !charge(groups, member, member->assignment_size, assignment.size)) {
        free(copy);
        return false;
    }
    if (assignment.size > 0)
        memcpy(copy, assignment.at, assignment.size);
    free(member->assignment);
    member->assignment = copy;
    member->assignment_size = assignment.size;
    return true;
}

bool member_has_protocols(const struct member *member, const struct group_join *join)
{
    if (member->protocol_count != join->protocol_count)
        return false;
    for (size_t i = 0; i < join->protocol_count; i++)
        if (strcmp(member->protocols[i].name, join->protocols[i].name) != 0 ||
            !bytes_equal(member->protocols[i].metadata, join->protocols[i].metadata))
            return false;
    return true;
}

static const struct group_protocol *member_protocol(const struct member *member, const char *name)
{
    for (size_t i = 0; i < member->protocol_count; i++)
        if (strcmp(member->protocols[i].name, name) == 0)
            return &member->protocols[i];
    return NULL;
}

struct bytes member_metadata(const struct member *member, const char *protocol)
{
    const struct group_protocol *found = protocol ? member_protocol(member, protocol) : NULL;

    return found ? found->metadata : bytes_of("", 0);
}

bool member_is_leader(const struct group *group, const struct member *member)
{
    return group->leader_id && strcmp(group->leader_id, member->id) == 0;
}

uint64_t member_wait(struct groups *groups, struct member *member, enum waiting what)
{
    member->waiting = what;
    member->outcome = GROUP_WAIT;
    member->ticket = ++groups->tickets;
    return member->ticket;
}

void member_settle(struct groups *groups, struct member *member, enum group_code outcome, int32_t generation)
{
    member->waiting = WAITING_FOR_NOTHING;
    member->outcome = outcome;
    member->outcome_generation = generation;
    groups->must_wake = true;
}

/* ---- ids given out ahead ---- */

struct pending *pending_find(struct group *group, const char *id)
{
    struct pending *pending = group->pending;

    while (pending && strcmp(pending->id, id) != 0)
        pending = pending->next;
    return pending;
}

bool pending_add(struct group *group, const char *id, int64_t due_ms)
{
    struct pending *pending;

    if (group->pending_count >= GROUP_PENDING_MOST)
        return false;
    pending = calloc(1, sizeof(*pending));
    if (!pending)
        return false;
    pending->id = strdup(id);
    if (!pending->id) {
        free(pending);
        return false;
    }
    pending->due_ms = due_ms;
    pending->next = group->pending;
    group->pending = pending;
    group->pending_count++;
    return true;
}

void pending_remove(struct group *group, const char *id)
{
    struct pending **link = &group->pending, *pending;

    while (*link && strcmp((*link)->id, id) != 0)
        link = &(*link)->next;
    pending = *link;
    if (!pending)
        return;
    *link = pending->next;
    group->pending_count--;
    free(pending->id);
    free(pending);
}

/* ---- rounds ---- */

static int64_t rebalance_ms_most(const struct group *group)
{
    int32_t most = 0;

    for (const struct member *member = group->members; member; member = member->next)
        if (member->rebalance_ms > most)
            most = member->rebalance_ms;
    return most;
}

bool group_agrees(const struct group *group, const struct group_join *join, const struct member *but)
{
    for (size_t i = 0; i < join->protocol_count; i++) {
        const struct member *member = group->members;
        while (member && (member == but || member_protocol(member, join->protocols[i].name)))
            member = member->next;
        if (!member)
            return true;
    }
    return false;
}

void group_rebalance(struct groups *groups, struct group *group, int64_t now_ms)
{
    int64_t most_ms = rebalance_ms_most(group), delay_ms = groups->options.initial_delay_ms;

    if (group->state == GROUP_COMPLETING)
        for (struct member *member = group->members; member; member = member->next)
            if (member->waiting == WAITING_FOR_SYNC)
                member_settle(groups, member, GROUP_REBALANCING, group->generation);
    if (group->state == GROUP_EMPTY) {
        group->is_first_round = delay_ms > 0;
        group->due_most_ms = now_ms + most_ms;
        group->due_ms = now_ms + (delay_ms > 0 && delay_ms < most_ms ? delay_ms : most_ms);
    } else {
        group->is_first_round = false;
        group->due_ms = now_ms + most_ms;
    }
    group->state = GROUP_PREPARING;
}

/* Each member votes for the first of its protocols that all members know; the most votes win. */
static const char *choose_protocol(const struct group *group)
{
    const char *best = NULL;
    size_t best_votes = 0;

    for (size_t i = 0; i < group->members->protocol_count; i++) {
        const char *candidate = group->members->protocols[i].name;
        size_t votes = 0;
        for (const struct member *voter = group->members; voter; voter = voter->next) {
            for (size_t p = 0; p < voter->protocol_count; p++) {
                const struct member *other = group->members;
                while (other && member_protocol(other, voter->protocols[p].name))
                    other = other->next;
                if (!other) { /* the voter's choice: all know it */
                    votes += strcmp(voter->protocols[p].name, candidate) == 0;
                    break;
                }
            }
        }
        if (votes > best_votes) {
            best = candidate;
            best_votes = votes;
        }
    }
    return best;
}

static void choose_leader(struct group *group)
{
    const struct member *leader = group->leader_id ? member_find(group, group->leader_id) : NULL;

    if (leader && leader->waiting == WAITING_FOR_JOIN)
        return;
    for (leader = group->members; leader->next && leader->waiting != WAITING_FOR_JOIN;)
        leader = leader->next;
    free(group->leader_id);
    group->leader_id = strdup(leader->id);
}

static void become_empty(struct group *group)
{
    group->state = GROUP_EMPTY;
    group->generation++;
    free(group->leader_id);
    group->leader_id = NULL;
    free(group->protocol);
    group->protocol = NULL;
}

static void begin_generation(struct groups *groups, struct group *group, int64_t now_ms)
{
    const char *protocol;

    if (!group->members) {
        become_empty(group);
        return;
    }
    protocol = choose_protocol(group);
    assert(protocol && "a join that shares no protocol is refused");
    free(group->protocol);
    group->protocol = strdup(protocol);
    choose_leader(group);
    group->generation++;
    group->state = GROUP_COMPLETING;
    group->is_first_round = false;
    group->due_ms = now_ms + rebalance_ms_most(group);
    for (struct member *member = group->members; member; member = member->next) {
        free(member->assignment);
        member->assignment = NULL;
        charge(groups, member, member->assignment_size, 0);
        member->assignment_size = 0;
        if (member->waiting != WAITING_FOR_JOIN)
            continue;
        member->heard_ms = now_ms;
        member_settle(groups, member, GROUP_OK, group->generation);
    }
}

void group_try_begin(struct groups *groups, struct group *group, int64_t now_ms)
{
    if (group->state != GROUP_PREPARING || group->is_first_round || group->pending)
        return;
    for (const struct member *member = group->members; member; member = member->next)
        if (member->waiting != WAITING_FOR_JOIN)
            return;
    begin_generation(groups, group, now_ms);
}

/* Unlink and free. What it waited for is answered as unknown, since it is not found any more. */
static void member_remove(struct groups *groups, struct group *group, struct member *member)
{
    struct member **link = &group->members;

    if (member->waiting != WAITING_FOR_NOTHING)
        member_settle(groups, member, GROUP_UNKNOWN_MEMBER, -1);
    while (*link != member)
        link = &(*link)->next;
    *link = member->next;
    group->member_count--;
    member_free(groups, member);
}

void group_remove(struct groups *groups, struct group *group, struct member *member, int64_t now_ms)
{
    member_remove(groups, group, member);
    if (group->state == GROUP_STABLE || group->state == GROUP_COMPLETING)
        group_rebalance(groups, group, now_ms);
    group_try_begin(groups, group, now_ms);
    if (!group->members && group->state != GROUP_EMPTY)
        become_empty(group);
}

/* ---- time ---- */

/* The joins' time is up: go on with those who came. A static member may be away for its session. */
static void end_joins(struct groups *groups, struct group *group, int64_t now_ms)
{
    bool anyone = false;

    for (struct member *member = group->members, *next; member; member = next) {
        next = member->next;
        if (member->waiting == WAITING_FOR_JOIN)
            anyone = true;
        else if (!member->instance_id)
            member_remove(groups, group, member);
    }
    if (group->members && !anyone) {
        group->due_ms = now_ms + rebalance_ms_most(group);
        return;
    }
    begin_generation(groups, group, now_ms);
}

/* The syncs' time is up, so the leader has not shared out the work: it is gone, and so are those who did not ask for
 * their part. */
static void end_syncs(struct groups *groups, struct group *group, int64_t now_ms)
{
    for (struct member *member = group->members, *next; member; member = next) {
        next = member->next;
        if (member->waiting != WAITING_FOR_SYNC && (!member->instance_id || member_is_leader(group, member)))
            member_remove(groups, group, member);
    }
    group_rebalance(groups, group, now_ms);
    group_try_begin(groups, group, now_ms);
    if (!group->members && group->state != GROUP_EMPTY)
        become_empty(group);
}

static bool drop_overdue(struct groups *groups, struct group *group, int64_t now_ms)
{
    for (struct pending *pending = group->pending; pending; pending = pending->next) {
        if (pending->due_ms <= now_ms) {
            pending_remove(group, pending->id);
            group_try_begin(groups, group, now_ms);
            return true;
        }
    }
    for (struct member *member = group->members; member; member = member->next) {
        if (member->waiting == WAITING_FOR_NOTHING && member->heard_ms + member->session_ms <= now_ms) {
            group_remove(groups, group, member, now_ms);
            return true;
        }
    }
    return false;
}

int64_t group_tick(struct groups *groups, struct group *group, int64_t now_ms)
{
    int64_t due_ms = INT64_MAX;

    while (drop_overdue(groups, group, now_ms))
        ;
    if (group->state == GROUP_PREPARING && group->due_ms <= now_ms)
        end_joins(groups, group, now_ms);
    else if (group->state == GROUP_COMPLETING && group->due_ms <= now_ms)
        end_syncs(groups, group, now_ms);

    if (group->state == GROUP_PREPARING || group->state == GROUP_COMPLETING)
        due_ms = group->due_ms;
    for (const struct pending *pending = group->pending; pending; pending = pending->next)
        if (pending->due_ms < due_ms)
            due_ms = pending->due_ms;
    for (const struct member *member = group->members; member; member = member->next)
        if (member->waiting == WAITING_FOR_NOTHING && member->heard_ms + member->session_ms < due_ms)
            due_ms = member->heard_ms + member->session_ms;
    return due_ms;
}
