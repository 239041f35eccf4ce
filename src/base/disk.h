/* disk.h - the one place that writes our files, so that tests can put a failing disk in its place.
 *
 * A disk is a table of calls. disk_real() passes them to the kernel; the tests' disk (tests/unit/faulty_disk.h)
 * drops unsynced bytes, tears writes, runs full, fails fsync. Stages keep the `struct disk *` they were opened
 * with. What DuckDB writes (Parquet) it writes to a temporary name itself; it counts only after disk_sync_path()
 * and disk_rename() here.
 *
 * All calls: ERR_OK; ERR_NOT_FOUND, ERR_EXISTS where the kernel says so; ERR_FULL for ENOSPC and EDQUOT; ERR_IO
 * for the rest; the note names the path. Threads: as the kernel's calls. */
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include <sys/types.h>

#include "base/bytes.h"

struct disk_file; /* an open file: descriptor and path (for notes) */

enum disk_open_flags {
    DISK_READ = 1,
    DISK_WRITE = 2,     /* read and write */
    DISK_CREATE = 4,    /* make it if absent */
    DISK_EXCLUSIVE = 8, /* with DISK_CREATE: ERR_EXISTS if it is there */
    DISK_TRUNCATE = 16,
};

struct disk; /* see disk_real() */

struct disk *disk_real(void);

enum err disk_open(struct disk *disk, struct disk_file **out, const char *path, int flags);
void disk_close(struct disk_file *file); /* accepts NULL */
/* Writes all of `bytes` at `offset`, or says why not; after an error the range is undefined. */
enum err disk_write(struct disk_file *file, off_t offset, struct bytes bytes);
/* Reads up to `size` bytes; *got is less only at the end of the file. */
enum err disk_read(struct disk_file *file, off_t offset, void *at, size_t size, size_t *got);
enum err disk_size(struct disk_file *file, off_t *size);
enum err disk_truncate(struct disk_file *file, off_t size);
/* Returns when the file's bytes and size are on the medium. After an error, nothing that was written since
 * the last success may be trusted, and trying again proves nothing (the kernel drops the dirty pages). */
enum err disk_sync(struct disk_file *file);
/* The descriptor, for sendfile and mmap of synced bytes; -1 on a disk that has none. */
int disk_descriptor(const struct disk_file *file);

enum err disk_make_dirs(struct disk *disk,
                        const char *path); /* with parents, durably; there already is fine */
enum err disk_make_dir(struct disk *disk, const char *path);  /* one level, not yet durable; ERR_EXISTS */
enum err disk_sync_dir(struct disk *disk, const char *path);  /* makes names in it durable */
enum err disk_sync_path(struct disk *disk, const char *path); /* fsync of a file someone else wrote */
enum err disk_rename(struct disk *disk, const char *from, const char *to); /* replaces `to` */
/* Gives `from` the name `to` only if `to` is absent (ERR_EXISTS), and removes the name `from`. */
enum err disk_rename_new(struct disk *disk, const char *from, const char *to);
enum err disk_remove(struct disk *disk, const char *path);      /* a file, or an empty folder */
enum err disk_remove_tree(struct disk *disk, const char *path); /* absent is fine */

/* Calls `each` with every name in the folder but . and .., in no order. A non-zero return of `each` ends the
 * walk and is returned. */
enum err disk_list(struct disk *disk, const char *path, enum err (*each)(void *arg, const char *name),
                   void *arg);

/* Whole small files: read into `out` (ERR_FULL past its limit); write = temporary name, fsync, rename, sync of
 * the folder, so that a crash leaves the old content or the new. */
enum err disk_read_file(struct disk *disk, const char *path, struct buf *out);
enum err disk_write_file(struct disk *disk, const char *path, struct bytes content);
/* The same, but only if `path` is absent: ERR_EXISTS otherwise. Delta's put-if-absent. */
enum err disk_put_new_file(struct disk *disk, const char *path, struct bytes content);

#endif
