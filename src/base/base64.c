/* base64.c - RFC 4648, standard alphabet, padded.
 *
 * Every record that Kinesis gives out is written and read here, so blocks of twelve bytes, sixteen letters, go by byte
 * shuffles where the processor has them (SSSE3: every x86-64 since 2006). What is left of a block, and a block with a
 * letter that is none, goes letter by letter. The block functions move both places on. */
#include "base/json.h"

#ifdef __x86_64__
#include <tmmintrin.h>

static bool has_shuffles(void)
{
    return __builtin_cpu_supports("ssse3");
}

/* Bytes b a, c b of each three side by side, so that two multiplications move the four groups of six bits to bytes of
 * their own; then what each range of values is away from its letters. */
__attribute__((target("ssse3"))) static void encode_blocks(const uint8_t **from, const uint8_t *end,
                                                           uint8_t **to)
{
    const __m128i spread = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    /* lower case, ten digits, +, /, upper case */
    const __m128i away = _mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                       '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    const uint8_t *at = *from;
    uint8_t *out = *to;

    for (; end - at >= 16; at += 12, out += 16) { /* sixteen are read, twelve taken */
        __m128i in = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)at), spread);
        __m128i odd =
            _mm_mulhi_epu16(_mm_and_si128(in, _mm_set1_epi32(0x0fc0fc00)), _mm_set1_epi32(0x04000040));
        __m128i even =
            _mm_mullo_epi16(_mm_and_si128(in, _mm_set1_epi32(0x003f03f0)), _mm_set1_epi32(0x01000010));
        __m128i six = _mm_or_si128(odd, even);
        __m128i upper = _mm_cmpgt_epi8(_mm_set1_epi8(26), six);
        __m128i range =
            _mm_or_si128(_mm_subs_epu8(six, _mm_set1_epi8(51)), _mm_and_si128(upper, _mm_set1_epi8(13)));
        _mm_storeu_si128((__m128i *)out, _mm_add_epi8(six, _mm_shuffle_epi8(away, range)));
    }
    *from = at;
    *to = out;
}

/* A letter is good if the classes of its high and of its low half have no bit in common; the high half, one less for
 * the slash, says what its range is away from the values. Stops before a block that is not good. */
__attribute__((target("ssse3"))) static void decode_blocks(const uint8_t **from, const uint8_t *end,
                                                           uint8_t **to)
{
    const __m128i low_class = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13,
                                            0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
    const __m128i high_class = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10,
                                             0x10, 0x10, 0x10, 0x10, 0x10);
    const __m128i away = _mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i gather = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m128i slash = _mm_set1_epi8('/');
    const uint8_t *at = *from;
    uint8_t *out = *to;

    for (; end - at >= 24;
         at += 16, out += 12) { /* sixteen bytes are written: there is room behind the twelve */
        __m128i in = _mm_loadu_si128((const __m128i *)at);
        __m128i high = _mm_and_si128(_mm_srli_epi32(in, 4), slash); /* '/' is 0x2f: bit 5 does not matter */
        __m128i classes = _mm_and_si128(_mm_shuffle_epi8(low_class, _mm_and_si128(in, slash)),
                                        _mm_shuffle_epi8(high_class, high));
        if (_mm_movemask_epi8(_mm_cmpgt_epi8(classes, _mm_setzero_si128())))
            break;
        in = _mm_add_epi8(in, _mm_shuffle_epi8(away, _mm_add_epi8(_mm_cmpeq_epi8(in, slash), high)));
        in = _mm_madd_epi16(_mm_maddubs_epi16(in, _mm_set1_epi32(0x01400140)), _mm_set1_epi32(0x00011000));
        _mm_storeu_si128((__m128i *)out, _mm_shuffle_epi8(in, gather));
    }
    *from = at;
    *to = out;
}
#else
static bool has_shuffles(void)
{
    return false;
}

static void encode_blocks(const uint8_t **from, const uint8_t *end, uint8_t **to)
{
    (void)from, (void)end, (void)to;
}

static void decode_blocks(const uint8_t **from, const uint8_t *end, uint8_t **to)
{
    (void)from, (void)end, (void)to;
}
#endif

static const char letters[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum err base64_encode(struct bytes bytes, struct buf *out)
{
    size_t size = (bytes.size + 2) / 3 * 4;
    enum err err = buf_reserve(out, size);
    const uint8_t *at = bytes.at, *end;
    uint8_t *to;

    if (err || size == 0)
        return err;
    to = out->at + out->size;
    if (has_shuffles())
        encode_blocks(&at, at + bytes.size, &to);
    for (end = bytes.at + bytes.size / 3 * 3; at < end; at += 3, to += 4) {
        uint32_t three = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        to[0] = (uint8_t)letters[three >> 18];
        to[1] = (uint8_t)letters[three >> 12 & 63];
        to[2] = (uint8_t)letters[three >> 6 & 63];
        to[3] = (uint8_t)letters[three & 63];
    }
    if (bytes.size % 3) {
        uint32_t rest = (uint32_t)at[0] << 16 | (bytes.size % 3 == 2 ? (uint32_t)at[1] << 8 : 0);
        to[0] = (uint8_t)letters[rest >> 18];
        to[1] = (uint8_t)letters[rest >> 12 & 63];
        to[2] = bytes.size % 3 == 2 ? (uint8_t)letters[rest >> 6 & 63] : '=';
        to[3] = '=';
    }
    out->size += size;
    return ERR_OK;
}

/* The value of each letter plus one, so that the zero of all others says "none". */
static const uint8_t values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

static enum err bad(size_t at)
{
    return err_note(ERR_INVALID, "not base64 near character %zu (RFC 4648, standard alphabet, padded with =)",
                    at);
}

enum err base64_decode(struct bytes text, struct buf *out)
{
    const uint8_t *at = text.at, *end;
    size_t pads, size;
    enum err err;
    uint8_t *to;

    if (text.size % 4)
        return err_note(ERR_INVALID, "not base64: its length, %zu, is not a multiple of 4 (pad it with =)",
                        text.size);
    if (text.size == 0)
        return ERR_OK;
    end = text.at + text.size;
    pads = end[-1] != '=' ? 0 : end[-2] != '=' ? 1 : 2;
    size = text.size / 4 * 3 - pads;
    err = buf_reserve(out, size);
    if (err)
        return err;
    to = out->at + out->size;
    end -= pads ? 4 : 0;
    if (has_shuffles())
        decode_blocks(&at, end, &to);
    for (; at < end; at += 4, to += 3) {
        unsigned a = values[at[0]], b = values[at[1]], c = values[at[2]], d = values[at[3]];
        uint32_t three = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        if (!a || !b || !c || !d)
            return bad((size_t)(at - text.at));
        to[0] = (uint8_t)(three >> 16);
        to[1] = (uint8_t)(three >> 8);
        to[2] = (uint8_t)three;
    }
    if (pads) {
        unsigned a = values[at[0]], b = values[at[1]], c = pads == 1 ? values[at[2]] : 1;
        uint32_t rest = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6;
        if (!a || !b || !c || (rest & (pads == 1 ? 0xff : 0xffff))) /* bits nobody sees must be 0 */
            return bad((size_t)(at - text.at));
        to[0] = (uint8_t)(rest >> 16);
        if (pads == 1)
            to[1] = (uint8_t)(rest >> 8);
    }
    out->size += size;
    return ERR_OK;
}
