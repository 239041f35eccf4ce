/* sequence.c - sequence numbers: 47 hexadecimal digits, 188 bits, written as a decimal number.
 *
 * Every record of an answer has one, so they are made and read eighteen decimal digits at a time. */
#include "base/sequence.h"

#include <assert.h>

/* The number as three words, the lowest first:
 *
 *     [2] 02, created [9], shard [1], offset [4] | [1] offset [12], 00, arrived [2] | [0] arrived [7], shard [8], 2
 */
enum { WORDS = 3, DIGITS = 56, CHUNK_DIGITS = 18, ARRIVED_LOW_BITS = 28 };

static const uint64_t chunk_range = 1000000000000000000; /* ten to the CHUNK_DIGITS */
static const uint64_t nine_digits = 0xfffffffff, seven_digits = 0xfffffff;

void sequence_format(int64_t created_s, uint32_t shard, int64_t offset, int64_t arrival_s,
                     char out[SEQUENCE_TEXT_BYTES])
{
    uint64_t arrived = (uint64_t)arrival_s & nine_digits;
    uint64_t words[WORDS] = {
        (arrived & seven_digits) << 36 | (uint64_t)shard << 4 | 2,
        (uint64_t)offset << 16 | arrived >> ARRIVED_LOW_BITS,
        (uint64_t)2 << 56 | ((uint64_t)created_s & nine_digits) << 20 | (uint64_t)(shard & 15) << 16 |
            (uint64_t)offset >> 48,
    };

    assert(offset >= 0 && created_s >= 0 && arrival_s >= 0);
    out[DIGITS] = 0; /* that many at any time, because the first hexadecimal digit is 2 */
    for (int at = DIGITS; at > 0;) {
        uint64_t rest = 0;
        for (int i = WORDS - 1; i >= 0; i--) {
            unsigned __int128 part = (unsigned __int128)rest << 64 | words[i];
            words[i] = (uint64_t)(part / chunk_range);
            rest = (uint64_t)(part % chunk_range);
        }
        for (int i = 0; i < CHUNK_DIGITS && at > 0; i++, rest /= 10)
            out[--at] = (char)('0' + rest % 10);
    }
}

/* words * range + more; the text's length keeps the sum within the words. */
static void add_digits(uint64_t words[WORDS], uint64_t range, uint64_t more)
{
    for (int i = 0; i < WORDS; i++) {
        unsigned __int128 sum = (unsigned __int128)words[i] * range + more;
        words[i] = (uint64_t)sum;
        more = (uint64_t)(sum >> 64);
    }
}

enum err sequence_parse(struct bytes text, int64_t *created_s, uint32_t *shard, int64_t *offset)
{
    uint64_t words[WORDS] = {0}, range = 1, chunk = 0, at_offset;
    uint32_t at_shard;

    if (text.size != DIGITS)
        goto bad;
    for (size_t i = 0; i < DIGITS; i++) {
        uint8_t digit = (uint8_t)(text.at[i] - '0');
        if (digit > 9)
            goto bad;
        chunk = chunk * 10 + digit;
        range *= 10;
        if (range == chunk_range || i == DIGITS - 1) {
            add_digits(words, range, chunk);
            range = 1;
            chunk = 0;
        }
    }
    at_offset = words[2] << 48 | words[1] >> 16;
    at_shard = (uint32_t)(words[0] >> 4);
    /* the digits that say nothing of their own */
    if (words[2] >> 56 != 2 || (words[2] >> 16 & 15) != (at_shard & 15) || (words[1] >> 8 & 0xff) != 0 ||
        (words[0] & 15) != 2 || at_offset > INT64_MAX)
        goto bad;
    if (created_s)
        *created_s = (int64_t)(words[2] >> 20 & nine_digits);
    if (shard)
        *shard = at_shard;
    if (offset)
        *offset = (int64_t)at_offset;
    return ERR_OK;
bad:
    return err_note(ERR_INVALID, "not a sequence number: %.*s", (int)(text.size < 60 ? text.size : 60),
                    (const char *)text.at);
}
