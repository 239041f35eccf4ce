/* What could go wrong: two members of a group that both think a partition theirs, or a partition that nobody reads:
 * through a member that is gone and not missed, a stale generation let pass, a join left waiting for ever, a static
 * member's double not fenced. How we look: members join, sync, fall silent, come back and leave by a clock that the
 * test winds; nothing sleeps. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "log/group.h"

#define CHECK(what) assert_true(what)

enum { DELAY_MS = 100, SESSION_MS = 1000, REBALANCE_MS = 5000, TEXT_BYTES = 300 };

static struct groups *groups;
static struct arena arena;
static int64_t now_ms;
static int wake_fd;

struct one {
    char id[TEXT_BYTES];
    const char *instance_id;
    uint64_t ticket;
    int32_t generation;
    struct group_joined joined;
};

static int begin(void **state)
{
    struct group_options options = {DELAY_MS, 100, 10000, -1};

    wake_fd = eventfd(0, EFD_NONBLOCK);
    options.wake_fd = wake_fd;
    arena = arena_init(1 << 20);
    now_ms = 1000;
    return groups_open(&groups, &options) != ERR_OK;
}

static int end(void **state)
{
    groups_close(groups);
    arena_release(&arena);
    close(wake_fd);
    return 0;
}

static struct group_speaker who(const struct one *one)
{
    return (struct group_speaker){"readers", one->id, one->instance_id};
}

static enum group_code join_with(struct one *one, const char *subscription)
{
    struct group_protocol protocols[] = {{"range", bytes_of_text(subscription)},
                                         {"roundrobin", bytes_of_text(subscription)}};
    struct group_join join = {who(one),   "cl",      "/here", SESSION_MS, REBALANCE_MS,
                              "consumer", protocols, 2,       true};
    enum group_code code = group_join(groups, &join, now_ms, &arena, &one->joined, &one->ticket);

    if (code == GROUP_OK || code == GROUP_WAIT || code == GROUP_MEMBER_ID_REQUIRED)
        snprintf(one->id, sizeof(one->id), "%s", one->joined.member_id);
    one->generation = one->joined.generation;
    return code;
}

static enum group_code join(struct one *one)
{
    return join_with(one, "topic");
}

static enum group_code join_answer(struct one *one)
{
    struct group_speaker speaker = who(one);
    enum group_code code = group_join_answer(groups, &speaker, one->ticket, &arena, &one->joined);

    one->generation = one->joined.generation;
    return code;
}

static enum group_code ask_part(struct one *one, const struct group_assignment *parts, size_t count,
                                struct group_synced *out)
{
    struct group_sync request = {who(one), one->generation, NULL, NULL, parts, count};

    return group_sync(groups, &request, now_ms, &arena, out, &one->ticket);
}

static enum group_code heartbeat(const struct one *one)
{
    struct group_speaker speaker = who(one);

    return group_heartbeat(groups, &speaker, one->generation, now_ms);
}

static void pass(int64_t ms)
{
    now_ms += ms;
    groups_tick(groups, now_ms);
}

static enum group_state state_of_group(void)
{
    struct group_info info;

    CHECK(group_describe(groups, "readers", &arena, &info) == GROUP_OK);
    return info.state;
}

/* A new dynamic member: the id first, then the join that waits. */
static void come(struct one *one)
{
    CHECK(join(one) == GROUP_MEMBER_ID_REQUIRED);
    CHECK(join(one) == GROUP_WAIT);
}

/* The leader gives everyone its own name as its part. */
static void share_out(struct one **all, size_t count)
{
    struct group_assignment parts[8];
    struct group_synced synced;
    size_t leader = 0;

    for (size_t i = 0; i < count; i++) {
        parts[i] = (struct group_assignment){all[i]->id, bytes_of_text(all[i]->id)};
        if (strcmp(all[i]->joined.leader_id, all[i]->id) == 0)
            leader = i;
    }
    for (size_t i = 0; i < count; i++)
        if (i != leader)
            CHECK(ask_part(all[i], NULL, 0, &synced) == GROUP_WAIT);
    CHECK(ask_part(all[leader], parts, count, &synced) == GROUP_OK);
    CHECK(bytes_equal(synced.assignment, bytes_of_text(all[leader]->id)));
    for (size_t i = 0; i < count; i++) {
        struct group_speaker speaker = who(all[i]);
        if (i == leader)
            continue;
        CHECK(group_sync_answer(groups, &speaker, all[i]->ticket, &arena, &synced) == GROUP_OK);
        CHECK(bytes_equal(synced.assignment, bytes_of_text(all[i]->id)));
    }
    CHECK(state_of_group() == GROUP_STABLE);
}

static void two_stable(struct one *a, struct one *b)
{
    come(a);
    come(b);
    pass(DELAY_MS);
    CHECK(join_answer(a) == GROUP_OK && join_answer(b) == GROUP_OK);
    share_out((struct one *[]){a, b}, 2);
}

static void the_first_members_share_one_generation(void **state)
{
    struct one a = {0}, b = {0};

    come(&a);
    come(&b);
    CHECK(join_answer(&a) == GROUP_WAIT);
    pass(DELAY_MS - 1);
    CHECK(join_answer(&a) == GROUP_WAIT);
    pass(1);
    CHECK(join_answer(&a) == GROUP_OK && join_answer(&b) == GROUP_OK);
    CHECK(a.generation == 1 && b.generation == 1);
    CHECK(strcmp(a.joined.leader_id, a.id) == 0 && strcmp(b.joined.leader_id, a.id) == 0);
    CHECK(a.joined.member_count == 2 && b.joined.member_count == 0);
    CHECK(strcmp(a.joined.protocol, "range") == 0);
    CHECK(bytes_equal(a.joined.members[1].metadata, bytes_of_text("topic")));
    share_out((struct one *[]){&a, &b}, 2);
    CHECK(heartbeat(&a) == GROUP_OK && heartbeat(&b) == GROUP_OK);
}

static void a_newcomer_makes_all_join_again(void **state)
{
    struct one a = {0}, b = {0}, c = {0};

    two_stable(&a, &b);
    come(&c);
    CHECK(heartbeat(&a) == GROUP_REBALANCING);
    CHECK(join(&a) == GROUP_WAIT);
    CHECK(join_answer(&c) == GROUP_WAIT);
    CHECK(join(&b) == GROUP_WAIT); /* the last one: no need to wait longer */
    CHECK(join_answer(&a) == GROUP_OK && join_answer(&b) == GROUP_OK && join_answer(&c) == GROUP_OK);
    CHECK(a.generation == 2 && c.generation == 2 && a.joined.member_count == 3);
    share_out((struct one *[]){&a, &b, &c}, 3);
}

static void a_silent_member_is_missed(void **state)
{
    struct one a = {0}, b = {0};

    two_stable(&a, &b);
    pass(SESSION_MS - 1);
    CHECK(heartbeat(&a) == GROUP_OK);
    pass(1); /* b has said nothing for a whole session */
    CHECK(heartbeat(&a) == GROUP_REBALANCING);
    CHECK(heartbeat(&b) == GROUP_UNKNOWN_MEMBER);
    CHECK(join(&a) == GROUP_WAIT);
    CHECK(join_answer(&a) == GROUP_OK);
    CHECK(a.generation == 2 && a.joined.member_count == 1);
}

static void who_does_not_join_again_is_left_behind(void **state)
{
    struct one a = {0}, b = {0}, c = {0};

    two_stable(&a, &b);
    come(&c);
    CHECK(join(&a) == GROUP_WAIT);
    for (int64_t waited = 0; waited < REBALANCE_MS; waited += SESSION_MS / 2) {
        CHECK(heartbeat(&b) == GROUP_REBALANCING); /* alive, but it does not come */
        pass(SESSION_MS / 2);
    }
    CHECK(join_answer(&a) == GROUP_OK && join_answer(&c) == GROUP_OK);
    CHECK(heartbeat(&b) == GROUP_UNKNOWN_MEMBER);
    share_out((struct one *[]){&a, &c}, 2);
}

static void a_leaver_is_missed_at_once(void **state)
{
    struct one a = {0}, b = {0};
    struct group_speaker speaker;

    two_stable(&a, &b);
    speaker = who(&a); /* the leader itself */
    CHECK(group_leave(groups, &speaker, now_ms) == GROUP_OK);
    CHECK(group_leave(groups, &speaker, now_ms) == GROUP_UNKNOWN_MEMBER);
    CHECK(heartbeat(&b) == GROUP_REBALANCING);
    CHECK(join(&b) == GROUP_WAIT && join_answer(&b) == GROUP_OK);
    CHECK(strcmp(b.joined.leader_id, b.id) == 0);
    speaker = who(&b);
    CHECK(group_leave(groups, &speaker, now_ms) == GROUP_OK);
    CHECK(state_of_group() == GROUP_EMPTY);
    CHECK(groups_tick(groups, now_ms) == INT64_MAX);
}

static void a_leader_that_never_shares_out_is_replaced(void **state)
{
    struct one a = {0}, b = {0};
    struct group_synced synced;
    struct group_speaker speaker;

    come(&a);
    come(&b);
    pass(DELAY_MS);
    CHECK(join_answer(&a) == GROUP_OK && join_answer(&b) == GROUP_OK);
    CHECK(ask_part(&b, NULL, 0, &synced) == GROUP_WAIT);
    for (int64_t waited = 0; waited < REBALANCE_MS; waited += SESSION_MS / 2) {
        CHECK(heartbeat(&a) == GROUP_OK);
        pass(SESSION_MS / 2);
    }
    speaker = who(&b);
    CHECK(group_sync_answer(groups, &speaker, b.ticket, &arena, &synced) == GROUP_REBALANCING);
    CHECK(heartbeat(&a) == GROUP_UNKNOWN_MEMBER);
    CHECK(join(&b) == GROUP_WAIT && join_answer(&b) == GROUP_OK);
    CHECK(strcmp(b.joined.leader_id, b.id) == 0);
}

static void stale_generations_are_refused(void **state)
{
    struct one a = {0}, b = {0}, c = {0}, old;
    struct group_speaker speaker, simple = {"readers", "", NULL};
    struct group_synced synced;

    two_stable(&a, &b);
    old = a;
    come(&c);
    CHECK(join(&a) == GROUP_WAIT && join(&b) == GROUP_WAIT);
    speaker = who(&a);
    CHECK(join_answer(&a) == GROUP_OK);
    CHECK(group_may_commit(groups, &speaker, a.generation, now_ms) ==
          GROUP_REBALANCING); /* before its sync */
    CHECK(heartbeat(&old) == GROUP_ILLEGAL_GENERATION);
    CHECK(ask_part(&old, NULL, 0, &synced) == GROUP_ILLEGAL_GENERATION);
    CHECK(join_answer(&b) == GROUP_OK && join_answer(&c) == GROUP_OK);
    share_out((struct one *[]){&a, &b, &c}, 3);
    CHECK(group_may_commit(groups, &speaker, old.generation, now_ms) == GROUP_ILLEGAL_GENERATION);
    CHECK(group_may_commit(groups, &speaker, a.generation, now_ms) == GROUP_OK);
    CHECK(group_may_commit(groups, &simple, -1, now_ms) == GROUP_UNKNOWN_MEMBER);
    simple.group = "nobody";
    CHECK(group_may_commit(groups, &simple, -1, now_ms) == GROUP_OK);
    CHECK(group_may_commit(groups, &simple, 3, now_ms) == GROUP_ILLEGAL_GENERATION);
}

static void a_static_member_comes_back_unnoticed(void **state)
{
    struct one a = {.instance_id = "one"}, b = {0}, again = {.instance_id = "one"};
    struct group_speaker speaker;

    CHECK(join(&a) == GROUP_WAIT); /* no second round for its id */
    come(&b);
    pass(DELAY_MS);
    CHECK(join_answer(&a) == GROUP_OK && join_answer(&b) == GROUP_OK);
    share_out((struct one *[]){&a, &b}, 2);
    CHECK(join(&again) == GROUP_OK); /* restarted */
    CHECK(again.generation == a.generation && strcmp(again.id, a.id) != 0);
    CHECK(heartbeat(&a) == GROUP_FENCED);
    CHECK(heartbeat(&again) == GROUP_OK && heartbeat(&b) == GROUP_OK);
    speaker = who(&a);
    CHECK(group_leave(groups, &speaker, now_ms) == GROUP_FENCED);
    speaker = (struct group_speaker){"readers", "", "one"}; /* an operator removes it by name */
    CHECK(group_leave(groups, &speaker, now_ms) == GROUP_OK);
    CHECK(heartbeat(&b) == GROUP_REBALANCING);
}

static void a_static_member_with_another_subscription_is_noticed(void **state)
{
    struct one a = {.instance_id = "one"}, b = {0}, again = {.instance_id = "one"};

    CHECK(join(&a) == GROUP_WAIT);
    come(&b);
    pass(DELAY_MS);
    CHECK(join_answer(&a) == GROUP_OK && join_answer(&b) == GROUP_OK);
    share_out((struct one *[]){&a, &b}, 2);
    CHECK(join_with(&again, "other topic") == GROUP_WAIT);
    CHECK(heartbeat(&b) == GROUP_REBALANCING);
}

static void bad_joins_are_refused(void **state)
{
    struct group_protocol range = {"range", bytes_of("", 0)}, mine = {"mine", bytes_of("", 0)};
    struct one a = {0}, b = {0};
    struct group_join good = {
        {"readers", "", NULL}, "cl", "/h", SESSION_MS, REBALANCE_MS, "consumer", &mine, 1, false};
    struct group_join bad;
    struct group_joined out;
    uint64_t ticket;

    two_stable(&a, &b);
    bad = good;
    bad.who.group = "";
    CHECK(group_join(groups, &bad, now_ms, &arena, &out, &ticket) == GROUP_INVALID_ID);
    bad = good;
    bad.session_timeout_ms = 99;
    CHECK(group_join(groups, &bad, now_ms, &arena, &out, &ticket) == GROUP_BAD_SESSION);
    bad = good; /* a protocol that nobody else knows */
    CHECK(group_join(groups, &bad, now_ms, &arena, &out, &ticket) == GROUP_INCONSISTENT);
    bad.protocols = &range;
    bad.protocol_type = "connect";
    CHECK(group_join(groups, &bad, now_ms, &arena, &out, &ticket) == GROUP_INCONSISTENT);
    bad.protocol_type = "consumer";
    bad.protocol_count = 0;
    CHECK(group_join(groups, &bad, now_ms, &arena, &out, &ticket) == GROUP_INCONSISTENT);
    bad = good;
    bad.protocols = &range;
    bad.who.member_id = "made-up";
    CHECK(group_join(groups, &bad, now_ms, &arena, &out, &ticket) == GROUP_UNKNOWN_MEMBER);
    bad.who.group = "nobody";
    CHECK(group_join(groups, &bad, now_ms, &arena, &out, &ticket) == GROUP_UNKNOWN_MEMBER);
    CHECK(heartbeat(&a) == GROUP_OK && heartbeat(&b) == GROUP_OK); /* and nobody noticed */
}

static void an_id_that_is_never_used_holds_up_nobody_for_long(void **state)
{
    struct one a = {0}, b = {0}, c = {0};

    two_stable(&a, &b);
    CHECK(join(&c) == GROUP_MEMBER_ID_REQUIRED); /* and is not heard of again */
    CHECK(heartbeat(&a) == GROUP_OK);
    CHECK(join_with(&a, "more") == GROUP_WAIT && join_with(&b, "more") == GROUP_WAIT);
    CHECK(join_answer(&a) == GROUP_WAIT);
    pass(SESSION_MS);
    CHECK(join_answer(&a) == GROUP_OK && join_answer(&b) == GROUP_OK);
    CHECK(a.joined.member_count == 2);
}

static void doors_are_woken(void **state)
{
    struct one a = {0};
    uint64_t count;

    come(&a);
    CHECK(read(wake_fd, &count, sizeof(count)) == sizeof(count));
    pass(DELAY_MS);
    CHECK(read(wake_fd, &count, sizeof(count)) == sizeof(count));
    CHECK(read(wake_fd, &count, sizeof(count)) < 0);
}

static void the_next_deadline_is_told(void **state)
{
    struct one a = {0};

    CHECK(groups_tick(groups, now_ms) == INT64_MAX);
    come(&a);
    CHECK(groups_tick(groups, now_ms) == now_ms + DELAY_MS);
    pass(DELAY_MS);
    CHECK(join_answer(&a) == GROUP_OK);
    CHECK(groups_tick(groups, now_ms) == now_ms + SESSION_MS);
    pass(SESSION_MS);
    CHECK(groups_tick(groups, now_ms) == INT64_MAX);
}

static void only_empty_groups_are_forgotten(void **state)
{
    struct one a = {0};
    struct group_info *all;
    size_t count;

    CHECK(group_forget(groups, "readers") == GROUP_NOT_FOUND);
    come(&a);
    CHECK(group_forget(groups, "readers") == GROUP_NOT_EMPTY);
    CHECK(group_list(groups, &arena, &all, &count) == ERR_OK && count == 1);
    CHECK(strcmp(all[0].id, "readers") == 0 && strcmp(all[0].protocol_type, "consumer") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(the_first_members_share_one_generation),
        TEST(a_newcomer_makes_all_join_again),
        TEST(a_silent_member_is_missed),
        TEST(who_does_not_join_again_is_left_behind),
        TEST(a_leaver_is_missed_at_once),
        TEST(a_leader_that_never_shares_out_is_replaced),
        TEST(stale_generations_are_refused),
        TEST(a_static_member_comes_back_unnoticed),
        TEST(a_static_member_with_another_subscription_is_noticed),
        TEST(bad_joins_are_refused),
        TEST(an_id_that_is_never_used_holds_up_nobody_for_long),
        TEST(doors_are_woken),
        TEST(the_next_deadline_is_told),
        TEST(only_empty_groups_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
