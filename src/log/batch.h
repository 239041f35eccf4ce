/* batch.h - the fields of a record batch, and the codecs. Inside the log only.
 *
 * A batch, magic 2, as the wire and our segments have it; numbers big-endian:
 *
 *      0  base offset u64 | 8 length u32 of what follows | 12 leader epoch i32 | 16 magic i8 | 17 crc32c u32
 *     21  attributes i16 | 23 last offset delta i32 | 27 base timestamp i64 | 35 max timestamp i64
 *     43  producer id i64 | 51 producer epoch i16 | 53 base sequence i32 | 57 record count i32 | 61 records
 *
 * The checksum covers everything from the attributes on, so the log can set offset and leader epoch without
 * touching it. Attributes: bits 0-2 codec, 3 timestamps are the log's, 4 transactional, 5 control. */
#ifndef LOG_BATCH_H
#define LOG_BATCH_H

#include "log/log.h"

enum {
    BATCH_AT_LENGTH = 8,
    BATCH_AT_LEADER_EPOCH = 12,
    BATCH_AT_MAGIC = 16,
    BATCH_AT_CRC = 17,
    BATCH_AT_ATTRIBUTES = 21,
    BATCH_AT_LAST_DELTA = 23,
    BATCH_AT_BASE_TIME = 27,
    BATCH_AT_MAX_TIME = 35,
    BATCH_AT_PRODUCER_ID = 43,
    BATCH_AT_PRODUCER_EPOCH = 51,
    BATCH_AT_SEQUENCE = 53,
    BATCH_AT_COUNT = 57,
    BATCH_LENGTH_FROM = 12, /* the length field counts from here */
    BATCH_MAGIC = 2,
};

enum batch_attributes {
    BATCH_CODEC = 7,
    BATCH_APPEND_TIME = 8,
    BATCH_TRANSACTIONAL = 16,
    BATCH_CONTROL = 32,
};

enum batch_codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD, CODEC_COUNT };

/* What a batch may unpack to: a small compressed batch can otherwise ask for any amount of memory. */
enum { UNPACKED_MOST_BYTES = 64 << 20 };

struct batch_head {
    int64_t base_offset, end_offset;
    size_t size; /* the whole batch */
    uint32_t crc;
    int attributes;
    int64_t base_ms, max_ms;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t sequence;
    int32_t count;
};

/* The batch's size from its first 12 bytes. ERR_INVALID: no batch is that small or that large. */
enum err batch_size(struct bytes at_least_12, size_t *size);
/* The fields of the batch that `bytes` begins with. ERR_END: less than a whole header. ERR_INVALID: not a batch of
 * this form. Neither the checksum nor that the whole batch is there is checked. */
enum err batch_head(struct bytes bytes, struct batch_head *head);
/* Does the checksum of this whole batch hold? */
bool batch_crc_holds(struct bytes batch);

/* Are the records of this whole batch, whose checksum holds, what its head says: so many, offsets 0..n-1, each
 * well-formed? *max_ms is the largest of their timestamps. ERR_INVALID, ERR_CORRUPT, ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err batch_check_records(struct bytes batch, const struct batch_head *head, int64_t *max_ms);

/* Unpack `packed` behind what `out` holds. ERR_CORRUPT, ERR_TOO_LARGE (past `out`'s most), ERR_NO_MEMORY. */
enum err batch_unpack(enum batch_codec codec, struct bytes packed, struct buf *out);

#endif
