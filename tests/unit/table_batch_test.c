/* From lake objects to committed rows. What could go wrong: a record cleaned twice or never, because a batch was stopped
 * between chunks, because an object holds records of which some are in the table already, or because a listing made
 * while objects are put shows a later one and not the one before. How: objects that we write ourselves, batches with
 * small chunks, a disk that hides an object from one listing; then every offset is counted in the table. */
#include "table_helpers.h"

#include "base/disk_calls.h"
#include "clean/clean.h"

static struct config *config;

static int open_all(void **state)
{
    static char dir[300];
    const char *flags[] = {"data.dir", dir,   "lakehouse.threads",   "2",
                           "entities", "geo", "batch.chunk.records", "1000"};

    if (open_db(state))
        return -1;
    snprintf(dir, sizeof(dir), "%s", test_dir);
    return config_load(&config, "/dev/null", flags, 4) ? -1 : 0;
}

static int close_all(void **state)
{
    config_free(config);
    return close_db(state);
}

static int empty_all(void **state)
{
    char lake[300];

    snprintf(lake, sizeof(lake), "%s/lake", test_dir);
    return disk_remove_tree(disk_real(), lake) || disk_remove_tree(disk_real(), tables_dir) ? -1 : 0;
}

static const char *object_name(int partition, int64_t start)
{
    static char path[600];

    snprintf(path, sizeof(path), "%s/lake/topics/demo.geo/partition=%d/demo.geo+%d+%010lld.json", test_dir,
             partition, partition, (long long)start);
    return path;
}

/* An object with the records from `start` to before `end`. Every hundredth is no JSON and goes aside. */
static void put_object(int partition, int64_t start, int64_t end)
{
    struct buf lines = buf_init(64 << 20);
    char folder[600];

    for (int64_t offset = start; offset < end; offset++)
        if (offset % 100 == 99)
            ok(buf_add_text(&lines, "{\"_pinrail_raw\":\"bm8ganNvbg==\"}\n"));
        else
            ok(buf_printf(
                &lines,
                "{\"ind\":%lld,\"timestamp\":\"2020-01-02T03:04:05\",\"latitude\":1.5,\"longitude\":-2.5,"
                "\"country\":\"Albania\"}\n",
                (long long)offset));
    snprintf(folder, sizeof(folder), "%s/lake/topics/demo.geo/partition=%d", test_dir, partition);
    ok(disk_make_dirs(disk_real(), folder));
    ok(disk_write_file(disk_real(), object_name(partition, start), buf_bytes(&lines)));
    buf_release(&lines);
}

static struct batch_result run_batch(struct disk *disk)
{
    struct batch_result result = {0};

    ok(batch_run(config, disk, db, NULL, NULL, &result));
    return result;
}

/* Offsets 0 to before `end` of the partition are there once, in the table or aside. */
static void check_offsets(int partition, int64_t end)
{
    struct table *good = open_table("demo_geo_table"), *aside = open_table("demo_quarantine");
    char expression[200];

    snprintf(expression, sizeof(expression), "count(*) FILTER (_partition = %d)", partition);
    assert_int_equal(ask_table(good, -1, expression), end - end / 100);
    assert_int_equal(table_version(aside) < 0 ? 0 : ask_table(aside, -1, expression), end / 100);
    snprintf(expression, sizeof(expression), "count(DISTINCT _offset) FILTER (_partition = %d)", partition);
    assert_int_equal(ask_table(good, -1, expression), end - end / 100);
    snprintf(expression, sizeof(expression), "max(_offset) FILTER (_partition = %d)", partition);
    assert_int_equal(ask_table(good, -1, expression), end % 100 == 0 ? end - 2 : end - 1);
    table_close(good);
    table_close(aside);
}

static void an_empty_lake_is_no_error(void **state)
{
    struct batch_result result = run_batch(disk_real());

    assert_int_equal(result.records, 0);
    assert_int_equal(result.objects, 0);
}

/* Objects smaller and larger than a chunk, two partitions; then nothing is new; then a little is. */
static void a_batch_takes_what_is_new(void **state)
{
    struct batch_result result;

    put_object(0, 0, 10);
    put_object(0, 10, 4000);
    put_object(0, 4000, 4001);
    put_object(3, 0, 700);
    result = run_batch(disk_real());
    assert_int_equal(result.records, 4701);
    assert_int_equal(result.rows + result.aside, 4701);
    assert_int_equal(result.aside, 47);
    assert_int_equal(result.objects, 4);
    check_offsets(0, 4001);
    check_offsets(3, 700);

    result = run_batch(disk_real());
    assert_int_equal(result.records, 0);
    put_object(0, 4001, 4050);
    result = run_batch(disk_real());
    assert_int_equal(result.records, 49);
    assert_int_equal(result.objects, 1);
    check_offsets(0, 4050);
}

/* The table may stand within an object: the batch was stopped between chunks. */
static void a_batch_goes_on_within_an_object(void **state)
{
    put_object(0, 0, 1500);
    run_batch(disk_real());
    ok(disk_remove(disk_real(), object_name(0, 0)));
    put_object(0, 0, 2600); /* the same, and 1100 more */
    assert_int_equal(run_batch(disk_real()).records, 1100);
    check_offsets(0, 2600);
}

/* Large objects are mapped, small ones read; both more than one a chunk. */
static void objects_of_any_size_are_read(void **state)
{
    int64_t offset = 0;

    for (int i = 0; i < 30; i++) {
        int64_t end = offset + (i % 3 == 0 ? 5000 : 37);
        put_object(0, offset, end);
        offset = end;
    }
    assert_int_equal(run_batch(disk_real()).records, offset);
    check_offsets(0, offset);
}

/* ---- a listing that lacks an object ---- */

static struct disk_calls hiding_calls;
static struct disk hiding_disk = {&hiding_calls};
static const char *hidden;
static int hide_times;

struct listing {
    enum err (*each)(void *arg, const char *name);
    void *arg;
};

static enum err pass_on(void *arg, const char *name)
{
    struct listing *listing = arg;

    if (hide_times > 0 && strstr(name, hidden)) {
        hide_times--;
        return ERR_OK;
    }
    return listing->each(listing->arg, name);
}

static enum err list_hiding(struct disk *disk, const char *path,
                            enum err (*each)(void *arg, const char *name), void *arg)
{
    struct listing listing = {each, arg};

    return disk_real()->calls->list(disk, path, pass_on, &listing);
}

static void a_listing_that_lacks_an_object_loses_nothing(void **state)
{
    hiding_calls = *disk_real()->calls;
    hiding_calls.list = list_hiding;
    for (int64_t start = 0; start < 900; start += 300) {
        char name[32];

        ok(empty_all(NULL) ? ERR_IO : ERR_OK);
        put_object(0, 0, 300);
        put_object(0, 300, 600);
        put_object(0, 600, 900);
        snprintf(name, sizeof(name), "+%010lld.json", (long long)start);
        hidden = name;
        hide_times = 1;
        run_batch(&hiding_disk);
        assert_int_equal(hide_times, 0);
        run_batch(disk_real()); /* the last one, if it was that */
        check_offsets(0, 900);
    }
}

/* Offsets that have left the topic before they could land are gone; what is behind them is still taken. */
static void a_gap_is_passed(void **state)
{
    struct table *table;

    put_object(0, 500, 600);
    put_object(0, 800, 900);
    assert_int_equal(run_batch(disk_real()).records, 200);
    table = open_table("demo_geo_table");
    assert_int_equal(ask_table(table, -1, "count(*)"), 198);
    table_close(table);
    assert_int_equal(run_batch(disk_real()).records, 0);
}

static void a_torn_object_is_said_and_not_taken(void **state)
{
    struct batch_result result = {0};

    put_object(0, 0, 10);
    ok(disk_write_file(disk_real(), object_name(0, 10), BYTES("{\"ind\":10}\n{\"ind\":11")));
    fails(batch_run(config, disk_real(), db, NULL, NULL, &result), ERR_CORRUPT, "demo.geo+0+0000000010.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_lake_is_no_error, empty_all),
        cmocka_unit_test_setup(a_batch_takes_what_is_new, empty_all),
        cmocka_unit_test_setup(a_batch_goes_on_within_an_object, empty_all),
        cmocka_unit_test_setup(objects_of_any_size_are_read, empty_all),
        cmocka_unit_test_setup(a_listing_that_lacks_an_object_loses_nothing, empty_all),
        cmocka_unit_test_setup(a_gap_is_passed, empty_all),
        cmocka_unit_test_setup(a_torn_object_is_said_and_not_taken, empty_all),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
