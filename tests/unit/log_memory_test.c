/* Memory can run out at any allocation. A log that then crashes, hangs or acknowledges what it does not have is worse
 * than one that says so.
 * How: a run of everything, in which the n-th allocation fails, for every n; then the log is opened again and what was
 * settled is looked for. Sanitizers bring allocators of their own, so there the test has nothing to put its own in the
 * place of: after a run without failures it says that it is skipped. */
#include <stdatomic.h>

#include "log_helpers.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR 0
#elif defined(__has_feature)
#define OWN_ALLOCATOR (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define OWN_ALLOCATOR 1
#endif

static _Atomic int64_t allocations, fails_at; /* 0: never */

#if OWN_ALLOCATOR
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *at, size_t size);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *at, size_t size);

static bool fails(void)
{
    return atomic_fetch_add(&allocations, 1) + 1 == atomic_load(&fails_at);
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *at, size_t size)
{
    return fails() ? NULL : __libc_realloc(at, size);
}
#endif

struct outcome {
    bool created, deleted;
    int64_t settled, committed;
};

static void append_some(struct log *log, struct outcome *outcome)
{
    static uint8_t room[4096];
    struct buf buf = {room, 0, sizeof(room), sizeof(room)}; /* the test's own memory does not fail */
    struct partition *partition = log_partition(log, "t", 0);
    struct buf out = buf_init(1 << 20);
    struct append append;
    int64_t offset, time_ms;

    if (!partition)
        return;
    for (int i = 0; i < 6; i++) {
        struct bytes batch = make_batch(&buf, "x", 2, i);
        set_producer(batch, 5, 0, i * 2);
        if (partition_append(partition, batch, &append) || partition_wait(partition, append.end_offset, -1))
            break;
        outcome->settled = append.end_offset;
        partition_read(partition, 0, 1000, &out);
        partition_find_time(partition, 3, &offset, &time_ms);
        partition_max_time(partition, &offset, &time_ms);
    }
    partition_trim(partition, 1);
    partition_put(partition);
    buf_release(&out);
}

static void run(struct outcome *outcome)
{
    struct log_options options = {.dir = test_dir, .disk = disk_real(), .segment_bytes = 300};
    struct topic_setting setting = {"note", "text"};
    struct arena arena = arena_init(1 << 20);
    struct log *log = NULL;
    struct partition *where;
    struct committed committed;
    struct topic_info *list;
    char **groups;
    size_t count;
    int64_t end;

    *outcome = (struct outcome){0};
    if (log_open(&log, &options))
        return;
    outcome->created = !log_topic_create(log, "t", 1, &setting, 1);
    append_some(log, outcome);
    if (!log_offset_commit(log, "g", "u", 0, 42, 0, BYTES("m"), &where, &end)) {
        if (!partition_wait(where, end, -1))
            outcome->committed = 42;
        partition_put(where);
    }
    log_offset_fetch(log, "g", "u", 0, &arena, &committed);
    log_group_list(log, &arena, &groups, &count);
    log_topic_list(log, &arena, &list, &count);
    log_topic_grow(log, "t", 2);
    if (!log_topic_create(log, "passing", 1, NULL, 0))
        outcome->deleted = !log_topic_delete(log, "passing");
    log_close(log);
    arena_release(&arena);
}

static void look_for(const struct outcome *outcome)
{
    struct arena arena = arena_init(1 << 20);
    struct log *log = open_log();
    struct partition *partition = log_partition(log, "t", 0);
    struct committed committed;

    if (outcome->created)
        assert_non_null(partition);
    if (partition) {
        assert_true(partition_end_offset(partition) >= outcome->settled);
        read_records(partition, partition_start_offset(partition), 1000, NULL, NULL);
    }
    if (outcome->committed) {
        ok(log_offset_fetch(log, "g", "u", 0, &arena, &committed));
        assert_int_equal(committed.offset, 42);
    }
    if (outcome->deleted)
        assert_null(log_partition(log, "passing", 0));
    partition_put(partition);
    log_close(log);
    arena_release(&arena);
}

static void any_allocation_may_fail(void **state)
{
    struct outcome outcome;
    int64_t most;

    allocations = 0;
    run(&outcome);
    most = allocations;
    assert_true(outcome.created && outcome.settled == 12 && outcome.committed && outcome.deleted);
    look_for(&outcome);
    ok(disk_remove_tree(disk_real(), test_dir));
    ok(disk_make_dirs(disk_real(), test_dir));
    if (!OWN_ALLOCATOR)
        skip();
    assert_true(most > 0);
    for (int64_t n = 1; n <= most; n++) {
        allocations = 0;
        fails_at = n;
        run(&outcome);
        fails_at = 0;
        look_for(&outcome);
        ok(disk_remove_tree(disk_real(), test_dir));
    }
    ok(disk_make_dirs(disk_real(), test_dir));
}

static int make_silent_dir(void **state)
{
    int status = make_test_dir(state);

    trace_set_level((enum trace_level) - 1);
    return status;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_allocation_may_fail, make_silent_dir, remove_test_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
