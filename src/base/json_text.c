/* json_text.c - what is inside JSON values: text, integers; and writing: compact forms, quoted text. */
#include "base/json.h"

#include <stdio.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct bytes json_plain_text(struct json_value plain_string)
{
    return bytes_of(plain_string.bytes.at + 1, plain_string.bytes.size - 2);
}

static uint32_t hex_number(const uint8_t *at)
{
    uint32_t code = 0;

    for (int i = 0; i < 4; i++) {
        uint8_t c = at[i];
        code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code;
}

static size_t utf8_put(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* Resolve the escape at `at`, which was checked; gives its length, and its UTF-8 and size in `out`. */
static size_t unescape(const uint8_t *at, uint8_t out[4], size_t *size)
{
    uint32_t code;

    *size = 1;
    switch (at[1]) {
    case 'b':
        out[0] = '\b';
        return 2;
    case 'f':
        out[0] = '\f';
        return 2;
    case 'n':
        out[0] = '\n';
        return 2;
    case 'r':
        out[0] = '\r';
        return 2;
    case 't':
        out[0] = '\t';
        return 2;
    case 'u':
        break;
    default:
        out[0] = at[1];
        return 2;
    }
    code = hex_number(at + 2);
    if (code < 0xd800 || code >= 0xe000) {
        *size = utf8_put(code, out);
        return 6;
    }
    code = 0x10000 + ((code - 0xd800) << 10 | (hex_number(at + 8) - 0xdc00));
    *size = utf8_put(code, out);
    return 12;
}

/* Copy up to the first backslash or the end; gives where that is. A post in a string has a backslash every ten bytes
 * or so: blocks, of which what is behind the backslash is written over, cost less than calls for so little. The room at
 * `to` is never less than what is left to read. */
static const uint8_t *copy_ordinary(const uint8_t *at, const uint8_t *end, uint8_t **to)
{
    uint8_t *out = *to;

#ifdef __SSE2__
    const __m128i slash = _mm_set1_epi8('\\');

    for (; end - at >= 16; at += 16, out += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)at);
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, slash));
        _mm_storeu_si128((__m128i *)out, block);
        if (mask) {
            *to = out + __builtin_ctz(mask);
            return at + __builtin_ctz(mask);
        }
    }
#endif
    while (at < end && *at != '\\')
        *out++ = *at++;
    *to = out;
    return at;
}

enum err json_text(struct json_value string, struct buf *out)
{
    struct bytes raw = json_plain_text(string);
    const uint8_t *at = raw.at, *end = raw.at + raw.size;
    enum err err = buf_reserve(out, raw.size); /* an escape is never shorter than what it stands for */
    uint8_t *to;

    if (err)
        return err;
    if (string.plain)
        return buf_add_bytes(out, raw);
    to = out->at + out->size;
    for (;;) {
        uint8_t code[4];
        size_t size;
        at = copy_ordinary(at, end, &to);
        if (at == end)
            break;
        at += unescape(at, code, &size);
        memcpy(to, code, size);
        to += size;
    }
    out->size = (size_t)(to - out->at);
    return ERR_OK;
}

bool json_text_is(struct json_value string, const char *text)
{
    struct bytes raw = json_plain_text(string);
    size_t length = strlen(text);
    const uint8_t *at = raw.at, *end = raw.at + raw.size;

    if (string.plain)
        return raw.size == length && memcmp(raw.at, text, length) == 0;
    while (at < end) {
        uint8_t code[4] = {*at};
        size_t size = 1, step = 1;
        if (*at == '\\')
            step = unescape(at, code, &size);
        if (length < size || memcmp(text, code, size) != 0)
            return false;
        text += size;
        length -= size;
        at += step;
    }
    return length == 0;
}

enum err json_int64(struct json_value number, int64_t *out)
{
    const uint8_t *at = number.bytes.at, *end = at + number.bytes.size;
    bool minus = number.kind == JSON_NUMBER && *at == '-';
    uint64_t value = 0, most = minus ? (uint64_t)INT64_MAX + 1 : INT64_MAX;

    if (number.kind != JSON_NUMBER)
        return err_note(ERR_INVALID, "an integer was expected");
    for (at += minus; at < end; at++) {
        unsigned digit = (unsigned)*at - '0';
        if (digit > 9)
            return err_note(ERR_INVALID, "an integer was expected, not %.*s",
                            (int)(number.bytes.size < 40 ? number.bytes.size : 40),
                            (const char *)number.bytes.at);
        if (value > (most - digit) / 10)
            return err_note(ERR_RANGE, "an integer does not fit in 64 bits");
        value = value * 10 + digit;
    }
    *out = minus ? (int64_t)(0 - value) : (int64_t)value;
    return ERR_OK;
}

/* Copy a string behind its opening quote, closing quote included. `room` is the end of what may be
 * written. */
static const uint8_t *copy_string(const uint8_t *at, const uint8_t *end, uint8_t **to, const uint8_t *room)
{
    uint8_t *out = *to;

    for (;;) {
#ifdef __SSE2__
        const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
        while (end - at >= 16 && room - out >= 16) {
            __m128i block = _mm_loadu_si128((const __m128i *)at);
            unsigned mask;
            _mm_storeu_si128((__m128i *)out, block);
            mask = (unsigned)_mm_movemask_epi8(
                _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, slash)));
            if (mask) {
                at += __builtin_ctz(mask);
                out += __builtin_ctz(mask);
                break;
            }
            at += 16;
            out += 16;
        }
#endif
        while (*at != '"' && *at != '\\')
            *out++ = *at++;
        *out++ = *at++;
        if (at[-1] == '"')
            break;
        *out++ = *at++;
    }
    *to = out;
    return at;
}

enum err json_compact(struct json_value value, struct buf *out)
{
    const uint8_t *at = value.bytes.at, *end = at + value.bytes.size;
    enum err err = buf_reserve(out, value.bytes.size);
    uint8_t *to;

    if (err)
        return err;
    if (value.kind < JSON_ARRAY || value.plain)
        return buf_add_bytes(out, value.bytes);
    to = out->at + out->size;
    while (at < end) {
        uint8_t c = *at++;
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        *to++ = c;
        if (c == '"')
            at = copy_string(at, end, &to, out->at + out->room);
    }
    out->size = (size_t)(to - out->at);
    return ERR_OK;
}

/* The length of the well-formed UTF-8 sequence at `at`, 0 if there is none. */
static size_t utf8_size(const uint8_t *at, const uint8_t *end)
{
    for (size_t size = 1; size <= 4 && size <= (size_t)(end - at); size++)
        if (bytes_are_utf8(bytes_of(at, size)))
            return size;
    return 0;
}

enum err json_quote(struct bytes text, struct buf *out)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *at = text.at, *end = text.at + text.size;
    enum err err = buf_reserve(out, text.size + 2);

    if (!err)
        err = buf_add_char(out, '"');
    while (!err && at < end) {
        const uint8_t *from = at;
        while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
            at++;
        err = buf_add(out, from, (size_t)(at - from));
        if (err || at == end)
            break;
        if (*at >= 0x80) {
            size_t size = utf8_size(at, end);
            err = size ? buf_add(out, at, size) : buf_add_text(out, "\xef\xbf\xbd");
            at += size ? size : 1;
            continue;
        }
        char escape[7] = {'\\', (char)*at};
        switch (*at) {
        case '"':
        case '\\':
            break;
        case '\b':
            escape[1] = 'b';
            break;
        case '\f':
            escape[1] = 'f';
            break;
        case '\n':
            escape[1] = 'n';
            break;
        case '\r':
            escape[1] = 'r';
            break;
        case '\t':
            escape[1] = 't';
            break;
        default:
            memcpy(escape, "\\u00", 4);
            escape[4] = hex[*at >> 4];
            escape[5] = hex[*at & 15];
        }
        err = buf_add_text(out, escape);
        at++;
    }
    return err ? err : buf_add_char(out, '"');
}
