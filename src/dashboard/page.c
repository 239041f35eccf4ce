/* page.c - the page's files. Gzip is made at a file's first use, so that starting costs nothing. */
#include "dashboard/page.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/embedded.h"

enum { FILES_MOST = 32, NAME_BYTES_MOST = 64 };

struct packed {
    const struct embedded_file *file;
    struct buf gzip; /* empty: not smaller, or no memory for it */
};

struct page {
    pthread_mutex_t lock;
    struct packed packed[FILES_MOST];
    size_t count;
};

enum err page_open(struct page **out)
{
    struct page *page = calloc(1, sizeof(*page));

    if (!page)
        return err_note(ERR_NO_MEMORY, "out of memory for the page");
    pthread_mutex_init(&page->lock, NULL);
    *out = page;
    return ERR_OK;
}

void page_close(struct page *page)
{
    if (!page)
        return;
    for (size_t i = 0; i < page->count; i++)
        buf_release(&page->packed[i].gzip);
    pthread_mutex_destroy(&page->lock);
    free(page);
}

static const char *content_type(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

static void pack(struct packed *packed)
{
    enum { GZIP_WINDOW = 15 + 16 /* zlib's way of asking for gzip */, MEMORY_LEVEL = 8 };
    z_stream stream = {0};
    uLong room;

    packed->gzip = buf_init(packed->file->size + 1024);
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY))
        return;
    room = deflateBound(&stream, packed->file->size);
    if (!buf_reserve(&packed->gzip, room)) {
        stream.next_in = (Bytef *)packed->file->at;
        stream.avail_in = (uInt)packed->file->size;
        stream.next_out = packed->gzip.at;
        stream.avail_out = (uInt)room;
        if (deflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out < packed->file->size)
            packed->gzip.size = stream.total_out;
    }
    deflateEnd(&stream);
}

static struct bytes gzip_of(struct page *page, const struct embedded_file *file)
{
    struct bytes bytes = {NULL, 0};
    struct packed *packed = NULL;

    pthread_mutex_lock(&page->lock);
    for (size_t i = 0; i < page->count && !packed; i++)
        if (page->packed[i].file == file)
            packed = &page->packed[i];
    if (!packed && page->count < FILES_MOST) {
        packed = &page->packed[page->count++];
        packed->file = file;
        pack(packed);
    }
    if (packed)
        bytes = buf_bytes(&packed->gzip);
    pthread_mutex_unlock(&page->lock);
    return bytes;
}

enum err page_find(struct page *page, const char *path, bool gzip, struct page_file *out)
{
    char name[NAME_BYTES_MOST];
    const struct embedded_file *file;
    struct bytes packed = {NULL, 0};

    if (strcmp(path, "/") == 0)
        path = "/index.html";
    if (strlen(path) + sizeof("web") > sizeof(name))
        return err_note(ERR_NOT_FOUND, "there is nothing at this path");
    snprintf(name, sizeof(name), "web%s", path);
    file = embedded_find(name);
    if (!file)
        return err_note(ERR_NOT_FOUND, "there is nothing at this path");
    if (gzip)
        packed = gzip_of(page, file);
    out->gzipped = packed.size > 0;
    out->bytes = out->gzipped ? packed : bytes_of(file->at, file->size);
    out->content_type = content_type(name);
    snprintf(out->etag, sizeof(out->etag), "\"%08lx-%zx%s\"", crc32(0, file->at, (uInt)file->size),
             file->size, out->gzipped ? "-gz" : "");
    return ERR_OK;
}
