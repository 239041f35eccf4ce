/* faulty_disk.h - a disk in memory that does to files what real ones may do when the power goes.
 *
 *  - Bytes written but not synced may be on the medium or not, each sector of 512 bytes for itself; so may a new size.
 *  - Names made, removed or renamed but whose folder was not synced may be there or not, each for itself.
 *  - A sync that fails forgets what was to be written: reading still shows it, a later sync does not save it.
 *  - The n-th call can be the last before the power goes: it may or may not take effect, and all later ones fail.
 *  - The n-th write or sync alone can fail; the disk can run full, in the middle of a write.
 *
 * faulty_disk_crash() makes the state of before the crash into one that may be found after it. One seed, one outcome.
 * Calls may come from any thread. */
#ifndef TESTS_FAULTY_DISK_H
#define TESTS_FAULTY_DISK_H

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk_calls.h"

enum { FAULTY_SECTOR = 512, FAULTY_ENTRIES = 2048, FAULTY_PATH = 256 };

enum faulty_crash { FAULTY_LOSES_ALL, FAULTY_KEEPS_ALL, FAULTY_LOSES_SOME };

struct faulty_node {
    int refs; /* entries, durable entries and open files */
    int64_t id;
    bool folder;
    uint8_t *now, *durable, *dirty; /* dirty: a byte a sector */
    size_t size, durable_size, room;
};

struct faulty_entry {
    char path[FAULTY_PATH];
    struct faulty_node *now, *durable; /* NULL: not there */
    int64_t now_in, durable_in;        /* ids of the folders: another may have taken the same path since */
};

struct faulty_disk {
    struct disk disk;
    pthread_mutex_t lock;
    struct faulty_entry entries[FAULTY_ENTRIES];
    size_t entry_count;
    int64_t next_id;
    uint32_t seed;
    _Atomic int64_t calls, dies_at; /* dies_at 0: never */
    int64_t syncs, sync_fails_at;   /* the n-th from the start; 0: none */
    int64_t writes, write_fails_at;
    int64_t room_bytes; /* for growing files; negative: endless */
    _Atomic bool dead;
};

struct faulty_file {
    struct disk_file file;
    struct faulty_node *node;
};

static inline struct faulty_disk *faulty(struct disk *disk)
{
    return (struct faulty_disk *)disk;
}

static inline uint32_t faulty_random(struct faulty_disk *disk, uint32_t below)
{
    disk->seed = disk->seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(disk->seed >> 4) * below >> 28);
}

static inline void faulty_node_put(struct faulty_node *node)
{
    if (!node || --node->refs > 0)
        return;
    free(node->now);
    free(node->durable);
    free(node->dirty);
    free(node);
}

static inline void faulty_set(struct faulty_node **place, struct faulty_node *node)
{
    if (node)
        node->refs++;
    faulty_node_put(*place);
    *place = node;
}

static inline struct faulty_entry *faulty_find(struct faulty_disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->entry_count; i++) {
        if (strcmp(disk->entries[i].path, path) == 0)
            return &disk->entries[i];
    }
    return NULL;
}

static inline struct faulty_entry *faulty_entry_of(struct faulty_disk *disk, const char *path)
{
    struct faulty_entry *entry = faulty_find(disk, path);

    if (entry)
        return entry;
    assert(disk->entry_count < FAULTY_ENTRIES && strlen(path) < FAULTY_PATH);
    entry = &disk->entries[disk->entry_count++];
    *entry = (struct faulty_entry){.now = NULL};
    strcpy(entry->path, path);
    return entry;
}

/* Is `path` directly in `folder`? */
static inline bool faulty_is_in(const char *path, const char *folder)
{
    size_t size = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

    return strncmp(path, folder, size) == 0 && path[size] == '/' && !strchr(path + size + 1, '/');
}

/* The id of the folder that `path` lies in; 0 is the root's; -1: it is not there. */
static inline int64_t faulty_folder_of(struct faulty_disk *disk, const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[FAULTY_PATH];
    struct faulty_entry *entry;

    if (!slash || slash == path)
        return 0;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    entry = faulty_find(disk, folder);
    return entry && entry->now && entry->now->folder ? entry->now->id : -1;
}

/* Every call begins here, with the lock taken. ERR_IO: the power is gone, or goes; *takes_effect says whether this
 * last call still does what it was to do. */
static inline enum err faulty_begin(struct faulty_disk *disk, bool *takes_effect)
{
    pthread_mutex_lock(&disk->lock);
    *takes_effect = !disk->dead;
    if (disk->dead)
        return err_note(ERR_IO, "the power is gone");
    if (++disk->calls != disk->dies_at)
        return ERR_OK;
    disk->dead = true;
    *takes_effect = faulty_random(disk, 2);
    return err_note(ERR_IO, "the power goes");
}

static inline enum err faulty_end(struct faulty_disk *disk, enum err err)
{
    pthread_mutex_unlock(&disk->lock);
    return err;
}

/* Give `path` to a node; NULL: to a new one. */
static inline void faulty_link(struct faulty_disk *disk, const char *path, struct faulty_node *node,
                               bool folder)
{
    struct faulty_entry *entry = faulty_entry_of(disk, path);

    if (!node) {
        node = calloc(1, sizeof(*node));
        assert(node);
        node->folder = folder;
        node->id = ++disk->next_id;
    }
    faulty_set(&entry->now, node);
    entry->now_in = faulty_folder_of(disk, path);
}

static inline void faulty_node_room(struct faulty_node *node, size_t size)
{
    size_t room = node->room ? node->room : 4096;

    if (size <= node->room)
        return;
    while (room < size)
        room *= 2;
    node->now = realloc(node->now, room);
    node->durable = realloc(node->durable, room);
    node->dirty = realloc(node->dirty, room / FAULTY_SECTOR);
    assert(node->now && node->durable && node->dirty);
    memset(node->now + node->room, 0, room - node->room);
    memset(node->durable + node->room, 0, room - node->room);
    memset(node->dirty + node->room / FAULTY_SECTOR, 0, (room - node->room) / FAULTY_SECTOR);
    node->room = room;
}

static inline void faulty_touch(struct faulty_node *node, size_t from, size_t to)
{
    for (size_t sector = from / FAULTY_SECTOR; sector * FAULTY_SECTOR < to; sector++)
        node->dirty[sector] = 1;
}

static inline enum err faulty_open(struct disk *base, struct disk_file **out, const char *path, int flags)
{
    struct faulty_disk *disk = faulty(base);
    struct faulty_entry *entry;
    struct faulty_file *file;
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    if (!effect)
        return faulty_end(disk, err);
    entry = faulty_find(disk, path);
    if ((!entry || !entry->now) && (!(flags & DISK_CREATE) || faulty_folder_of(disk, path) < 0))
        return faulty_end(disk, err_note(ERR_NOT_FOUND, "there is no %s", path));
    if (entry && entry->now && (flags & DISK_EXCLUSIVE))
        return faulty_end(disk, err_note(ERR_EXISTS, "%s exists", path));
    entry = faulty_entry_of(disk, path);
    if (!entry->now)
        faulty_link(disk, path, NULL, false);
    if (flags & DISK_TRUNCATE) {
        faulty_touch(entry->now, 0, entry->now->size);
        if (entry->now->size)
            memset(entry->now->now, 0, entry->now->size);
        entry->now->size = 0;
    }
    if (err)
        return faulty_end(disk, err);
    file = calloc(1, sizeof(*file));
    assert(file);
    file->file.disk = base;
    faulty_set(&file->node, entry->now);
    *out = &file->file;
    return faulty_end(disk, ERR_OK);
}

static inline void faulty_close(struct disk_file *base)
{
    struct faulty_disk *disk = faulty(base->disk);
    struct faulty_file *file = (struct faulty_file *)base;

    pthread_mutex_lock(&disk->lock);
    faulty_set(&file->node, NULL);
    pthread_mutex_unlock(&disk->lock);
    free(file);
}

static inline enum err faulty_write(struct disk_file *base, off_t offset, struct bytes bytes)
{
    struct faulty_disk *disk = faulty(base->disk);
    struct faulty_node *node = ((struct faulty_file *)base)->node;
    size_t end = (size_t)offset + bytes.size, grows;
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    if (!effect)
        return faulty_end(disk, err);
    if (!err && ++disk->writes == disk->write_fails_at) {
        bytes.size /= 2;
        end = (size_t)offset + bytes.size;
        err = err_note(ERR_IO, "a write failed");
    }
    grows = end > node->size ? end - node->size : 0;
    if (disk->room_bytes >= 0 && (int64_t)grows > disk->room_bytes) {
        bytes.size -= grows - (size_t)disk->room_bytes;
        end = (size_t)offset + bytes.size;
        grows = (size_t)disk->room_bytes;
        err = err_note(ERR_FULL, "the disk is full");
    }
    if (disk->room_bytes >= 0)
        disk->room_bytes -= (int64_t)grows;
    faulty_node_room(node, end);
    if (bytes.size > 0)
        memcpy(node->now + offset, bytes.at, bytes.size);
    faulty_touch(node, (size_t)offset < node->size ? (size_t)offset : node->size, end);
    if (end > node->size)
        node->size = end;
    return faulty_end(disk, err);
}

static inline enum err faulty_read(struct disk_file *base, off_t offset, void *at, size_t size, size_t *got)
{
    struct faulty_disk *disk = faulty(base->disk);
    struct faulty_node *node = ((struct faulty_file *)base)->node;
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    *got = 0;
    if (err)
        return faulty_end(disk, err);
    if ((size_t)offset < node->size) {
        *got = node->size - (size_t)offset < size ? node->size - (size_t)offset : size;
        memcpy(at, node->now + offset, *got);
    }
    return faulty_end(disk, ERR_OK);
}

static inline enum err faulty_size(struct disk_file *base, off_t *size)
{
    struct faulty_disk *disk = faulty(base->disk);
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    if (!err)
        *size = (off_t)((struct faulty_file *)base)->node->size;
    return faulty_end(disk, err);
}

static inline enum err faulty_truncate(struct disk_file *base, off_t to)
{
    struct faulty_disk *disk = faulty(base->disk);
    struct faulty_node *node = ((struct faulty_file *)base)->node;
    size_t size = (size_t)to;
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    if (effect) {
        faulty_node_room(node, size);
        if (size < node->size) {
            faulty_touch(node, size, node->size);
            memset(node->now + size, 0, node->size - size);
        } else {
            faulty_touch(node, node->size, size);
        }
        node->size = size;
    }
    return faulty_end(disk, err);
}

static inline enum err faulty_sync(struct disk_file *base)
{
    struct faulty_disk *disk = faulty(base->disk);
    struct faulty_node *node = ((struct faulty_file *)base)->node;
    bool effect, saves;
    enum err err = faulty_begin(disk, &effect);

    if (!effect)
        return faulty_end(disk, err);
    saves = err || ++disk->syncs != disk->sync_fails_at;
    if (!saves)
        err = err_note(ERR_IO, "a sync failed");
    for (size_t sector = 0; sector < node->room / FAULTY_SECTOR; sector++) {
        if (node->dirty[sector] && saves)
            memcpy(node->durable + sector * FAULTY_SECTOR, node->now + sector * FAULTY_SECTOR, FAULTY_SECTOR);
        node->dirty[sector] = 0;
    }
    if (saves)
        node->durable_size = node->size;
    return faulty_end(disk, err);
}

static inline int faulty_descriptor(const struct disk_file *file)
{
    return -1;
}

static inline enum err faulty_make_dir(struct disk *base, const char *path)
{
    struct faulty_disk *disk = faulty(base);
    struct faulty_entry *entry;
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    if (!effect)
        return faulty_end(disk, err);
    entry = faulty_find(disk, path);
    if (entry && entry->now)
        return faulty_end(disk, err_note(ERR_EXISTS, "%s exists", path));
    if (faulty_folder_of(disk, path) < 0)
        return faulty_end(disk, err_note(ERR_NOT_FOUND, "there is no folder for %s", path));
    faulty_link(disk, path, NULL, true);
    return faulty_end(disk, err);
}

static inline enum err faulty_sync_dir(struct disk *base, const char *path)
{
    struct faulty_disk *disk = faulty(base);
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    if (!effect)
        return faulty_end(disk, err);
    for (size_t i = 0; i < disk->entry_count; i++) {
        struct faulty_entry *entry = &disk->entries[i];
        if (!faulty_is_in(entry->path, path))
            continue;
        faulty_set(&entry->durable, entry->now);
        entry->durable_in = entry->now_in;
    }
    return faulty_end(disk, err);
}

static inline enum err faulty_rename(struct disk *base, const char *from, const char *to)
{
    struct faulty_disk *disk = faulty(base);
    struct faulty_entry *entry;
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    if (!effect)
        return faulty_end(disk, err);
    entry = faulty_find(disk, from);
    if (!entry || !entry->now)
        return faulty_end(disk, err_note(ERR_NOT_FOUND, "there is no %s", from));
    faulty_link(disk, to, entry->now, false);
    faulty_set(&faulty_find(disk, from)->now, NULL);
    return faulty_end(disk, err);
}

static inline enum err faulty_rename_new(struct disk *base, const char *from, const char *to)
{
    struct faulty_disk *disk = faulty(base);
    struct faulty_entry *entry;
    bool there;

    pthread_mutex_lock(&disk->lock);
    entry = faulty_find(disk, to);
    there = entry && entry->now;
    pthread_mutex_unlock(&disk->lock);
    return there ? err_note(ERR_EXISTS, "%s exists", to) : faulty_rename(base, from, to);
}

static inline enum err faulty_remove(struct disk *base, const char *path)
{
    struct faulty_disk *disk = faulty(base);
    struct faulty_entry *entry;
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    if (!effect)
        return faulty_end(disk, err);
    entry = faulty_find(disk, path);
    if (!entry || !entry->now)
        return faulty_end(disk, err_note(ERR_NOT_FOUND, "there is no %s", path));
    for (size_t i = 0; i < disk->entry_count; i++) {
        if (disk->entries[i].now && faulty_is_in(disk->entries[i].path, path))
            return faulty_end(disk, err_note(ERR_IO, "%s is not empty", path));
    }
    faulty_set(&entry->now, NULL);
    return faulty_end(disk, err);
}

static inline enum err faulty_list(struct disk *base, const char *path,
                                   enum err (*each)(void *arg, const char *name), void *arg)
{
    struct faulty_disk *disk = faulty(base);
    struct faulty_entry *folder;
    char(*names)[FAULTY_PATH] = NULL;
    size_t count = 0;
    bool effect;
    enum err err = faulty_begin(disk, &effect);

    if (err)
        return faulty_end(disk, err);
    folder = faulty_find(disk, path);
    if (!folder || !folder->now || !folder->now->folder)
        return faulty_end(disk, folder && folder->now ? err_note(ERR_INVALID, "%s is a file", path)
                                                      : err_note(ERR_NOT_FOUND, "there is no %s", path));
    names = malloc((disk->entry_count + 1) * sizeof(*names));
    assert(names);
    for (size_t i = 0; i < disk->entry_count; i++) {
        if (disk->entries[i].now && faulty_is_in(disk->entries[i].path, path))
            strcpy(names[count++], strrchr(disk->entries[i].path, '/') + 1);
    }
    faulty_end(disk, ERR_OK);
    for (size_t i = 0; i < count && !err; i++)
        err = each(arg, names[i]);
    free(names);
    return err;
}

static inline struct disk *faulty_disk_new(void)
{
    static const struct disk_calls calls = {
        .open = faulty_open,
        .close = faulty_close,
        .write = faulty_write,
        .read = faulty_read,
        .size = faulty_size,
        .truncate = faulty_truncate,
        .sync = faulty_sync,
        .descriptor = faulty_descriptor,
        .make_dir = faulty_make_dir,
        .sync_dir = faulty_sync_dir,
        .rename = faulty_rename,
        .rename_new = faulty_rename_new,
        .remove = faulty_remove,
        .list = faulty_list,
    };
    struct faulty_disk *disk = calloc(1, sizeof(*disk));

    assert(disk);
    disk->disk.calls = &calls;
    disk->room_bytes = -1;
    disk->seed = 1;
    pthread_mutex_init(&disk->lock, NULL);
    return &disk->disk;
}

static inline void faulty_disk_free(struct disk *base)
{
    struct faulty_disk *disk = faulty(base);

    for (size_t i = 0; i < disk->entry_count; i++) {
        faulty_set(&disk->entries[i].now, NULL);
        faulty_set(&disk->entries[i].durable, NULL);
    }
    pthread_mutex_destroy(&disk->lock);
    free(disk);
}

/* Does something that was not made durable survive? */
static inline bool faulty_survives(struct faulty_disk *disk, enum faulty_crash how)
{
    return how == FAULTY_KEEPS_ALL || (how == FAULTY_LOSES_SOME && faulty_random(disk, 2));
}

static inline void faulty_crash_node(struct faulty_disk *disk, struct faulty_node *node,
                                     enum faulty_crash how)
{
    size_t size = faulty_survives(disk, how) ? node->size : node->durable_size;

    for (size_t sector = 0; sector < node->room / FAULTY_SECTOR; sector++) {
        size_t at = sector * FAULTY_SECTOR;
        if (node->dirty[sector] && faulty_survives(disk, how))
            memcpy(node->durable + at, node->now + at, FAULTY_SECTOR);
        node->dirty[sector] = 0;
    }
    if (node->room > size)
        memset(node->durable + size, 0, node->room - size);
    if (node->room > 0)
        memcpy(node->now, node->durable, node->room);
    node->size = node->durable_size = size;
}

/* Which of its two states an entry is found in; only what lies in the folder that is found itself. */
static inline void faulty_crash_entry(struct faulty_disk *disk, struct faulty_entry *entry,
                                      enum faulty_crash how)
{
    int64_t folder = faulty_folder_of(disk, entry->path);
    bool same = entry->now == entry->durable && entry->now_in == entry->durable_in;
    bool later = same || faulty_survives(disk, how);
    struct faulty_node *found = later ? entry->now : entry->durable;

    if ((later ? entry->now_in : entry->durable_in) != folder)
        found = NULL;
    faulty_set(&entry->now, found);
    faulty_set(&entry->durable, found);
    entry->now_in = entry->durable_in = folder;
    if (found && !found->folder)
        faulty_crash_node(disk, found, how);
}

static inline int faulty_depth(const char *path)
{
    int depth = 0;

    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

/* After this all calls work again, on what was found after the crash. No file may be open. */
static inline void faulty_disk_crash(struct disk *base, uint32_t seed, enum faulty_crash how)
{
    struct faulty_disk *disk = faulty(base);
    size_t left = disk->entry_count;

    disk->seed = seed;
    for (int depth = 0; left > 0; depth++) { /* folders before what is in them */
        for (size_t i = 0; i < disk->entry_count; i++) {
            if (faulty_depth(disk->entries[i].path) == depth) {
                faulty_crash_entry(disk, &disk->entries[i], how);
                left--;
            }
        }
    }
    disk->dead = false;
    disk->calls = disk->syncs = disk->writes = 0;
    disk->dies_at = disk->sync_fails_at = disk->write_fails_at = 0;
    disk->room_bytes = -1;
}

#endif
