/* base64.c - RFC 4648, standard alphabet, padded. */
#include "base/json.h"

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
    for (end = at + bytes.size / 3 * 3; at < end; at += 3, to += 4) {
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
    for (end -= pads ? 4 : 0; at < end; at += 4, to += 3) {
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
