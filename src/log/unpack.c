/* unpack.c - gzip, snappy, lz4 and zstd, as Kafka's clients pack records, into a buffer with a bound.
 *
 * Snappy comes in two forms: raw, and framed as Java clients do it, numbers big-endian:
 *
 *     0x82 "SNAPPY" 0x00 | version u32 | compatible with u32 | (size u32 | raw snappy block[size])... */
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "log/batch.h"

enum { STEP_BYTES = 64 << 10, FRAMED_SNAPPY_HEADER_BYTES = 16 };

static enum err broken(const char *codec)
{
    return err_note(ERR_CORRUPT, "a record batch does not unpack as %s", codec);
}

/* Room for the next step of a stream; never more than the buffer's limit allows. */
static enum err room_for_step(struct buf *out)
{
    size_t left = out->most - out->size;
    enum err err;

    if (left == 0)
        return err_note(ERR_TOO_LARGE, "a record batch unpacks to more than %zu bytes", out->most);
    err = buf_reserve(out, left < STEP_BYTES ? left : STEP_BYTES);
    return err;
}

static enum err unpack_gzip(struct bytes packed, struct buf *out)
{
    z_stream stream = {.next_in = (uint8_t *)packed.at, .avail_in = (unsigned)packed.size};
    int status = inflateInit2(&stream, 16 + MAX_WBITS);
    enum err err = ERR_OK;

    if (status != Z_OK)
        return err_note(ERR_NO_MEMORY, "out of memory for gzip");
    while (status != Z_STREAM_END && !err) {
        err = room_for_step(out);
        if (err)
            break;
        size_t room = out->room - out->size;
        stream.next_out = out->at + out->size;
        stream.avail_out = (unsigned)room;
        status = inflate(&stream, Z_NO_FLUSH);
        out->size += room - stream.avail_out;
        if (status == Z_MEM_ERROR)
            err = err_note(ERR_NO_MEMORY, "out of memory for gzip");
        else if (status != Z_STREAM_END && (status != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)))
            err = broken("gzip");
    }
    inflateEnd(&stream);
    return err;
}

static enum err unpack_raw_snappy(struct bytes packed, struct buf *out)
{
    size_t size;
    enum err err;

    if (snappy_uncompressed_length((const char *)packed.at, packed.size, &size) != SNAPPY_OK)
        return broken("snappy");
    if (size > out->most - out->size)
        return err_note(ERR_TOO_LARGE, "a record batch unpacks to more than %zu bytes", out->most);
    err = buf_reserve(out, size);
    if (err)
        return err;
    if (size > 0 && snappy_uncompress((const char *)packed.at, packed.size, (char *)out->at + out->size,
                                      &size) != SNAPPY_OK)
        return broken("snappy");
    out->size += size;
    return ERR_OK;
}

static enum err unpack_snappy(struct bytes packed, struct buf *out)
{
    static const uint8_t magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

    if (packed.size < FRAMED_SNAPPY_HEADER_BYTES || memcmp(packed.at, magic, sizeof(magic)) != 0)
        return unpack_raw_snappy(packed, out);
    for (size_t at = FRAMED_SNAPPY_HEADER_BYTES; at < packed.size;) {
        size_t size;
        enum err err;
        if (packed.size - at < 4)
            return broken("framed snappy");
        size = get_u32(packed.at + at);
        at += 4;
        if (size > packed.size - at)
            return broken("framed snappy");
        err = unpack_raw_snappy(bytes_of(packed.at + at, size), out);
        if (err)
            return err;
        at += size;
    }
    return ERR_OK;
}

static enum err unpack_lz4(struct bytes packed, struct buf *out)
{
    LZ4F_dctx *context = NULL;
    size_t hint = 1;
    enum err err = ERR_OK;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return err_note(ERR_NO_MEMORY, "out of memory for lz4");
    while (hint != 0 && !err) {
        err = room_for_step(out);
        if (err)
            break;
        size_t made = out->room - out->size, taken = packed.size;
        hint = LZ4F_decompress(context, out->at + out->size, &made, packed.at, &taken, NULL);
        if (LZ4F_isError(hint) || (hint != 0 && made == 0 && taken == 0)) {
            err = broken("lz4");
            break;
        }
        out->size += made;
        packed.at += taken;
        packed.size -= taken;
    }
    LZ4F_freeDecompressionContext(context);
    return err;
}

static enum err unpack_zstd(struct bytes packed, struct buf *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed.at, packed.size, 0};
    size_t hint = 1;
    enum err err = ERR_OK;

    if (!stream)
        return err_note(ERR_NO_MEMORY, "out of memory for zstd");
    while (hint != 0 && !err) {
        err = room_for_step(out);
        if (err)
            break;
        ZSTD_outBuffer made = {out->at, out->room, out->size};
        size_t taken = in.pos;
        hint = ZSTD_decompressStream(stream, &made, &in);
        if (ZSTD_isError(hint) || (hint != 0 && made.pos == out->size && in.pos == taken)) {
            err = broken("zstd");
            break;
        }
        out->size = made.pos;
    }
    ZSTD_freeDStream(stream);
    return err;
}

enum err batch_unpack(enum batch_codec codec, struct bytes packed, struct buf *out)
{
    switch (codec) {
    case CODEC_NONE:
        return buf_add_bytes(out, packed);
    case CODEC_GZIP:
        return unpack_gzip(packed, out);
    case CODEC_SNAPPY:
        return unpack_snappy(packed, out);
    case CODEC_LZ4:
        return unpack_lz4(packed, out);
    case CODEC_ZSTD:
        return unpack_zstd(packed, out);
    case CODEC_COUNT:
        break;
    }
    return err_note(ERR_INVALID, "a record batch is packed with codec %d, which does not exist", (int)codec);
}
