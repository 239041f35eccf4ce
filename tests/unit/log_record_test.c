/* Record batches come from clients we did not write. A field read wrong would hand out wrong bytes; a length that
 * lies would read past the end or take all memory.
 * How: batches written and read back; each codec packed here with its own library; every cut and every flipped byte
 * of a batch must be refused or give the same records; a small batch that unpacks to much is stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/crc32c.h"
#include "log/batch.h"

static struct bytes three_records(struct buf *out)
{
    const struct record_header headers[] = {
        {BYTES("trace"), BYTES("abc")},
        {BYTES("none"), {NULL, 0}},
    };
    const struct record records[] = {
        {.timestamp_ms = 1000, .key = BYTES("k"), .value = BYTES("first")},
        {.timestamp_ms = 900, .value = BYTES(""), .headers = headers, .header_count = 2},
        {.timestamp_ms = 2000, .key = BYTES("")},
    };
    struct batch_writer writer;
    struct bytes batch;

    assert_int_equal(batch_begin(&writer, out), ERR_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(batch_add(&writer, &records[i]), ERR_OK);
    assert_int_equal(batch_finish(&writer, &batch), ERR_OK);
    return batch;
}

static void check_three_records(struct bytes batches)
{
    struct batch_reader reader = batch_reader(batches);
    struct record record;

    assert_int_equal(batch_read(&reader, &record), ERR_OK);
    assert_int_equal(record.offset, 0);
    assert_int_equal(record.timestamp_ms, 1000);
    assert_true(bytes_equal(record.key, BYTES("k")) && bytes_equal(record.value, BYTES("first")));
    assert_int_equal(record.header_count, 0);
    assert_int_equal(batch_read(&reader, &record), ERR_OK);
    assert_int_equal(record.offset, 1);
    assert_int_equal(record.timestamp_ms, 900);
    assert_null(record.key.at);
    assert_non_null(record.value.at);
    assert_int_equal(record.value.size, 0);
    assert_int_equal(record.header_count, 2);
    assert_true(bytes_equal(record.headers[0].key, BYTES("trace")));
    assert_true(bytes_equal(record.headers[0].value, BYTES("abc")));
    assert_null(record.headers[1].value.at);
    assert_int_equal(batch_read(&reader, &record), ERR_OK);
    assert_non_null(record.key.at);
    assert_null(record.value.at);
    assert_int_equal(batch_read(&reader, &record), ERR_END);
    batch_reader_release(&reader);
}

/* The same batch with its records replaced by `records`, packed with `codec`. */
static void repack(struct bytes batch, int codec, struct bytes records, struct buf *out)
{
    buf_clear(out);
    buf_add(out, batch.at, BATCH_HEADER_BYTES);
    buf_add_bytes(out, records);
    put_u16(out->at + BATCH_AT_ATTRIBUTES, (uint16_t)codec);
    put_u32(out->at + BATCH_AT_LENGTH, (uint32_t)out->size - BATCH_LENGTH_FROM);
    put_u32(out->at + BATCH_AT_CRC,
            crc32c(bytes_of(out->at + BATCH_AT_ATTRIBUTES, out->size - BATCH_AT_ATTRIBUTES)));
}

static void pack(int codec, struct bytes from, struct buf *out)
{
    size_t room = from.size * 2 + 4096;

    buf_clear(out);
    assert_int_equal(buf_reserve(out, room), ERR_OK);
    if (codec == CODEC_GZIP) {
        z_stream stream = {0};
        assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
        stream.next_in = (uint8_t *)from.at;
        stream.avail_in = (unsigned)from.size;
        stream.next_out = out->at;
        stream.avail_out = (unsigned)room;
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        out->size = stream.total_out;
        deflateEnd(&stream);
    } else if (codec == CODEC_SNAPPY) {
        assert_int_equal(snappy_compress((const char *)from.at, from.size, (char *)out->at, &room),
                         SNAPPY_OK);
        out->size = room;
    } else if (codec == CODEC_LZ4) {
        out->size = LZ4F_compressFrame(out->at, room, from.at, from.size, NULL);
        assert_false(LZ4F_isError(out->size));
    } else {
        out->size = ZSTD_compress(out->at, room, from.at, from.size, 3);
        assert_false(ZSTD_isError(out->size));
    }
}

static void records_come_back_as_written(void **state)
{
    struct buf out = buf_init(1 << 20);

    check_three_records(three_records(&out));
    buf_release(&out);
}

static void each_codec_is_read(void **state)
{
    struct buf plain = buf_init(1 << 20), packed = buf_init(1 << 20), batch = buf_init(1 << 20);
    struct bytes written = three_records(&plain);
    struct bytes records = bytes_of(written.at + BATCH_HEADER_BYTES, written.size - BATCH_HEADER_BYTES);

    for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
        pack(codec, records, &packed);
        repack(written, codec, buf_bytes(&packed), &batch);
        check_three_records(buf_bytes(&batch));
        for (size_t cut = 0; cut < packed.size; cut++) { /* a stream that stops early is not whole */
            struct batch_reader reader;
            struct record record;
            enum err err;
            repack(written, codec, bytes_of(packed.at, cut), &batch);
            reader = batch_reader(buf_bytes(&batch));
            while (!(err = batch_read(&reader, &record))) {
            }
            /* zstd and lz4 may end with a checksum or an empty block whose absence costs no record */
            assert_true(err == ERR_CORRUPT || err == ERR_INVALID);
            batch_reader_release(&reader);
        }
    }
    buf_release(&plain);
    buf_release(&packed);
    buf_release(&batch);
}

/* Java's framing: a header, then blocks with their sizes. */
static void framed_snappy_is_read(void **state)
{
    static const uint8_t head[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
    struct buf plain = buf_init(1 << 20), packed = buf_init(1 << 20), framed = buf_init(1 << 20),
               batch = buf_init(1 << 20);
    struct bytes written = three_records(&plain);
    struct bytes records = bytes_of(written.at + BATCH_HEADER_BYTES, written.size - BATCH_HEADER_BYTES);
    uint8_t size[4];

    buf_add(&framed, head, sizeof(head));
    for (size_t at = 0; at < records.size; at += 10) {
        pack(CODEC_SNAPPY, bytes_of(records.at + at, records.size - at < 10 ? records.size - at : 10),
             &packed);
        put_u32(size, (uint32_t)packed.size);
        buf_add(&framed, size, 4);
        buf_add_bytes(&framed, buf_bytes(&packed));
    }
    repack(written, CODEC_SNAPPY, buf_bytes(&framed), &batch);
    check_three_records(buf_bytes(&batch));
    buf_release(&plain);
    buf_release(&packed);
    buf_release(&framed);
    buf_release(&batch);
}

static void what_unpacks_to_too_much_is_refused(void **state)
{
    struct buf plain = buf_init(1 << 20), packed = buf_init(1 << 30), batch = buf_init(1 << 30);
    struct bytes written = three_records(&plain);
    size_t size = UNPACKED_MOST_BYTES + 1;
    uint8_t *zeros = calloc(1, size);

    for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
        struct batch_reader reader;
        struct record record;
        pack(codec, bytes_of(zeros, size), &packed);
        repack(written, codec, buf_bytes(&packed), &batch);
        reader = batch_reader(buf_bytes(&batch));
        assert_int_equal(batch_read(&reader, &record), ERR_TOO_LARGE);
        batch_reader_release(&reader);
    }
    free(zeros);
    buf_release(&plain);
    buf_release(&packed);
    buf_release(&batch);
}

static void a_partial_last_batch_ends_the_walk(void **state)
{
    struct buf out = buf_init(1 << 20);
    size_t first, both;
    struct record record;

    three_records(&out);
    first = out.size;
    three_records(&out);
    both = out.size;
    for (size_t size = first; size < both; size++) {
        uint8_t *copy = malloc(size); /* so that a sanitizer sees a read past the end */
        struct batch_reader reader = batch_reader(bytes_of(memcpy(copy, out.at, size), size));
        int count = 0;
        while (!batch_read(&reader, &record))
            count++;
        assert_int_equal(count, 3);
        batch_reader_release(&reader);
        free(copy);
    }
    buf_release(&out);
}

static void a_flipped_bit_is_noticed(void **state)
{
    struct buf out = buf_init(1 << 20);
    struct bytes batch = three_records(&out);

    for (size_t bit = BATCH_AT_CRC * 8; bit < batch.size * 8; bit++) {
        struct batch_reader reader = batch_reader(batch);
        struct record record;
        out.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum err err = batch_read(&reader, &record);
        assert_true(err == ERR_CORRUPT || err == ERR_INVALID);
        out.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        batch_reader_release(&reader);
    }
    buf_release(&out);
}

/* The first two pairs are those of the Java client's own tests; all were computed with kafka-python's murmur2. */
static void keys_go_where_java_sends_them(void **state)
{
    const struct {
        struct bytes key;
        int32_t of_2147483647;
    } known[] = {
        {BYTES("21"), -973932308 & 0x7fffffff},
        {BYTES("foobar"), -790332482 & 0x7fffffff},
        {BYTES("a-little-bit-long-string"), -985981536 & 0x7fffffff},
        {BYTES("abc"), 479470107},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        assert_int_equal(partition_of_key(known[i].key, INT32_MAX), known[i].of_2147483647);
    assert_int_equal(partition_of_key(BYTES("abc"), 12), 479470107 % 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_as_written),
        cmocka_unit_test(each_codec_is_read),
        cmocka_unit_test(framed_snappy_is_read),
        cmocka_unit_test(what_unpacks_to_too_much_is_refused),
        cmocka_unit_test(a_partial_last_batch_ends_the_walk),
        cmocka_unit_test(a_flipped_bit_is_noticed),
        cmocka_unit_test(keys_go_where_java_sends_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
