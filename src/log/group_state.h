/* group_state.h - what the coordinator keeps in memory: group.c answers requests with it, group_state.c moves it on.
 * Threads: all under groups->lock. */
#ifndef LOG_GROUP_STATE_H
#define LOG_GROUP_STATE_H

#include <pthread.h>

#include "log/group.h"

enum {
    GROUP_BUCKETS = 1024,
    GROUP_MEMBERS_MOST = 10000,
    GROUP_PROTOCOLS_MOST = 64,
    GROUP_PENDING_MOST = 10000,
};
static const size_t GROUPS_MEMORY_MOST = 64
                                         << 20; /* members' metadata and assignments, all groups together */

enum waiting { WAITING_FOR_NOTHING, WAITING_FOR_JOIN, WAITING_FOR_SYNC };

struct member {
    struct member *next;
    char *id, *instance_id, *client_id, *client_host; /* owned; instance_id may be NULL */
    int32_t session_ms, rebalance_ms;
    struct group_protocol *protocols; /* owned, one block with what they point to */
    size_t protocol_count;
    uint8_t *assignment; /* owned */
    size_t assignment_size;
    size_t charged; /* bytes counted in groups->memory */
    int64_t heard_ms;
    enum waiting waiting;
    uint64_t ticket;         /* of the latest join or sync that had to wait */
    enum group_code outcome; /* of that ticket; GROUP_WAIT while it is open */
    int32_t outcome_generation;
};

/* A member id given out by GROUP_MEMBER_ID_REQUIRED whose second join is awaited. */
struct pending {
    struct pending *next;
    char *id;
    int64_t due_ms;
};

struct group {
    struct group *next;
    char *id, *protocol_type, *protocol, *leader_id; /* owned; all but id may be NULL */
    enum group_state state;
    int32_t generation;
    struct member *members;
    size_t member_count;
    struct pending *pending;
    size_t pending_count;
    bool is_first_round; /* PREPARING from EMPTY: waits out the initial delay for others to come */
    int64_t due_ms;      /* PREPARING: end of the joins; COMPLETING: end of the syncs */
    int64_t due_most_ms; /* how far new members may push due_ms out in the first round */
};

struct groups {
    pthread_mutex_t lock;
    struct group_options options;
    struct group *buckets[GROUP_BUCKETS];
    uint64_t tickets;
    size_t memory;
    bool must_wake; /* the doors are to be woken when the lock is given back */
};

struct group *group_find(struct groups *groups, const char *id);
struct group *group_make(struct groups *groups, const char *id);
void group_drop(struct groups *groups, struct group *group);

struct member *member_find(struct group *group, const char *id);
struct member *member_find_instance(struct group *group, const char *instance_id);
/* A new member at the end of the group's list. NULL: no room or no memory. */
struct member *member_add(struct groups *groups, struct group *group, const struct group_join *join,
                          const char *id, int64_t now_ms);
/* Take over the join's protocols and timeouts. False: no room or no memory, and nothing has changed. */
bool member_update(struct groups *groups, struct member *member, const struct group_join *join);
bool member_assign(struct groups *groups, struct member *member, struct bytes assignment);
bool member_has_protocols(const struct member *member, const struct group_join *join);
struct bytes member_metadata(const struct member *member, const char *protocol);

/* A dynamic member id that no one had before, in the arena. */
const char *member_new_id(struct arena *arena, const char *client_id);

struct pending *pending_find(struct group *group, const char *id);
bool pending_add(struct group *group, const char *id, int64_t due_ms);
void pending_remove(struct group *group, const char *id);

/* Have all members join again. */
void group_rebalance(struct groups *groups, struct group *group, int64_t now_ms);
/* Begin the next generation if everybody has joined. */
void group_try_begin(struct groups *groups, struct group *group, int64_t now_ms);
/* A member goes, by its own wish or because it was not heard of; the others share its work anew. */
void group_remove(struct groups *groups, struct group *group, struct member *member, int64_t now_ms);
bool member_is_leader(const struct group *group, const struct member *member);
/* Give what waits its outcome, and wake the doors. */
void member_settle(struct groups *groups, struct member *member, enum group_code outcome, int32_t generation);
uint64_t member_wait(struct groups *groups, struct member *member, enum waiting what);
/* Is there a protocol that all members but `but` and the join know? */
bool group_agrees(const struct group *group, const struct group_join *join, const struct member *but);
/* What time has brought to one group. Returns when to look again. */
int64_t group_tick(struct groups *groups, struct group *group, int64_t now_ms);
bool group_is_idle(const struct group *group);

#endif
