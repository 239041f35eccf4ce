/* batch.c - lake objects -> flow: the batch reads what is new in the lake and hands it to the one commit code.
 *
 * Large objects are mapped, not copied: a record's value is a view of its line. A chunk of records is cleaned and committed
 * together; the maps it reads from stay until then. Where a partition goes on is what its table says
 * (flow_position()), so a batch that is stopped, or killed, simply goes on. */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/trace.h"
#include "clean/clean.h"
#include "lake/lake.h"
#include "table/table.h"

enum {
    CHUNK_BYTES_MOST = 256 << 20,
    COPIED_BYTES_MOST = 256 << 10,  /* smaller objects are read: a process can have some 65,000 maps only */
    LISTING_BYTES_MOST = 256 << 20, /* names of the objects of a topic: about a million */
};

/* An object in memory. */
struct map {
    const uint8_t *at;
    size_t size;
    bool is_copy; /* a small one, or on a disk that cannot map */
};

/* Records gathered to be cleaned together, and the memory they are in. */
struct chunk {
    struct raw_record *records;
    size_t count, most;
    size_t bytes;
    struct map *maps;
    size_t map_count, map_room;
    struct arena scratch; /* values of lines that wrap one */
};

struct batch {
    const struct config *config;
    struct disk *disk;
    struct flow *flow;
    const char *entity;
    char *topic;
    struct chunk chunk;
    int64_t done_bytes, total_bytes;
    batch_progress *progress;
    void *progress_arg;
    struct batch_result *result;
};

/* ---- objects in memory ---- */

static void unmap(struct map *map)
{
    if (map->is_copy)
        free((void *)(uintptr_t)map->at);
    else if (map->at)
        munmap((void *)(uintptr_t)map->at, map->size);
    *map = (struct map){0};
}

static enum err read_copy(struct disk_file *file, size_t size, struct map *out)
{
    uint8_t *copy = malloc(size);
    size_t got = 0;
    enum err err;

    if (!copy)
        return err_note(ERR_NO_MEMORY, "out of memory for a lake object of %zu bytes", size);
    err = disk_read(file, 0, copy, size, &got);
    if (!err)
        *out = (struct map){copy, got, true};
    else
        free(copy);
    return err;
}

/* The whole object; an empty one gives an empty map. */
static enum err map_object(struct disk *disk, const char *path, struct map *out)
{
    struct disk_file *file = NULL;
    off_t size = 0;
    void *at;
    enum err err;

    *out = (struct map){0};
    err = disk_open(disk, &file, path, DISK_READ);
    if (!err)
        err = disk_size(file, &size);
    if (err || size == 0)
        goto out;
    if (size <= COPIED_BYTES_MOST || disk_descriptor(file) < 0) {
        err = read_copy(file, (size_t)size, out);
        goto out;
    }
    at = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, disk_descriptor(file), 0);
    if (at == MAP_FAILED) {
        err = err_note(ERR_IO, "cannot map %s (%lld bytes)", path, (long long)size);
        goto out;
    }
    madvise(at, (size_t)size, MADV_WILLNEED);
    *out = (struct map){at, (size_t)size, false};
out:
    disk_close(file);
    return err;
}

/* ---- chunks ---- */

static enum err chunk_open(struct chunk *chunk, size_t most)
{
    *chunk = (struct chunk){.most = most, .scratch = arena_init(2 * (size_t)CHUNK_BYTES_MOST)};
    chunk->records = malloc(most * sizeof(*chunk->records));
    return chunk->records ? ERR_OK
                          : err_note(ERR_NO_MEMORY, "out of memory for %zu records of a batch", most);
}

/* Let go of the records and of all maps but the newest, which may have more lines to read. */
static void chunk_clear(struct chunk *chunk, bool keep_newest)
{
    size_t keep = keep_newest && chunk->map_count > 0 ? 1 : 0;

    for (size_t i = 0; i + keep < chunk->map_count; i++)
        unmap(&chunk->maps[i]);
    if (keep)
        chunk->maps[0] = chunk->maps[chunk->map_count - 1];
    chunk->map_count = keep;
    chunk->count = 0;
    chunk->bytes = 0;
    arena_release(&chunk->scratch);
}

static void chunk_close(struct chunk *chunk)
{
    chunk_clear(chunk, false);
    free(chunk->maps);
    free(chunk->records);
}

static enum err chunk_map(struct chunk *chunk, struct disk *disk, const char *path)
{
    enum err err;

    if (chunk->map_count == chunk->map_room) {
        size_t room = chunk->map_room ? chunk->map_room * 2 : 16;
        struct map *grown = realloc(chunk->maps, room * sizeof(*grown));

        if (!grown)
            return err_note(ERR_NO_MEMORY, "out of memory for the objects of a batch");
        chunk->maps = grown;
        chunk->map_room = room;
    }
    err = map_object(disk, path, &chunk->maps[chunk->map_count]);
    chunk->map_count += !err;
    return err;
}

/* A wrapped value, in the chunk's own memory. */
static enum err unwrap(struct chunk *chunk, struct bytes line, struct bytes *value)
{
    struct buf scratch = buf_init(line.size);
    bool is_json;
    enum err err = lake_line_value(line, &scratch, value, &is_json);

    if (!err && !is_json) {
        char *copy = arena_text(&chunk->scratch, *value);

        if (copy)
            value->at = (const uint8_t *)copy;
        else
            err = err_note(ERR_NO_MEMORY, "out of memory for records that are not JSON");
    }
    buf_release(&scratch);
    return err;
}

static enum err chunk_add(struct chunk *chunk, struct bytes line, int32_t partition, int64_t offset)
{
    struct raw_record *record = &chunk->records[chunk->count];
    enum err err = ERR_OK;

    record->partition = partition;
    record->offset = offset;
    record->value = line;
    /* Only a line that begins as a wrapper, or says null, stands for something other than itself. */
    if (line.size >= 2 && (line.at[1] == 'u' || (line.at[1] == '"' && line.size > 2 && line.at[2] == '_')))
        err = unwrap(chunk, line, &record->value);
    if (!err) {
        chunk->count++;
        chunk->bytes += line.size;
    }
    return err;
}

/* ---- a topic ---- */

static enum err commit_chunk(struct batch *batch, bool keep_newest)
{
    struct flow_result done = {0};
    enum err err = ERR_OK;

    if (batch->chunk.count > 0)
        err =
            flow_commit(batch->flow, batch->topic, batch->chunk.records, batch->chunk.count, "WRITE", &done);
    if (!err) {
        batch->result->records += (int64_t)batch->chunk.count;
        batch->result->rows += done.rows;
        batch->result->aside += done.aside;
        if (batch->progress && batch->total_bytes > 0)
            batch->progress(batch->progress_arg, batch->entity, batch->done_bytes, batch->total_bytes);
    }
    chunk_clear(&batch->chunk, keep_newest);
    return err;
}

/* The records of an object from offset *next on, into chunks. */
static enum err read_object(struct batch *batch, const struct lake_object *object, int32_t partition,
                            int64_t *next)
{
    struct chunk *chunk = &batch->chunk;
    enum err err = chunk_map(chunk, batch->disk, object->path);
    int64_t offset = object->start_offset;
    const uint8_t *at, *end;

    if (err)
        return err;
    at = chunk->maps[chunk->map_count - 1].at;
    end = at + chunk->maps[chunk->map_count - 1].size;
    while (!err && at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));

        if (!newline)
            return err_note(ERR_CORRUPT, "lake object %s ends within a line", object->path);
        if (offset >= *next) {
            err = chunk_add(chunk, bytes_of(at, (size_t)(newline - at)), partition, offset);
            *next = offset + 1;
        }
        batch->done_bytes += newline + 1 - at;
        at = newline + 1;
        offset++;
        if (!err && (chunk->count == chunk->most || chunk->bytes >= CHUNK_BYTES_MOST))
            err = commit_chunk(batch, true);
    }
    return err;
}

/* Objects that may hold offsets from `next` on: those before the last one that starts at or below it do not. */
static size_t first_new_object(const struct lake_object *objects, size_t count, int64_t next)
{
    size_t first = 0;

    while (first + 1 < count && objects[first + 1].start_offset <= next)
        first++;
    return first;
}

struct new_objects {
    struct lake_object *objects;
    size_t first, count;
    int64_t next;
};

static enum err find_new_objects(struct batch *batch, int32_t partition, struct arena *arena,
                                 struct new_objects *out)
{
    enum err err;

    out->next = flow_position(batch->flow, batch->topic, partition);
    err =
        lake_objects(batch->config, batch->disk, batch->topic, partition, arena, &out->objects, &out->count);
    if (!err)
        out->first = first_new_object(out->objects, out->count, out->next);
    return err;
}

/* A listing that was made while objects were put may lack one and have a later one. So before a gap is believed, and
 * its offsets passed over for good, look again: objects are put in order. */
static enum err look_again(struct batch *batch, int32_t partition, struct arena *arena, size_t index,
                           int64_t next, struct new_objects *list)
{
    enum err err = lake_objects(batch->config, batch->disk, batch->topic, partition, arena, &list->objects,
                                &list->count);

    if (err)
        return err;
    if (index >= list->count || list->objects[index].start_offset > next)
        trace_warn("batch",
                   "%s partition %d: no lake object has the offsets from %lld to %lld; going on behind them",
                   batch->topic, (int)partition, (long long)next,
                   index < list->count ? (long long)list->objects[index].start_offset - 1 : -1);
    return ERR_OK;
}

static enum err read_partition(struct batch *batch, int32_t partition, struct arena *arena,
                               struct new_objects *list)
{
    bool is_sure = false; /* that what lies between the objects is a gap */
    enum err err = ERR_OK;

    for (size_t i = list->first; !err && i < list->count;) {
        int64_t next = list->next;

        if (list->objects[i].start_offset > next && !is_sure) {
            err = look_again(batch, partition, arena, i, next, list);
            is_sure = true;
            continue;
        }
        is_sure = false;
        err = read_object(batch, &list->objects[i], partition, &list->next);
        batch->result->objects += list->next > next;
        i++;
    }
    return err;
}

static int64_t bytes_of_objects(const struct new_objects *list)
{
    int64_t bytes = 0;

    for (size_t i = list->first; i < list->count; i++)
        bytes += list->objects[i].size;
    return bytes;
}

/* Everything new in the topic of one entity. */
static enum err read_topic(struct batch *batch)
{
    struct arena arena = arena_init(LISTING_BYTES_MOST);
    struct lake_partition *partitions = NULL;
    struct new_objects *lists = NULL;
    size_t count = 0;
    enum err err = lake_partitions(batch->config, batch->disk, &arena, &partitions, &count);

    if (!err) {
        lists = arena_take(&arena, (count ? count : 1) * sizeof(*lists));
        err = lists ? ERR_OK : err_note(ERR_NO_MEMORY, "too many lake partitions to list");
    }
    for (size_t i = 0; !err && i < count; i++) {
        if (strcmp(partitions[i].topic, batch->topic) != 0)
            continue;
        err = find_new_objects(batch, partitions[i].partition, &arena, &lists[i]);
        batch->total_bytes += err ? 0 : bytes_of_objects(&lists[i]);
    }
    for (size_t i = 0; !err && i < count; i++)
        err = read_partition(batch, partitions[i].partition, &arena, &lists[i]);
    if (!err)
        err = commit_chunk(batch, false);
    arena_release(&arena);
    return err;
}

/* ---- a batch ---- */

static enum err run_entity(const struct config *config, struct disk *disk, struct sql_db *db,
                           struct batch *batch)
{
    const char *user = config_text(config, "user");
    struct arena names = arena_init(4096);
    char *into = arena_printf(&names, "%s_%s_table", user, batch->entity);
    enum err err = ERR_OK;

    batch->topic = arena_printf(&names, "%s.%s", user, batch->entity);
    batch->flow = NULL;
    batch->done_bytes = batch->total_bytes = 0;
    batch->chunk = (struct chunk){0};
    if (!into || !batch->topic)
        err = err_note(ERR_INVALID, "the names of user %.100s and entity %.100s are too long", user,
                       batch->entity);
    if (!err)
        err = chunk_open(&batch->chunk, (size_t)config_integer(config, "batch.chunk.records"));
    if (!err)
        err = flow_open(&batch->flow, config, disk, db, batch->entity, into);
    if (!err)
        err = read_topic(batch);
    chunk_close(&batch->chunk);
    flow_close(batch->flow);
    arena_release(&names);
    return err;
}

enum err batch_run(const struct config *config, struct disk *disk, struct sql_db *db,
                   batch_progress *progress, void *arg, struct batch_result *out)
{
    struct batch_result result = {0};
    struct batch batch = {
        .config = config, .disk = disk, .progress = progress, .progress_arg = arg, .result = &result};
    char *entities = strdup(config_text(config, "entities")), *rest = NULL;
    int64_t start_us = clock_steady_us();
    enum err err = entities ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for a batch");

    for (char *entity = entities ? strtok_r(entities, ", ", &rest) : NULL; !err && entity;
         entity = strtok_r(NULL, ", ", &rest)) {
        batch.entity = entity;
        err = run_entity(config, disk, db, &batch);
    }
    result.seconds = (double)(clock_steady_us() - start_us) / 1e6;
    if (!err)
        *out = result;
    free(entities);
    return err;
}
