/* metadata.c - what the log keeps of topics, as records of `__pinrail_topics`:
 *
 *     key                      value (JSON); none: the key is gone
 *     topic:NAME               {"id":"32 hex digits","partitions":N,"created_ms":N,"internal":B,"settings":{NAME:VALUE,...}}
 *     start:NAME:PARTITION     {"offset":N}      records below it were trimmed
 *     producers                {"next":N}        producer ids from N on were never given
 *
 * A topic name holds no colon. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_doc.h"
#include "base/trace.h"
#include "log/internal.h"
#include "log/topic.h"

enum { KEY_BYTES = TOPIC_NAME_MOST + 32, TOPIC_RECORD_BYTES = 512 /* about, all in all */ };

/* ---- reading ---- */

static enum err unreadable(struct bytes key)
{
    return err_note(ERR_CORRUPT, "the record %.*s of " METADATA_TOPIC " is not as this version writes it",
                    (int)(key.size < 300 ? key.size : 300), (const char *)key.at);
}

static bool parse_id(const char *text, uint8_t id[TOPIC_ID_BYTES])
{
    if (!text || strlen(text) != 2 * TOPIC_ID_BYTES || strspn(text, "0123456789abcdef") != 2 * TOPIC_ID_BYTES)
        return false;
    for (int i = 0; i < TOPIC_ID_BYTES; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], 0};
        id[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

static enum err load_settings(struct topic *topic, json_t *settings)
{
    const char *name;
    json_t *value;

    json_object_foreach(settings, name, value)
    {
        struct topic_setting setting;
        enum err err;
        if (!json_is_string(value) || strlen(name) >= sizeof(setting.name) ||
            json_string_length(value) >= sizeof(setting.value))
            continue;
        snprintf(setting.name, sizeof(setting.name), "%s", name);
        snprintf(setting.value, sizeof(setting.value), "%s", json_string_value(value));
        err = topic_change_settings(topic, &setting, 1);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err load_topic(struct log *log, struct bytes key, const char *name, json_t *value)
{
    struct topic *topic = NULL;
    json_int_t partitions, created_ms;
    const char *id;
    json_t *settings;
    int internal;
    enum err err;

    if (!value) {
        topics_take(log, name);
        return ERR_OK;
    }
    if (json_unpack(value, "{s:s, s:I, s:I, s:b, s:o}", "id", &id, "partitions", &partitions, "created_ms",
                    &created_ms, "internal", &internal, "settings", &settings) ||
        partitions < 1 || partitions > TOPIC_PARTITIONS_MOST || !topic_name_is_valid(bytes_of_text(name)))
        return unreadable(key);
    topic = topic_new(name, (int32_t)partitions);
    if (!topic)
        return err_note(ERR_NO_MEMORY, "out of memory for a topic");
    topic->created_ms = created_ms;
    topic->internal = internal;
    err = parse_id(id, topic->id) ? load_settings(topic, settings) : unreadable(key);
    if (!err) {
        const struct topic *before = topics_find(log, name);
        for (int32_t i = 0; before && i < before->partition_count && i < topic->partition_count; i++)
            topic->starts[i] = before->starts[i];
        topics_take(log, name);
        err = topics_add(log, topic);
    }
    if (err)
        topic_free(topic);
    return err;
}

/* `name` is NAME:PARTITION. A start of a topic that is gone means nothing. */
static enum err load_start(struct log *log, struct bytes key, char *name, json_t *value)
{
    char *colon = strrchr(name, ':');
    struct topic *topic;
    json_int_t offset = 0;
    long partition;

    if (!colon || (value && json_unpack(value, "{s:I}", "offset", &offset)) || offset < 0)
        return unreadable(key);
    *colon = 0;
    partition = strtol(colon + 1, NULL, 10);
    topic = topics_find(log, name);
    if (topic && partition >= 0 && partition < topic->partition_count)
        topic->starts[partition] = offset;
    return ERR_OK;
}

static enum err load_record(void *arg, const struct record *record)
{
    struct log *log = arg;
    char key[KEY_BYTES];
    json_int_t next;
    json_t *value = NULL;
    enum err err = ERR_OK;

    if (record->key.size >= sizeof(key) || memchr(record->key.at, 0, record->key.size))
        return unreadable(record->key);
    memcpy(key, record->key.at, record->key.size);
    key[record->key.size] = 0;
    if (record->value.at)
        err = json_doc_parse(&value, record->value);
    if (err)
        return err;
    if (strncmp(key, "topic:", 6) == 0) {
        err = load_topic(log, record->key, key + 6, value);
    } else if (strncmp(key, "start:", 6) == 0) {
        err = load_start(log, record->key, key + 6, value);
    } else if (strcmp(key, "producers") == 0 && value && !json_unpack(value, "{s:I}", "next", &next)) {
        log->next_producer_id = log->producer_ids_end = next;
    } else {
        err = unreadable(record->key);
    }
    json_decref(value);
    return err;
}

enum err metadata_load(struct log *log)
{
    return internal_replay(log->metadata, load_record, log);
}

/* ---- writing ---- */

static void add_topic(struct internal_writer *writer, const struct topic *topic)
{
    char key[KEY_BYTES], id[2 * TOPIC_ID_BYTES + 1];
    struct buf text = buf_init(INTERNAL_RECORD_MOST_BYTES);
    json_t *settings = json_object(), *value;

    for (int i = 0; i < TOPIC_ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", topic->id[i]);
    for (size_t i = 0; i < topic->setting_count; i++) {
        if (json_object_set_new(settings, topic->settings[i].name, json_string(topic->settings[i].value)) &&
            !writer->err)
            writer->err = err_note(ERR_INVALID, "a setting of topic %s is not UTF-8", topic->name);
    }
    value = json_pack("{s:s, s:i, s:I, s:b, s:o}", "id", id, "partitions", (int)topic->partition_count,
                      "created_ms", (json_int_t)topic->created_ms, "internal", topic->internal, "settings",
                      settings);
    if (!writer->err)
        writer->err =
            value ? json_doc_write(value, &text) : err_note(ERR_NO_MEMORY, "out of memory for a topic");
    snprintf(key, sizeof(key), "topic:%s", topic->name);
    internal_add(writer, bytes_of_text(key), buf_bytes(&text));
    json_decref(value);
    buf_release(&text);
}

static void add_start(struct internal_writer *writer, const char *topic, int32_t partition,
                      int64_t start_offset)
{
    char key[KEY_BYTES], value[48];

    snprintf(key, sizeof(key), "start:%s:%d", topic, partition);
    snprintf(value, sizeof(value), "{\"offset\":%lld}", (long long)start_offset);
    internal_add(writer, bytes_of_text(key),
                 start_offset > 0 ? bytes_of_text(value) : (struct bytes){NULL, 0});
}

static void add_producer_ids(struct internal_writer *writer, int64_t next)
{
    char value[48];

    snprintf(value, sizeof(value), "{\"next\":%lld}", (long long)next);
    internal_add(writer, BYTES("producers"), bytes_of_text(value));
}

/* Append all that lives once more, and drop what stood before as soon as that is durable. */
static enum err write_anew(struct log *log)
{
    struct internal_writer writer;
    int64_t from = partition_begin_segment(log->metadata);
    enum err err;

    internal_begin(&writer, log->metadata, &log->record);
    for (size_t i = 0; i < log->topic_count; i++) {
        const struct topic *topic = log->topics[i];
        add_topic(&writer, topic);
        for (int32_t p = 0; p < topic->partition_count; p++) {
            if (topic->starts[p] > 0)
                add_start(&writer, topic->name, p, topic->starts[p]);
        }
    }
    add_producer_ids(&writer, log->producer_ids_end);
    err = internal_end(&writer);
    if (!err)
        partition_drop_later(log->metadata, from, writer.end_offset);
    return err;
}

/* Before the new record, because what lives in memory does not have it yet. */
static void begin(struct log *log, struct internal_writer *writer)
{
    if (internal_has_grown(log->metadata, (int64_t)log->topic_count * TOPIC_RECORD_BYTES) && write_anew(log))
        trace_warn("log", METADATA_TOPIC " cannot be written anew: %s", err_sentence());
    internal_begin(writer, log->metadata, &log->record);
}

/* End the writing, and wait until it is durable. */
static enum err settle(struct log *log, struct internal_writer *writer)
{
    enum err err = internal_end(writer);

    return err ? err : partition_wait(log->metadata, writer->end_offset, -1);
}

enum err metadata_put_topic(struct log *log, const struct topic *topic)
{
    struct internal_writer writer;

    begin(log, &writer);
    add_topic(&writer, topic);
    return settle(log, &writer);
}

enum err metadata_remove_topic(struct log *log, const struct topic *topic)
{
    struct internal_writer writer;
    char key[KEY_BYTES];

    begin(log, &writer);
    snprintf(key, sizeof(key), "topic:%s", topic->name);
    internal_add(&writer, bytes_of_text(key), (struct bytes){NULL, 0});
    for (int32_t i = 0; i < topic->partition_count; i++) {
        if (topic->starts[i] > 0)
            add_start(&writer, topic->name, i, 0);
    }
    return settle(log, &writer);
}

enum err metadata_put_start(struct log *log, const char *topic, int32_t partition, int64_t start_offset)
{
    struct internal_writer writer;

    begin(log, &writer);
    add_start(&writer, topic, partition, start_offset);
    return settle(log, &writer);
}

enum err metadata_put_producer_ids(struct log *log, int64_t next)
{
    struct internal_writer writer;

    begin(log, &writer);
    add_producer_ids(&writer, next);
    return settle(log, &writer);
}
