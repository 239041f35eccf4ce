/* rest_topics.c - what the REST door tells about topics, partitions and brokers; and the table of its
 * routes. */
#include <ctype.h>

#include "gateway/rest.h"

enum { BROKER_ID = 1 };

/* The topic of the path; false: there is none, and the answer says so. Reading never makes a topic. */
static bool find_topic(struct call *call, struct topic_info *topic)
{
    char name[TOPIC_NAME_MOST + 1];
    enum err err = ERR_NOT_FOUND;

    if (topic_name_is_valid(call->at[0])) {
        memcpy(name, call->at[0].at, call->at[0].size);
        name[call->at[0].size] = 0;
        err = log_topic_find(call->door->log, name, &call->arena, topic);
    }
    if (err == ERR_NOT_FOUND)
        rest_error(call, 40403,
                   "This server does not host this topic-partition: topic %.*s does not exist (GET /topics "
                   "lists them)",
                   (int)(call->at[0].size < 300 ? call->at[0].size : 300), (const char *)call->at[0].at);
    else if (err)
        rest_fail(call, err);
    return !err;
}

bool rest_partition(struct call *call, struct bytes text, const struct topic_info *topic, int32_t *out)
{
    int64_t number = 0;

    for (size_t i = 0; i < text.size; i++)
        number =
            isdigit(text.at[i]) && number <= INT32_MAX ? number * 10 + (text.at[i] - '0') : INT64_MAX / 20;
    if (number >= topic->partition_count) {
        rest_error(call, 40402, "Partition not found: topic %s has partitions 0 to %d", topic->name,
                   topic->partition_count - 1);
        return false;
    }
    *out = (int32_t)number;
    return true;
}

static void root(struct call *call)
{
    if (rest_answer(call, 200))
        say(call, "{}");
}

static void brokers(struct call *call)
{
    if (rest_answer(call, 200))
        say_format(call, "{\"brokers\":[%d]}", BROKER_ID);
}

static void topics(struct call *call)
{
    struct topic_info *list;
    bool first = true;
    size_t count;
    enum err err;

    if (!rest_answer(call, 200))
        return;
    err = log_topic_list(call->door->log, &call->arena, &list, &count);
    if (err) {
        rest_fail(call, err);
        return;
    }
    say(call, "[");
    for (size_t i = 0; i < count; i++) {
        if (list[i].internal)
            continue;
        say(call, first ? "" : ",");
        say_quoted_text(call, list[i].name);
        first = false;
    }
    say(call, "]");
}

static void say_partition(struct call *call, int32_t partition)
{
    say_format(
        call,
        "{\"partition\":%d,\"leader\":%d,\"replicas\":[{\"broker\":%d,\"leader\":true,\"in_sync\":true}]}",
        partition, BROKER_ID, BROKER_ID);
}

static void say_partitions(struct call *call, const struct topic_info *topic)
{
    say(call, "[");
    for (int32_t i = 0; i < topic->partition_count; i++) {
        say(call, i ? "," : "");
        say_partition(call, i);
    }
    say(call, "]");
}

static void topic(struct call *call)
{
    struct topic_info info;

    if (!rest_answer(call, 200) || !find_topic(call, &info))
        return;
    say(call, "{\"name\":");
    say_quoted_text(call, info.name);
    say(call, ",\"configs\":{");
    for (size_t i = 0; i < info.setting_count; i++) {
        say(call, i ? "," : "");
        say_quoted_text(call, info.settings[i].name);
        say(call, ":");
        say_quoted_text(call, info.settings[i].value);
    }
    say(call, "},\"partitions\":");
    say_partitions(call, &info);
    say(call, "}");
}

static void partitions(struct call *call)
{
    struct topic_info info;

    if (rest_answer(call, 200) && find_topic(call, &info))
        say_partitions(call, &info);
}

static void partition(struct call *call)
{
    struct topic_info info;
    int32_t index;

    if (rest_answer(call, 200) && find_topic(call, &info) && rest_partition(call, call->at[1], &info, &index))
        say_partition(call, index);
}

static void offsets(struct call *call)
{
    struct partition *found;
    struct topic_info info;
    int32_t index;

    if (!rest_answer(call, 200) || !find_topic(call, &info) ||
        !rest_partition(call, call->at[1], &info, &index))
        return;
    found = log_partition(call->door->log, info.name, index);
    if (!found) {
        rest_error(call, 40403, "topic %s was deleted just now", info.name);
        return;
    }
    say_format(call, "{\"beginning_offset\":%lld,\"end_offset\":%lld}",
               (long long)partition_start_offset(found), (long long)partition_end_offset(found));
    partition_put(found);
}

const struct route rest_routes[] = {
    {"GET", "/", root},
    {"GET", "/brokers", brokers},
    {"GET", "/topics", topics},
    {"GET", "/topics/{topic}", topic},
    {"POST", "/topics/{topic}", rest_produce},
    {"GET", "/topics/{topic}/partitions", partitions},
    {"GET", "/topics/{topic}/partitions/{partition}", partition},
    {"POST", "/topics/{topic}/partitions/{partition}", rest_produce_partition},
    {"GET", "/topics/{topic}/partitions/{partition}/offsets", offsets},
    {NULL, NULL, NULL},
};
