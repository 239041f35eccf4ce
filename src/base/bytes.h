/* bytes.h - views, growing buffers and arenas: the type says who owns the memory.
 *
 *   bytes  a view; its maker keeps the memory
 *   buf    owns what it holds; grows on demand, but never past the `most` it was born with, because lengths
 *          come off sockets
 *   arena  owns all that was taken from it; thrown away whole at the end of a request
 *
 * None of them is safe to share between threads without a lock. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

struct bytes {
    const uint8_t *at;
    size_t size;
};

#define BYTES(literal) ((struct bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline struct bytes bytes_of(const void *at, size_t size)
{
    return (struct bytes){at, size};
}

static inline struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

/* True if `bytes` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool bytes_are_utf8(struct bytes bytes);

struct buf {
    uint8_t *at;
    size_t size, room, most;
};

/* An empty buffer that will not grow past `most_bytes`. Takes no memory yet; buf_release() gives it back. */
static inline struct buf buf_init(size_t most_bytes)
{
    return (struct buf){NULL, 0, 0, most_bytes};
}

void buf_release(struct buf *buf);
static inline void buf_clear(struct buf *buf)
{
    buf->size = 0;
}

static inline struct bytes buf_bytes(const struct buf *buf)
{
    return (struct bytes){buf->at, buf->size};
}

/* Make room for `extra` more bytes behind the end. ERR_FULL: that would pass `most`. ERR_NO_MEMORY. */
enum err buf_reserve(struct buf *buf, size_t extra);
enum err buf_add(struct buf *buf, const void *at, size_t size);
enum err buf_add_bytes(struct buf *buf, struct bytes bytes);
enum err buf_add_text(struct buf *buf, const char *text);
enum err buf_add_char(struct buf *buf, char c);
enum err buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The content as a C string (adds a NUL behind the end, not counted in size). NULL: no room for it. */
const char *buf_text(struct buf *buf);

struct arena_block;
struct arena {
    struct arena_block *first;
    size_t taken, most;
};

/* An empty arena that hands out at most `most_bytes` in all. */
static inline struct arena arena_init(size_t most_bytes)
{
    return (struct arena){NULL, 0, most_bytes};
}
void arena_release(struct arena *arena);
/* `size` zeroed bytes aligned for any type; NULL when the arena is at its limit or memory is out. */
void *arena_take(struct arena *arena, size_t size);
/* A copy with a NUL behind it (the NUL is not part of the text's length). NULL as above. */
char *arena_text(struct arena *arena, struct bytes bytes);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Big-endian numbers, as Kafka and our index files have them. */
static inline uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}
static inline uint32_t get_u32(const uint8_t *at)
{
    uint32_t v;
    memcpy(&v, at, 4);
    return __builtin_bswap32(v);
}
static inline uint64_t get_u64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, 8);
    return __builtin_bswap64(v);
}
static inline void put_u16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}
static inline void put_u32(uint8_t *at, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(at, &v, 4);
}
static inline void put_u64(uint8_t *at, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(at, &v, 8);
}

#endif
