/* record.c - record batches: their head (batch.h draws it), writing one, walking many; and a key's partition.
 *
 * A record; every number but the attributes is a zigzag varint:
 *
 *     length | attributes i8 | timestamp delta | offset delta | key length, -1 null | key
 *            | value length, -1 null | value | header count | (key length | key | value length, -1 null | value)... */
#include <assert.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "log/batch.h"

enum { VARINT_MOST_BYTES = 10, RECORD_HEADERS_MOST = 65536 };

/* ---- the head ---- */

enum err batch_size(struct bytes at_least_12, size_t *size)
{
    uint32_t length;

    assert(at_least_12.size >= BATCH_LENGTH_FROM);
    length = get_u32(at_least_12.at + BATCH_AT_LENGTH);
    if (length < BATCH_HEADER_BYTES - BATCH_LENGTH_FROM || length > INT32_MAX)
        return err_note(ERR_INVALID, "a record batch gives %u as its length", length);
    *size = (size_t)length + BATCH_LENGTH_FROM;
    return ERR_OK;
}

enum err batch_head(struct bytes bytes, struct batch_head *head)
{
    const uint8_t *at = bytes.at;
    int32_t last_delta;
    enum err err;

    if (bytes.size < BATCH_HEADER_BYTES)
        return ERR_END;
    err = batch_size(bytes, &head->size);
    if (err)
        return err;
    if (at[BATCH_AT_MAGIC] != BATCH_MAGIC)
        return err_note(ERR_INVALID, "a record batch has format %d; 2 is the one taken here",
                        at[BATCH_AT_MAGIC]);
    head->base_offset = (int64_t)get_u64(at);
    head->crc = get_u32(at + BATCH_AT_CRC);
    head->attributes = (int)get_u16(at + BATCH_AT_ATTRIBUTES);
    last_delta = (int32_t)get_u32(at + BATCH_AT_LAST_DELTA);
    head->base_ms = (int64_t)get_u64(at + BATCH_AT_BASE_TIME);
    head->max_ms = (int64_t)get_u64(at + BATCH_AT_MAX_TIME);
    head->producer_id = (int64_t)get_u64(at + BATCH_AT_PRODUCER_ID);
    head->producer_epoch = (int16_t)get_u16(at + BATCH_AT_PRODUCER_EPOCH);
    head->sequence = (int32_t)get_u32(at + BATCH_AT_SEQUENCE);
    head->count = (int32_t)get_u32(at + BATCH_AT_COUNT);
    if (head->base_offset < 0 || head->base_offset > INT64_MAX - INT32_MAX - 1 || last_delta < 0 ||
        head->count < 0)
        return err_note(ERR_INVALID, "a record batch has a negative offset or count");
    head->end_offset = head->base_offset + last_delta + 1;
    return ERR_OK;
}

bool batch_crc_holds(struct bytes batch)
{
    return crc32c(bytes_of(batch.at + BATCH_AT_ATTRIBUTES, batch.size - BATCH_AT_ATTRIBUTES)) ==
           get_u32(batch.at + BATCH_AT_CRC);
}

/* ---- varints ---- */

static size_t put_varint(uint8_t *at, int64_t value)
{
    uint64_t left = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    size_t size = 0;

    for (; left >= 0x80; left >>= 7)
        at[size++] = (uint8_t)(left | 0x80);
    at[size++] = (uint8_t)left;
    return size;
}

static size_t varint_size(int64_t value)
{
    uint64_t left = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);

    return left < 0x80 ? 1 : (size_t)(63 - __builtin_clzll(left)) / 7 + 1;
}

/* Takes a number off the front of `bytes`. False: there is none. */
static bool take_varint(struct bytes *bytes, int64_t *value)
{
    uint64_t sum = 0;

    for (unsigned shift = 0, i = 0; i < VARINT_MOST_BYTES && i < bytes->size; i++, shift += 7) {
        uint8_t byte = bytes->at[i];
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            bytes->at += i + 1;
            bytes->size -= i + 1;
            *value = (int64_t)(sum >> 1) ^ -(int64_t)(sum & 1);
            return true;
        }
    }
    return false;
}

/* Takes a length and so many bytes; length -1 is null. */
static bool take_nullable(struct bytes *bytes, struct bytes *field)
{
    int64_t size;

    if (!take_varint(bytes, &size) || size < -1 || (size > 0 && (uint64_t)size > bytes->size))
        return false;
    if (size < 0) {
        *field = (struct bytes){NULL, 0};
        return true;
    }
    *field = bytes_of(bytes->at, (size_t)size);
    bytes->at += size;
    bytes->size -= (size_t)size;
    return true;
}

/* ---- writing ---- */

enum err batch_begin(struct batch_writer *writer, struct buf *out)
{
    enum err err = buf_reserve(out, BATCH_HEADER_BYTES);

    if (err)
        return err;
    *writer = (struct batch_writer){.out = out, .start = out->size};
    memset(out->at + out->size, 0, BATCH_HEADER_BYTES);
    out->size += BATCH_HEADER_BYTES;
    return ERR_OK;
}

static size_t nullable_size(struct bytes field)
{
    return field.at ? varint_size((int64_t)field.size) + field.size : 1;
}

static uint8_t *put_nullable(uint8_t *at, struct bytes field)
{
    at += put_varint(at, field.at ? (int64_t)field.size : -1);
    if (field.size > 0)
        memcpy(at, field.at, field.size);
    return at + field.size;
}

enum err batch_add(struct batch_writer *writer, const struct record *record)
{
    int64_t time_delta, base_ms = writer->count > 0 ? writer->base_ms : record->timestamp_ms;
    size_t size;
    uint8_t *at;
    enum err err;

    assert(record->key.at || record->key.size == 0);
    assert(record->value.at || record->value.size == 0);
    if (__builtin_sub_overflow(record->timestamp_ms, base_ms, &time_delta))
        return err_note(ERR_INVALID, "the times of two records of a batch are too far apart");
    size = 1 + varint_size(time_delta) + varint_size(writer->count) + nullable_size(record->key) +
           nullable_size(record->value) + varint_size((int64_t)record->header_count);
    for (size_t i = 0; i < record->header_count; i++)
        size += varint_size((int64_t)record->headers[i].key.size) + record->headers[i].key.size +
                nullable_size(record->headers[i].value);
    if (writer->count == INT32_MAX ||
        size > INT32_MAX - VARINT_MOST_BYTES - (writer->out->size - writer->start))
        return err_note(ERR_TOO_LARGE, "a record batch would grow past 2 GiB");
    err = buf_reserve(writer->out, size + VARINT_MOST_BYTES);
    if (err)
        return err;

    at = writer->out->at + writer->out->size;
    at += put_varint(at, (int64_t)size);
    *at++ = 0;
    at += put_varint(at, time_delta);
    at += put_varint(at, writer->count);
    at = put_nullable(at, record->key);
    at = put_nullable(at, record->value);
    at += put_varint(at, (int64_t)record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        at = put_nullable(
            at, bytes_of(record->headers[i].key.at ? record->headers[i].key.at : (const uint8_t *)"",
                         record->headers[i].key.size));
        at = put_nullable(at, record->headers[i].value);
    }
    writer->out->size = (size_t)(at - writer->out->at);
    if (writer->count == 0) {
        writer->base_ms = writer->max_ms = record->timestamp_ms;
    } else if (record->timestamp_ms > writer->max_ms) {
        writer->max_ms = record->timestamp_ms;
    }
    writer->count++;
    return ERR_OK;
}

enum err batch_finish(struct batch_writer *writer, struct bytes *batch)
{
    size_t size = writer->out->size - writer->start;
    uint8_t *at = writer->out->at + writer->start;

    if (writer->count == 0)
        return err_note(ERR_INVALID, "a record batch needs at least one record");
    put_u32(at + BATCH_AT_LENGTH, (uint32_t)(size - BATCH_LENGTH_FROM));
    at[BATCH_AT_MAGIC] = BATCH_MAGIC;
    put_u32(at + BATCH_AT_LAST_DELTA, (uint32_t)writer->count - 1);
    put_u64(at + BATCH_AT_BASE_TIME, (uint64_t)writer->base_ms);
    put_u64(at + BATCH_AT_MAX_TIME, (uint64_t)writer->max_ms);
    put_u64(at + BATCH_AT_PRODUCER_ID, UINT64_MAX);
    put_u16(at + BATCH_AT_PRODUCER_EPOCH, UINT16_MAX);
    put_u32(at + BATCH_AT_SEQUENCE, UINT32_MAX);
    put_u32(at + BATCH_AT_COUNT, (uint32_t)writer->count);
    put_u32(at + BATCH_AT_CRC, crc32c(bytes_of(at + BATCH_AT_ATTRIBUTES, size - BATCH_AT_ATTRIBUTES)));
    *batch = bytes_of(at, size);
    return ERR_OK;
}

/* ---- reading ---- */

struct batch_reader batch_reader(struct bytes batches)
{
    return (struct batch_reader){.rest = batches, .unpacked = buf_init(UNPACKED_MOST_BYTES)};
}

void batch_reader_release(struct batch_reader *reader)
{
    buf_release(&reader->unpacked);
    free(reader->headers);
    *reader = batch_reader((struct bytes){NULL, 0});
}

/* Enter the next batch that holds records for clients. */
static enum err next_batch(struct batch_reader *reader)
{
    struct batch_head head;
    struct bytes batch;
    enum err err;

    for (;;) {
        err = batch_head(reader->rest, &head);
        if (err)
            return err;
        if (head.size > reader->rest.size)
            return ERR_END;
        batch = bytes_of(reader->rest.at, head.size);
        reader->rest.at += head.size;
        reader->rest.size -= head.size;
        if (!batch_crc_holds(batch))
            return err_note(ERR_CORRUPT, "the record batch at offset %lld fails its checksum",
                            (long long)head.base_offset);
        if (head.count > 0 && !(head.attributes & BATCH_CONTROL))
            break;
    }
    reader->records = bytes_of(batch.at + BATCH_HEADER_BYTES, head.size - BATCH_HEADER_BYTES);
    if (head.attributes & BATCH_CODEC) {
        buf_clear(&reader->unpacked);
        err = batch_unpack(head.attributes & BATCH_CODEC, reader->records, &reader->unpacked);
        if (err)
            return err;
        reader->records = buf_bytes(&reader->unpacked);
    }
    reader->base_offset = head.base_offset;
    reader->end_offset = head.end_offset;
    reader->base_ms = head.base_ms;
    reader->max_ms = head.max_ms;
    reader->append_time = head.attributes & BATCH_APPEND_TIME;
    reader->left = head.count;
    return ERR_OK;
}

static enum err malformed(int64_t base_offset)
{
    return err_note(ERR_INVALID, "the record batch at offset %lld holds a malformed record",
                    (long long)base_offset);
}

/* A record up to its headers, which are what is left of `body`. */
struct record_start {
    int64_t time_delta, offset_delta;
    struct bytes key, value, body;
    int64_t header_count;
};

/* Takes a record off the front of `records`. False: there is no well-formed one. */
static bool take_record(struct bytes *records, struct record_start *out)
{
    int64_t size;

    if (!take_varint(records, &size) || size < 1 || (uint64_t)size > records->size)
        return false;
    out->body = bytes_of(records->at + 1, (size_t)size - 1); /* the attributes byte has no use yet */
    records->at += size;
    records->size -= (size_t)size;
    /* a header takes at least two bytes, so a count that lies cannot make us take much memory */
    return take_varint(&out->body, &out->time_delta) && take_varint(&out->body, &out->offset_delta) &&
           take_nullable(&out->body, &out->key) && take_nullable(&out->body, &out->value) &&
           take_varint(&out->body, &out->header_count) && out->header_count >= 0 &&
           (uint64_t)out->header_count <= out->body.size / 2;
}

static bool take_header(struct bytes *body, struct record_header *out)
{
    return take_nullable(body, &out->key) && out->key.at && take_nullable(body, &out->value);
}

static enum err too_many_headers(int64_t count)
{
    return err_note(ERR_TOO_LARGE, "a record has %lld headers; %d are taken", (long long)count,
                    RECORD_HEADERS_MOST);
}

static enum err read_headers(struct batch_reader *reader, struct record_start *start, struct record *out)
{
    size_t count = (size_t)start->header_count;

    if (count > RECORD_HEADERS_MOST)
        return too_many_headers(start->header_count);
    if (count > reader->header_room) {
        struct record_header *more = realloc(reader->headers, count * sizeof(*more));
        if (!more)
            return err_note(ERR_NO_MEMORY, "out of memory for the headers of a record");
        reader->headers = more;
        reader->header_room = count;
    }
    for (size_t i = 0; i < count; i++) {
        if (!take_header(&start->body, &reader->headers[i]))
            return malformed(reader->base_offset);
    }
    if (start->body.size > 0)
        return malformed(reader->base_offset);
    out->headers = reader->headers;
    out->header_count = count;
    return ERR_OK;
}

enum err batch_read(struct batch_reader *reader, struct record *out)
{
    struct record_start start;

    if (reader->left == 0) {
        enum err err = next_batch(reader);
        if (err)
            return err;
    }
    if (!take_record(&reader->records, &start) || start.offset_delta < 0 ||
        start.offset_delta >= reader->end_offset - reader->base_offset ||
        __builtin_add_overflow(reader->base_ms, start.time_delta, &out->timestamp_ms))
        return malformed(reader->base_offset);
    reader->left--;
    if (reader->left == 0 && reader->records.size > 0)
        return malformed(reader->base_offset);
    if (reader->append_time)
        out->timestamp_ms = reader->max_ms;
    out->offset = reader->base_offset + start.offset_delta;
    out->key = start.key;
    out->value = start.value;
    return read_headers(reader, &start, out);
}

enum err batch_check_records(struct bytes batch, const struct batch_head *head, int64_t *max_ms)
{
    struct bytes records = bytes_of(batch.at + BATCH_HEADER_BYTES, batch.size - BATCH_HEADER_BYTES);
    struct buf unpacked = buf_init(UNPACKED_MOST_BYTES);
    enum err err = ERR_OK;

    if (head->attributes & BATCH_CODEC) {
        err = batch_unpack(head->attributes & BATCH_CODEC, records, &unpacked);
        if (err)
            goto out;
        records = buf_bytes(&unpacked);
    }
    *max_ms = INT64_MIN;
    for (int32_t i = 0; i < head->count; i++) {
        struct record_start start;
        struct record_header header;
        int64_t time_ms;
        bool good = take_record(&records, &start) && start.offset_delta == i &&
                    !__builtin_add_overflow(head->base_ms, start.time_delta, &time_ms);
        if (good && start.header_count > RECORD_HEADERS_MOST) {
            err = too_many_headers(start.header_count);
            goto out;
        }
        for (int64_t h = 0; good && h < start.header_count; h++)
            good = take_header(&start.body, &header);
        if (!good || start.body.size > 0) {
            err = err_note(ERR_INVALID, "record %d of a batch of %d is malformed", i, head->count);
            goto out;
        }
        if (time_ms > *max_ms)
            *max_ms = time_ms;
    }
    if (records.size > 0)
        err =
            err_note(ERR_INVALID, "a batch of %d records has %zu bytes left over", head->count, records.size);
out:
    buf_release(&unpacked);
    return err;
}

/* ---- partitioning ---- */

/* MurmurHash2, 32 bits, with the seed that Kafka's Java client has. */
static uint32_t murmur2(struct bytes key)
{
    const uint32_t m = 0x5bd1e995;
    const uint8_t *at = key.at;
    size_t left = key.size;
    uint32_t h = 0x9747b28c ^ (uint32_t)key.size;

    for (; left >= 4; at += 4, left -= 4) {
        uint32_t k = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        k *= m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    if (left > 0) {
        for (size_t i = 0; i < left; i++)
            h ^= (uint32_t)at[i] << 8 * i;
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

int32_t partition_of_key(struct bytes key, int32_t partition_count)
{
    assert(partition_count > 0);
    return (int32_t)(murmur2(key) & 0x7fffffff) % partition_count;
}
