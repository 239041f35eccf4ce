/* topic.c - topics: made, changed, deleted, found.
 *
 * A topic is there when its record in `__pinrail_topics` is durable. Its folders come before that record and go after
 * it is withdrawn, so a crash can only leave folders too many, which opening removes. */
#include "log/topic.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/trace.h"

/* ---- the list ---- */

bool topic_name_is_valid(struct bytes name)
{
    if (name.size < 1 || name.size > TOPIC_NAME_MOST || bytes_equal(name, BYTES(".")) ||
        bytes_equal(name, BYTES("..")))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.at[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '_' || c == '-';
        if (!good)
            return false;
    }
    return true;
}

/* Where `name` stands, or would stand. */
static size_t place_of(const struct log *log, const char *name, bool *found)
{
    size_t low = 0, high = log->topic_count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(log->topics[middle]->name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct topic *topics_find(const struct log *log, const char *name)
{
    bool found;
    size_t place = place_of(log, name, &found);

    return found ? log->topics[place] : NULL;
}

enum err topics_add(struct log *log, struct topic *topic)
{
    struct topic **more = realloc(log->topics, (log->topic_count + 1) * sizeof(struct topic *));
    bool found;
    size_t place;

    if (!more)
        return err_note(ERR_NO_MEMORY, "out of memory for a topic");
    log->topics = more;
    place = place_of(log, topic->name, &found);
    assert(!found);
    memmove(more + place + 1, more + place, (log->topic_count - place) * sizeof(struct topic *));
    more[place] = topic;
    log->topic_count++;
    return ERR_OK;
}

void topics_take(struct log *log, const char *name)
{
    bool found;
    size_t place = place_of(log, name, &found);

    if (!found)
        return;
    topic_free(log->topics[place]);
    log->topic_count--;
    memmove(log->topics + place, log->topics + place + 1,
            (log->topic_count - place) * sizeof(struct topic *));
}

/* ---- one topic ---- */

struct topic *topic_new(const char *name, int32_t partitions)
{
    struct topic *topic = calloc(1, sizeof(*topic));

    if (!topic)
        return NULL;
    snprintf(topic->name, sizeof(topic->name), "%s", name);
    topic->partition_count = partitions;
    topic->partitions = calloc((size_t)partitions, sizeof(struct partition *));
    topic->starts = calloc((size_t)partitions, sizeof(*topic->starts));
    if (!topic->partitions || !topic->starts) {
        topic_free(topic);
        return NULL;
    }
    return topic;
}

void topic_free(struct topic *topic)
{
    if (!topic)
        return;
    for (int32_t i = 0; topic->partitions && i < topic->partition_count; i++)
        partition_put(topic->partitions[i]);
    free(topic->partitions);
    free(topic->starts);
    free(topic->settings);
    free(topic);
}

static struct topic *topic_copy(const struct topic *topic, int32_t partitions)
{
    struct topic *copy = topic_new(topic->name, partitions);

    if (!copy)
        return NULL;
    memcpy(copy->id, topic->id, sizeof(copy->id));
    copy->created_ms = topic->created_ms;
    copy->internal = topic->internal;
    if (topic_change_settings(copy, topic->settings, topic->setting_count)) {
        topic_free(copy);
        return NULL;
    }
    for (int32_t i = 0; i < topic->partition_count && i < partitions; i++) {
        copy->starts[i] = topic->starts[i];
        copy->partitions[i] = topic->partitions[i];
        if (copy->partitions[i])
            partition_get(copy->partitions[i]);
    }
    return copy;
}

enum err topic_change_settings(struct topic *topic, const struct topic_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < topic->setting_count && strcmp(topic->settings[at].name, settings[i].name) != 0)
            at++;
        if (settings[i].value[0] == 0) {
            if (at < topic->setting_count)
                topic->settings[at] = topic->settings[--topic->setting_count];
            continue;
        }
        if (at == topic->setting_count) {
            struct topic_setting *more = realloc(topic->settings, (at + 1) * sizeof(*more));
            if (!more)
                return err_note(ERR_NO_MEMORY, "out of memory for the settings of a topic");
            topic->settings = more;
            topic->setting_count++;
        }
        topic->settings[at] = settings[i];
    }
    return ERR_OK;
}

static const char *setting_of(const struct topic *topic, const char *name)
{
    for (size_t i = 0; i < topic->setting_count; i++) {
        if (strcmp(topic->settings[i].name, name) == 0)
            return topic->settings[i].value;
    }
    return NULL;
}

static int64_t size_setting(const struct topic *topic, const char *name, int64_t fallback, int64_t most)
{
    const char *text = setting_of(topic, name);
    char *end;
    long long value;

    if (!text)
        return fallback;
    value = strtoll(text, &end, 10);
    if (end == text || *end != 0 || value < 1)
        return fallback;
    return value < most ? value : most;
}

/* Let the partitions go by the topic's settings. */
static void apply_settings(const struct log *log, const struct topic *topic)
{
    const char *time_type = setting_of(topic, "message.timestamp.type");

    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct partition *partition = topic->partitions[i];
        partition->segment_bytes = size_setting(topic, "segment.bytes", log->segment_bytes, INT32_MAX);
        partition->batch_max_bytes =
            (size_t)size_setting(topic, "max.message.bytes", (int64_t)log->batch_max_bytes, BATCH_MOST_BYTES);
        if (topic->internal)
            partition->batch_max_bytes = BATCH_MOST_BYTES;
        partition->append_time = time_type && strcmp(time_type, "LogAppendTime") == 0;
    }
}

static enum err folder_of(const struct log *log, const char *topic, int32_t number,
                          char out[SEGMENT_PATH_BYTES])
{
    int length = snprintf(out, SEGMENT_PATH_BYTES, "%s/%s-%d", log->dir, topic, number);

    return length < SEGMENT_PATH_BYTES ? ERR_OK
                                       : err_note(ERR_INVALID, "a path is too long: %.80s...", log->dir);
}

/* Make the folders of partitions `from` to `to`, durably. What a crash left under such a name is nobody's. */
static enum err make_folders(struct log *log, const char *topic, int32_t from, int32_t to)
{
    char path[SEGMENT_PATH_BYTES];
    enum err err = ERR_OK;

    for (int32_t i = from; i < to && !err; i++) {
        err = folder_of(log, topic, i, path);
        if (!err)
            err = disk_remove_tree(log->disk, path);
        if (!err)
            err = disk_make_dir(log->disk, path);
    }
    return err ? err : disk_sync_dir(log->disk, log->dir);
}

/* Best effort: opening removes what is left. */
static void remove_folders(struct log *log, const char *topic, int32_t from, int32_t to)
{
    char path[SEGMENT_PATH_BYTES];
    enum err err = ERR_OK;

    for (int32_t i = from; i < to; i++) {
        err = folder_of(log, topic, i, path);
        if (!err)
            err = disk_remove_tree(log->disk, path);
        if (err)
            trace_warn("log", "%s stays until the next start: %s", path, err_sentence());
    }
    if (disk_sync_dir(log->disk, log->dir))
        trace_warn("log", "folders of topic %s may stay until the next start: %s", topic, err_sentence());
}

enum err topic_open_partitions(struct log *log, struct topic *topic)
{
    struct partition_options options = {
        .log = log,
        .dir = log->dir,
        .disk = log->disk,
        .committer = &log->committer,
        .segment_bytes = log->segment_bytes,
        .batch_max_bytes = log->batch_max_bytes,
    };

    for (int32_t i = 0; i < topic->partition_count; i++) {
        enum err err;
        options.start_offset = topic->starts[i];
        if (topic->partitions[i])
            continue;
        err = partition_open(&topic->partitions[i], topic->name, i, &options);
        if (err)
            return err;
    }
    apply_settings(log, topic);
    return ERR_OK;
}

static enum err new_id(uint8_t id[TOPIC_ID_BYTES])
{
    if (getrandom(id, TOPIC_ID_BYTES, 0) != TOPIC_ID_BYTES)
        return err_note(ERR_IO, "the kernel gives no random bytes");
    id[6] = (uint8_t)(0x40 | (id[6] & 0x0f)); /* a UUID of version 4, so never zero */
    id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
    return ERR_OK;
}

/* ---- changes ---- */

enum err topic_make(struct log *log, const char *name, int32_t partitions,
                    const struct topic_setting *settings, size_t setting_count, bool internal)
{
    struct topic *topic = topic_new(name, partitions);
    bool is_metadata = strcmp(name, METADATA_TOPIC) == 0; /* its partition is open already */
    enum err err;

    if (!topic)
        return err_note(ERR_NO_MEMORY, "out of memory for a topic");
    topic->internal = internal;
    topic->created_ms = clock_wall_ms();
    err = new_id(topic->id);
    if (!err)
        err = topic_change_settings(topic, settings, setting_count);
    if (is_metadata) {
        partition_get(log->metadata);
        topic->partitions[0] = log->metadata;
    } else if (!err) {
        err = make_folders(log, name, 0, partitions);
    }
    if (!err)
        err = topic_open_partitions(log, topic);
    if (!err)
        err = metadata_put_topic(log, topic);
    if (!err) {
        pthread_rwlock_wrlock(&log->topics_lock);
        err = topics_add(log, topic);
        pthread_rwlock_unlock(&log->topics_lock);
    }
    if (err)
        topic_free(topic);
    else
        committer_wake(&log->committer);
    return err;
}

enum err log_topic_create(struct log *log, const char *name, int32_t partitions,
                          const struct topic_setting *settings, size_t setting_count)
{
    enum err err;

    if (!topic_name_is_valid(bytes_of_text(name)))
        return err_note(
            ERR_INVALID,
            "\"%.300s\" is no topic name: 1 to 249 letters, digits, dots, underscores and hyphens", name);
    if (partitions < 1 || partitions > TOPIC_PARTITIONS_MOST)
        return err_note(ERR_INVALID, "a topic has 1 to %d partitions, not %d", TOPIC_PARTITIONS_MOST,
                        partitions);
    pthread_mutex_lock(&log->change_lock);
    if (topics_find(log, name))
        err = err_note(ERR_EXISTS, "topic %s exists already", name);
    else
        err = topic_make(log, name, partitions, settings, setting_count, false);
    pthread_mutex_unlock(&log->change_lock);
    return err;
}

/* The topic of that name, for a change by a client. Under change_lock. */
static enum err find_for_change(struct log *log, const char *name, struct topic **out)
{
    *out = topics_find(log, name);
    if (!*out)
        return err_note(ERR_NOT_FOUND, "there is no topic %.300s", name);
    if ((*out)->internal)
        return err_note(ERR_DENIED, "topic %s is pinrail's own", name);
    return ERR_OK;
}

enum err log_topic_delete(struct log *log, const char *name)
{
    struct topic *topic;
    int32_t partitions = 0;
    enum err err;

    pthread_mutex_lock(&log->change_lock);
    err = find_for_change(log, name, &topic);
    if (!err)
        err = metadata_remove_topic(log, topic);
    if (err)
        goto out;
    partitions = topic->partition_count;
    for (int32_t i = 0; i < partitions; i++)
        partition_delete(topic->partitions[i]);
    pthread_rwlock_wrlock(&log->topics_lock);
    topics_take(log, name);
    pthread_rwlock_unlock(&log->topics_lock);
    remove_folders(log, name, 0, partitions);
    if (offsets_forget_topic(&log->offsets, name))
        trace_warn("log", "offsets committed for topic %s are kept: %s", name, err_sentence());
    committer_wake(&log->committer);
out:
    pthread_mutex_unlock(&log->change_lock);
    return err;
}

/* Put `changed` in the place of the topic of its name, once that is durable. Under change_lock. */
static enum err replace(struct log *log, struct topic *topic, struct topic *changed)
{
    enum err err = metadata_put_topic(log, changed);
    bool found;

    if (err)
        return err;
    pthread_rwlock_wrlock(&log->topics_lock);
    log->topics[place_of(log, topic->name, &found)] = changed;
    apply_settings(log, changed);
    pthread_rwlock_unlock(&log->topics_lock);
    topic_free(topic);
    committer_wake(&log->committer);
    return ERR_OK;
}

enum err log_topic_grow(struct log *log, const char *name, int32_t partitions)
{
    struct topic *topic, *changed = NULL;
    enum err err;

    pthread_mutex_lock(&log->change_lock);
    err = find_for_change(log, name, &topic);
    if (err)
        goto out;
    if (partitions <= topic->partition_count || partitions > TOPIC_PARTITIONS_MOST) {
        err = err_note(ERR_INVALID, "topic %s has %d partitions and can only get more, up to %d, not %d",
                       name, topic->partition_count, TOPIC_PARTITIONS_MOST, partitions);
        goto out;
    }
    changed = topic_copy(topic, partitions);
    err = changed ? make_folders(log, name, topic->partition_count, partitions)
                  : err_note(ERR_NO_MEMORY, "out of memory for a topic");
    if (!err)
        err = topic_open_partitions(log, changed);
    if (!err)
        err = replace(log, topic, changed);
    if (err)
        topic_free(changed);
out:
    pthread_mutex_unlock(&log->change_lock);
    return err;
}

enum err log_topic_set(struct log *log, const char *name, const struct topic_setting *settings, size_t count)
{
    struct topic *topic, *changed = NULL;
    enum err err;

    pthread_mutex_lock(&log->change_lock);
    err = find_for_change(log, name, &topic);
    if (err)
        goto out;
    changed = topic_copy(topic, topic->partition_count);
    err = changed ? topic_change_settings(changed, settings, count)
                  : err_note(ERR_NO_MEMORY, "out of memory for a topic");
    if (!err)
        err = replace(log, topic, changed);
    if (err)
        topic_free(changed);
out:
    pthread_mutex_unlock(&log->change_lock);
    return err;
}

enum err partition_trim(struct partition *partition, int64_t offset)
{
    struct log *log = partition->log;
    struct topic *topic;
    enum err err;

    pthread_mutex_lock(&log->change_lock);
    err = partition_check_state(partition);
    if (!err && (offset < 0 || offset > atomic_load(&partition->durable_end)))
        err = err_note(ERR_RANGE, "%s-%d ends at offset %lld; it cannot be trimmed to %lld", partition->topic,
                       partition->number, (long long)atomic_load(&partition->durable_end), (long long)offset);
    if (err || offset <= atomic_load(&partition->start_offset))
        goto out;
    err = metadata_put_start(log, partition->topic, partition->number, offset);
    if (err)
        goto out;
    topic = topics_find(log, partition->topic);
    assert(topic); /* a deleted one would have said so above */
    topic->starts[partition->number] = offset;
    atomic_store(&partition->start_offset, offset);
    err = partition_drop_below(partition, offset);
out:
    pthread_mutex_unlock(&log->change_lock);
    return err;
}

/* ---- finding ---- */

static enum err copy_info(const struct topic *topic, struct arena *arena, struct topic_info *out)
{
    *out = (struct topic_info){
        .partition_count = topic->partition_count,
        .created_ms = topic->created_ms,
        .internal = topic->internal,
        .setting_count = topic->setting_count,
    };
    memcpy(out->name, topic->name, sizeof(out->name));
    memcpy(out->id, topic->id, sizeof(out->id));
    if (topic->setting_count == 0)
        return ERR_OK;
    out->settings = arena_take(arena, topic->setting_count * sizeof(*out->settings));
    if (!out->settings)
        return err_note(ERR_NO_MEMORY, "out of memory for the settings of a topic");
    memcpy(out->settings, topic->settings, topic->setting_count * sizeof(*out->settings));
    return ERR_OK;
}

enum err log_topic_find(struct log *log, const char *name, struct arena *arena, struct topic_info *out)
{
    const struct topic *topic;
    enum err err;

    pthread_rwlock_rdlock(&log->topics_lock);
    topic = topics_find(log, name);
    err = topic ? copy_info(topic, arena, out) : err_note(ERR_NOT_FOUND, "there is no topic %.300s", name);
    pthread_rwlock_unlock(&log->topics_lock);
    return err;
}

enum err log_topic_find_id(struct log *log, const uint8_t id[TOPIC_ID_BYTES], struct arena *arena,
                           struct topic_info *out)
{
    enum err err = ERR_NOT_FOUND;

    pthread_rwlock_rdlock(&log->topics_lock);
    for (size_t i = 0; i < log->topic_count && err == ERR_NOT_FOUND; i++) {
        if (memcmp(log->topics[i]->id, id, TOPIC_ID_BYTES) == 0)
            err = copy_info(log->topics[i], arena, out);
    }
    pthread_rwlock_unlock(&log->topics_lock);
    return err == ERR_NOT_FOUND ? err_note(err, "there is no topic of that id") : err;
}

enum err log_topic_list(struct log *log, struct arena *arena, struct topic_info **out, size_t *count)
{
    struct topic_info *list;
    enum err err = ERR_OK;

    pthread_rwlock_rdlock(&log->topics_lock);
    list = arena_take(arena, log->topic_count * sizeof(*list));
    if (!list)
        err = err_note(ERR_NO_MEMORY, "out of memory for a list of topics");
    for (size_t i = 0; i < log->topic_count && !err; i++)
        err = copy_info(log->topics[i], arena, &list[i]);
    *out = list;
    *count = log->topic_count;
    pthread_rwlock_unlock(&log->topics_lock);
    return err;
}

struct partition *log_partition(struct log *log, const char *topic_name, int32_t number)
{
    struct partition *partition = NULL;
    const struct topic *topic;

    pthread_rwlock_rdlock(&log->topics_lock);
    topic = topics_find(log, topic_name);
    if (topic && number >= 0 && number < topic->partition_count) {
        partition = topic->partitions[number];
        partition_get(partition);
    }
    pthread_rwlock_unlock(&log->topics_lock);
    return partition;
}
