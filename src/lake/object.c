/* object.c - names of lake objects, and what is there. */
#include "lake/object.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PATH_BYTES_MOST = PATH_MAX,
    OFFSET_DIGITS = 10, /* as the Confluent sink pads; longer offsets just grow */
};

static enum err topics_folder(const struct config *config, struct buf *out)
{
    const char *topics_dir = config_text(config, "lake.topics.dir");

    buf_clear(out);
    return buf_printf(out, "%s%s%s", config_path(config, "lake"), *topics_dir ? "/" : "", topics_dir);
}

enum err object_folder(const struct config *config, const char *topic, int32_t partition, struct buf *out)
{
    enum err err = topics_folder(config, out);

    if (!err)
        err = buf_printf(out, "/%s/partition=%d", topic, (int)partition);
    return !err && !buf_text(out) ? ERR_NO_MEMORY : err;
}

enum err object_path(const struct config *config, const char *topic, int32_t partition, int64_t start,
                     struct buf *out)
{
    enum err err = object_folder(config, topic, partition, out);

    if (!err)
        err = buf_printf(out, "/%s+%d+%0*lld.json", topic, (int)partition, OFFSET_DIGITS, (long long)start);
    return !err && !buf_text(out) ? ERR_NO_MEMORY : err;
}

/* A number of digits only, at most 18 of them; -1: it is none. *end is behind it. */
static int64_t digits(const char *text, const char **end)
{
    int64_t value = 0;
    int count = 0;

    for (; *text >= '0' && *text <= '9' && count < 18; text++, count++)
        value = value * 10 + (*text - '0');
    *end = text;
    return count ? value : -1;
}

int64_t object_start(const char *name, const char *topic, int32_t partition)
{
    size_t topic_size = strlen(topic);
    const char *end;
    int64_t start;

    if (strncmp(name, topic, topic_size) != 0 || name[topic_size] != '+')
        return -1;
    if (digits(name + topic_size + 1, &end) != partition || *end != '+')
        return -1;
    name = end + 1;
    start = digits(name, &end);
    return start >= 0 && end - name >= OFFSET_DIGITS && strcmp(end, ".json") == 0 ? start : -1;
}

enum err object_make_folder(const struct config *config, struct disk *disk, const char *topic,
                            int32_t partition)
{
    const char *data_dir = config_text(config, "data.dir");
    struct buf path = buf_init(PATH_BYTES_MOST);
    char *slash;
    enum err err = object_folder(config, topic, partition, &path);

    if (!err)
        err = disk_make_dirs(disk, (const char *)path.at);
    /* Each folder's name is an entry of the one above it, up to the data folder. */
    while (!err && path.at && (slash = strrchr((char *)path.at, '/')) && slash > (char *)path.at) {
        *slash = '\0';
        err = disk_sync_dir(disk, (const char *)path.at);
        if (strcmp((const char *)path.at, data_dir) == 0)
            break;
    }
    buf_release(&path);
    return err;
}

bool object_exists(const struct config *config, struct disk *disk, const char *topic, int32_t partition,
                   int64_t start)
{
    struct buf path = buf_init(PATH_BYTES_MOST);
    struct disk_file *file = NULL;
    bool there = !object_path(config, topic, partition, start, &path) &&
                 !disk_open(disk, &file, (const char *)path.at, DISK_READ);

    disk_close(file);
    buf_release(&path);
    return there;
}

/* ---- listing ---- */

struct name_list {
    struct arena *arena;
    char **names;
    size_t count, room;
};

static enum err keep_name(void *arg, const char *name)
{
    struct name_list *list = arg;
    char **grown;

    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        grown = realloc(list->names, list->room * sizeof(*grown));
        if (!grown)
            return err_note(ERR_NO_MEMORY, "out of memory for the names of lake objects");
        list->names = grown;
    }
    list->names[list->count] = arena_text(list->arena, bytes_of_text(name));
    return list->names[list->count++] ? ERR_OK : err_note(ERR_NO_MEMORY, "too many lake objects to list");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder, in order; none if it is not there. The caller frees list->names. */
static enum err list_names(struct disk *disk, const char *folder, struct arena *arena, struct name_list *list)
{
    enum err err;

    *list = (struct name_list){.arena = arena};
    err = disk_list(disk, folder, keep_name, list);
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (!err && list->count > 1)
        qsort(list->names, list->count, sizeof(*list->names), by_name);
    return err;
}

struct partition_list {
    struct lake_partition *partitions;
    size_t count, room;
};

static enum err keep_partition(struct partition_list *list, char *topic, int32_t partition)
{
    struct lake_partition *grown;

    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 16;
        grown = realloc(list->partitions, list->room * sizeof(*grown));
        if (!grown)
            return err_note(ERR_NO_MEMORY, "out of memory for the lake's partitions");
        list->partitions = grown;
    }
    list->partitions[list->count++] = (struct lake_partition){topic, partition};
    return ERR_OK;
}

static enum err topic_partitions(struct disk *disk, const char *topics, char *topic, struct arena *arena,
                                 struct partition_list *out)
{
    struct name_list folders = {0};
    char *path = arena_printf(arena, "%s/%s", topics, topic);
    enum err err = path ? list_names(disk, path, arena, &folders) : ERR_NO_MEMORY;

    for (size_t i = 0; !err && i < folders.count; i++) {
        const char *name = folders.names[i], *end;
        int64_t partition;

        if (strncmp(name, "partition=", 10) != 0)
            continue;
        partition = digits(name + 10, &end);
        if (partition >= 0 && partition <= INT32_MAX && *end == '\0')
            err = keep_partition(out, topic, (int32_t)partition);
    }
    free(folders.names);
    return err == ERR_INVALID ? ERR_OK : err; /* a file, not a folder: none of ours */
}

static int by_topic_and_partition(const void *a, const void *b)
{
    const struct lake_partition *left = a, *right = b;
    int order = strcmp(left->topic, right->topic);

    return order ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

enum err lake_partitions(const struct config *config, struct disk *disk, struct arena *arena,
                         struct lake_partition **out, size_t *count)
{
    struct buf folder = buf_init(PATH_BYTES_MOST);
    struct partition_list list = {0};
    struct name_list topics = {0};
    enum err err = topics_folder(config, &folder);
    const char *path = err ? NULL : buf_text(&folder);

    if (path)
        err = list_names(disk, path, arena, &topics);
    for (size_t i = 0; !err && path && i < topics.count; i++)
        if (topics.names[i][0] != '.')
            err = topic_partitions(disk, path, topics.names[i], arena, &list);
    if (err)
        goto out;
    *out = arena_take(arena, (list.count ? list.count : 1) * sizeof(**out));
    if (!*out) {
        err = err_note(ERR_NO_MEMORY, "too many lake partitions to list");
        goto out;
    }
    if (list.count > 0)
        memcpy(*out, list.partitions, list.count * sizeof(**out));
    qsort(*out, list.count, sizeof(**out), by_topic_and_partition);
    *count = list.count;
out:
    free(list.partitions);
    free(topics.names);
    buf_release(&folder);
    return err;
}

static enum err object_of(struct disk *disk, const char *folder, const char *name, int64_t start,
                          struct arena *arena, struct lake_object *out)
{
    struct disk_file *file = NULL;
    off_t size = 0;
    enum err err;

    out->path = arena_printf(arena, "%s/%s", folder, name);
    if (!out->path)
        return err_note(ERR_NO_MEMORY, "too many lake objects to list");
    out->start_offset = start;
    err = disk_open(disk, &file, out->path, DISK_READ);
    if (!err)
        err = disk_size(file, &size);
    disk_close(file);
    out->size = size;
    return err;
}

static int by_start(const void *a, const void *b)
{
    const struct lake_object *left = a, *right = b;

    return (left->start_offset > right->start_offset) - (left->start_offset < right->start_offset);
}

enum err lake_objects(const struct config *config, struct disk *disk, const char *topic, int32_t partition,
                      struct arena *arena, struct lake_object **out, size_t *count)
{
    struct buf folder = buf_init(PATH_BYTES_MOST);
    struct lake_object *objects = NULL;
    struct name_list names = {0};
    size_t found = 0;
    enum err err = object_folder(config, topic, partition, &folder);

    if (!err)
        err = list_names(disk, (const char *)folder.at, arena, &names);
    if (!err) {
        objects = arena_take(arena, (names.count ? names.count : 1) * sizeof(*objects));
        err = objects ? ERR_OK : err_note(ERR_NO_MEMORY, "too many lake objects to list");
    }
    for (size_t i = 0; !err && i < names.count; i++) {
        int64_t start = object_start(names.names[i], topic, partition);

        if (start < 0)
            continue;
        err = object_of(disk, (const char *)folder.at, names.names[i], start, arena, &objects[found]);
        if (!err)
            found++;
        else if (err == ERR_NOT_FOUND)
            err = ERR_OK; /* expired since it was listed */
    }
    if (!err) {
        qsort(objects, found, sizeof(*objects), by_start);
        *out = objects;
        *count = found;
    }
    free(names.names);
    buf_release(&folder);
    return err;
}
