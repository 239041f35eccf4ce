/* index.c - a segment's index: in memory while the segment grows, in a file beside it once it is closed.
 *
 * The file, numbers big-endian:
 *
 *     file     = head, entry[entries], producer[producers]
 *     head     = "PRLINDEX" | version u32 = 1 | entries u32 | producers u32 | zero u32 | base offset u64
 *              | end offset u64 | bytes covered u64 | largest timestamp i64 | offset of its batch u64
 *              | crc32c u32 of entries and producers | crc32c u32 of the head so far
 *     entry    = offset u64 | position u64 | largest timestamp before i64
 *     producer = as producer.h has it, PRODUCER_STORED_BYTES each */
#include "log/index.h"

#include <assert.h>
#include <stdlib.h>

#include "base/crc32c.h"

enum { HEAD_BYTES = 72, ENTRY_BYTES = 24, VERSION = 1 };

static const uint8_t magic[8] = {'P', 'R', 'L', 'I', 'N', 'D', 'E', 'X'};

void index_init(struct index *index, int64_t base_offset)
{
    *index = (struct index){.base_offset = base_offset,
                            .end_offset = base_offset,
                            .max_ms = INT64_MIN,
                            .max_batch_offset = base_offset};
}

void index_release(struct index *index)
{
    free(index->entries);
    index->entries = NULL;
    index->count = index->room = 0;
}

void index_add(struct index *index, const struct batch_head *head)
{
    if (index->count == 0 || index->size - index->entries[index->count - 1].position >= INDEX_EVERY_BYTES) {
        if (index->count == index->room) {
            size_t room = index->room ? index->room * 2 : 16;
            struct index_entry *more = realloc(index->entries, room * sizeof(*more));
            if (more) {
                index->entries = more;
                index->room = room;
            }
        }
        if (index->count < index->room)
            index->entries[index->count++] =
                (struct index_entry){head->base_offset, index->size, index->max_ms};
    }
    if (head->max_ms > index->max_ms) {
        index->max_ms = head->max_ms;
        index->max_batch_offset = head->base_offset;
    }
    index->size += (int64_t)head->size;
    index->end_offset = head->end_offset;
}

static const struct index_entry start_of_segment = {0, 0, INT64_MIN};

struct index_entry index_by_offset(const struct index *index, int64_t offset)
{
    size_t low = 0, high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->entries[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? index->entries[low - 1] : start_of_segment;
}

struct index_entry index_by_time(const struct index *index, int64_t time_ms)
{
    size_t low = 0, high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->entries[middle].max_before_ms < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? index->entries[low - 1] : start_of_segment;
}

/* The entries and producers behind the head; the head last, because it holds their checksum. */
enum err index_store(const struct index *index, const struct producers *producers, struct buf *out)
{
    size_t body = out->size + HEAD_BYTES;
    enum err err = buf_reserve(out, HEAD_BYTES + index->count * ENTRY_BYTES);
    uint8_t *at;

    if (err)
        return err;
    at = out->at + body;
    for (size_t i = 0; i < index->count; i++, at += ENTRY_BYTES) {
        put_u64(at, (uint64_t)index->entries[i].offset);
        put_u64(at + 8, (uint64_t)index->entries[i].position);
        put_u64(at + 16, (uint64_t)index->entries[i].max_before_ms);
    }
    out->size = body + index->count * ENTRY_BYTES;
    err = producers_store(producers, out);
    if (err)
        return err;
    at = out->at + body - HEAD_BYTES;
    memcpy(at, magic, sizeof(magic));
    put_u32(at + 8, VERSION);
    put_u32(at + 12, (uint32_t)index->count);
    put_u32(at + 16, (uint32_t)producers->count);
    put_u32(at + 20, 0);
    put_u64(at + 24, (uint64_t)index->base_offset);
    put_u64(at + 32, (uint64_t)index->end_offset);
    put_u64(at + 40, (uint64_t)index->size);
    put_u64(at + 48, (uint64_t)index->max_ms);
    put_u64(at + 56, (uint64_t)index->max_batch_offset);
    put_u32(at + 64, crc32c(bytes_of(out->at + body, out->size - body)));
    put_u32(at + 68, crc32c(bytes_of(at, 68)));
    return ERR_OK;
}

enum err index_write(struct disk *disk, const char *path, struct bytes content)
{
    struct disk_file *file = NULL;
    enum err err = disk_open(disk, &file, path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE);

    if (!err)
        err = disk_write(file, 0, content);
    if (!err)
        err = disk_sync(file);
    disk_close(file);
    return err;
}

static enum err damaged(const char *path)
{
    return err_note(ERR_CORRUPT, "the index %s is damaged or of another version", path);
}

/* Take the head; the counts say how large the file must be. */
static enum err take_head(const char *path, const uint8_t *at, size_t file_size, struct index *out,
                          size_t *entries, size_t *producers)
{
    if (memcmp(at, magic, sizeof(magic)) != 0 || get_u32(at + 8) != VERSION ||
        get_u32(at + 68) != crc32c(bytes_of(at, 68)))
        return damaged(path);
    *entries = get_u32(at + 12);
    *producers = get_u32(at + 16);
    *out = (struct index){
        .base_offset = (int64_t)get_u64(at + 24),
        .end_offset = (int64_t)get_u64(at + 32),
        .size = (int64_t)get_u64(at + 40),
        .max_ms = (int64_t)get_u64(at + 48),
        .max_batch_offset = (int64_t)get_u64(at + 56),
    };
    if (file_size != HEAD_BYTES + *entries * ENTRY_BYTES + *producers * PRODUCER_STORED_BYTES)
        return damaged(path);
    return ERR_OK;
}

enum err index_read_head(struct disk *disk, const char *path, struct index *out)
{
    uint8_t head[HEAD_BYTES];
    struct disk_file *file = NULL;
    size_t got = 0, entries, producers;
    off_t size = 0;
    enum err err = disk_open(disk, &file, path, DISK_READ);

    if (err)
        return err;
    err = disk_size(file, &size);
    if (!err)
        err = disk_read(file, 0, head, sizeof(head), &got);
    if (!err)
        err = got < sizeof(head) ? damaged(path)
                                 : take_head(path, head, (size_t)size, out, &entries, &producers);
    disk_close(file);
    return err;
}

enum err index_read(struct disk *disk, const char *path, struct index *out, struct producers *producers)
{
    struct buf content = buf_init(INDEX_FILE_MOST_BYTES);
    struct index index = {0};
    size_t entries = 0, producer_count = 0;
    const uint8_t *at;
    enum err err = disk_read_file(disk, path, &content);

    if (err)
        goto out;
    err = content.size < HEAD_BYTES
              ? damaged(path)
              : take_head(path, content.at, content.size, &index, &entries, &producer_count);
    if (err)
        goto out;
    at = content.at + HEAD_BYTES;
    if (get_u32(content.at + 64) != crc32c(bytes_of(at, content.size - HEAD_BYTES))) {
        err = damaged(path);
        goto out;
    }
    index.entries = malloc((entries ? entries : 1) * sizeof(*index.entries));
    if (!index.entries) {
        err = err_note(ERR_NO_MEMORY, "out of memory for an index");
        goto out;
    }
    index.count = index.room = entries;
    for (size_t i = 0; i < entries; i++, at += ENTRY_BYTES)
        index.entries[i] =
            (struct index_entry){(int64_t)get_u64(at), (int64_t)get_u64(at + 8), (int64_t)get_u64(at + 16)};
    if (producers)
        err = producers_restore(producers, at, producer_count, index.end_offset);
    if (err)
        goto out;
    *out = index;
    index.entries = NULL;
out:
    if (err && producers)
        producers_release(producers);
    index_release(&index);
    buf_release(&content);
    return err;
}
