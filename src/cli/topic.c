/* topic.c - `pinrail topic`: create, list, describe, delete; through the Kafka protocol, so on any Kafka. */
#include <stdlib.h>
#include <sysexits.h>

#include "base/json.h"
#include "cli/cli_commands.h"
#include "cli/kafka_cli.h"

const struct cli_option topic_options[] = {
    {"partitions", "N", "partitions of the new topic [num.partitions]"},
    {"setting", "NAME=VALUE", "a setting of the new topic, as retention.ms=86400000"},
    {"internal", NULL, "list: also topics that pinrail and Kafka keep for themselves"},
    {NULL, NULL, NULL},
};

enum { ADMIN_TIMEOUT_MS = 10000, WATERMARK_TIMEOUT_MS = 5000 };

/* Wait for the answer to an admin call on one topic. */
static enum err finish(rd_kafka_queue_t *queue, const char *what, const char *name)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS);
    const rd_kafka_topic_result_t **results = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    const char *reason = NULL;
    size_t count = 0;
    enum err err;

    if (event) {
        code = rd_kafka_event_error(event);
        reason = code ? rd_kafka_event_error_string(event) : NULL;
        if (rd_kafka_event_CreateTopics_result(event))
            results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
        else if (rd_kafka_event_DeleteTopics_result(event))
            results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    }
    if (count == 1) {
        code = rd_kafka_topic_result_error(results[0]);
        reason = rd_kafka_topic_result_error_string(results[0]);
    }
    err = kafka_cli_error(code, what);
    if (err)
        err = err_note(err, "cannot %s topic %s: %s", what, name, reason ? reason : rd_kafka_err2str(code));
    if (event)
        rd_kafka_event_destroy(event);
    return err;
}

static enum err create(struct cli *cli, rd_kafka_t *kafka, const char *name)
{
    char reason[512];
    int partitions = (int)cli_integer(cli, "partitions", config_integer(cli->config, "num.partitions"));
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, reason, sizeof(reason));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    const char *setting = cli_value(cli, "setting");
    enum err err = ERR_OK;

    if (!topic) {
        err = err_note(ERR_INVALID, "cannot create %s: %s", name, reason);
        goto out;
    }
    if (setting) {
        char *copy = strdup(setting), *equals = copy ? strchr(copy, '=') : NULL;
        if (equals) {
            *equals = 0;
            rd_kafka_NewTopic_set_config(topic, copy, equals + 1);
        }
        free(copy);
        if (!equals) {
            err = err_note(ERR_INVALID, "--setting wants NAME=VALUE, not '%s'", setting);
            goto out;
        }
    }
    rd_kafka_CreateTopics(kafka, &topic, 1, NULL, queue);
    err = finish(queue, "create", name);
    if (!err && !cli->quiet)
        fprintf(stderr, "created topic %s with %d partition%s\n", name, partitions,
                partitions == 1 ? "" : "s");
out:
    if (topic)
        rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
    return err;
}

static enum err delete (struct cli *cli, rd_kafka_t *kafka, const char *name) {
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    enum err err;

    rd_kafka_DeleteTopics(kafka, &topic, 1, NULL, queue);
    err = finish(queue, "delete", name);
    if (!err && !cli->quiet) fprintf(stderr, "deleted topic %s\n", name);
    rd_kafka_DeleteTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
    return err;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const rd_kafka_metadata_topic_t *)a)->topic,
                  ((const rd_kafka_metadata_topic_t *)b)->topic);
}

static enum err watermarks(rd_kafka_t *kafka, const char *topic, int32_t partition, int64_t *low,
                           int64_t *high)
{
    rd_kafka_resp_err_t code =
        rd_kafka_query_watermark_offsets(kafka, topic, partition, low, high, WATERMARK_TIMEOUT_MS);

    return kafka_cli_error(code, topic);
}

static enum err list(struct cli *cli, rd_kafka_t *kafka)
{
    const struct rd_kafka_metadata *metadata;
    enum err err = kafka_cli_metadata(kafka, cli->config, NULL, &metadata);

    if (err)
        return err;
    qsort(metadata->topics, (size_t)metadata->topic_cnt, sizeof(*metadata->topics), by_name);
    if (!cli->json)
        printf("%-40s %10s %14s\n", "TOPIC", "PARTITIONS", "RECORDS");
    for (int i = 0; !err && i < metadata->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];
        int64_t records = 0;
        if (strncmp(topic->topic, "__", 2) == 0 && !cli_value(cli, "internal"))
            continue;
        for (int p = 0; !err && p < topic->partition_cnt; p++) {
            int64_t low = 0, high = 0;
            err = watermarks(kafka, topic->topic, topic->partitions[p].id, &low, &high);
            records += high - low;
        }
        if (cli->json)
            printf("{\"topic\":\"%s\",\"partitions\":%d,\"records\":%lld}\n", topic->topic,
                   topic->partition_cnt, (long long)records);
        else
            printf("%-40s %10d %14lld\n", topic->topic, topic->partition_cnt, (long long)records);
    }
    rd_kafka_metadata_destroy(metadata);
    return err;
}

static enum err describe(struct cli *cli, rd_kafka_t *kafka, const char *name)
{
    const struct rd_kafka_metadata *metadata;
    const rd_kafka_metadata_topic_t *topic = NULL;
    enum err err =
        kafka_cli_metadata(kafka, cli->config, NULL, &metadata); /* all: asking for one may create it */

    if (err)
        return err;
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, name) == 0)
            topic = &metadata->topics[i];
    if (!topic)
        err =
            err_note(ERR_NOT_FOUND, "there is no topic %s; `pinrail topic list` shows those there are", name);
    if (!err && !cli->json)
        printf("%-10s %14s %14s %14s\n", "PARTITION", "FIRST OFFSET", "NEXT OFFSET", "RECORDS");
    for (int p = 0; !err && p < topic->partition_cnt; p++) {
        int64_t low = 0, high = 0;
        err = watermarks(kafka, name, topic->partitions[p].id, &low, &high);
        if (err)
            break;
        if (cli->json)
            printf("{\"topic\":\"%s\",\"partition\":%d,\"first_offset\":%lld,\"next_offset\":%lld}\n", name,
                   topic->partitions[p].id, (long long)low, (long long)high);
        else
            printf("%-10d %14lld %14lld %14lld\n", topic->partitions[p].id, (long long)low, (long long)high,
                   (long long)(high - low));
    }
    rd_kafka_metadata_destroy(metadata);
    return err;
}

int command_topic(struct cli *cli)
{
    const char *verb = cli->operand_count > 0 ? cli->operands[0] : "list";
    const char *name = cli->operand_count > 1 ? cli->operands[1] : NULL;
    rd_kafka_t *kafka = NULL;
    enum err err;

    if (cli->operand_count > 2)
        return cli_usage(cli, "one topic at a time, not '%s' too", cli->operands[2]);
    if (strcmp(verb, "list") != 0 && strcmp(verb, "create") != 0 && strcmp(verb, "describe") != 0 &&
        strcmp(verb, "delete") != 0)
        return cli_usage(cli, "topic can create, list, describe or delete, not '%s'", verb);
    if (strcmp(verb, "list") != 0 && !name)
        return cli_usage(cli, "which topic?");
    err = kafka_cli_open(&kafka, cli->config, RD_KAFKA_PRODUCER, NULL);
    if (err)
        return cli_fail(err);
    if (strcmp(verb, "list") == 0)
        err = list(cli, kafka);
    else if (strcmp(verb, "create") == 0)
        err = create(cli, kafka, name);
    else if (strcmp(verb, "describe") == 0)
        err = describe(cli, kafka, name);
    else
        err = delete (cli, kafka, name);
    rd_kafka_destroy(kafka);
    return err ? cli_fail(err) : EX_OK;
}
