/* stream.c - `pinrail stream`: create, list, describe, delete; through the Kinesis API, so on any Kinesis. */
#include <jansson.h>
#include <sysexits.h>

#include "aws/kinesis_client.h"
#include "base/json_doc.h"
#include "cli/cli_commands.h"

const struct cli_option stream_options[] = {
    {"shards", "N", "shards of the new stream [1]"},
    {NULL, NULL, NULL},
};

enum { ANSWER_MOST = 16 << 20 };

/* One operation with these members (jansson's pack format); *answer is the caller's to json_decref(). */
static enum err call(struct kinesis_client *client, const char *operation, json_t *members, json_t **answer)
{
    struct buf body = buf_init(64 * 1024), text = buf_init(ANSWER_MOST);
    enum err err = members ? json_doc_write(members, &body) : err_note(ERR_NO_MEMORY, "out of memory");

    if (!err)
        err = kinesis_ask(client, operation, buf_bytes(&body), &text);
    *answer = NULL;
    if (!err && text.size > 0)
        err = json_doc_parse(answer, buf_bytes(&text));
    json_decref(members);
    buf_release(&body);
    buf_release(&text);
    return err;
}

static enum err list(struct cli *cli, struct kinesis_client *client)
{
    bool more = true;
    char last[256] = "";
    enum err err = ERR_OK;

    if (!cli->json)
        printf("STREAM\n");
    while (!err && more) {
        json_t *answer, *name;
        size_t i;
        err = call(client, "ListStreams",
                   *last ? json_pack("{s:s}", "ExclusiveStartStreamName", last) : json_object(), &answer);
        if (err)
            break;
        more = json_is_true(json_object_get(answer, "HasMoreStreams"));
        json_array_foreach(json_object_get(answer, "StreamNames"), i, name)
        {
            printf(cli->json ? "{\"stream\":\"%s\"}\n" : "%s\n", json_string_value(name));
            snprintf(last, sizeof(last), "%s", json_string_value(name));
        }
        more = more && i > 0;
        json_decref(answer);
    }
    return err;
}

static enum err describe(struct cli *cli, struct kinesis_client *client, const char *name)
{
    json_t *answer, *description, *shard;
    size_t i;
    enum err err = call(client, "DescribeStream", json_pack("{s:s}", "StreamName", name), &answer);

    if (err)
        return err;
    description = json_object_get(answer, "StreamDescription");
    if (cli->json) {
        struct buf line = buf_init(ANSWER_MOST);
        err = json_doc_write(description, &line);
        if (!err)
            printf("%s\n", buf_text(&line));
        buf_release(&line);
    } else {
        printf("%s  %s\n%-24s %-42s %s\n", json_string_value(json_object_get(description, "StreamARN")),
               json_string_value(json_object_get(description, "StreamStatus")), "SHARD", "FIRST HASH KEY",
               "FIRST SEQUENCE NUMBER");
        json_array_foreach(json_object_get(description, "Shards"), i, shard)
        {
            const char *id = "", *hash = "", *sequence = "";
            json_unpack(shard, "{s:s, s:{s:s}, s:{s:s}}", "ShardId", &id, "HashKeyRange", "StartingHashKey",
                        &hash, "SequenceNumberRange", "StartingSequenceNumber", &sequence);
            printf("%-24s %-42s %s\n", id, hash, sequence);
        }
    }
    json_decref(answer);
    return err;
}

static enum err change(struct cli *cli, struct kinesis_client *client, const char *verb, const char *name)
{
    json_t *answer;
    bool create = strcmp(verb, "create") == 0;
    enum err err = create ? call(client, "CreateStream",
                                 json_pack("{s:s, s:I}", "StreamName", name, "ShardCount",
                                           (json_int_t)cli_integer(cli, "shards", 1)),
                                 &answer)
                          : call(client, "DeleteStream", json_pack("{s:s}", "StreamName", name), &answer);

    if (err)
        return err;
    json_decref(answer);
    if (!cli->quiet)
        fprintf(stderr, "%s stream %s\n", create ? "created" : "deleted", name);
    return ERR_OK;
}

int command_stream(struct cli *cli)
{
    const char *verb = cli->operand_count > 0 ? cli->operands[0] : "list";
    const char *name = cli->operand_count > 1 ? cli->operands[1] : NULL;
    char door[300], endpoint[320];
    struct kinesis_client *client = NULL;
    enum err err = ERR_OK;

    if (cli->operand_count > 2)
        return cli_usage(cli, "one stream at a time, not '%s' too", cli->operands[2]);
    if (strcmp(verb, "list") != 0 && strcmp(verb, "create") != 0 && strcmp(verb, "describe") != 0 &&
        strcmp(verb, "delete") != 0)
        return cli_usage(cli, "stream can create, list, describe or delete, not '%s'", verb);
    if (strcmp(verb, "list") != 0 && !name)
        return cli_usage(cli, "which stream?");
    snprintf(endpoint, sizeof(endpoint), "%s", config_text(cli->config, "kinesis.endpoint"));
    if (!*endpoint) {
        err = config_door(cli->config, "http", door);
        if (!err)
            snprintf(endpoint, sizeof(endpoint), "http://%s", door);
    }
    if (!err)
        err = kinesis_open(&client, endpoint, config_text(cli->config, "kinesis.region"));
    if (!err && strcmp(verb, "list") == 0)
        err = list(cli, client);
    else if (!err && strcmp(verb, "describe") == 0)
        err = describe(cli, client, name);
    else if (!err)
        err = change(cli, client, verb, name);
    kinesis_close(client);
    return err ? cli_fail(err) : EX_OK;
}
