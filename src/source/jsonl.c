/* jsonl.c - posts from a folder of JSON-lines files: pin.jsonl, geo.jsonl, user.jsonl.
 *
 *     file = line, line, ...     sorted by key; empty lines are passed over
 *     line = a JSON object with its key as "index" (pins) or "ind" (the others), then a newline
 *
 * Rows go out as they stand. A post is what the three files have under one key; any of them may lack it. In
 * each-once order the files are read side by side, so memory does not grow with them; in course order only keys up
 * to 11,000 can be drawn, so their places are noted once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "source/parts.h"

enum { TABLES = 3, LINE_MOST = 16 * 1024 * 1024, READ_BYTES = 256 * 1024, NO_ROW = -1 };

struct lines {
    const char *name, *key_name;
    char *path;
    FILE *file;        /* NULL: the folder has no such file */
    struct buf window; /* a piece of the file: what is behind `used` is yet to be read */
    size_t used;
    off_t window_at; /* where the piece stands in the file */
    bool have;       /* a row is at hand: row, key, at */
    bool given;      /* and was given out */
    struct bytes row;
    int64_t key, number; /* the line's number, from 1 */
    off_t at;            /* where it begins */
    off_t *places;       /* course order: by key, NO_ROW if there is none */
};

struct jsonl {
    struct source source;
    struct lines tables[TABLES];
    struct course course;
};

static enum err key_of(struct lines *lines, int64_t *out)
{
    struct json_value row, key;
    enum err err = json_check(lines->row, &row, NULL);

    if (err) {
        char why[512];
        snprintf(why, sizeof(why), "%s", err_sentence());
        return err_note(ERR_INVALID, "%s:%lld: %s", lines->path, (long long)lines->number, why);
    }
    if (row.kind != JSON_OBJECT || json_member(row, lines->key_name, &key) || key.kind != JSON_NUMBER ||
        json_int64(key, out) || *out < 0)
        return err_note(ERR_INVALID, "%s:%lld: not an object with a whole number \"%s\"", lines->path,
                        (long long)lines->number, lines->key_name);
    return ERR_OK;
}

static enum err seek(struct lines *lines, off_t to)
{
    if (lines->file && fseeko(lines->file, to, SEEK_SET) != 0)
        return err_note(ERR_IO, "cannot read %s: %s", lines->path, strerror(errno));
    buf_clear(&lines->window);
    lines->used = 0;
    lines->window_at = to;
    lines->number = 0;
    lines->have = lines->given = false;
    return ERR_OK;
}

/* Read more of the file into the window. *end: there is no more. */
static enum err widen(struct lines *lines, bool *end)
{
    struct buf *window = &lines->window;
    size_t got;

    if (lines->used > 0) {
        memmove(window->at, window->at + lines->used, window->size - lines->used);
        window->size -= lines->used;
        lines->window_at += (off_t)lines->used;
        lines->used = 0;
    }
    if (buf_reserve(window, READ_BYTES))
        return err_note(ERR_TOO_LARGE, "%s:%lld: a line of more than %d MiB", lines->path,
                        (long long)lines->number + 1, LINE_MOST >> 20);
    got = fread(window->at + window->size, 1, READ_BYTES, lines->file);
    if (got == 0 && ferror(lines->file))
        return err_note(ERR_IO, "cannot read %s: %s", lines->path, strerror(errno));
    window->size += got;
    *end = got == 0;
    return ERR_OK;
}

/* The next line that is not empty, without its end. ERR_END. */
static enum err next_line(struct lines *lines)
{
    bool end = false;

    for (;;) {
        const uint8_t *from = lines->window.at + lines->used;
        size_t rest = lines->window.size - lines->used;
        const uint8_t *stop = rest > 0 ? memchr(from, '\n', rest) : NULL;
        if (!stop && !end) {
            enum err err = widen(lines, &end);
            if (err)
                return err;
            continue;
        }
        if (!stop && rest == 0)
            return ERR_END;
        lines->row = bytes_of(from, stop ? (size_t)(stop - from) : rest);
        lines->at = lines->window_at + (off_t)lines->used;
        lines->used += lines->row.size + (stop != NULL);
        lines->number++;
        if (lines->row.size > 0 && from[lines->row.size - 1] == '\r')
            lines->row.size--;
        if (lines->row.size > 0)
            return ERR_OK;
    }
}

/* Read the next row; at the end `have` is false. Its bytes stay until the next call. */
static enum err read_row(struct lines *lines)
{
    int64_t before = lines->have ? lines->key : -1;
    enum err err;

    lines->have = lines->given = false;
    err = !lines->file ? ERR_END : next_line(lines);
    if (err)
        return err == ERR_END ? ERR_OK : err;
    err = key_of(lines, &lines->key);
    if (err)
        return err;
    if (lines->key < before)
        return err_note(ERR_INVALID, "%s:%lld: key %lld stands behind %lld: sort the file by \"%s\"",
                        lines->path, (long long)lines->number, (long long)lines->key, (long long)before,
                        lines->key_name);
    lines->have = true;
    return ERR_OK;
}

static enum err first_rows(struct jsonl *jsonl)
{
    enum err err = ERR_OK;

    for (int t = 0; t < TABLES && !err; t++) {
        err = seek(&jsonl->tables[t], 0);
        if (!err)
            err = read_row(&jsonl->tables[t]);
    }
    return err;
}

/* The lowest key at hand; NO_ROW at the end of all files. */
static int64_t lowest_key(const struct jsonl *jsonl)
{
    int64_t lowest = NO_ROW;

    for (int t = 0; t < TABLES; t++) {
        const struct lines *lines = &jsonl->tables[t];
        if (lines->have && (lowest == NO_ROW || lines->key < lowest))
            lowest = lines->key;
    }
    return lowest;
}

/* Read all rows once: counts posts, checks every line, and notes places for the course's draws. */
static enum err survey(struct jsonl *jsonl, bool course)
{
    enum err err = first_rows(jsonl);
    int64_t key;

    jsonl->source.count = 0;
    while (!err && (key = lowest_key(jsonl)) != NO_ROW) {
        jsonl->source.count++;
        for (int t = 0; t < TABLES && !err; t++) {
            struct lines *lines = &jsonl->tables[t];
            if (!lines->have || lines->key != key)
                continue;
            if (course && key <= COURSE_LAST && lines->places[key] == NO_ROW)
                lines->places[key] = lines->at;
            err = read_row(lines);
        }
    }
    return err;
}

static void give(struct post *out, int table, const struct lines *lines)
{
    struct bytes *const rows[TABLES] = {&out->pin, &out->geo, &out->user};

    *rows[table] = lines->row;
}

static enum err next_each_once(struct source *source, struct post *out)
{
    struct jsonl *jsonl = (struct jsonl *)source;
    int64_t key;

    /* What was given last time was the caller's to read until now. */
    for (int t = 0; t < TABLES; t++) {
        struct lines *lines = &jsonl->tables[t];
        enum err err = lines->given ? read_row(lines) : ERR_OK;
        if (err)
            return err;
    }
    key = lowest_key(jsonl);
    if (key == NO_ROW)
        return ERR_END;
    *out = (struct post){.index = key};
    for (int t = 0; t < TABLES; t++) {
        struct lines *lines = &jsonl->tables[t];
        if (lines->have && lines->key == key) {
            give(out, t, lines);
            lines->given = true;
        }
    }
    return ERR_OK;
}

/* Draw until there is a row of that key: a folder may hold only some. */
static enum err next_course(struct source *source, struct post *out)
{
    struct jsonl *jsonl = (struct jsonl *)source;
    bool found = false;

    while (!found) {
        int64_t key = course_next(&jsonl->course);
        *out = (struct post){.index = key};
        for (int t = 0; t < TABLES; t++) {
            struct lines *lines = &jsonl->tables[t];
            enum err err;
            if (lines->places[key] == NO_ROW)
                continue;
            err = seek(lines, lines->places[key]);
            if (!err)
                err = read_row(lines);
            if (err)
                return err;
            if (!lines->have || lines->key != key)
                return err_note(ERR_CONFLICT, "%s was changed while it was read", lines->path);
            give(out, t, lines);
            found = true;
        }
    }
    return ERR_OK;
}

static void jsonl_close(struct source *source)
{
    struct jsonl *jsonl = (struct jsonl *)source;

    for (int t = 0; t < TABLES; t++) {
        struct lines *lines = &jsonl->tables[t];
        if (lines->file)
            fclose(lines->file);
        buf_release(&lines->window);
        free(lines->path);
        free(lines->places);
    }
    free(jsonl);
}

static enum err open_lines(struct lines *lines, const char *dir, bool course)
{
    if (asprintf(&lines->path, "%s/%s.jsonl", dir, lines->name) < 0) {
        lines->path = NULL;
        return err_note(ERR_NO_MEMORY, "no memory for a path");
    }
    lines->file = fopen(lines->path, "re");
    if (!lines->file && errno != ENOENT)
        return err_note(errno == EACCES ? ERR_DENIED : ERR_IO, "cannot open %s: %s", lines->path,
                        strerror(errno));
    if (!course)
        return ERR_OK;
    lines->places = malloc((COURSE_LAST + 1) * sizeof(*lines->places));
    if (!lines->places)
        return err_note(ERR_NO_MEMORY, "no memory for the places of rows");
    for (int key = 0; key <= COURSE_LAST; key++)
        lines->places[key] = NO_ROW;
    return ERR_OK;
}

static bool has_places(const struct jsonl *jsonl)
{
    for (int t = 0; t < TABLES; t++)
        for (int key = 0; key <= COURSE_LAST; key++)
            if (jsonl->tables[t].places[key] != NO_ROW)
                return true;
    return false;
}

enum err jsonl_open(struct source **out, const char *dir, const struct source_options *options)
{
    static const char *const names[TABLES] = {"pin", "geo", "user"};
    bool course = options->order == SOURCE_COURSE;
    struct jsonl *jsonl = calloc(1, sizeof(*jsonl));
    enum err err = ERR_OK;

    if (!jsonl)
        return err_note(ERR_NO_MEMORY, "no memory for a source");
    jsonl->source = (struct source){course ? next_course : next_each_once, jsonl_close, 0};
    course_seed(&jsonl->course, options->seed);
    for (int t = 0; t < TABLES; t++)
        jsonl->tables[t] = (struct lines){
            .name = names[t], .key_name = t == 0 ? "index" : "ind", .window = buf_init(LINE_MOST)};
    for (int t = 0; t < TABLES && !err; t++) {
        err = open_lines(&jsonl->tables[t], dir, course);
    }
    if (!err && !jsonl->tables[0].file && !jsonl->tables[1].file && !jsonl->tables[2].file)
        err = err_note(ERR_NOT_FOUND, "%s holds none of pin.jsonl, geo.jsonl and user.jsonl", dir);
    if (!err)
        err = survey(jsonl, course);
    if (!err && course && !has_places(jsonl))
        err = err_note(ERR_NOT_FOUND, "%s holds no row that the course's script can draw: keys 0 to %d", dir,
                       COURSE_LAST);
    if (!err && !course)
        err = first_rows(jsonl);
    if (err) {
        jsonl_close(&jsonl->source);
        return err;
    }
    if (course)
        jsonl->source.count = -1;
    *out = &jsonl->source;
    return ERR_OK;
}
