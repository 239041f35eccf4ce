/* bytes.c - buffers, arenas and the UTF-8 check. */
#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

void buf_release(struct buf *buf)
{
    free(buf->at);
    *buf = buf_init(buf->most);
}

enum err buf_reserve(struct buf *buf, size_t extra)
{
    size_t need, room;
    uint8_t *at;

    if (extra > buf->most || buf->size > buf->most - extra)
        return err_note(ERR_FULL, "a buffer would grow past its limit of %zu bytes", buf->most);
    need = buf->size + extra;
    if (need <= buf->room)
        return ERR_OK;
    room = buf->room ? buf->room : 256;
    while (room < need)
        room = room > buf->most / 2 ? buf->most : room * 2;
    at = realloc(buf->at, room);
    if (!at)
        return err_note(ERR_NO_MEMORY, "out of memory for %zu bytes", room);
    buf->at = at;
    buf->room = room;
    return ERR_OK;
}

enum err buf_add(struct buf *buf, const void *at, size_t size)
{
    enum err err = buf_reserve(buf, size);

    if (err)
        return err;
    if (size > 0)
        memcpy(buf->at + buf->size, at, size);
    buf->size += size;
    return ERR_OK;
}

enum err buf_add_bytes(struct buf *buf, struct bytes bytes)
{
    return buf_add(buf, bytes.at, bytes.size);
}

enum err buf_add_text(struct buf *buf, const char *text)
{
    return buf_add(buf, text, strlen(text));
}

enum err buf_add_char(struct buf *buf, char c)
{
    return buf_add(buf, &c, 1);
}

enum err buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    enum err err;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return err_note(ERR_INVALID, "a text could not be formatted");
    err = buf_reserve(buf, (size_t)length + 1);
    if (err)
        return err;
    va_start(args, format);
    vsnprintf((char *)buf->at + buf->size, (size_t)length + 1, format, args);
    va_end(args);
    buf->size += (size_t)length;
    return ERR_OK;
}

const char *buf_text(struct buf *buf)
{
    if (buf_reserve(buf, 1))
        return NULL;
    buf->at[buf->size] = 0;
    return (const char *)buf->at;
}

enum { ARENA_BLOCK_BYTES = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t size, room;
    _Alignas(max_align_t) uint8_t at[];
};

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->first;

    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = arena_init(arena->most);
}

void *arena_take(struct arena *arena, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    struct arena_block *block = arena->first;
    void *at;

    if (size > arena->most || arena->taken > arena->most - size)
        return NULL;
    arena->taken += size;
    size = (size + align - 1) / align * align;
    if (!block || block->room - block->size < size) {
        size_t room = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
        block = malloc(sizeof(*block) + room);
        if (!block)
            return NULL;
        block->next = arena->first;
        block->size = 0;
        block->room = room;
        arena->first = block;
    }
    at = block->at + block->size;
    block->size += size;
    return memset(at, 0, size);
}

char *arena_text(struct arena *arena, struct bytes bytes)
{
    char *text = arena_take(arena, bytes.size + 1);

    if (text && bytes.size > 0)
        memcpy(text, bytes.at, bytes.size);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    int length;
    char *text;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = length < 0 ? NULL : arena_take(arena, (size_t)length + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

bool bytes_are_utf8(struct bytes bytes)
{
    const uint8_t *at = bytes.at, *end = bytes.size > 0 ? at + bytes.size : at; /* `at` may be NULL */

    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy(&eight, at, 8), (eight & 0x8080808080808080u) == 0)) {
            at += 8;
            continue;
        }
        if (*at < 0x80) {
            at++;
            continue;
        }
        size_t more = *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;
        uint32_t code = *at & (0x3fu >> more);
        if (*at < 0xc2 || *at > 0xf4 || (size_t)(end - at) <= more)
            return false;
        for (size_t i = 1; i <= more; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (at[i] & 0x3f);
        }
        if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
            (more == 3 && (code < 0x10000 || code > 0x10ffff)))
            return false;
        at += more + 1;
    }
    return true;
}
