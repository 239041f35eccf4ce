/* kafka_codec.c - reading and writing the Kafka protocol's primitive types; kafka_codec.h draws them. */
#include "gateway/kafka_codec.h"

#include <limits.h>

/* ---- reading ---- */

static void in_fail(struct kafka_in *in, enum err err)
{
    if (!in->err)
        in->err = err;
    in->at = in->end;
}

struct bytes in_raw(struct kafka_in *in, size_t size)
{
    const uint8_t *at = in->at;

    if (in->err || (size_t)(in->end - at) < size) {
        in_fail(in, ERR_INVALID);
        return (struct bytes){NULL, 0};
    }
    in->at += size;
    return bytes_of(at, size);
}

bool in_bool(struct kafka_in *in)
{
    return in_i8(in) != 0;
}

int8_t in_i8(struct kafka_in *in)
{
    struct bytes raw = in_raw(in, 1);

    return raw.at ? (int8_t)raw.at[0] : 0;
}

int16_t in_i16(struct kafka_in *in)
{
    struct bytes raw = in_raw(in, 2);

    return raw.at ? (int16_t)get_u16(raw.at) : 0;
}

int32_t in_i32(struct kafka_in *in)
{
    struct bytes raw = in_raw(in, 4);

    return raw.at ? (int32_t)get_u32(raw.at) : 0;
}

int64_t in_i64(struct kafka_in *in)
{
    struct bytes raw = in_raw(in, 8);

    return raw.at ? (int64_t)get_u64(raw.at) : 0;
}

uint32_t in_uvarint(struct kafka_in *in)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 35; shift += 7) {
        uint8_t byte = (uint8_t)in_i8(in);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (value <= UINT32_MAX)
                return (uint32_t)value;
            break;
        }
    }
    in_fail(in, ERR_INVALID);
    return 0;
}

/* The length of a text, bytes or array: -1 null. `plain_size` is the width of its plain form. */
static int64_t in_length(struct kafka_in *in, size_t plain_size)
{
    int64_t length;

    if (in->flexible)
        length = (int64_t)in_uvarint(in) - 1;
    else
        length = plain_size == 2 ? in_i16(in) : in_i32(in);
    if (in->err)
        return -1;
    if (length < -1 || length > in->end - in->at) {
        in_fail(in, ERR_INVALID);
        return -1;
    }
    return length;
}

static struct bytes in_sized(struct kafka_in *in, size_t plain_size)
{
    int64_t length = in_length(in, plain_size);

    return length < 0 ? (struct bytes){NULL, 0} : in_raw(in, (size_t)length);
}

struct bytes in_text_view(struct kafka_in *in)
{
    return in_sized(in, 2);
}

struct bytes in_bytes(struct kafka_in *in)
{
    return in_sized(in, 4);
}

const char *in_text_or_null(struct kafka_in *in)
{
    struct bytes view = in_text_view(in);
    const char *text;

    if (!view.at)
        return NULL;
    if (view.size > 0 && memchr(view.at, 0, view.size)) {
        in_fail(in, ERR_INVALID);
        return NULL;
    }
    text = arena_text(in->arena, view);
    if (!text)
        in_fail(in, ERR_NO_MEMORY);
    return text;
}

const char *in_text(struct kafka_in *in)
{
    const char *text = in_text_or_null(in);

    if (text)
        return text;
    in_fail(in, ERR_INVALID);
    return "";
}

const char *in_plain_text_or_null(struct kafka_in *in)
{
    bool flexible = in->flexible;
    const char *text;

    in->flexible = false;
    text = in_text_or_null(in);
    in->flexible = flexible;
    return text;
}

int32_t in_count(struct kafka_in *in)
{
    int64_t count = in_length(in, 4);

    return count > INT32_MAX ? -1 : (int32_t)count;
}

size_t in_items(struct kafka_in *in)
{
    int32_t count = in_count(in);

    return count < 0 ? 0 : (size_t)count;
}

void *in_room(struct kafka_in *in, size_t count, size_t item_size)
{
    void *room = NULL;
    size_t size;

    if (!__builtin_mul_overflow(count, item_size, &size))
        room = arena_take(in->arena, size ? size : 1);
    if (!room)
        in_fail(in, ERR_NO_MEMORY);
    return room;
}

void in_tags(struct kafka_in *in)
{
    if (!in->flexible)
        return;
    for (uint32_t left = in_uvarint(in); left > 0 && !in->err; left--) {
        in_uvarint(in); /* which one; we know none */
        in_raw(in, in_uvarint(in));
    }
}

enum err in_end(struct kafka_in *in)
{
    return in->err;
}

/* ---- writing ---- */

void out_raw(struct kafka_out *out, struct bytes bytes)
{
    if (!out->err)
        out->err = buf_add_bytes(out->buf, bytes);
}

void out_bool(struct kafka_out *out, bool value)
{
    out_i8(out, value);
}

void out_i8(struct kafka_out *out, int8_t value)
{
    out_raw(out, bytes_of(&value, 1));
}

void out_i16(struct kafka_out *out, int16_t value)
{
    uint8_t raw[2];

    put_u16(raw, (uint16_t)value);
    out_raw(out, bytes_of(raw, sizeof(raw)));
}

void out_i32(struct kafka_out *out, int32_t value)
{
    uint8_t raw[4];

    put_u32(raw, (uint32_t)value);
    out_raw(out, bytes_of(raw, sizeof(raw)));
}

void out_i64(struct kafka_out *out, int64_t value)
{
    uint8_t raw[8];

    put_u64(raw, (uint64_t)value);
    out_raw(out, bytes_of(raw, sizeof(raw)));
}

void out_uvarint(struct kafka_out *out, uint32_t value)
{
    uint8_t raw[5];
    size_t size = 0;

    for (; value >= 0x80; value >>= 7)
        raw[size++] = (uint8_t)(value | 0x80);
    raw[size++] = (uint8_t)value;
    out_raw(out, bytes_of(raw, size));
}

/* A length, -1 for null. */
static void out_length(struct kafka_out *out, int64_t length, size_t plain_size)
{
    if (out->flexible)
        out_uvarint(out, (uint32_t)(length + 1));
    else if (plain_size == 2)
        out_i16(out, (int16_t)length);
    else
        out_i32(out, (int32_t)length);
}

void out_text(struct kafka_out *out, const char *text)
{
    size_t length = text ? strlen(text) : 0;

    if (length > INT16_MAX)
        length = INT16_MAX;
    out_length(out, text ? (int64_t)length : -1, 2);
    out_raw(out, bytes_of(text, length));
}

void out_bytes(struct kafka_out *out, struct bytes bytes)
{
    out_length(out, bytes.at ? (int64_t)bytes.size : -1, 4);
    out_raw(out, bytes);
}

void out_count(struct kafka_out *out, int32_t count)
{
    out_length(out, count, 4);
}

void out_tags(struct kafka_out *out)
{
    if (out->flexible)
        out_uvarint(out, 0);
}
