/* json.c - the slicer: json_check(), json_pull_*() and json_walk_*() all cut values with the same function.
 *
 * cut() goes over a value once, with a bit a level for what is open, so there is no recursion and the depth
 * is bounded. Strings, which are most of a post, are run over sixteen bytes at a time: as signed bytes,
 * control characters and everything outside ASCII are below the space, so one comparison finds both. */
#include "base/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct cutter {
    const uint8_t *at, *end;
    const char *fault; /* what is wrong at `at` */
};

static inline bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

static inline const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* The first byte at or behind `at` that a string cannot simply hold: quote, backslash, control, non-ASCII. */
static inline const uint8_t *skip_ordinary(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');

    for (; end - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)at);
        __m128i special =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, slash)),
                         _mm_cmplt_epi8(block, space));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask)
            return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20 && *at < 0x80)
        at++;
    return at;
}

static bool fail(struct cutter *cutter, const uint8_t *at, const char *fault)
{
    cutter->at = at;
    cutter->fault = fault;
    return false;
}

static int hex_digit(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind a \u, or -1. */
static int32_t four_hex(const uint8_t *at, const uint8_t *end)
{
    int32_t code = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

/* The length of the escape at `at` (a backslash), 0 if it is none; *code is the character it stands for. */
static size_t escape_length(const uint8_t *at, const uint8_t *end, uint32_t *code)
{
    static const uint8_t meant[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                       ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    int32_t high, low;

    if (end - at < 2)
        return 0;
    if (meant[at[1]]) {
        *code = meant[at[1]];
        return 2;
    }
    high = at[1] == 'u' ? four_hex(at + 2, end) : -1;
    if (high < 0 || (high >= 0xdc00 && high < 0xe000))
        return 0;
    *code = (uint32_t)high;
    if (high < 0xd800 || high >= 0xe000)
        return 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u')
        return 0;
    low = four_hex(at + 8, end);
    if (low < 0xdc00 || low >= 0xe000)
        return 0;
    *code = 0x10000 + ((uint32_t)(high - 0xd800) << 10 | (uint32_t)(low - 0xdc00));
    return 12;
}

/* The length of the UTF-8 sequence of two to four bytes at `at`, 0 if it is none. */
static size_t utf8_length(const uint8_t *at, const uint8_t *end)
{
    size_t length = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;

    if (*at < 0xc2 || *at > 0xf4 || (size_t)(end - at) < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
        (*at == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

/* Run over a string; `at` is behind its opening quote. */
static bool cut_string(struct cutter *cutter, const uint8_t *at, bool *plain)
{
    const uint8_t *end = cutter->end;
    uint32_t code;
    size_t length;

    for (;;) {
        at = skip_ordinary(at, end);
        if (at == end)
            return fail(cutter, at, "a string is not closed");
        if (*at == '"') {
            cutter->at = at + 1;
            return true;
        }
        if (*at >= 0x80) {
            do {
                length = utf8_length(at, end);
                if (length == 0)
                    return fail(cutter, at, "a string is not UTF-8");
                at += length;
            } while (at < end && *at >= 0x80);
        } else if (*at == '\\') {
            length = escape_length(at, end, &code);
            if (length == 0)
                return fail(cutter, at, "a wrong escape in a string");
            at += length;
            *plain = false;
        } else {
            return fail(cutter, at, "a control character in a string must be escaped");
        }
    }
}

static bool cut_number(struct cutter *cutter, const uint8_t *at)
{
    const uint8_t *end = cutter->end;

    if (*at == '-')
        at++;
    if (at == end || !is_digit(*at))
        return fail(cutter, at, "a number needs a digit");
    if (*at == '0' && at + 1 < end && is_digit(at[1]))
        return fail(cutter, at, "a number must not begin with 0");
    while (at < end && is_digit(*at))
        at++;
    if (at < end && *at == '.') {
        at++;
        if (at == end || !is_digit(*at))
            return fail(cutter, at, "a number needs a digit behind its point");
        while (at < end && is_digit(*at))
            at++;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (at == end || !is_digit(*at))
            return fail(cutter, at, "a number needs a digit in its exponent");
        while (at < end && is_digit(*at))
            at++;
    }
    cutter->at = at;
    return true;
}

static bool cut_word(struct cutter *cutter, const uint8_t *at, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(cutter->end - at) < length || memcmp(at, word, length) != 0)
        return fail(cutter, at,
                    "a value was expected: an object, array, string, number, true, false or null");
    cutter->at = at + length;
    return true;
}

static enum json_kind kind_of(uint8_t first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

static bool cut_scalar(struct cutter *cutter, const uint8_t *at, bool *plain)
{
    switch (*at) {
    case '"':
        return cut_string(cutter, at + 1, plain);
    case 't':
        return cut_word(cutter, at, "true");
    case 'f':
        return cut_word(cutter, at, "false");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return cut_number(cutter, at);
    default:
        return cut_word(cutter, at, "null");
    }
}

/* A member's name and the colon behind it; `at` is where the name must begin. */
static bool cut_name(struct cutter *cutter, const uint8_t *at, struct json_value *name)
{
    name->kind = JSON_STRING;
    name->plain = true;
    if (at == cutter->end || *at != '"')
        return fail(cutter, at, "an object's member needs a name in double quotes");
    if (!cut_string(cutter, at + 1, &name->plain))
        return false;
    name->bytes = bytes_of(at, (size_t)(cutter->at - at));
    at = skip_space(cutter->at, cutter->end);
    if (at == cutter->end || *at != ':')
        return fail(cutter, at, "a colon was expected behind a member's name");
    cutter->at = at + 1;
    return true;
}

/* Run over the container that begins at `at`. *plain stays true if there is no white space outside
 * strings. */
static bool cut_container(struct cutter *cutter, const uint8_t *at, int depth, bool *plain)
{
    const uint8_t *end = cutter->end, *here;
    uint64_t objects = 0;
    bool escapes;
    int open = 0;

    goto open_one;
value:
    here = skip_space(at, end);
    *plain &= here == at;
    at = here;
    if (at == end)
        return fail(cutter, at, "the text ends where a value was expected");
    if (*at != '{' && *at != '[') {
        if (!cut_scalar(cutter, at, &escapes))
            return false;
        at = cutter->at;
        goto behind_value;
    }
open_one:
    if (depth + open == JSON_DEPTH_MOST)
        return fail(cutter, at, "arrays and objects are nested too deeply");
    objects = objects << 1 | (*at == '{');
    open++;
    here = skip_space(at + 1, end);
    *plain &= here == at + 1;
    at = here;
    if (at < end && *at == (objects & 1 ? '}' : ']'))
        goto close_one;
    if (!(objects & 1))
        goto value;
name:
    here = skip_space(at, end);
    *plain &= here == at;
    at = here;
    if (at == end || *at != '"')
        return fail(cutter, at, "an object's member needs a name in double quotes");
    if (!cut_string(cutter, at + 1, &escapes))
        return false;
    at = cutter->at;
    here = skip_space(at, end);
    *plain &= here == at;
    at = here;
    if (at == end || *at != ':')
        return fail(cutter, at, "a colon was expected behind a member's name");
    at++;
    goto value;
close_one:
    at++;
    objects >>= 1;
    if (--open == 0) {
        cutter->at = at;
        return true;
    }
behind_value:
    here = skip_space(at, end);
    *plain &= here == at;
    at = here;
    if (at < end && *at == ',') {
        at++;
        if (objects & 1)
            goto name;
        goto value;
    }
    if (at < end && *at == (objects & 1 ? '}' : ']'))
        goto close_one;
    return fail(cutter, at, objects & 1 ? "a comma or } was expected" : "a comma or ] was expected");
}

/* Cut the value at cutter->at, white space before it skipped; `depth` containers are open around it. */
static bool cut(struct cutter *cutter, int depth, struct json_value *out)
{
    const uint8_t *at = skip_space(cutter->at, cutter->end);
    struct json_value value = {.plain = true};
    bool good;

    if (at == cutter->end)
        return fail(cutter, at, "the text ends where a value was expected");
    value.kind = kind_of(*at);
    if (value.kind >= JSON_ARRAY)
        good = cut_container(cutter, at, depth, &value.plain);
    else
        good = cut_scalar(cutter, at, &value.plain);
    if (!good)
        return false;
    value.bytes = bytes_of(at, (size_t)(cutter->at - at));
    *out = value;
    return true;
}

/* ---- pull: cutting while checking ---- */

static enum err pull_fail(struct json_pull *pull, const struct cutter *cutter)
{
    pull->at = cutter->at;
    pull->fault = (size_t)(cutter->at - pull->start);
    return err_note(ERR_INVALID, "not JSON at byte %zu: %s", pull->fault, cutter->fault);
}

static enum err pull_fault(struct json_pull *pull, const uint8_t *at, const char *fault)
{
    return pull_fail(pull, &(struct cutter){at, pull->end, fault});
}

struct json_pull json_pull(struct bytes text)
{
    return (struct json_pull){.start = text.at, .at = text.at, .end = text.at + text.size};
}

enum json_kind json_pull_kind(struct json_pull *pull)
{
    enum json_kind kind;

    pull->at = skip_space(pull->at, pull->end);
    if (pull->at == pull->end)
        return JSON_NULL;
    kind = kind_of(*pull->at);
    return kind == JSON_NUMBER && *pull->at != '-' && !is_digit(*pull->at) ? JSON_NULL : kind;
}

enum err json_pull_enter(struct json_pull *pull, enum json_kind kind)
{
    const uint8_t *at = skip_space(pull->at, pull->end);

    if (at == pull->end || *at != (kind == JSON_OBJECT ? '{' : '['))
        return pull_fault(pull, at, kind == JSON_OBJECT ? "an object was expected" : "an array was expected");
    if (pull->depth == JSON_DEPTH_MOST)
        return pull_fault(pull, at, "arrays and objects are nested too deeply");
    pull->objects = pull->objects << 1 | (kind == JSON_OBJECT);
    pull->depth++;
    pull->at = at + 1;
    pull->first = true;
    return ERR_OK;
}

enum err json_pull_next(struct json_pull *pull, struct json_value *key)
{
    const uint8_t *at = skip_space(pull->at, pull->end);
    bool object = pull->objects & 1;
    struct cutter cutter = {.end = pull->end};
    struct json_value name;

    if (at < pull->end && *at == (object ? '}' : ']')) {
        pull->at = at + 1;
        pull->objects >>= 1;
        pull->depth--;
        pull->first = false;
        return ERR_END;
    }
    if (!pull->first) {
        if (at == pull->end || *at != ',')
            return pull_fault(pull, at, object ? "a comma or } was expected" : "a comma or ] was expected");
        at = skip_space(at + 1, pull->end);
    }
    pull->first = false;
    if (object) {
        if (!cut_name(&cutter, at, key ? key : &name))
            return pull_fail(pull, &cutter);
        at = cutter.at;
    }
    pull->at = at;
    return ERR_OK;
}

enum err json_pull_value(struct json_pull *pull, struct json_value *out)
{
    struct cutter cutter = {.at = pull->at, .end = pull->end};

    if (!cut(&cutter, pull->depth, out))
        return pull_fail(pull, &cutter);
    pull->at = cutter.at;
    return ERR_OK;
}

enum err json_pull_end(struct json_pull *pull)
{
    pull->at = skip_space(pull->at, pull->end);
    if (pull->at < pull->end)
        return pull_fault(pull, pull->at, "nothing may follow the document");
    return ERR_OK;
}

enum err json_check(struct bytes text, struct json_value *out, size_t *at)
{
    struct json_pull pull = json_pull(text);
    struct json_value value;
    enum err err = json_pull_value(&pull, &value);

    if (!err)
        err = json_pull_end(&pull);
    if (!err)
        *out = value;
    else if (at)
        *at = pull.fault;
    return err;
}

/* ---- walking what was checked ---- */

struct json_walk json_walk(struct json_value container)
{
    struct json_walk walk = {container.bytes.at + 1, container.bytes.at + container.bytes.size - 1,
                             container.kind == JSON_OBJECT};

    if (container.kind < JSON_ARRAY)
        walk.at = walk.end; /* nothing inside */
    return walk;
}

enum err json_walk_next(struct json_walk *walk, struct json_value *key, struct json_value *value)
{
    struct cutter cutter = {.at = skip_space(walk->at, walk->end), .end = walk->end};
    struct json_value name;

    if (cutter.at < walk->end && *cutter.at == ',')
        cutter.at = skip_space(cutter.at + 1, walk->end);
    if (cutter.at >= walk->end)
        return ERR_END;
    if ((walk->object && !cut_name(&cutter, cutter.at, key ? key : &name)) || !cut(&cutter, 0, value))
        return err_note(ERR_INVALID, "not JSON: %s", cutter.fault);
    walk->at = cutter.at;
    return ERR_OK;
}

enum err json_member(struct json_value object, const char *name, struct json_value *value)
{
    struct json_walk walk = json_walk(object);
    struct json_value key, here;
    enum err found = ERR_NOT_FOUND, err;

    if (object.kind != JSON_OBJECT)
        return ERR_NOT_FOUND;
    while (!(err = json_walk_next(&walk, &key, &here)))
        if (json_text_is(key, name)) {
            *value = here;
            found = ERR_OK;
        }
    return err == ERR_END ? found : err;
}
