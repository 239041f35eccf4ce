/* sequence.c - sequence numbers: 47 hexadecimal digits, 188 bits, written as a decimal number. */
#include "base/sequence.h"

#include <assert.h>
#include <stdio.h>

/* The number as four 48-bit limbs, the lowest first: so a limb times ten, or a limb and a remainder below ten
 * before it, fits in 64 bits. 47 digits of 4 bits: three limbs of 12 digits and one of 11. */
enum { LIMBS = 4, LIMB_DIGITS = 12 };

static const char digits[] = "0123456789abcdef";

void sequence_format(int64_t created_s, uint32_t shard, int64_t offset, int64_t arrival_s,
                     char out[SEQUENCE_TEXT_BYTES])
{
    char hex[LIMBS * LIMB_DIGITS + 1], text[SEQUENCE_TEXT_BYTES];
    uint64_t limbs[LIMBS] = {0};
    size_t at = sizeof(text);

    assert(offset >= 0 && created_s >= 0 && arrival_s >= 0);
    snprintf(hex, sizeof(hex), "02%09llx%x%016llx00%09llx%08x2", (unsigned long long)created_s & 0xfffffffff,
             shard & 15, (unsigned long long)offset, (unsigned long long)arrival_s & 0xfffffffff, shard);
    for (int i = 0; i < LIMBS * LIMB_DIGITS; i++) {
        uint64_t *limb = &limbs[LIMBS - 1 - i / LIMB_DIGITS];
        *limb = *limb << 4 | (uint64_t)(strchr(digits, hex[i]) - digits);
    }
    text[--at] = 0;
    do {
        uint64_t rest = 0;
        for (int i = LIMBS - 1; i >= 0; i--) {
            uint64_t part = rest << 48 | limbs[i];
            limbs[i] = part / 10;
            rest = part % 10;
        }
        text[--at] = (char)('0' + rest);
    } while (limbs[0] | limbs[1] | limbs[2] | limbs[3]);
    memcpy(out, text + at, sizeof(text) - at);
}

enum err sequence_parse(struct bytes text, int64_t *created_s, uint32_t *shard, int64_t *offset)
{
    uint64_t limbs[LIMBS] = {0}, at_created, at_offset;
    char again[SEQUENCE_TEXT_BYTES];
    uint32_t at_shard;
    int64_t arrival;

    if (text.size != 56)
        goto bad;
    for (size_t i = 0; i < text.size; i++) {
        uint64_t carry = (uint64_t)text.at[i] - '0';
        if (carry > 9)
            goto bad;
        for (int j = 0; j < LIMBS; j++) {
            carry += limbs[j] * 10;
            limbs[j] = carry & 0xffffffffffff;
            carry >>= 48;
        }
    }
    /* limbs[3]: 02ccccccccc s | [2]: 12 of the offset | [1]: 4 of it, 00, 6 of arrival | [0]: 3, shard, 2 */
    at_created = limbs[3] >> 4 & 0xfffffffff;
    at_offset = limbs[2] << 16 | limbs[1] >> 32;
    at_shard = (uint32_t)(limbs[0] >> 4);
    arrival = (int64_t)((limbs[1] & 0xffffff) << 12 | limbs[0] >> 36);
    if (at_offset > INT64_MAX)
        goto bad;
    sequence_format((int64_t)at_created, at_shard, (int64_t)at_offset, arrival, again);
    if (!bytes_equal(text, bytes_of_text(again))) /* some digit that must be 2, 0 or the shard's is not */
        goto bad;
    if (created_s)
        *created_s = (int64_t)at_created;
    if (shard)
        *shard = at_shard;
    if (offset)
        *offset = (int64_t)at_offset;
    return ERR_OK;
bad:
    return err_note(ERR_INVALID, "not a sequence number: %.*s", (int)(text.size < 60 ? text.size : 60),
                    (const char *)text.at);
}
