/* disk_calls.h - what a disk must be able to do, for those who make one: disk.c (the kernel) and the tests' disk.
 *
 * Everything in disk.h that is not in this table is made from it, so that a failing disk fails there too. */
#ifndef BASE_DISK_CALLS_H
#define BASE_DISK_CALLS_H

#include "base/disk.h"

struct disk_calls {
    enum err (*open)(struct disk *disk, struct disk_file **out, const char *path, int flags);
    void (*close)(struct disk_file *file);
    enum err (*write)(struct disk_file *file, off_t offset, struct bytes bytes);
    enum err (*read)(struct disk_file *file, off_t offset, void *at, size_t size, size_t *got);
    enum err (*size)(struct disk_file *file, off_t *size);
    enum err (*truncate)(struct disk_file *file, off_t size);
    enum err (*sync)(struct disk_file *file);
    int (*descriptor)(const struct disk_file *file);

    enum err (*make_dir)(struct disk *disk,
                         const char *path); /* one level; ERR_EXISTS if there is anything */
    enum err (*sync_dir)(struct disk *disk, const char *path);
    enum err (*rename)(struct disk *disk, const char *from, const char *to);
    enum err (*rename_new)(struct disk *disk, const char *from, const char *to);
    enum err (*remove)(struct disk *disk, const char *path);
    /* ERR_INVALID: `path` is not a folder. */
    enum err (*list)(struct disk *disk, const char *path, enum err (*each)(void *arg, const char *name),
                     void *arg);
};

/* The first member of every disk and of every open file. */
struct disk {
    const struct disk_calls *calls;
};
struct disk_file {
    struct disk *disk;
};

#endif
