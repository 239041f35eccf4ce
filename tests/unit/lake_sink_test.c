/* What could go wrong: a record that lands in two objects or in none, because the sink was killed between settling a
 * range and putting it, because the disk failed, or because clocks and sizes cut the range in another place the second
 * time. How we look: librdkafka's own mock cluster in this process, records with their number in them, a sink with
 * small objects; disks that fail or end the process at each single step; then every offset must be in exactly one
 * object, and the objects must follow each other without a gap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
/* rdkafka.h first: the other leans on it */
#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk_calls.h"
#include "base/trace.h"
#include "lake/object.h"
#include "lake/sink.h"

#define CHECK(what) assert_true(what)

enum { KILLED = 9 };

/* ---- a disk that fails, or ends the process, at its n-th step ---- */

static struct disk_calls step_calls;
static struct disk step_disk = {&step_calls};
static atomic_int steps_left = -1; /* until it happens; -1: never */
static bool step_kills;

static bool step_fails(void)
{
    if (atomic_load(&steps_left) < 0 || atomic_fetch_sub(&steps_left, 1) > 0)
        return false;
    if (step_kills)
        _exit(KILLED);
    return true; /* steps_left is -1 now: once */
}

static enum err step_write(struct disk_file *file, off_t offset, struct bytes bytes)
{
    return step_fails() ? err_note(ERR_FULL, "the test's disk is full")
                        : disk_real()->calls->write(file, offset, bytes);
}

static enum err step_sync(struct disk_file *file)
{
    return step_fails() ? err_note(ERR_IO, "the test's disk does not sync") : disk_real()->calls->sync(file);
}

static enum err step_rename(struct disk *disk, const char *from, const char *to)
{
    enum err err = step_fails() ? err_note(ERR_IO, "the test's disk does not rename") : ERR_OK;

    if (!err)
        err = disk_real()->calls->rename(disk, from, to);
    if (!err && step_fails())
        err = err_note(ERR_IO, "the test's disk has renamed, but does not say so");
    return err;
}

static enum err step_sync_dir(struct disk *disk, const char *path)
{
    return step_fails() ? err_note(ERR_IO, "the test's disk does not sync folders")
                        : disk_real()->calls->sync_dir(disk, path);
}

static struct disk *step_disk_make(int steps, bool kills)
{
    step_calls = *disk_real()->calls;
    step_calls.write = step_write;
    step_calls.sync = step_sync;
    step_calls.rename = step_rename;
    step_calls.sync_dir = step_sync_dir;
    atomic_store(&steps_left, steps);
    step_kills = kills;
    return &step_disk;
}

/* ---- a cluster with records ---- */

struct world {
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
    const char *bootstrap;
    char folder[64];
    int64_t produced[2]; /* by partition */
};

static void world_open(struct world *world)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char note[200];

    *world = (struct world){.folder = "/tmp/pinrail-lake-sink-XXXXXX"};
    CHECK(mkdtemp(world->folder));
    CHECK(rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", note, sizeof(note)) == RD_KAFKA_CONF_OK);
    CHECK(rd_kafka_conf_set(conf, "linger.ms", "0", note, sizeof(note)) == RD_KAFKA_CONF_OK);
    world->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, note, sizeof(note));
    CHECK(world->producer);
    world->cluster = rd_kafka_handle_mock_cluster(world->producer);
    world->bootstrap = rd_kafka_mock_cluster_bootstraps(world->cluster);
    CHECK(!rd_kafka_mock_topic_create(world->cluster, "me.pin", 2, 1));
}

static void world_close(struct world *world)
{
    rd_kafka_destroy(world->producer);
    CHECK(disk_remove_tree(disk_real(), world->folder) == ERR_OK);
}

static void produce(struct world *world, int partition, int count)
{
    for (int i = 0; i < count; i++) {
        char value[64];
        int size = snprintf(value, sizeof(value), "{ \"n\": %lld }", (long long)world->produced[partition]++);

        CHECK(!rd_kafka_producev(world->producer, RD_KAFKA_V_TOPIC("me.pin"), RD_KAFKA_V_PARTITION(partition),
                                 RD_KAFKA_V_VALUE(value, (size_t)size),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END));
    }
    CHECK(!rd_kafka_flush(world->producer, 10000));
}

static struct config *settings(const char *folder, const char *bootstrap, const char *schedule_ms)
{
    const char *flags[] = {"data.dir",
                           folder,
                           "user",
                           "me",
                           "bootstrap.servers",
                           bootstrap,
                           "lake.flush.size",
                           "7",
                           "lake.rotate.schedule.interval.ms",
                           schedule_ms,
                           "lake.session.timeout.ms",
                           "3000"};
    struct config *config = NULL;

    CHECK(config_load(&config, NULL, flags, sizeof(flags) / sizeof(*flags) / 2) == ERR_OK);
    return config;
}

/* ---- what is in the lake ---- */

/* The records of a partition that are in objects; fails the test if one is not where its name says. */
static int64_t landed(const struct config *config, int partition)
{
    struct arena arena = arena_init(1 << 20);
    struct buf content = buf_init(1 << 20);
    struct lake_object *objects = NULL;
    int64_t next = 0;
    size_t count = 0;

    CHECK(lake_objects(config, disk_real(), "me.pin", partition, &arena, &objects, &count) == ERR_OK);
    for (size_t i = 0; i < count; i++) {
        char line[64], *at;

        if (objects[i].start_offset != next)
            fail_msg("%s follows the records up to %lld", objects[i].path, (long long)next);
        buf_clear(&content);
        CHECK(disk_read_file(disk_real(), objects[i].path, &content) == ERR_OK);
        CHECK(buf_text(&content));
        for (at = (char *)content.at; *at; at = strchr(at, '\n') + 1, next++) {
            snprintf(line, sizeof(line), "{\"n\":%lld}\n", (long long)next);
            if (strncmp(at, line, strlen(line)) != 0)
                fail_msg("%s has not %s at its place", objects[i].path, line);
        }
    }
    buf_release(&content);
    arena_release(&arena);
    return next;
}

static void wait_landed(struct world *world, const struct config *config)
{
    int64_t since = clock_steady_ms();

    while (landed(config, 0) < world->produced[0] || landed(config, 1) < world->produced[1]) {
        CHECK(clock_steady_ms() - since < 60000); /* ends a hang; no expectation of speed */
        clock_sleep_ms(20);
    }
    CHECK(landed(config, 0) == world->produced[0] && landed(config, 1) == world->produced[1]);
}

/* ---- tests ---- */

static void settled_text_is_read_back(void **state)
{
    char text[SETTLED_TEXT_BYTES];
    static const char *const bad[] = {
        "",
        "pinrail settled [5,9",
        "pinrail settled [5,9) ",
        "pinrail settled [4,9)",
        "pinrail settled [5,5)",
        "pinrail settled [5,3)",
        "pinrail settled [ 5,9)",
        "pinrail settled [5,99999999999999999999999)",
    };

    settled_format(5, 9, text);
    CHECK(settled_parse(text, strlen(text), 5) == 9);
    settled_format(INT64_MAX - 1, INT64_MAX, text);
    CHECK(settled_parse(text, strlen(text), INT64_MAX - 1) == INT64_MAX);
    CHECK(settled_parse(NULL, 0, 5) == -1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(settled_parse(bad[i], strlen(bad[i]), 5) == -1);
}

/* By size, by the clock, and what is open at the stop; a second sink goes on behind the first. */
static void records_land_once(void **state)
{
    struct world world;
    struct lake_sink *sink = NULL;
    struct config *config;

    world_open(&world);
    config = settings(world.folder, world.bootstrap, "300");
    produce(&world, 0, 20);
    CHECK(lake_sink_start(&sink, config, disk_real()) == ERR_OK);
    wait_landed(&world, config); /* the last 6 only because of the clock */
    CHECK(object_exists(config, disk_real(), "me.pin", 0, 0) &&
          object_exists(config, disk_real(), "me.pin", 0, 7) &&
          object_exists(config, disk_real(), "me.pin", 0, 14));
    produce(&world, 1, 3);
    wait_landed(&world, config);
    lake_sink_stop(sink);
    produce(&world, 0, 5);
    CHECK(lake_sink_start(&sink, config, disk_real()) == ERR_OK);
    wait_landed(&world, config);
    while (lake_sink_lag(sink) != 0)
        clock_sleep_ms(20);
    lake_sink_stop(sink);
    config_free(config);
    world_close(&world);
}

/* What is open is put when the sink is stopped, even when no clock or size asks for it. */
static void a_stop_puts_what_is_open(void **state)
{
    struct world world;
    struct lake_sink *sink = NULL;
    struct config *config;

    world_open(&world);
    config = settings(world.folder, world.bootstrap, "-1");
    produce(&world, 0, 9);
    produce(&world, 1, 3);
    CHECK(lake_sink_start(&sink, config, disk_real()) == ERR_OK);
    while (lake_sink_lag(sink) != 5) /* 7 are in an object; 2 and 3 are open */
        clock_sleep_ms(20);
    clock_sleep_ms(300);
    lake_sink_stop(sink);
    CHECK(landed(config, 0) == 9 && landed(config, 1) == 3);
    config_free(config);
    world_close(&world);
}

/* A disk that fails at its first step, then at the second one after that, then at the third, ...: the sink begins again
 * each time, and everything lands once. */
static void a_failing_disk_loses_nothing(void **state)
{
    struct world world;
    struct lake_sink *sink = NULL;
    struct config *config;

    world_open(&world);
    config = settings(world.folder, world.bootstrap, "150");
    CHECK(lake_sink_start(&sink, config, step_disk_make(-1, false)) == ERR_OK);
    for (int step = 0; step < 14; step++) {
        atomic_store(&steps_left, step);
        produce(&world, 0, 24);
        produce(&world, 1, 3);
        wait_landed(&world, config);
        CHECK(atomic_load(&steps_left) == -1); /* it did fail */
    }
    lake_sink_stop(sink);
    config_free(config);
    world_close(&world);
}

/* The sink as a process of its own, which its disk ends at a step. */
static int run_sink(const char *bootstrap, const char *folder, const char *steps)
{
    struct config *config = settings(folder, bootstrap, "150");
    struct lake_sink *sink = NULL;

    trace_set_level(TRACE_ERROR);
    if (lake_sink_start(&sink, config, step_disk_make(atoi(steps), true)))
        return 1;
    for (;;)
        clock_sleep_ms(1000);
}

static void be_killed(const struct world *world, int step)
{
    char steps[16];
    int status = 0;
    pid_t child;

    snprintf(steps, sizeof(steps), "%d", step);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "lake_sink_test", "sink", world->bootstrap, world->folder, steps, NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == KILLED);
}

/* Killed again and again, each time at another step, with new records in between. */
static void a_killed_sink_lands_every_record_once(void **state)
{
    struct world world;
    struct lake_sink *sink = NULL;
    struct config *config;

    world_open(&world);
    config = settings(world.folder, world.bootstrap, "150");
    for (int step = 1; step <= 13; step += 3) {
        produce(&world, 0, 24);
        produce(&world, 1, 3);
        be_killed(&world, step);
        landed(config, 0);
        landed(config, 1);
    }
    CHECK(lake_sink_start(&sink, config, disk_real()) == ERR_OK);
    wait_landed(&world, config);
    lake_sink_stop(sink);
    config_free(config);
    world_close(&world);
}

/* A range that was settled before a crash ends where it was settled, though neither size nor clock would cut there. */
static void a_settled_range_is_kept(void **state)
{
    struct world world;
    struct lake_sink *sink = NULL;
    struct config *config;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_add(list, "me.pin", 0);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *committer;
    char note[200], text[SETTLED_TEXT_BYTES];

    world_open(&world);
    config = settings(world.folder, world.bootstrap, "-1");
    rd_kafka_conf_set(conf, "bootstrap.servers", world.bootstrap, note, sizeof(note));
    rd_kafka_conf_set(conf, "group.id", config_text(config, "lake.group.id"), note, sizeof(note));
    committer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, note, sizeof(note));
    CHECK(committer);
    settled_format(0, 17, text);
    entry->offset = 0;
    entry->metadata = strdup(text);
    entry->metadata_size = strlen(text);
    CHECK(!rd_kafka_commit(committer, list, 0));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(committer);

    produce(&world, 0, 24);
    CHECK(lake_sink_start(&sink, config, disk_real()) == ERR_OK);
    wait_landed(&world, config); /* [0,17) as settled, [17,24) because it is 7 */
    CHECK(object_exists(config, disk_real(), "me.pin", 0, 17));
    lake_sink_stop(sink);
    config_free(config);
    world_close(&world);
}

static void wrong_expressions_are_refused(void **state)
{
    const char *flags[] = {"data.dir", "/tmp/pinrail-lake-none", "lake.topics.regex", "a(b"};
    struct lake_sink *sink = NULL;
    struct config *config = NULL;

    CHECK(config_load(&config, NULL, flags, 2) == ERR_OK);
    CHECK(lake_sink_start(&sink, config, disk_real()) == ERR_INVALID);
    CHECK(strstr(err_sentence(), "a(b"));
    config_free(config);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settled_text_is_read_back),
        cmocka_unit_test(wrong_expressions_are_refused),
        cmocka_unit_test(records_land_once),
        cmocka_unit_test(a_stop_puts_what_is_open),
        cmocka_unit_test(a_settled_range_is_kept),
        cmocka_unit_test(a_failing_disk_loses_nothing),
        cmocka_unit_test(a_killed_sink_lands_every_record_once),
    };

    if (argc == 5 && strcmp(argv[1], "sink") == 0)
        return run_sink(argv[2], argv[3], argv[4]);
    trace_set_level(getenv("TRACE") ? TRACE_DEBUG : TRACE_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
