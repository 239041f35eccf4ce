/* offsets.c - committed offsets, in the form that Kafka's own tools know; numbers big-endian, text = length i16 | bytes:
 *
 *     key    = version i16 = 1 | group text | topic text | partition i32
 *     value  = version i16 = 3 | offset i64 | leader epoch i32 | metadata text | commit time ms i64;  none: deleted */
#include "log/offsets.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/trace.h"
#include "log/internal.h"

enum { KEY_VERSION = 1, VALUE_VERSION = 3, FIRST_ROOM = 64, GROUP_NAME_MOST = 32767 };

/* ---- the map ---- */

static uint64_t hash_of(const char *group, const char *topic, int32_t partition)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (const char *at = group; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    hash = (hash ^ 0xff) * 0x100000001b3u;
    for (const char *at = topic; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    hash = (hash ^ (uint32_t)partition) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* Where the entry is, or belongs. */
static size_t slot_of(const struct offsets *offsets, uint64_t hash, const char *group, const char *topic,
                      int32_t partition)
{
    size_t mask = offsets->room - 1, at = hash & mask;

    while (offsets->slots[at]) {
        const struct offset_entry *entry = offsets->slots[at];
        if (entry->hash == hash && entry->partition == partition && strcmp(entry->key, group) == 0 &&
            strcmp(entry->topic, topic) == 0)
            break;
        at = (at + 1) & mask;
    }
    return at;
}

static struct offset_entry *find(const struct offsets *offsets, const char *group, const char *topic,
                                 int32_t partition)
{
    if (offsets->room == 0)
        return NULL;
    return offsets->slots[slot_of(offsets, hash_of(group, topic, partition), group, topic, partition)];
}

static int64_t bytes_of_entry(const struct offset_entry *entry)
{
    return 64 + (int64_t)(strlen(entry->key) + strlen(entry->topic) + strlen(entry->metadata));
}

static enum err make_room(struct offsets *offsets)
{
    size_t room = offsets->room ? offsets->room * 2 : FIRST_ROOM;
    struct offset_entry **slots;

    if (offsets->count >= OFFSETS_MOST)
        return err_note(
            ERR_FULL,
            "groups have committed %d offsets, and no more are kept; delete groups that are not used",
            OFFSETS_MOST);
    if (offsets->room > 0 && offsets->count + 1 <= offsets->room / 4 * 3)
        return ERR_OK;
    slots = calloc(room, sizeof(struct offset_entry *));
    if (!slots)
        return err_note(ERR_NO_MEMORY, "out of memory for committed offsets");
    for (size_t i = 0; i < offsets->room; i++) {
        struct offset_entry *entry = offsets->slots[i];
        if (entry) {
            size_t at = entry->hash & (room - 1);
            while (slots[at])
                at = (at + 1) & (room - 1);
            slots[at] = entry;
        }
    }
    free(offsets->slots);
    offsets->slots = slots;
    offsets->room = room;
    return ERR_OK;
}

/* Put an entry in, in the place of an older one. */
static enum err put(struct offsets *offsets, const char *group, const char *topic, int32_t partition,
                    const struct committed *committed, struct bytes metadata)
{
    size_t group_size = strlen(group) + 1, topic_size = strlen(topic) + 1, at;
    struct offset_entry *entry = malloc(sizeof(*entry) + group_size + topic_size + metadata.size + 1);
    enum err err =
        entry ? make_room(offsets) : err_note(ERR_NO_MEMORY, "out of memory for committed offsets");
    char *text;

    if (err == ERR_FULL && find(offsets, group, topic, partition))
        err = ERR_OK; /* it takes the place of another */
    if (err) {
        free(entry);
        return err;
    }
    text = (char *)(entry + 1);
    memcpy(text, group, group_size);
    memcpy(text + group_size, topic, topic_size);
    if (metadata.size > 0)
        memcpy(text + group_size + topic_size, metadata.at, metadata.size);
    text[group_size + topic_size + metadata.size] = 0;
    *entry = (struct offset_entry){
        .key = text,
        .topic = text + group_size,
        .metadata = text + group_size + topic_size,
        .hash = hash_of(group, topic, partition),
        .partition = partition,
        .leader_epoch = committed->leader_epoch,
        .offset = committed->offset,
        .commit_ms = committed->commit_ms,
    };
    at = slot_of(offsets, entry->hash, group, topic, partition);
    if (offsets->slots[at]) {
        offsets->live_bytes -= bytes_of_entry(offsets->slots[at]);
        free(offsets->slots[at]);
    } else {
        offsets->count++;
    }
    offsets->live_bytes += bytes_of_entry(entry);
    offsets->slots[at] = entry;
    return ERR_OK;
}

/* Take an entry out; those behind it that it had pushed away move up. */
static void take(struct offsets *offsets, const struct offset_entry *gone)
{
    size_t mask = offsets->room - 1;
    size_t hole = slot_of(offsets, gone->hash, gone->key, gone->topic, gone->partition);

    offsets->live_bytes -= bytes_of_entry(gone);
    offsets->count--;
    free(offsets->slots[hole]);
    offsets->slots[hole] = NULL;
    for (size_t at = (hole + 1) & mask; offsets->slots[at]; at = (at + 1) & mask) {
        size_t home = offsets->slots[at]->hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            offsets->slots[hole] = offsets->slots[at];
            offsets->slots[at] = NULL;
            hole = at;
        }
    }
}

/* ---- records ---- */

static uint8_t *put_text(uint8_t *at, const char *text)
{
    size_t size = strlen(text);

    put_u16(at, (uint16_t)size);
    memcpy(at + 2, text, size);
    return at + 2 + size;
}

/* The key and, with `committed`, the value of a record, as one run of bytes in `out`. */
static enum err encode(struct buf *out, const char *group, const char *topic, int32_t partition,
                       const struct committed *committed, struct bytes metadata, struct bytes *key,
                       struct bytes *value)
{
    size_t key_size = 2 + 2 + strlen(group) + 2 + strlen(topic) + 4;
    size_t value_size = committed ? 2 + 8 + 4 + 2 + metadata.size + 8 : 0;
    uint8_t *at;
    enum err err;

    buf_clear(out);
    err = buf_reserve(out, key_size + value_size);
    if (err)
        return err;
    put_u16(out->at, KEY_VERSION);
    at = put_text(out->at + 2, group);
    at = put_text(at, topic);
    put_u32(at, (uint32_t)partition);
    at += 4;
    *key = bytes_of(out->at, key_size);
    *value = (struct bytes){NULL, 0};
    if (!committed)
        return ERR_OK;
    *value = bytes_of(at, value_size);
    put_u16(at, VALUE_VERSION);
    put_u64(at + 2, (uint64_t)committed->offset);
    put_u32(at + 10, (uint32_t)committed->leader_epoch);
    put_u16(at + 14, (uint16_t)metadata.size);
    if (metadata.size > 0)
        memcpy(at + 16, metadata.at, metadata.size);
    put_u64(at + 16 + metadata.size, (uint64_t)committed->commit_ms);
    return ERR_OK;
}

static bool take_text(struct bytes *from, char **out)
{
    size_t size;

    if (from->size < 2 || (size = get_u16(from->at)) > from->size - 2 || memchr(from->at + 2, 0, size))
        return false;
    *out = strndup((const char *)from->at + 2, size);
    from->at += 2 + size;
    from->size -= 2 + size;
    return *out;
}

static enum err load_record(void *arg, const struct record *record)
{
    struct offsets *offsets = arg;
    struct bytes key = record->key, value = record->value;
    struct committed committed;
    char *group = NULL, *topic = NULL;
    const struct offset_entry *entry;
    enum err err = ERR_CORRUPT;
    int32_t partition;
    size_t size;

    if (key.size < 2 || get_u16(key.at) != KEY_VERSION)
        goto out;
    key.at += 2;
    key.size -= 2;
    if (!take_text(&key, &group) || !take_text(&key, &topic) || key.size != 4)
        goto out;
    partition = (int32_t)get_u32(key.at);
    if (!value.at) {
        entry = find(offsets, group, topic, partition);
        if (entry)
            take(offsets, entry);
        err = ERR_OK;
        goto out;
    }
    if (value.size < 24 || get_u16(value.at) != VALUE_VERSION ||
        (size = get_u16(value.at + 14)) != value.size - 24)
        goto out;
    committed.offset = (int64_t)get_u64(value.at + 2);
    committed.leader_epoch = (int32_t)get_u32(value.at + 10);
    committed.commit_ms = (int64_t)get_u64(value.at + 16 + size);
    err = put(offsets, group, topic, partition, &committed, bytes_of(value.at + 16, size));
out:
    free(group);
    free(topic);
    if (err == ERR_CORRUPT)
        err_note(err, "record %lld of __consumer_offsets is not as this version writes it",
                 (long long)record->offset);
    return err;
}

enum err offsets_load(struct offsets *offsets, struct partition *partition)
{
    offsets->partition = partition;
    offsets->record = buf_init(INTERNAL_RECORD_MOST_BYTES);
    offsets->scratch = buf_init(INTERNAL_RECORD_MOST_BYTES);
    return internal_replay(partition, load_record, offsets);
}

void offsets_release(struct offsets *offsets)
{
    for (size_t i = 0; i < offsets->room; i++)
        free(offsets->slots[i]);
    free(offsets->slots);
    buf_release(&offsets->record);
    buf_release(&offsets->scratch);
    partition_put(offsets->partition);
}

/* Append all that lives once more, and drop what stood before as soon as that is durable. Under the lock. */
static void write_anew(struct offsets *offsets)
{
    struct internal_writer writer;
    int64_t from = partition_begin_segment(offsets->partition);

    internal_begin(&writer, offsets->partition, &offsets->record);
    for (size_t i = 0; i < offsets->room; i++) {
        const struct offset_entry *entry = offsets->slots[i];
        struct committed committed;
        struct bytes key, value;
        enum err err;
        if (!entry)
            continue;
        committed = (struct committed){entry->offset, entry->leader_epoch, entry->commit_ms, NULL};
        err = encode(&offsets->scratch, entry->key, entry->topic, entry->partition, &committed,
                     bytes_of_text(entry->metadata), &key, &value);
        if (err && !writer.err)
            writer.err = err;
        internal_add(&writer, key, value);
    }
    if (internal_end(&writer))
        trace_warn("log", "__consumer_offsets cannot be written anew: %s", err_sentence());
    else
        partition_drop_later(offsets->partition, from, writer.end_offset);
}

/* ---- the log's calls ---- */

static enum err check_names(const char *group, const char *topic, struct bytes metadata)
{
    if (strlen(group) > GROUP_NAME_MOST)
        return err_note(ERR_TOO_LARGE, "a group's name has %zu bytes; %d are taken", strlen(group),
                        GROUP_NAME_MOST);
    if (!topic_name_is_valid(bytes_of_text(topic)))
        return err_note(ERR_INVALID, "\"%.300s\" is no topic name", topic);
    if (metadata.size > OFFSET_METADATA_MOST)
        return err_note(ERR_TOO_LARGE, "the metadata of a committed offset has %zu bytes; %d are taken",
                        metadata.size, OFFSET_METADATA_MOST);
    return ERR_OK;
}

enum err log_offset_commit(struct log *log, const char *group, const char *topic, int32_t partition,
                           int64_t offset, int32_t leader_epoch, struct bytes metadata,
                           struct partition **where, int64_t *end_offset)
{
    struct offsets *offsets = log_offsets(log);
    struct committed committed = {offset, leader_epoch, clock_wall_ms(), NULL};
    struct internal_writer writer;
    struct bytes key, value;
    enum err err = check_names(group, topic, metadata);

    if (err)
        return err;
    if (metadata.size > 0 && memchr(metadata.at, 0, metadata.size))
        return err_note(ERR_INVALID, "the metadata of a committed offset holds a zero byte");
    pthread_mutex_lock(&offsets->lock);
    if (internal_has_grown(offsets->partition, offsets->live_bytes))
        write_anew(offsets);
    err = encode(&offsets->scratch, group, topic, partition, &committed, metadata, &key, &value);
    if (err)
        goto out;
    internal_begin(&writer, offsets->partition, &offsets->record);
    internal_add(&writer, key, value);
    err = internal_end(&writer);
    if (!err)
        err = put(offsets, group, topic, partition, &committed, metadata);
    if (err)
        goto out;
    partition_get(offsets->partition);
    *where = offsets->partition;
    *end_offset = writer.end_offset;
out:
    pthread_mutex_unlock(&offsets->lock);
    return err;
}

static enum err copy(const struct offset_entry *entry, struct arena *arena, struct committed *out)
{
    *out = (struct committed){entry->offset, entry->leader_epoch, entry->commit_ms,
                              arena_text(arena, bytes_of_text(entry->metadata))};
    return out->metadata ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for committed offsets");
}

enum err log_offset_fetch(struct log *log, const char *group, const char *topic, int32_t partition,
                          struct arena *arena, struct committed *out)
{
    struct offsets *offsets = log_offsets(log);
    const struct offset_entry *entry;
    enum err err;

    pthread_mutex_lock(&offsets->lock);
    entry = find(offsets, group, topic, partition);
    err = entry ? copy(entry, arena, out)
                : err_note(ERR_NOT_FOUND, "group %.300s has committed no offset for %.300s-%d", group, topic,
                           partition);
    pthread_mutex_unlock(&offsets->lock);
    return err;
}

static int by_topic(const void *a, const void *b)
{
    const struct committed_entry *left = a, *right = b;
    int order = strcmp(left->topic, right->topic);

    return order ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

enum err log_offset_list(struct log *log, const char *group, struct arena *arena,
                         struct committed_entry **out, size_t *count)
{
    struct offsets *offsets = log_offsets(log);
    struct committed_entry *list;
    size_t listed = 0;
    enum err err = ERR_OK;

    pthread_mutex_lock(&offsets->lock);
    for (size_t i = 0; i < offsets->room; i++)
        listed += offsets->slots[i] && strcmp(offsets->slots[i]->key, group) == 0;
    *count = listed;
    *out = list = arena_take(arena, (listed ? listed : 1) * sizeof(*list));
    if (!list)
        err = err_note(ERR_NO_MEMORY, "out of memory for committed offsets");
    listed = 0;
    for (size_t i = 0; i < offsets->room && !err; i++) {
        const struct offset_entry *entry = offsets->slots[i];
        if (!entry || strcmp(entry->key, group) != 0)
            continue;
        list[listed].topic = arena_text(arena, bytes_of_text(entry->topic));
        list[listed].partition = entry->partition;
        err = list[listed].topic ? copy(entry, arena, &list[listed].committed)
                                 : err_note(ERR_NO_MEMORY, "out of memory for committed offsets");
        listed++;
    }
    pthread_mutex_unlock(&offsets->lock);
    if (!err)
        qsort(list, listed, sizeof(*list), by_topic);
    return err;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err log_group_list(struct log *log, struct arena *arena, char ***out, size_t *count)
{
    struct offsets *offsets = log_offsets(log);
    const char **names;
    size_t listed = 0, groups = 0;
    enum err err = ERR_OK;

    *count = 0;
    pthread_mutex_lock(&offsets->lock);
    names = calloc(offsets->count + 1, sizeof(char *));
    if (!names)
        err = err_note(ERR_NO_MEMORY, "out of memory for a list of groups");
    for (size_t i = 0; i < offsets->room && !err; i++) {
        if (offsets->slots[i])
            names[listed++] = offsets->slots[i]->key;
    }
    if (!err) {
        qsort(names, listed, sizeof(char *), by_name);
        for (size_t i = 0; i < listed; i++) {
            if (groups == 0 || strcmp(names[i], names[groups - 1]) != 0)
                names[groups++] = names[i];
        }
        *out = arena_take(arena, (groups + 1) * sizeof(char *));
        err = *out ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for a list of groups");
    }
    for (; *count < groups && !err; ++*count) {
        (*out)[*count] = arena_text(arena, bytes_of_text(names[*count]));
        if (!(*out)[*count])
            err = err_note(ERR_NO_MEMORY, "out of memory for a list of groups");
    }
    pthread_mutex_unlock(&offsets->lock);
    free(names);
    return err;
}

/* Delete the entries of `group` (NULL: of any) for `topic` (NULL: any) and `partition` (-1: any). */
static enum err delete_matching(struct offsets *offsets, const char *group, const char *topic,
                                int32_t partition, size_t *deleted, int64_t *end_offset)
{
    struct internal_writer writer;
    enum err err;

    *deleted = 0;
    internal_begin(&writer, offsets->partition, &offsets->record);
    for (size_t i = 0; i < offsets->room;) {
        const struct offset_entry *entry = offsets->slots[i];
        struct bytes key, value;
        if (!entry || (group && strcmp(entry->key, group) != 0) ||
            (topic && strcmp(entry->topic, topic) != 0) ||
            (partition >= 0 && entry->partition != partition)) {
            i++;
            continue;
        }
        err = encode(&offsets->scratch, entry->key, entry->topic, entry->partition, NULL,
                     (struct bytes){NULL, 0}, &key, &value);
        if (err)
            return err;
        internal_add(&writer, key, value);
        if (writer.err)
            return writer.err;
        take(offsets, entry); /* another may have moved to this slot: look at it again */
        ++*deleted;
    }
    err = internal_end(&writer);
    *end_offset = writer.end_offset;
    return err;
}

enum err log_offset_delete(struct log *log, const char *group, const char *topic, int32_t partition)
{
    struct offsets *offsets = log_offsets(log);
    int64_t end_offset;
    size_t deleted;
    enum err err;

    pthread_mutex_lock(&offsets->lock);
    err = delete_matching(offsets, group, topic, topic ? partition : -1, &deleted, &end_offset);
    pthread_mutex_unlock(&offsets->lock);
    if (!err && deleted == 0)
        return err_note(ERR_NOT_FOUND, "group %.300s has committed no such offset", group);
    return err ? err : partition_wait(offsets->partition, end_offset, -1);
}

enum err offsets_forget_topic(struct offsets *offsets, const char *topic)
{
    int64_t end_offset;
    size_t deleted;
    enum err err;

    pthread_mutex_lock(&offsets->lock);
    err = delete_matching(offsets, NULL, topic, -1, &deleted, &end_offset);
    pthread_mutex_unlock(&offsets->lock);
    return err;
}
