/* disk.c - files as the kernel has them, and the small protocols made of them: a file that is replaced whole, a
 * file that is put only if it is absent.
 *
 * A new file is written under a hidden temporary name, `.NAME.PID-N.tmp`, in the folder where it will live, so that
 * the rename stays in one file system and readers of the folder pass it over. */
#include "base/disk.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk_calls.h"

enum { PATH_BYTES = 4096 };

struct real_file {
    struct disk_file file;
    int fd;
    char path[];
};

static struct real_file *real(const struct disk_file *file)
{
    return (struct real_file *)file;
}

/* The error for errno, with a sentence: what was tried, on what, and what helps. */
static enum err failed(const char *what, const char *path)
{
    int why = errno;

    switch (why) {
    case ENOENT:
        return err_note(ERR_NOT_FOUND, "cannot %s %s: there is no such file or folder", what, path);
    case EEXIST:
        return err_note(ERR_EXISTS, "cannot %s %s: it exists already", what, path);
    case ENOTDIR:
        return err_note(ERR_INVALID, "cannot %s %s: not a folder", what, path);
    case ENOSPC:
    case EDQUOT:
        return err_note(ERR_FULL, "cannot %s %s: the disk is full; free some space and start again", what,
                        path);
    case EACCES:
    case EPERM:
    case EROFS:
        return err_note(ERR_IO, "cannot %s %s: %s; give this user the right to write there", what, path,
                        strerror(why));
    case EMFILE:
    case ENFILE:
        return err_note(ERR_IO, "cannot %s %s: too many open files; raise the limit (ulimit -n)", what, path);
    case ENOMEM:
        return err_note(ERR_NO_MEMORY, "cannot %s %s: out of memory", what, path);
    default:
        return err_note(ERR_IO, "cannot %s %s: %s", what, path, strerror(why));
    }
}

static enum err real_open(struct disk *disk, struct disk_file **out, const char *path, int flags)
{
    size_t path_size = strlen(path) + 1;
    struct real_file *made;
    int mode = O_CLOEXEC | (flags & DISK_WRITE ? O_RDWR : O_RDONLY) | (flags & DISK_CREATE ? O_CREAT : 0) |
               (flags & DISK_EXCLUSIVE ? O_EXCL : 0) | (flags & DISK_TRUNCATE ? O_TRUNC : 0);

    made = malloc(sizeof(*made) + path_size);
    if (!made)
        return err_note(ERR_NO_MEMORY, "cannot open %s: out of memory", path);
    do
        made->fd = open(path, mode, 0640);
    while (made->fd < 0 && errno == EINTR);
    if (made->fd < 0) {
        enum err err = failed("open", path);
        free(made);
        return err;
    }
    made->file.disk = disk;
    memcpy(made->path, path, path_size);
    *out = &made->file;
    return ERR_OK;
}

static void real_close(struct disk_file *file)
{
    close(real(file)->fd);
    free(file);
}

static enum err real_write(struct disk_file *file, off_t offset, struct bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t wrote = pwrite(real(file)->fd, bytes.at, bytes.size, offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return failed("write", real(file)->path);
        bytes.at += wrote;
        bytes.size -= (size_t)wrote;
        offset += wrote;
    }
    return ERR_OK;
}

static enum err real_read(struct disk_file *file, off_t offset, void *at, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        ssize_t more = pread(real(file)->fd, (char *)at + *got, size - *got, offset + (off_t)*got);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return failed("read", real(file)->path);
        if (more == 0)
            break;
        *got += (size_t)more;
    }
    return ERR_OK;
}

static enum err real_size(struct disk_file *file, off_t *size)
{
    struct stat info;

    if (fstat(real(file)->fd, &info))
        return failed("read the size of", real(file)->path);
    *size = info.st_size;
    return ERR_OK;
}

static enum err real_truncate(struct disk_file *file, off_t size)
{
    return ftruncate(real(file)->fd, size) ? failed("cut", real(file)->path) : ERR_OK;
}

/* fdatasync carries the size too, and leaves out only the times. */
static enum err real_sync(struct disk_file *file)
{
    return fdatasync(real(file)->fd) ? failed("sync", real(file)->path) : ERR_OK;
}

static int real_descriptor(const struct disk_file *file)
{
    return real(file)->fd;
}

static enum err real_make_dir(struct disk *disk, const char *path)
{
    return mkdir(path, 0750) ? failed("make the folder", path) : ERR_OK;
}

static enum err real_sync_dir(struct disk *disk, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = ERR_OK;

    if (fd < 0)
        return failed("open the folder", path);
    if (fsync(fd))
        err = failed("sync the folder", path);
    close(fd);
    return err;
}

static enum err real_rename(struct disk *disk, const char *from, const char *to)
{
    return rename(from, to) ? failed("rename to", to) : ERR_OK;
}

/* A second name, then the first removed: every file system can do it, and the second name is never replaced. */
static enum err real_rename_new(struct disk *disk, const char *from, const char *to)
{
    if (link(from, to))
        return failed("give the name", to);
    return unlink(from) ? failed("remove", from) : ERR_OK;
}

static enum err real_remove(struct disk *disk, const char *path)
{
    return remove(path) ? failed("remove", path) : ERR_OK;
}

static enum err real_list(struct disk *disk, const char *path, enum err (*each)(void *arg, const char *name),
                          void *arg)
{
    DIR *dir = opendir(path);
    enum err err = ERR_OK;
    struct dirent *entry;

    if (!dir)
        return failed("list", path);
    while (!err && (errno = 0, entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = each(arg, entry->d_name);
    }
    if (!err && errno)
        err = failed("list", path);
    closedir(dir);
    return err;
}

struct disk *disk_real(void)
{
    static const struct disk_calls calls = {
        .open = real_open,
        .close = real_close,
        .write = real_write,
        .read = real_read,
        .size = real_size,
        .truncate = real_truncate,
        .sync = real_sync,
        .descriptor = real_descriptor,
        .make_dir = real_make_dir,
        .sync_dir = real_sync_dir,
        .rename = real_rename,
        .rename_new = real_rename_new,
        .remove = real_remove,
        .list = real_list,
    };
    static struct disk disk = {&calls};

    return &disk;
}

enum err disk_open(struct disk *disk, struct disk_file **out, const char *path, int flags)
{
    return disk->calls->open(disk, out, path, flags);
}

void disk_close(struct disk_file *file)
{
    if (file)
        file->disk->calls->close(file);
}

enum err disk_write(struct disk_file *file, off_t offset, struct bytes bytes)
{
    return file->disk->calls->write(file, offset, bytes);
}

enum err disk_read(struct disk_file *file, off_t offset, void *at, size_t size, size_t *got)
{
    return file->disk->calls->read(file, offset, at, size, got);
}

enum err disk_size(struct disk_file *file, off_t *size)
{
    return file->disk->calls->size(file, size);
}

enum err disk_truncate(struct disk_file *file, off_t size)
{
    return file->disk->calls->truncate(file, size);
}

enum err disk_sync(struct disk_file *file)
{
    return file->disk->calls->sync(file);
}

int disk_descriptor(const struct disk_file *file)
{
    return file->disk->calls->descriptor(file);
}

/* The folder a path lies in, into `out`. */
static enum err folder_of(const char *path, char out[PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    int length;

    if (!slash)
        length = snprintf(out, PATH_BYTES, ".");
    else if (slash == path)
        length = snprintf(out, PATH_BYTES, "/");
    else
        length = snprintf(out, PATH_BYTES, "%.*s", (int)(slash - path), path);
    return length < PATH_BYTES ? ERR_OK : err_note(ERR_INVALID, "a path is too long: %.80s...", path);
}

enum err disk_make_dir(struct disk *disk, const char *path)
{
    return disk->calls->make_dir(disk, path);
}

enum err disk_make_dirs(struct disk *disk, const char *path)
{
    char parent[PATH_BYTES];
    enum err err = folder_of(path, parent);

    if (err)
        return err;
    err = disk_make_dir(disk, path);
    if (err == ERR_NOT_FOUND) {
        err = disk_make_dirs(disk, parent);
        if (!err)
            err = disk_make_dir(disk, path);
    }
    if (err == ERR_EXISTS)
        return ERR_OK;
    return err ? err : disk_sync_dir(disk, parent);
}

enum err disk_sync_dir(struct disk *disk, const char *path)
{
    return disk->calls->sync_dir(disk, path);
}

enum err disk_sync_path(struct disk *disk, const char *path)
{
    struct disk_file *file;
    enum err err = disk_open(disk, &file, path, DISK_READ);

    if (err)
        return err;
    err = disk_sync(file);
    disk_close(file);
    return err;
}

enum err disk_rename(struct disk *disk, const char *from, const char *to)
{
    return disk->calls->rename(disk, from, to);
}

enum err disk_rename_new(struct disk *disk, const char *from, const char *to)
{
    return disk->calls->rename_new(disk, from, to);
}

enum err disk_remove(struct disk *disk, const char *path)
{
    return disk->calls->remove(disk, path);
}

enum err disk_list(struct disk *disk, const char *path, enum err (*each)(void *arg, const char *name),
                   void *arg)
{
    return disk->calls->list(disk, path, each, arg);
}

/* The names in a folder, each with a NUL behind it. */
static enum err keep_name(void *arg, const char *name)
{
    return buf_add(arg, name, strlen(name) + 1);
}

enum err disk_remove_tree(struct disk *disk, const char *path)
{
    struct buf names = buf_init(SIZE_MAX / 2);
    char below[PATH_BYTES];
    enum err err = disk_list(disk, path, keep_name, &names);

    if (err == ERR_NOT_FOUND) {
        err = ERR_OK;
        goto out;
    }
    if (err && err != ERR_INVALID) /* ERR_INVALID: a file */
        goto out;
    for (size_t at = 0; at < names.size; at += strlen((const char *)names.at + at) + 1) {
        if (snprintf(below, sizeof(below), "%s/%s", path, (const char *)names.at + at) >=
            (int)sizeof(below)) {
            err = err_note(ERR_INVALID, "a path is too long: %.80s...", path);
            goto out;
        }
        err = disk_remove_tree(disk, below);
        if (err)
            goto out;
    }
    err = disk_remove(disk, path);
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
out:
    buf_release(&names);
    return err;
}

enum err disk_read_file(struct disk *disk, const char *path, struct buf *out)
{
    struct disk_file *file = NULL;
    size_t got = 0;
    off_t size = 0;
    enum err err = disk_open(disk, &file, path, DISK_READ);

    if (err)
        return err;
    err = disk_size(file, &size);
    if (!err)
        err = buf_reserve(out, (size_t)size);
    if (!err)
        err = disk_read(file, 0, out->at + out->size, (size_t)size, &got);
    if (!err)
        out->size += got;
    disk_close(file);
    return err;
}

/* Write and sync `content` under a temporary name beside `path`; `name` says which. Nothing is left on error. */
static enum err write_aside(struct disk *disk, const char *path, struct bytes content, char name[PATH_BYTES],
                            char folder[PATH_BYTES])
{
    static _Atomic unsigned counter;
    const char *slash = strrchr(path, '/');
    struct disk_file *file = NULL;
    enum err err = folder_of(path, folder);

    if (err)
        return err;
    if (snprintf(name, PATH_BYTES, "%.*s.%s.%ld-%u.tmp", slash ? (int)(slash + 1 - path) : 0, path,
                 slash ? slash + 1 : path, (long)getpid(), counter++) >= PATH_BYTES)
        return err_note(ERR_INVALID, "a path is too long: %.80s...", path);
    err = disk_open(disk, &file, name, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE);
    if (err)
        return err;
    err = disk_write(file, 0, content);
    if (!err)
        err = disk_sync(file);
    disk_close(file);
    if (err)
        disk->calls->remove(disk, name);
    return err;
}

/* Remove a temporary file without losing the sentence of the error before. */
static enum err give_up(struct disk *disk, const char *name, enum err err)
{
    char why[1024];

    snprintf(why, sizeof(why), "%s", err_sentence());
    disk->calls->remove(disk, name);
    return err_note(err, "%s", why);
}

enum err disk_write_file(struct disk *disk, const char *path, struct bytes content)
{
    char name[PATH_BYTES], folder[PATH_BYTES];
    enum err err = write_aside(disk, path, content, name, folder);

    if (err)
        return err;
    err = disk_rename(disk, name, path);
    if (err)
        return give_up(disk, name, err);
    return disk_sync_dir(disk, folder);
}

enum err disk_put_new_file(struct disk *disk, const char *path, struct bytes content)
{
    char name[PATH_BYTES], folder[PATH_BYTES];
    enum err err = write_aside(disk, path, content, name, folder);

    if (err)
        return err;
    err = disk_rename_new(disk, name, path);
    if (err)
        return give_up(disk, name, err);
    return disk_sync_dir(disk, folder);
}
