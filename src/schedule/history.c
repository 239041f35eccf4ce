/* history.c - the schedule's history file. */
#include "schedule/history.h"

#include <pthread.h>

#include "base/json_doc.h"

enum {
    HISTORY_BYTES_MOST = 1 << 20,
    HISTORY_BYTES_READ = 4 << 20,
};

static pthread_mutex_t history_lock = PTHREAD_MUTEX_INITIALIZER;

static enum err read_history(const struct config *config, struct disk *disk, struct buf *out)
{
    enum err err = disk_read_file(disk, config_path(config, "run/schedule.jsonl"), out);

    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err add_line(const struct history_run *run, struct buf *out)
{
    json_t *line =
        json_pack("{s:s, s:I, s:I, s:I, s:i, s:s, s:s}", "name", run->name, "due", (json_int_t)run->due_ms,
                  "started", (json_int_t)run->started_ms, "ended", (json_int_t)run->ended_ms, "attempt",
                  run->attempt, "outcome", run->err ? "failed" : "ok", "error", run->error);
    enum err err = line ? json_doc_write(line, out)
                        : err_note(ERR_NO_MEMORY, "out of memory for the schedule's history");

    json_decref(line);
    return err ? err : buf_add_char(out, '\n');
}

/* The newer half, from a line's start on. */
static struct bytes newer_half(struct bytes all)
{
    size_t from = all.size / 2;
    const uint8_t *end;

    if (all.size <= HISTORY_BYTES_MOST)
        return all;
    end = memchr(all.at + from, '\n', all.size - from);
    from = end ? (size_t)(end + 1 - all.at) : all.size;
    return bytes_of(all.at + from, all.size - from);
}

enum err history_add(const struct config *config, struct disk *disk, const struct history_run *run)
{
    struct buf text = buf_init(HISTORY_BYTES_READ);
    enum err err;

    pthread_mutex_lock(&history_lock);
    err = disk_make_dirs(disk, config_path(config, "run"));
    if (!err)
        err = read_history(config, disk, &text);
    if (!err)
        err = add_line(run, &text);
    if (!err)
        err = disk_write_file(disk, config_path(config, "run/schedule.jsonl"), newer_half(buf_bytes(&text)));
    pthread_mutex_unlock(&history_lock);
    buf_release(&text);
    return err;
}

static void look_at_line(struct bytes line, const char *name, int64_t *due_ms)
{
    json_t *run = NULL;
    const char *its_name;

    if (json_doc_parse(&run, line))
        return; /* not ours to mend: the next run writes a good line behind it */
    its_name = json_string_value(json_object_get(run, "name"));
    if (its_name && strcmp(its_name, name) == 0 && json_is_integer(json_object_get(run, "due")))
        *due_ms = json_integer_value(json_object_get(run, "due"));
    json_decref(run);
}

enum err history_last_due(const struct config *config, struct disk *disk, const char *name, int64_t *due_ms)
{
    struct buf text = buf_init(HISTORY_BYTES_READ);
    const uint8_t *at, *end;
    enum err err;

    *due_ms = -1;
    pthread_mutex_lock(&history_lock);
    err = read_history(config, disk, &text);
    pthread_mutex_unlock(&history_lock);
    at = text.at;
    while (!err && at < text.at + text.size) {
        end = memchr(at, '\n', (size_t)(text.at + text.size - at));
        if (!end)
            end = text.at + text.size;
        look_at_line(bytes_of(at, (size_t)(end - at)), name, due_ms);
        at = end + 1;
    }
    buf_release(&text);
    return err;
}
