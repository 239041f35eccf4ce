/* draft.c - an object that is being written. */
#include "lake/draft.h"

#include <stdlib.h>

enum {
    LINES_IN_MEMORY = 1 << 20,
    LINE_BYTES_MOST = 1 << 30, /* far above any record Kafka will carry */
};

enum err draft_init(struct draft *draft, struct disk *disk, const char *path)
{
    *draft = (struct draft){.disk = disk, .path = strdup(path), .lines = buf_init(LINE_BYTES_MOST)};
    return draft->path ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for a lake object");
}

void draft_release(struct draft *draft)
{
    if (draft->path)
        draft_drop(draft);
    buf_release(&draft->lines);
    free(draft->path);
    draft->path = NULL;
}

static enum err write_lines(struct draft *draft)
{
    enum err err = ERR_OK;

    if (!draft->file)
        err = disk_open(draft->disk, &draft->file, draft->path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE);
    if (!err)
        err = disk_write(draft->file, draft->written, buf_bytes(&draft->lines));
    if (err)
        return err;
    draft->written += (off_t)draft->lines.size;
    buf_clear(&draft->lines);
    return ERR_OK;
}

enum err draft_add(struct draft *draft, struct bytes value)
{
    if (draft->lines.size >= LINES_IN_MEMORY) {
        enum err err = write_lines(draft);

        if (err)
            return err;
    }
    return lake_line(value, &draft->lines);
}

enum err draft_spill(struct draft *draft)
{
    enum err err = draft->lines.size > 0 ? write_lines(draft) : ERR_OK;

    buf_release(&draft->lines);
    return err;
}

enum err draft_put(struct draft *draft, const char *folder, const char *path)
{
    enum err err = write_lines(draft);

    if (!err)
        err = disk_sync(draft->file);
    if (err)
        return err;
    disk_close(draft->file);
    draft->file = NULL;
    draft->written = 0;
    err = disk_rename(draft->disk, draft->path, path);
    return err ? err : disk_sync_dir(draft->disk, folder);
}

void draft_drop(struct draft *draft)
{
    if (draft->file) {
        disk_close(draft->file);
        draft->file = NULL;
        disk_remove(draft->disk, draft->path); /* what stays behind is removed at the next start */
    }
    draft->written = 0;
    buf_clear(&draft->lines);
}
