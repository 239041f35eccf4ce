/* kafka_codec.h - the Kafka protocol's primitive types, read from a request and written to a reply.
 *
 * Numbers are big-endian. Since the flexible versions of each request a length is an unsigned varint holding
 * length + 1 (0: null), and every structure ends with a section of tagged fields:
 *
 *     plain      text = length i16 | bytes        bytes = length i32 | bytes      array = count i32 | items
 *     flexible   text, bytes, array = length + 1 uvarint | content                structure = fields | tags
 *                tags = count uvarint, count times: tag uvarint | size uvarint | bytes
 *
 * Both sides keep the first error and go on harmlessly: a reader gives zeros, a writer drops what it is given. So a
 * decoder reads a whole request and asks once, at the end, whether that went well.
 *
 * Threads: a reader or writer belongs to one thread. */
#ifndef GATEWAY_KAFKA_CODEC_H
#define GATEWAY_KAFKA_CODEC_H

#include "base/bytes.h"

struct kafka_in {
    const uint8_t *at, *end; /* what is left of the request; its maker keeps the memory */
    struct arena *arena;     /* texts and arrays are taken from it */
    bool flexible;
    enum err err; /* ERR_INVALID: malformed. ERR_NO_MEMORY: the arena is at its limit */
};

struct kafka_out {
    struct buf *buf;
    bool flexible;
    enum err err;
};

/* ---- reading ---- */

bool in_bool(struct kafka_in *in);
int8_t in_i8(struct kafka_in *in);
int16_t in_i16(struct kafka_in *in);
int32_t in_i32(struct kafka_in *in);
int64_t in_i64(struct kafka_in *in);
uint32_t in_uvarint(struct kafka_in *in);
/* `size` bytes as they stand, a view into the request. */
struct bytes in_raw(struct kafka_in *in, size_t size);
/* A text with a NUL behind it, in the arena. Null is malformed, and so is a NUL inside: our names are C strings, and
 * cutting one short would make it another name. */
const char *in_text(struct kafka_in *in);
const char *in_text_or_null(struct kafka_in *in);
/* A text that always has the plain form: the client id of the request header. */
const char *in_plain_text_or_null(struct kafka_in *in);
/* Text or bytes as a view into the request; .at is NULL for null. */
struct bytes in_text_view(struct kafka_in *in);
struct bytes in_bytes(struct kafka_in *in);
/* The count of an array, -1 for null. Never more than the bytes that are left, as no item is empty. */
int32_t in_count(struct kafka_in *in);
/* The same where null is as good as empty. */
size_t in_items(struct kafka_in *in);
/* Zeroed room for `count` items in the arena; NULL (with the reader's error set) when it is at its limit. */
void *in_room(struct kafka_in *in, size_t count, size_t item_size);
/* Passes over the tag section that ends a structure; nothing in plain versions. */
void in_tags(struct kafka_in *in);
/* The end of the request: ERR_OK only if everything was read well. Bytes left over are let pass, as brokers do. */
enum err in_end(struct kafka_in *in);

/* ---- writing ---- */

void out_bool(struct kafka_out *out, bool value);
void out_i8(struct kafka_out *out, int8_t value);
void out_i16(struct kafka_out *out, int16_t value);
void out_i32(struct kafka_out *out, int32_t value);
void out_i64(struct kafka_out *out, int64_t value);
void out_uvarint(struct kafka_out *out, uint32_t value);
void out_raw(struct kafka_out *out, struct bytes bytes);
void out_text(struct kafka_out *out, const char *text);    /* NULL: null */
void out_bytes(struct kafka_out *out, struct bytes bytes); /* .at NULL: null */
void out_count(struct kafka_out *out, int32_t count);      /* -1: null */
void out_tags(struct kafka_out *out); /* an empty tag section; nothing in plain versions */

#endif
