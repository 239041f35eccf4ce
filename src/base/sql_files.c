/* sql_files.c - finds SQL files in sql.dir or in the program itself. */
#include "base/sql_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/disk.h"
#include "base/embedded.h"

enum { FILES_MOST = 1000 };

static enum err out_of_memory(void)
{
    return err_note(ERR_NO_MEMORY, "out of memory for SQL files");
}

static enum err read_from_dir(const char *path, struct arena *arena, struct sql_file *out)
{
    struct buf text = buf_init(SQL_FILE_BYTES_MOST);
    enum err err = disk_read_file(disk_real(), path, &text);

    if (err == ERR_FULL)
        err = err_note(ERR_TOO_LARGE, "%s: an SQL file has at most %d bytes", path, SQL_FILE_BYTES_MOST);
    if (err)
        goto out;
    out->path = arena_text(arena, bytes_of_text(path));
    out->text = bytes_of(arena_text(arena, buf_bytes(&text)), text.size);
    if (!out->path || !out->text.at) {
        err = out_of_memory();
        goto out;
    }
    out->name = strrchr(out->path, '/') + 1;
out:
    buf_release(&text);
    return err;
}

static enum err take_embedded(const struct embedded_file *file, struct arena *arena, struct sql_file *out)
{
    out->path = arena_printf(arena, "built-in %s", file->name);
    out->name = strrchr(file->name, '/') + 1;
    out->text = bytes_of(file->at, file->size);
    return out->path ? ERR_OK : out_of_memory();
}

enum err sql_file_read(const struct config *config, const char *below, struct arena *arena,
                       struct sql_file *out)
{
    const char *dir = config_text(config, "sql.dir");
    const struct embedded_file *file;
    char path[PATH_MAX];
    enum err err = ERR_NOT_FOUND;

    if (dir[0]) {
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, below) >= sizeof(path))
            return err_note(ERR_INVALID, "path too long: %s/%s", dir, below);
        err = read_from_dir(path, arena, out);
    }
    if (err != ERR_NOT_FOUND)
        return err;
    snprintf(path, sizeof(path), "sql/%s", below);
    file = embedded_find(path);
    if (file)
        return take_embedded(file, arena, out);
    if (dir[0])
        return err_note(ERR_NOT_FOUND,
                        "there is no %s/%s, and no built-in file of that name; write it, or mend `sql.dir`",
                        dir, below);
    return err_note(ERR_NOT_FOUND, "there is no built-in %s; set `sql.dir` to a folder that has %s", path,
                    below);
}

struct listing {
    const char *dir;
    struct arena *arena;
    struct sql_file *files;
    size_t count;
};

static bool is_sql(const char *name)
{
    size_t size = strlen(name);

    return size > 4 && name[0] != '.' && strcmp(name + size - 4, ".sql") == 0;
}

static enum err too_many(const char *where)
{
    return err_note(ERR_TOO_LARGE, "%s has more than %d SQL files", where, FILES_MOST);
}

static enum err list_name(void *arg, const char *name)
{
    struct listing *listing = arg;
    char path[PATH_MAX];

    if (!is_sql(name))
        return ERR_OK;
    if (listing->count == FILES_MOST)
        return too_many(listing->dir);
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", listing->dir, name) >= sizeof(path))
        return err_note(ERR_INVALID, "path too long: %s/%s", listing->dir, name);
    return read_from_dir(path, listing->arena, &listing->files[listing->count++]);
}

static enum err list_embedded(struct listing *listing, const char *folder)
{
    size_t size = strlen(folder);

    for (const struct embedded_file *file = embedded_files; file->name; file++) {
        const char *below = file->name + 4; /* behind sql/ */
        enum err err;

        if (strncmp(file->name, "sql/", 4) != 0 || strncmp(below, folder, size) != 0 || below[size] != '/' ||
            strchr(below + size + 1, '/') || !is_sql(below + size + 1))
            continue;
        if (listing->count == FILES_MOST)
            return too_many(folder);
        err = take_embedded(file, listing->arena, &listing->files[listing->count++]);
        if (err)
            return err;
    }
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sql_file *)a)->name, ((const struct sql_file *)b)->name);
}

enum err sql_files_list(const struct config *config, const char *folder, struct arena *arena,
                        struct sql_file **out, size_t *count)
{
    const char *dir = config_text(config, "sql.dir");
    char path[PATH_MAX];
    struct listing listing = {.dir = path, .arena = arena};
    enum err err = ERR_NOT_FOUND;

    listing.files = arena_take(arena, FILES_MOST * sizeof(*listing.files));
    if (!listing.files)
        return out_of_memory();
    if (dir[0]) {
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, folder) >= sizeof(path))
            return err_note(ERR_INVALID, "path too long: %s/%s", dir, folder);
        err = disk_list(disk_real(), path, list_name, &listing);
    }
    if (err == ERR_NOT_FOUND)
        err = list_embedded(&listing, folder);
    if (err)
        return err;
    qsort(listing.files, listing.count, sizeof(*listing.files), by_name);
    *out = listing.files;
    *count = listing.count;
    return ERR_OK;
}
