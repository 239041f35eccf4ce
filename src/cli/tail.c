/* tail.c - `pinrail tail TOPIC`: follow records as they come in. */
#include <sysexits.h>

#include "base/json.h"
#include "cli/cli_commands.h"
#include "cli/kafka_cli.h"

const struct cli_option tail_options[] = {
    {"from-beginning", NULL, "start at the oldest record, not at the next one"},
    {"count", "N", "stop after this many records"},
    {"no-follow", NULL, "stop at the end of the topic"},
    {NULL, NULL, NULL},
};

enum { LINE_MOST = 64 * 1024 * 1024 };

/* A JSON value stays as it is, anything else becomes a JSON string. */
static enum err add_payload(struct buf *line, const void *at, size_t size)
{
    struct json_value value;

    if (!at)
        return buf_add_text(line, "null");
    if (!json_check(bytes_of(at, size), &value, NULL))
        return json_compact(value, line);
    return json_quote(bytes_of(at, size), line);
}

static enum err print_message(const struct cli *cli, const rd_kafka_message_t *message, struct buf *line)
{
    enum err err = ERR_OK;

    buf_clear(line);
    if (cli->json) {
        rd_kafka_timestamp_type_t type;
        err =
            buf_printf(line, "{\"topic\":\"%s\",\"partition\":%d,\"offset\":%lld,\"timestamp\":%lld,\"key\":",
                       rd_kafka_topic_name(message->rkt), message->partition, (long long)message->offset,
                       (long long)rd_kafka_message_timestamp(message, &type));
        if (!err)
            err = message->key ? json_quote(bytes_of(message->key, message->key_len), line)
                               : buf_add_text(line, "null");
        if (!err)
            err = buf_add_text(line, ",\"value\":");
        if (!err)
            err = add_payload(line, message->payload, message->len);
        if (!err)
            err = buf_add_text(line, "}\n");
    } else {
        err = buf_printf(line, "%d+%lld  ", message->partition, (long long)message->offset);
        if (!err)
            err = buf_add(line, message->payload, message->len);
        if (!err)
            err = buf_add_char(line, '\n');
    }
    if (!err && (fwrite(line->at, 1, line->size, stdout) != line->size || fflush(stdout)))
        err = ERR_END; /* whoever read our output has left */
    return err;
}

static enum err follow(struct cli *cli, rd_kafka_t *kafka, int partitions)
{
    struct buf line = buf_init(LINE_MOST);
    int64_t left = cli_integer(cli, "count", -1);
    int at_end = 0;
    enum err err = ERR_OK;

    while (!err && !cli_stop && left != 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, 200);
        if (!message)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            if (cli_value(cli, "no-follow") && ++at_end == partitions)
                left = 0;
        } else if (message->err) {
            err = kafka_cli_error(message->err, "reading");
        } else {
            err = print_message(cli, message, &line);
            if (left > 0)
                left--;
        }
        rd_kafka_message_destroy(message);
    }
    buf_release(&line);
    return err == ERR_END ? ERR_OK : err;
}

int command_tail(struct cli *cli)
{
    static const char *const settings[] = {"group.id",
                                           "pinrail-tail",
                                           "enable.auto.commit",
                                           "false",
                                           "enable.partition.eof",
                                           "true",
                                           "fetch.wait.max.ms",
                                           "100",
                                           NULL};
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_partition_list_t *assignment = NULL;
    rd_kafka_t *kafka = NULL;
    const rd_kafka_metadata_topic_t *topic = NULL;
    enum err err;

    if (cli->operand_count != 1)
        return cli_usage(cli, "which topic?");
    cli_catch_signals();
    err = kafka_cli_open(&kafka, cli->config, RD_KAFKA_CONSUMER, settings);
    if (!err)
        err = kafka_cli_metadata(kafka, cli->config, NULL, &metadata);
    for (int i = 0; !err && i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, cli->operands[0]) == 0)
            topic = &metadata->topics[i];
    if (!err && !topic)
        err = err_note(ERR_NOT_FOUND, "there is no topic %s; `pinrail topic list` shows those there are",
                       cli->operands[0]);
    if (!err) {
        assignment = rd_kafka_topic_partition_list_new(topic->partition_cnt);
        for (int p = 0; p < topic->partition_cnt; p++)
            rd_kafka_topic_partition_list_add(assignment, topic->topic, topic->partitions[p].id)->offset =
                cli_value(cli, "from-beginning") ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
        err = kafka_cli_error(rd_kafka_assign(kafka, assignment), "assigning partitions");
    }
    if (!err)
        err = follow(cli, kafka, topic->partition_cnt);
    if (assignment)
        rd_kafka_topic_partition_list_destroy(assignment);
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (kafka) {
        rd_kafka_consumer_close(kafka);
        rd_kafka_destroy(kafka);
    }
    return err ? cli_fail(err) : EX_OK;
}
