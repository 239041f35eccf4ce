/* What could go wrong: another user's topics are counted; a partition is left out or counted twice; a stream is taken for a
 * topic of the lake; a Kafka that is away is taken for an empty one, or is waited for without end. How we look:
 * librdkafka's own mock of a cluster, filled and committed to through a real producer and consumer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "dashboard/offsets.h"

#define CHECK(what) assert_true(what)

static rd_kafka_t *client; /* the mock's owner, and our producer */
static rd_kafka_mock_cluster_t *cluster;

static void drop_line(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
}

static rd_kafka_t *make_client(rd_kafka_type_t type, const char *servers, const char *group)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_log_cb(conf, drop_line);
    if (servers)
        CHECK(!rd_kafka_conf_set(conf, "bootstrap.servers", servers, reason, sizeof(reason)));
    if (group)
        CHECK(!rd_kafka_conf_set(conf, "group.id", group, reason, sizeof(reason)));
    return rd_kafka_new(type, conf, reason, sizeof(reason));
}

static int start_cluster(void **state)
{
    rd_kafka_t *owner = make_client(RD_KAFKA_CONSUMER, NULL, NULL);

    cluster = rd_kafka_mock_cluster_new(owner, 1);
    client = make_client(RD_KAFKA_PRODUCER, rd_kafka_mock_cluster_bootstraps(cluster), NULL);
    *state = owner;
    return client ? 0 : -1;
}

static int stop_cluster(void **state)
{
    rd_kafka_destroy(client);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(*state);
    return 0;
}

static void fill(const char *topic, int32_t partition, int count)
{
    for (int i = 0; i < count; i++)
        CHECK(!rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                 RD_KAFKA_V_VALUE("x", 1), RD_KAFKA_V_END));
    CHECK(!rd_kafka_flush(client, 10000));
}

static void commit(const char *group, const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_t *consumer = make_client(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(cluster), group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    CHECK(!rd_kafka_commit(consumer, list, 0));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(consumer);
}

static struct config *configure(const char *servers)
{
    const char *flags[] = {"bootstrap.servers", servers, "user", "me", "lake.group.id", "the-lake"};
    struct config *config = NULL;

    CHECK(config_load(&config, NULL, flags, 3) == ERR_OK);
    return config;
}

static void only_the_users_topics_are_added_up(void **state)
{
    struct config *config = configure(rd_kafka_mock_cluster_bootstraps(cluster));
    struct arena arena = arena_init(1 << 20);
    struct topic_offsets *topics = NULL;
    struct offsets *offsets = NULL;
    size_t count = 0;

    CHECK(!rd_kafka_mock_topic_create(cluster, "me.pin", 3, 1));
    CHECK(!rd_kafka_mock_topic_create(cluster, "me.geo", 1, 1));
    CHECK(!rd_kafka_mock_topic_create(cluster, "streaming-me-pin", 2, 1));
    CHECK(!rd_kafka_mock_topic_create(cluster, "meow.pin", 1, 1));
    CHECK(!rd_kafka_mock_topic_create(cluster, "streaming-meow-pin", 1, 1));
    fill("me.pin", 0, 5);
    fill("me.pin", 2, 7);
    fill("streaming-me-pin", 1, 3);
    fill("meow.pin", 0, 9);
    commit("the-lake", "me.pin", 0, 4);
    commit("the-lake", "me.pin", 2, 6);
    commit("another-group", "me.geo", 0, 1);

    CHECK(offsets_open(&offsets, config) == ERR_OK);
    CHECK(offsets_read(offsets, &arena, &topics, &count) == ERR_OK);
    CHECK(count == 3);
    CHECK(strcmp(topics[0].topic, "me.geo") == 0 && topics[0].acknowledged == 0 && topics[0].landed == 0);
    CHECK(strcmp(topics[1].topic, "me.pin") == 0 && topics[1].acknowledged == 12 && topics[1].landed == 10);
    CHECK(strcmp(topics[2].topic, "streaming-me-pin") == 0 && topics[2].acknowledged == 3 &&
          topics[2].landed == -1);

    fill("me.pin", 1, 2); /* a later look sees what came since */
    CHECK(offsets_read(offsets, &arena, &topics, &count) == ERR_OK && count == 3);
    CHECK(topics[1].acknowledged == 14 && topics[1].landed == 10);
    offsets_close(offsets);
    arena_release(&arena);
    config_free(config);
}

static void a_kafka_that_is_away_is_no_empty_one(void **state)
{
    struct config *config = configure("127.0.0.1:1");
    struct arena arena = arena_init(1 << 20);
    struct topic_offsets *topics = NULL;
    struct offsets *offsets = NULL;
    size_t count = 99;

    CHECK(offsets_open(&offsets, config) == ERR_OK);
    CHECK(offsets_read(offsets, &arena, &topics, &count) == ERR_UNREACHABLE);
    CHECK(count == 99 && strstr(err_sentence(), "127.0.0.1:1"));
    offsets_close(offsets);
    arena_release(&arena);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_users_topics_are_added_up),
        cmocka_unit_test(a_kafka_that_is_away_is_no_empty_one),
    };

    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
