/* group.h - consumer groups: who is a member, and which round of work-sharing they are in. gateway -> [log] -> lake
 *
 * The classic protocol of Kafka. Members join; when all have (or time is up) a generation begins, the leader among
 * them shares out the work, all get their part by sync; then they send heartbeats until somebody comes or goes:
 *
 *     EMPTY -> PREPARING (members join) -> COMPLETING (the leader shares out) -> STABLE -> PREPARING ...
 *
 * Members live in memory, whichever door they came through; what they commit is in the log (log_offset_*). After a
 * restart members are unknown, hear so at their next heartbeat, and join again.
 *
 * Time comes from the caller, so tests need not sleep. Nothing here blocks: what must wait says GROUP_WAIT and gives a
 * ticket, with which the caller asks again when the eventfd it gave is written to.
 *
 * Threads: any. */
#ifndef LOG_GROUP_H
#define LOG_GROUP_H

#include "base/bytes.h"

struct groups;

enum group_code {
    GROUP_OK,
    GROUP_WAIT,       /* not yet: ask again with the ticket */
    GROUP_INVALID_ID, /* the group's name is empty */
    GROUP_UNKNOWN_MEMBER,
    GROUP_ILLEGAL_GENERATION,
    GROUP_REBALANCING,        /* join again */
    GROUP_INCONSISTENT,       /* no protocol that all members know */
    GROUP_BAD_SESSION,        /* the session timeout is outside the limits */
    GROUP_MEMBER_ID_REQUIRED, /* join again with the member id given */
    GROUP_FENCED,             /* another member has taken over the instance id */
    GROUP_FULL,               /* too many members, or too much memory for their metadata */
    GROUP_NOT_EMPTY,
    GROUP_NOT_FOUND,
};

enum group_state { GROUP_EMPTY, GROUP_PREPARING, GROUP_COMPLETING, GROUP_STABLE };

struct group_options {
    int64_t initial_delay_ms; /* how long the first members of an empty group wait for others */
    int64_t session_ms_min, session_ms_max;
    int wake_fd; /* an eventfd, written to when something that waits may be ready or groups_tick() is due
                                      sooner than it last said; -1: none */
};

enum err groups_open(struct groups **out, const struct group_options *options);
void groups_close(struct groups *groups); /* accepts NULL */

/* Act on what time has brought: sessions that ran out, joins whose time is up. Returns when to call next at the latest,
 * INT64_MAX if nothing is pending. */
int64_t groups_tick(struct groups *groups, int64_t now_ms);

/* Who speaks: member id "" for a new member; instance id NULL unless the member is static. */
struct group_speaker {
    const char *group, *member_id, *instance_id;
};

struct group_protocol {
    const char *name;
    struct bytes metadata;
};

struct group_join {
    struct group_speaker who;
    const char *client_id, *client_host;
    int32_t session_timeout_ms, rebalance_timeout_ms;
    const char *protocol_type;
    const struct group_protocol *protocols;
    size_t protocol_count;
    bool knows_required_id; /* a new dynamic member is first given its id (GROUP_MEMBER_ID_REQUIRED) */
};

struct group_member {
    const char *member_id, *instance_id, *client_id, *client_host;
    struct bytes metadata, assignment; /* for the protocol chosen; empty until then */
};

/* Texts and bytes are in the arena of the call. */
struct group_joined {
    int32_t generation; /* -1 when the join failed */
    const char *protocol_type, *protocol, *leader_id;
    const char *member_id;        /* also with GROUP_MEMBER_ID_REQUIRED */
    struct group_member *members; /* for the leader alone */
    size_t member_count;
};

/* GROUP_WAIT: *ticket is set and *out has the member id; see group_join_answer(). */
enum group_code group_join(struct groups *groups, const struct group_join *join, int64_t now_ms,
                           struct arena *arena, struct group_joined *out, uint64_t *ticket);
/* The answer to a join that had to wait. `who` carries the member id of the first answer. */
enum group_code group_join_answer(struct groups *groups, const struct group_speaker *who, uint64_t ticket,
                                  struct arena *arena, struct group_joined *out);

struct group_assignment {
    const char *member_id;
    struct bytes assignment;
};

struct group_sync {
    struct group_speaker who;
    int32_t generation;
    const char *protocol_type, *protocol; /* NULL: not given */
    const struct group_assignment *assignments;
    size_t assignment_count;
};

struct group_synced {
    const char *protocol_type, *protocol;
    struct bytes assignment;
};

enum group_code group_sync(struct groups *groups, const struct group_sync *sync, int64_t now_ms,
                           struct arena *arena, struct group_synced *out, uint64_t *ticket);
enum group_code group_sync_answer(struct groups *groups, const struct group_speaker *who, uint64_t ticket,
                                  struct arena *arena, struct group_synced *out);

enum group_code group_heartbeat(struct groups *groups, const struct group_speaker *who, int32_t generation,
                                int64_t now_ms);
/* A static member may be named by its instance id alone. */
enum group_code group_leave(struct groups *groups, const struct group_speaker *who, int64_t now_ms);

/* May this speaker commit offsets? Generation -1 and no member: a consumer that shares no work, fine while the group
 * has no members. */
enum group_code group_may_commit(struct groups *groups, const struct group_speaker *who, int32_t generation,
                                 int64_t now_ms);

struct group_info {
    const char *id, *protocol_type, *protocol;
    enum group_state state;
    struct group_member *members;
    size_t member_count;
};

/* GROUP_NOT_FOUND: none in memory; the log may still have offsets of it. */
enum group_code group_describe(struct groups *groups, const char *group, struct arena *arena,
                               struct group_info *out);
/* All groups in memory, without their members. */
enum err group_list(struct groups *groups, struct arena *arena, struct group_info **out, size_t *count);
/* Forget a group without members. GROUP_NOT_EMPTY, GROUP_NOT_FOUND. */
enum group_code group_forget(struct groups *groups, const char *group);
/* "Empty", "PreparingRebalance", ... as Kafka names the states. */
const char *group_state_name(enum group_state state);

#endif
