/* Reading a Delta log. What could go wrong: a damaged or missing piece that is not noticed, or that is noticed and stops
 * what could go on; a feature we do not do that is read as if it were not there; a checkpoint that says other than the
 * commits. Logs are written by hand or by us, broken on purpose, and opened. The golden tables are the Delta project's
 * own (DELTA_GOLDEN, or ../shared/data/delta-golden; skipped where they are not). */
#include "table_helpers.h"

#define PROTOCOL "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define META                                                                                                 \
    "{\"metaData\":{\"id\":\"x\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":"     \
    "\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"integer\\\","   \
    "\\\"nullable\\\":true,\\\"metadata\\\":{}}]}\",\"partitionColumns\":[],\"configuration\":{}}}\n"
#define ADD(path)                                                                                            \
    "{\"add\":{\"path\":\"" path                                                                             \
    "\",\"partitionValues\":{},\"size\":5,\"modificationTime\":1,\"dataChange\":true}}\n"
#define REMOVE(path) "{\"remove\":{\"path\":\"" path "\",\"dataChange\":true}}\n"

static void append(struct table *table, int times)
{
    for (int i = 0; i < times; i++) {
        struct table_txn txn = {.app = "demo.pin-0", .version = table_version(table) + 1};
        struct table_commit done;
        ok(table_append(table, sql, "SELECT i::INTEGER AS ind, 'row ' || i AS name FROM range(3) t(i)", &txn,
                        1, "WRITE", &done));
    }
}

static void damage(const char *path)
{
    struct disk_file *file;

    ok(disk_open(disk_real(), &file, path, DISK_WRITE));
    ok(disk_write(file, 0, BYTES("NOTPARQUET")));
    disk_close(file);
}

static void the_latest_of_each_story_counts(void **state)
{
    struct table *table;

    write_log("t", 0, PROTOCOL META ADD("one") "{\"txn\":{\"appId\":\"a\",\"version\":1}}\n");
    write_log("t", 1, REMOVE("one") ADD("two") "{\"txn\":{\"appId\":\"a\",\"version\":5}}\n");
    write_log("t", 2, ADD("one") REMOVE("one") "{\"whatever\":{\"is\":\"new\"}}\n\n"); /* add after remove */
    table = open_table("t");
    assert_int_equal(table_version(table), 2);
    assert_int_equal(json_object_size(table->snapshot.adds), 2);
    assert_int_equal(json_object_size(table->snapshot.removes), 0);
    assert_int_equal(table_txn_version(table, "a"), 5);
    assert_int_equal(table_rows(table), -1);
    assert_int_equal(table->snapshot.bytes, 10);
    /* Only what is new is read. */
    write_log("t", 3, REMOVE("one"));
    ok(disk_remove(disk_real(), below("t/_delta_log/%020d.json", 0)));
    ok(table_refresh(table));
    assert_int_equal(table_version(table), 3);
    assert_int_equal(json_object_size(table->snapshot.adds), 1);
    table_close(table);
}

static void a_broken_log_is_an_error_that_names_it(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {PROTOCOL META "{\"add\":{}}", "add without path"},
        {PROTOCOL META "{\"add\":{\"path\":\"x\",\"size\":-1}}", "add without path or size"},
        {PROTOCOL META "{\"add\":[]}", "add without"},
        {PROTOCOL META "{\"txn\":{\"appId\":\"a\"}}", "txn without"},
        {PROTOCOL META "{\"remove\":{\"path\":7}}", "remove without"},
        {PROTOCOL META "{\"add\":", "line 3, is not JSON"},
        {PROTOCOL META "7", "line 3, is n"},
        {PROTOCOL META "[1]", "line 3, is no object"},
        {PROTOCOL "{\"metaData\":{\"schemaString\":\"{}\",\"partitionColumns\":[]}}", "metaData without"},
        {PROTOCOL "{\"metaData\":{\"schemaString\":\"{\\\"fields\\\":[{}]}\",\"partitionColumns\":[]}}",
         "metaData without"},
        {META "{\"protocol\":{}}", "protocol without"},
        {META, "has no protocol"},
        {PROTOCOL, "has no metaData"},
    };
    struct table *table = NULL;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_log("t", 0, cases[i].text);
        fails(table_open(&table, disk_real(), sql, tables_dir, "t"), ERR_CORRUPT, cases[i].word);
    }
    /* One that fails half way leaves an open table as it was. */
    write_log("t", 0, PROTOCOL META ADD("one"));
    table = open_table("t");
    write_log("t", 1, REMOVE("one") "{\"add\":{}}");
    fails(table_refresh(table), ERR_CORRUPT, "00000000000000000001.json");
    assert_int_equal(table_version(table), 0);
    assert_int_equal(json_object_size(table->snapshot.adds), 1);
    table_close(table);
}

static void a_gap_is_an_error(void **state)
{
    struct table *table = NULL;

    write_log("t", 0, PROTOCOL META);
    write_log("t", 2, ADD("x"));
    fails(table_open(&table, disk_real(), sql, tables_dir, "t"), ERR_CORRUPT, "no commit 1");
    write_log("u", 1, PROTOCOL META);
    fails(table_open(&table, disk_real(), sql, tables_dir, "u"), ERR_CORRUPT, "no commit 0");
    fails(table_open(&table, disk_real(), sql, tables_dir, "../t"), ERR_INVALID, "name of a table");
}

static void features_we_do_not_do_are_refused_by_name(void **state)
{
    static const struct {
        const char *protocol, *metadata, *reads, *writes; /* what the sentence names; NULL: it works */
    } cases[] = {
        {"\"minReaderVersion\":1,\"minWriterVersion\":1", "", NULL, NULL},
        {"\"minReaderVersion\":2,\"minWriterVersion\":5", "", "columnMapping", NULL},
        {"\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"]", "",
         "deletionVectors", NULL},
        {"\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[]", "", NULL, NULL},
        {"\"minReaderVersion\":4,\"minWriterVersion\":8", "", "reader version 4", NULL},
        {"\"minReaderVersion\":1,\"minWriterVersion\":3", "", NULL, "checkConstraints"},
        {"\"minReaderVersion\":1,\"minWriterVersion\":4", "", NULL, "changeDataFeed"},
        {"\"minReaderVersion\":1,\"minWriterVersion\":6", "", NULL, "identityColumns"},
        {"\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"appendOnly\",\"rowTracking\"]",
         "", NULL, "rowTracking"},
        {"\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"appendOnly\"]", "", NULL, NULL},
        {"\"minReaderVersion\":1,\"minWriterVersion\":9", "", NULL, "writer version 9"},
        {"\"minReaderVersion\":1,\"minWriterVersion\":2", "\\\"delta.invariants\\\":\\\"x\\\"", NULL,
         "invariants"},
    };
    struct table_commit done;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct table *table = NULL;
        char name[20], text[2000];
        snprintf(name, sizeof(name), "t%zu", i);
        snprintf(
            text, sizeof(text),
            "{\"protocol\":{%s}}\n{\"metaData\":{\"schemaString\":\"{\\\"fields\\\":[{\\\"name\\\":\\\"a\\\","
            "\\\"type\\\":\\\"integer\\\",\\\"metadata\\\":{%s}}]}\",\"partitionColumns\":[]}}\n",
            cases[i].protocol, cases[i].metadata);
        write_log(name, 0, text);
        if (cases[i].reads) {
            fails(table_open(&table, disk_real(), sql, tables_dir, name), ERR_UNSUPPORTED, cases[i].reads);
            continue;
        }
        table = open_table(name);
        if (cases[i].writes)
            fails(table_append(table, sql, "SELECT 1::INTEGER AS a", NULL, 0, "WRITE", &done),
                  ERR_UNSUPPORTED, cases[i].writes);
        else
            ok(table_append(table, sql, "SELECT 1::INTEGER AS a", NULL, 0, "WRITE", &done));
        table_close(table);
    }
}

static void an_append_only_table_is_not_replaced(void **state)
{
    struct table *table;
    struct table_commit done;

    write_log(
        "t", 0,
        PROTOCOL
        "{\"metaData\":{\"schemaString\":\"{\\\"fields\\\":[{\\\"name\\\":\\\"a\\\",\\\"type\\\":"
        "\\\"integer\\\"}]}\",\"partitionColumns\":[],\"configuration\":{\"delta.appendOnly\":\"true\"}}}\n");
    table = open_table("t");
    ok(table_append(table, sql, "SELECT 1::INTEGER AS a", NULL, 0, "WRITE", &done));
    fails(table_replace(table, sql, "SELECT 1::INTEGER AS a", &done), ERR_DENIED, "append-only");
    table_close(table);
}

static void files_outside_the_table_are_refused(void **state)
{
    static const char *const bad[] = {"/etc/passwd", "file:/x",  "s3://b/x", "../x",
                                      "a/../../x",   "%2e%2e/x", "a%00b"};
    struct table *table;
    struct buf text = buf_init(10000);

    write_log("t", 0, PROTOCOL META);
    table = open_table("t");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(add_file_path(table, bad[i], &text), ERR_OK);
    buf_clear(&text);
    ok(add_file_path(table, "a%20b/c%25=..d", &text));
    assert_string_equal(buf_text(&text), below("t/a b/c%%=..d"));
    buf_release(&text);
    table_close(table);
}

/* A checkpoint must say what the commits before it say: read with them gone, then without the checkpoint. */
static void a_checkpoint_equals_the_commits(void **state)
{
    struct table *table = open_table("t"), *from_checkpoint, *from_commits;

    append(table, 23);
    assert_int_equal(table->snapshot.checkpoint, 20);
    ok(disk_rename(disk_real(), below("t/_delta_log/%020d.json", 5), below("t/hidden")));
    from_checkpoint = open_table("t");
    ok(disk_rename(disk_real(), below("t/hidden"), below("t/_delta_log/%020d.json", 5)));
    ok(disk_remove(disk_real(), below("t/_delta_log/%020d.checkpoint.parquet", 20)));
    ok(disk_remove(disk_real(), below("t/_delta_log/%020d.checkpoint.parquet", 10)));
    from_commits = open_table("t");
    assert_int_equal(from_checkpoint->snapshot.checkpoint, 20);
    assert_int_equal(from_commits->snapshot.checkpoint, -1);
    assert_int_equal(table_version(from_checkpoint), 22);
    assert_true(json_equal(from_checkpoint->snapshot.adds, from_commits->snapshot.adds));
    assert_true(json_equal(from_checkpoint->snapshot.txns, from_commits->snapshot.txns));
    assert_true(json_equal(from_checkpoint->snapshot.meta, from_commits->snapshot.meta));
    assert_true(json_equal(from_checkpoint->snapshot.protocol, from_commits->snapshot.protocol));
    assert_int_equal(table_rows(from_checkpoint), 69);
    assert_int_equal(ask_table(from_checkpoint, -1, "count(*)"), 69);
    assert_int_equal(ask_table(from_checkpoint, 3, "count(*)"), 12);
    table_close(table);
    table_close(from_checkpoint);
    table_close(from_commits);
}

static void a_checkpoint_keeps_what_was_removed(void **state)
{
    struct table *table = open_table("t"), *again;
    struct table_commit done;

    append(table, 9);
    ok(table_replace(table, sql, "SELECT 1::INTEGER AS ind, 'x' AS name", &done));
    append(table, 1);
    again = open_table("t");
    assert_int_equal(again->snapshot.checkpoint, 10);
    assert_int_equal(json_object_size(again->snapshot.removes), 9);
    assert_int_equal(json_object_size(again->snapshot.adds), 2);
    assert_true(json_equal(again->snapshot.removes, table->snapshot.removes));
    table_close(table);
    table_close(again);
}

static void a_damaged_checkpoint_is_read_past(void **state)
{
    struct table *table = open_table("t"), *again;

    append(table, 25);
    table_close(table);
    damage(below("t/_delta_log/%020d.checkpoint.parquet", 20));
    ok(disk_write_file(disk_real(), below("t/_delta_log/_last_checkpoint"), BYTES("{\"version\":")));
    again = open_table("t");
    assert_int_equal(again->snapshot.checkpoint, 10);
    assert_int_equal(table_version(again), 24);
    assert_int_equal(ask_table(again, -1, "count(*)"), 75);
    table_close(again);
    /* One that is whole Parquet, but of something else. */
    char copy[1000];
    snprintf(copy, sizeof(copy), "COPY (SELECT 1 AS a) TO '%s' (FORMAT parquet)",
             below("t/_delta_log/%020d.checkpoint.parquet", 10));
    ok(sql_run(sql, copy));
    again = open_table("t");
    assert_int_equal(again->snapshot.checkpoint, -1);
    assert_int_equal(table_rows(again), 75);
    append(again, 6);
    assert_int_equal(again->snapshot.checkpoint, 30);
    table_close(again);
}

/* ---- the Delta project's tables ---- */

static const struct {
    const char *name;
    enum err err;
    const char *word; /* of the sentence, when err */
    int64_t version, rows;
} golden[] = {
    {"124-decimal-decode-bug", ERR_OK, NULL, 0, 1},
    {"basic-decimal-table", ERR_UNSUPPORTED, "partitionColumns", 0, 0},
    {"basic-with-inserts-deletes-checkpoint", ERR_OK, NULL, 13, 41},
    {"basic-with-inserts-overwrite-restore", ERR_OK, NULL, 3, 200},
    {"basic-with-vacuum-protocol-check-feature", ERR_UNSUPPORTED, "vacuumProtocolCheck", 0, 0},
    {"collations-preview-table", ERR_OK, NULL, 0, 0},
    {"corrupted-last-checkpoint-kernel", ERR_OK, NULL, 11, 100},
    {"data-reader-array-complex-objects", ERR_OK, NULL, 0, 10},
    {"data-reader-date-types-America", ERR_NOT_FOUND, "no table", 0, 0},
    {"data-reader-date-types-JST", ERR_OK, NULL, 0, 1},
    {"data-reader-date-types-UTC", ERR_OK, NULL, 0, 1},
    {"data-reader-map", ERR_OK, NULL, 0, 10},
    {"data-reader-primitives", ERR_OK, NULL, 0, 11},
    {"data-reader-timestamp_ntz-id-mode", ERR_UNSUPPORTED, "timestampNtz", 0, 0},
    {"data-skipping-basic-stats-all-types", ERR_OK, NULL, 0, 1},
    {"data-skipping-basic-stats-all-types-columnmapping-id", ERR_UNSUPPORTED, "columnMapping", 0, 0},
    {"data-skipping-change-stats-collected-across-versions", ERR_OK, NULL, 4, 3},
    {"decimal-various-scale-precision", ERR_OK, NULL, 0, 3},
    {"deltalog-invalid-protocol-version", ERR_UNSUPPORTED, "reader version 99", 0, 0},
    {"deltalog-state-reconstruction-without-protocol", ERR_CORRUPT, "no protocol", 0, 0},
    {"dv-with-columnmapping", ERR_UNSUPPORTED, "deletionVectors", 0, 0},
    {"kernel-timestamp-INT96", ERR_UNSUPPORTED, "partitionColumns", 0, 0},
    {"log-replay-special-characters-a", ERR_OK, NULL, 1, 0},
    {"multi-part-checkpoint", ERR_OK, NULL, 1, 31},
    {"only-checkpoint-files", ERR_OK, NULL, 2, 25},
    {"parquet-all-types-legacy-format", ERR_UNSUPPORTED, "timestampNtz", 0, 0},
    {"parquet-decimal-type", ERR_OK, NULL, 0, 99998},
    {"snapshot-data1", ERR_OK, NULL, 1, 20},
    {"snapshot-data2-deleted", ERR_OK, NULL, 4, 20},
    {"snapshot-repartitioned", ERR_OK, NULL, 5, 20},
    {"spark-variant-checkpoint", ERR_UNSUPPORTED, "variantType-preview", 0, 0},
    {"table-with-columnmapping-mode-name", ERR_UNSUPPORTED, "columnMapping", 0, 0},
    {"time-travel-schema-changes-a", ERR_OK, NULL, 0, 10},
    {"time-travel-start", ERR_OK, NULL, 0, 10},
    {"time-travel-start-start20-start40", ERR_OK, NULL, 2, 30},
    {"type-widening-nested", ERR_UNSUPPORTED, "typeWidening-preview", 0, 0},
    {"v2-checkpoint-json", ERR_UNSUPPORTED, "v2Checkpoint", 0, 0},
    {"versions-not-contiguous", ERR_CORRUPT, "no commit 1", 0, 0},
};

static void check_golden(const char *dir, size_t i)
{
    struct table *table = NULL;
    struct buf text = buf_init(1 << 24);
    enum err err = table_open(&table, disk_real(), sql, dir, golden[i].name);

    if (!err && golden[i].err)
        err = table_scan(table, -1, &text);
    if (err != golden[i].err || (err && !strstr(err_sentence(), golden[i].word)))
        fail_msg("%s: %s: %s", golden[i].name, err_name(err), err ? err_sentence() : "");
    if (!err) {
        assert_int_equal(table_version(table), golden[i].version);
        assert_int_equal(ask_table(table, -1, "count(*)"), golden[i].rows);
        if (table_rows(table) >= 0)
            assert_int_equal(table_rows(table), golden[i].rows);
    }
    buf_release(&text);
    table_close(table);
}

static void the_golden_tables_read_as_they_should(void **state)
{
    const char *dir =
        getenv("DELTA_GOLDEN") ? getenv("DELTA_GOLDEN") : SOURCE_DIR "/../shared/data/delta-golden";

    if (access(dir, R_OK) != 0)
        skip();
    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++)
        check_golden(dir, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_latest_of_each_story_counts, open_db, close_db),
        cmocka_unit_test_setup_teardown(a_broken_log_is_an_error_that_names_it, open_db, close_db),
        cmocka_unit_test_setup_teardown(a_gap_is_an_error, open_db, close_db),
        cmocka_unit_test_setup_teardown(features_we_do_not_do_are_refused_by_name, open_db, close_db),
        cmocka_unit_test_setup_teardown(an_append_only_table_is_not_replaced, open_db, close_db),
        cmocka_unit_test_setup_teardown(files_outside_the_table_are_refused, open_db, close_db),
        cmocka_unit_test_setup_teardown(a_checkpoint_equals_the_commits, open_db, close_db),
        cmocka_unit_test_setup_teardown(a_checkpoint_keeps_what_was_removed, open_db, close_db),
        cmocka_unit_test_setup_teardown(a_damaged_checkpoint_is_read_past, open_db, close_db),
        cmocka_unit_test_setup_teardown(the_golden_tables_read_as_they_should, open_db, close_db),
    };

    return cmocka_run_group_tests_name("table/log", tests, NULL, NULL);
}
