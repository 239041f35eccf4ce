/* crc32c.c - CRC-32C by the processor's instruction where there is one, by tables where there is none.
 *
 * The instruction takes three cycles and a new one can start every cycle, so long inputs are cut into three lanes
 * that run side by side. The lanes' checksums are put together by linearity: the checksum of a followed by n bytes
 * is the checksum of a, moved on by n zero bytes, xor that of the n bytes started from zero. Moving on by a fixed n
 * is a linear map of 32 bits: four tables of 256. */
#include "base/crc32c.h"

#include <pthread.h>

#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

static const uint32_t polynomial = 0x82f63b78; /* bits reflected */

/* byte_tables[n][b]: the checksum of byte b followed by n zero bytes, started from zero and not inverted. */
static uint32_t byte_tables[8][256];

#ifdef __SSE4_2__
enum { LANE_LONG_BYTES = 4096, LANE_SHORT_BYTES = 256 };
static uint32_t move_long[4][256], move_short[4][256];
#endif

static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

#ifdef __SSE4_2__
/* The table of the map "move on by `zeros` zero bytes". The map is linear, so the images of the 32 single bits
 * give all. */
static void make_move(uint32_t table[4][256], size_t zeros)
{
    uint32_t image[32];

    for (int bit = 0; bit < 32; bit++) {
        uint32_t crc = (uint32_t)1 << bit;
        for (size_t i = 0; i < zeros; i++)
            crc = crc >> 8 ^ byte_tables[0][crc & 0xff];
        image[bit] = crc;
    }
    for (int part = 0; part < 4; part++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint32_t sum = 0;
            for (int bit = 0; bit < 8; bit++)
                sum ^= byte >> bit & 1 ? image[part * 8 + bit] : 0;
            table[part][byte] = sum;
        }
    }
}
#endif

static void make_tables(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        byte_tables[0][byte] = crc;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        for (int n = 1; n < 8; n++) {
            uint32_t crc = byte_tables[n - 1][byte];
            byte_tables[n][byte] = crc >> 8 ^ byte_tables[0][crc & 0xff];
        }
    }
#ifdef __SSE4_2__
    make_move(move_long, LANE_LONG_BYTES);
    make_move(move_short, LANE_SHORT_BYTES);
#endif
}

static uint64_t load_little_u64(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

uint32_t crc32c_by_tables(uint32_t crc, struct bytes bytes)
{
    const uint8_t *at = bytes.at;
    size_t left = bytes.size;

    pthread_once(&tables_made, make_tables);
    crc = ~crc;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t v = load_little_u64(at) ^ crc;
        crc = byte_tables[7][v & 0xff] ^ byte_tables[6][v >> 8 & 0xff] ^ byte_tables[5][v >> 16 & 0xff] ^
              byte_tables[4][v >> 24 & 0xff] ^ byte_tables[3][v >> 32 & 0xff] ^
              byte_tables[2][v >> 40 & 0xff] ^ byte_tables[1][v >> 48 & 0xff] ^ byte_tables[0][v >> 56];
    }
    for (; left > 0; at++, left--)
        crc = crc >> 8 ^ byte_tables[0][(crc ^ *at) & 0xff];
    return ~crc;
}

#ifdef __SSE4_2__
static uint32_t move_on(uint32_t table[4][256], uint32_t crc)
{
    return table[0][crc & 0xff] ^ table[1][crc >> 8 & 0xff] ^ table[2][crc >> 16 & 0xff] ^
           table[3][crc >> 24];
}

/* Three lanes of `lane` bytes (a multiple of 8) from `at` on. */
static inline uint32_t three_lanes(uint32_t crc, const uint8_t *at, size_t lane, uint32_t table[4][256])
{
    uint64_t a = crc, b = 0, c = 0;

    for (const uint8_t *end = at + lane; at < end; at += 8) {
        a = _mm_crc32_u64(a, load_little_u64(at));
        b = _mm_crc32_u64(b, load_little_u64(at + lane));
        c = _mm_crc32_u64(c, load_little_u64(at + 2 * lane));
    }
    return move_on(table, move_on(table, (uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
}

uint32_t crc32c_more(uint32_t crc, struct bytes bytes)
{
    const uint8_t *at = bytes.at;
    size_t left = bytes.size;
    uint64_t sum;

    crc = ~crc;
    if (left >= 3 * LANE_SHORT_BYTES) {
        pthread_once(&tables_made, make_tables);
        for (; left >= 3 * LANE_LONG_BYTES; at += 3 * LANE_LONG_BYTES, left -= 3 * LANE_LONG_BYTES)
            crc = three_lanes(crc, at, LANE_LONG_BYTES, move_long);
        for (; left >= 3 * LANE_SHORT_BYTES; at += 3 * LANE_SHORT_BYTES, left -= 3 * LANE_SHORT_BYTES)
            crc = three_lanes(crc, at, LANE_SHORT_BYTES, move_short);
    }
    sum = crc;
    for (; left >= 8; at += 8, left -= 8)
        sum = _mm_crc32_u64(sum, load_little_u64(at));
    for (; left > 0; at++, left--)
        sum = _mm_crc32_u8((uint32_t)sum, *at);
    return ~(uint32_t)sum;
}
#else
uint32_t crc32c_more(uint32_t crc, struct bytes bytes)
{
    return crc32c_by_tables(crc, bytes);
}
#endif

uint32_t crc32c(struct bytes bytes)
{
    return crc32c_more(0, bytes);
}
