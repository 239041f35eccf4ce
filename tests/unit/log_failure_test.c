/* A disk that fails must not turn into an acknowledgement, nor into a record that comes back although its producer was
 * told that it failed... or was never told. And a tail that a crash tore must cost what was torn and nothing else.
 * How: the n-th write or sync fails, or the disk runs full, for every n of a small run; a real file is cut, and
 * overwritten, at every byte of its last batch. */
#include <fcntl.h>
#include <sys/stat.h>

#include "faulty_disk.h"
#include "log_helpers.h"

static struct log *open_on(struct disk *disk)
{
    struct log_options options = {.dir = "/log", .disk = disk, .segment_bytes = 400};
    struct log *log = NULL;

    ok(log_open(&log, &options));
    return log;
}

enum { APPENDS = 12, SETTLED_MOST = APPENDS * 2 };

/* Append until something fails; returns the end of what was settled. */
static int64_t append_until_failure(struct partition *partition)
{
    struct buf buf = buf_init(1 << 16);
    int64_t settled = 0;
    struct append append;

    for (int i = 0; i < APPENDS; i++) {
        char prefix[16];
        enum err err;
        snprintf(prefix, sizeof(prefix), "p%lld", (long long)settled);
        err = partition_append(partition, make_batch(&buf, prefix, 2, i), &append);
        if (!err)
            err = partition_wait(partition, append.end_offset, -1);
        if (err) {
            assert_int_equal(err, ERR_IO);
            /* from now on nothing is taken or given, and the sentence says where */
            assert_int_equal(partition_append(partition, make_batch(&buf, "x", 1, 1), &append), ERR_IO);
            assert_non_null(strstr(err_sentence(), "t-0"));
            assert_int_equal(partition_settled(partition, settled + 1), ERR_IO);
            assert_int_equal(partition_settled(partition, settled), ERR_OK);
            assert_int_equal(partition_end_offset(partition), settled);
            buf_clear(&buf);
            assert_int_equal(partition_read(partition, 0, 100, &buf), ERR_IO);
            break;
        }
        settled = append.end_offset;
    }
    buf_release(&buf);
    return settled;
}

static void check_prefix(void *arg, const struct record *record)
{
    char value[32];

    snprintf(value, sizeof(value), "p%lld-%lld", (long long)record->offset / 2 * 2,
             (long long)record->offset % 2);
    assert_true(bytes_equal(record->value, bytes_of_text(value)));
}

/* Opened again, the partition holds exactly what was settled and goes on. `crashes`: the power goes in between, too. */
static void check_recovery(struct disk *disk, int64_t settled, bool crashes, uint32_t seed)
{
    struct log *log;
    struct partition *partition;

    if (crashes)
        faulty_disk_crash(disk, seed, FAULTY_LOSES_SOME);
    faulty(disk)->room_bytes = -1;
    log = open_on(disk);
    partition = log_partition(log, "t", 0);
    assert_int_equal(partition_end_offset(partition), settled);
    assert_int_equal(read_records(partition, 0, 1000, check_prefix, NULL), settled);
    assert_int_equal(append_records(partition, "more", 1, 1), settled);
    partition_put(partition);
    log_close(log);
}

static void fail_at_every(int what)
{
    for (int64_t n = 1; n <= 40; n++) {
        for (int crashes = 0; crashes < 2; crashes++) {
            struct disk *disk = faulty_disk_new();
            struct log *log = open_on(disk);
            struct partition *partition;
            int64_t settled;
            ok(log_topic_create(log, "t", 1, NULL, 0));
            partition = log_partition(log, "t", 0);
            if (what == 0)
                faulty(disk)->sync_fails_at = faulty(disk)->syncs + n;
            else if (what == 1)
                faulty(disk)->write_fails_at = faulty(disk)->writes + n;
            else
                faulty(disk)->room_bytes = n * 37;
            settled = append_until_failure(partition);
            assert_true(n > 2 || settled < SETTLED_MOST);
            faulty(disk)->sync_fails_at = faulty(disk)->write_fails_at = 0;
            if (what < 2) /* the other partitions go on */
                ok(log_topic_create(log, "other", 1, NULL, 0));
            partition_put(partition);
            log_close(log);
            check_recovery(disk, settled, crashes, (uint32_t)n);
            faulty_disk_free(disk);
        }
    }
}

static void a_failed_sync_takes_the_partition_offline(void **state)
{
    fail_at_every(0);
}

static void a_failed_write_takes_the_partition_offline(void **state)
{
    fail_at_every(1);
}

static void a_full_disk_takes_the_partition_offline(void **state)
{
    fail_at_every(2);
}

/* ---- torn tails, on real files ---- */

static void segment_file(char out[512])
{
    snprintf(out, 512, "%s/t-0/%020d.log", test_dir, 0);
}

static off_t size_of(const char *path)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

/* Writes three batches of two records; *first_two is the size of two of them. The index that closing leaves vouches for
 * what it covers, as after a crash there is none, it is removed. */
static off_t write_three(off_t *first_two)
{
    struct log *log = open_log();
    struct partition *partition;
    char path[512], index[512];
    off_t size;

    ok(log_topic_create(log, "t", 1, NULL, 0));
    partition = log_partition(log, "t", 0);
    segment_file(path);
    append_records(partition, "p0", 2, 1);
    append_records(partition, "p2", 2, 2);
    *first_two = size_of(path);
    append_records(partition, "p4", 2, 3);
    size = size_of(path);
    partition_put(partition);
    log_close(log);
    snprintf(index, sizeof(index), "%.*s.index", (int)strlen(path) - 4, path);
    assert_int_equal(unlink(index), 0);
    return size;
}

static void check_two_batches_are_left(void)
{
    struct log *log = open_log();
    struct partition *partition = log_partition(log, "t", 0);

    assert_int_equal(partition_end_offset(partition), 4);
    assert_int_equal(read_records(partition, 0, 1000, check_prefix, NULL), 4);
    assert_int_equal(append_records(partition, "p4", 2, 1), 4);
    assert_int_equal(read_records(partition, 0, 1000, check_prefix, NULL), 6);
    partition_put(partition);
    ok(log_topic_delete(log, "t"));
    log_close(log);
}

static void a_tail_cut_at_any_byte_is_dropped(void **state)
{
    off_t first_two, size = write_three(&first_two);
    char path[512];

    segment_file(path);
    for (off_t cut = first_two; cut < size; cut++) {
        assert_int_equal(truncate(path, cut), 0);
        check_two_batches_are_left();
        write_three(&first_two);
    }
}

static void a_tail_damaged_at_any_byte_is_dropped(void **state)
{
    off_t first_two, size = write_three(&first_two);
    char path[512];

    segment_file(path);
    for (off_t at = first_two; at < size; at++) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;
        if (at >= first_two + BATCH_AT_LEADER_EPOCH && at < first_two + BATCH_AT_MAGIC) {
            close(fd); /* the leader epoch means nothing here */
            continue;
        }
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        check_two_batches_are_left();
        write_three(&first_two);
    }
}

/* What is behind the good part may also be zeros, as when a size reached the disk and the bytes did not. */
static void a_tail_of_zeros_is_dropped(void **state)
{
    off_t first_two;
    char path[512];

    for (off_t zeros = 1; zeros < 5000; zeros = zeros * 3 + 1) {
        write_three(&first_two);
        segment_file(path);
        assert_int_equal(truncate(path, first_two), 0);
        assert_int_equal(truncate(path, first_two + zeros), 0);
        check_two_batches_are_left();
    }
}

/* Damage where later segments vouch for a segment's end is no torn tail: the partition says so and serves nothing. */
static void damage_in_the_middle_takes_the_partition_offline(void **state)
{
    struct topic_setting setting = {"segment.bytes", "100"};
    struct log *log = open_log();
    struct partition *partition;
    struct buf buf = buf_init(1 << 16);
    char path[512];

    ok(log_topic_create(log, "t", 1, &setting, 1));
    ok(log_topic_create(log, "healthy", 1, NULL, 0));
    partition = log_partition(log, "t", 0);
    for (int i = 0; i < 5; i++)
        append_records(partition, "x", 2, 1);
    partition_put(partition);
    log_close(log);
    segment_file(path);
    assert_int_equal(truncate(path, size_of(path) - 1), 0);
    trace_set_level((enum trace_level) - 1);
    log = open_log();
    partition = log_partition(log, "t", 0);
    assert_int_equal(partition_read(partition, 0, 100, &buf), ERR_IO);
    assert_non_null(strstr(err_sentence(), "damaged"));
    partition_put(partition);
    partition = log_partition(log, "healthy", 0);
    append_records(partition, "x", 2, 1);
    partition_put(partition);
    ok(log_topic_delete(log, "t"));
    log_close(log);
    buf_release(&buf);
}

/* Indexes are only a help: without them, or with damaged ones, everything is as before. */
static void indexes_are_remade(void **state)
{
    struct topic_setting setting = {"segment.bytes", "100"};
    struct log *log = open_log();
    struct partition *partition;
    int64_t offset, time_ms;

    ok(log_topic_create(log, "t", 1, &setting, 1));
    partition = log_partition(log, "t", 0);
    for (int i = 0; i < 10; i++) {
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "p%d", i * 2);
        append_records(partition, prefix, 2, 1000 + i * 100);
    }
    for (int damage = 0; damage < 3; damage++) {
        partition_put(partition);
        log_close(log);
        for (int i = 0; i < 10; i++) {
            char path[512];
            snprintf(path, sizeof(path), "%s/t-0/%020d.index", test_dir, i * 2);
            if (damage == 0)
                assert_int_equal(unlink(path), 0);
            else if (damage == 1)
                assert_int_equal(truncate(path, i * 20), 0);
            else { /* the head is good, the rest is not: noticed when it is used */
                int fd = open(path, O_RDWR | O_CLOEXEC);
                assert_int_equal(pwrite(fd, "damage", 6, 80), 6);
                close(fd);
            }
        }
        trace_set_level((enum trace_level) - 1);
        log = open_log();
        trace_set_level(TRACE_ERROR);
        partition = log_partition(log, "t", 0);
        assert_int_equal(read_records(partition, 0, 1, check_prefix, NULL), 20);
        ok(partition_find_time(partition, 1501, &offset, &time_ms));
        assert_int_equal(offset, 11);
    }
    partition_put(partition);
    log_close(log);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_test_dir, remove_test_dir)

static int be_silent(void **state)
{
    trace_set_level((enum trace_level) - 1); /* failures are many, and what is said about each is no news */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_failed_sync_takes_the_partition_offline, be_silent),
        cmocka_unit_test_setup(a_failed_write_takes_the_partition_offline, be_silent),
        cmocka_unit_test_setup(a_full_disk_takes_the_partition_offline, be_silent),
        test(a_tail_cut_at_any_byte_is_dropped),
        test(a_tail_damaged_at_any_byte_is_dropped),
        test(a_tail_of_zeros_is_dropped),
        test(damage_in_the_middle_takes_the_partition_offline),
        test(indexes_are_remade),
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
