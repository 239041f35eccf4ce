/* kinesis_input.c - the members of an input: their JSON types first, then their constraints, with the
 * service's words. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/kinesis.h"

enum { VIOLATIONS_MOST = 10, SHOWN_MOST = 300 };

bool fits_name(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isalnum(text.at[i]) && !strchr("_.-", text.at[i]))
            return false;
    return text.size > 0;
}

static bool fits_number(struct bytes text, size_t digits_most)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isdigit(text.at[i]))
            return false;
    return text.size > 0 && text.size <= digits_most && (text.at[0] != '0' || text.size == 1);
}

bool fits_hash_key(struct bytes text)
{
    return fits_number(text, 39);
}

bool fits_sequence(struct bytes text)
{
    return fits_number(text, 129);
}

/* ---- types ---- */

/* Type errors have a `Message`, with a capital. */
static bool wrong_type(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong_type(struct call *call, const char *format, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    kinesis_answer(call);
    call->status = 400;
    say(call, "{\"__type\":\"SerializationException\",\"Message\":");
    say_quoted_text(call, sentence);
    say(call, "}");
    return false;
}

static bool wrong_kind(struct call *call, const struct member *member, enum json_kind kind)
{
    static const char *const names[] = {[MEMBER_STRING] = "an String",
                                        [MEMBER_INTEGER] = "an Integer",
                                        [MEMBER_TIMESTAMP] = "a Date",
                                        [MEMBER_BLOB] = "a Blob",
                                        [MEMBER_BOOLEAN] = "an Boolean"};

    if (member->type == MEMBER_LIST && kind < JSON_ARRAY)
        return wrong_type(call, "Expected list or null");
    if (member->type == MEMBER_STRUCTURE && kind < JSON_ARRAY)
        return wrong_type(call, "Expected null");
    if (kind == JSON_ARRAY)
        return wrong_type(call, "Start of list found where not expected");
    if (kind == JSON_OBJECT)
        return wrong_type(call, "Start of structure or map found where not expected.");
    return wrong_type(call, "class java.%s can not be converted to %s",
                      kind == JSON_NUMBER   ? "math.BigDecimal"
                      : kind == JSON_STRING ? "lang.String"
                                            : "lang.Boolean",
                      names[member->type]);
}

static bool take_blob(struct call *call, struct input *input)
{
    struct buf *text = &call->door->scratch.text;
    size_t from = text->size;
    struct bytes encoded = json_plain_text(input->value);
    struct json_value value = input->value;

    if (!value.plain) { /* \/ is an escape that some writers use */
        char *copy;
        if (json_text(value, text))
            return wrong_type(call, "the value can not be converted to a Blob: out of memory");
        copy = arena_text(&call->arena, bytes_of(text->at + from, text->size - from));
        encoded = copy ? bytes_of(copy, text->size - from) : encoded;
        text->size = from;
    }
    if (base64_decode(encoded, text)) {
        int shown = (int)(encoded.size < SHOWN_MOST ? encoded.size : SHOWN_MOST);
        if (encoded.size % 4)
            return wrong_type(call,
                              "'%.*s' can not be converted to a Blob: Base64 encoded length is expected a "
                              "multiple of 4 bytes but found: %zu",
                              shown, (const char *)encoded.at, encoded.size);
        for (size_t i = 0; i < encoded.size; i++)
            if (!isalnum(encoded.at[i]) && !strchr("+/=", encoded.at[i]))
                return wrong_type(
                    call, "'%.*s' can not be converted to a Blob: Invalid Base64 character: '%c'", shown,
                    (const char *)encoded.at, isprint(encoded.at[i]) ? encoded.at[i] : '?');
        return wrong_type(
            call, "'%.*s' can not be converted to a Blob: Invalid last non-pad Base64 character dectected",
            shown, (const char *)encoded.at);
    }
    input->bytes = bytes_of(text->at + from, text->size - from);
    return true;
}

static bool take_number(struct call *call, const struct member *member, struct input *input)
{
    char text[64];
    double number;

    if (member->type == MEMBER_INTEGER && !json_int64(input->value, &input->integer))
        return true;
    if (input->value.bytes.size >= sizeof(text))
        return wrong_type(call, "the number of %s is too long", member->name);
    memcpy(text, input->value.bytes.at, input->value.bytes.size);
    text[input->value.bytes.size] = 0;
    number = strtod(text, NULL) * (member->type == MEMBER_TIMESTAMP ? 1000 : 1);
    number = floor(number);
    input->integer = number > 9e18 ? INT64_MAX : number < -9e18 ? INT64_MIN : (int64_t)number;
    return true;
}

static bool take_value(struct kinesis *kinesis, const struct member *member, struct input *input)
{
    static const enum json_kind kinds[] = {
        [MEMBER_STRING] = JSON_STRING, [MEMBER_INTEGER] = JSON_NUMBER, [MEMBER_TIMESTAMP] = JSON_NUMBER,
        [MEMBER_BLOB] = JSON_STRING,   [MEMBER_LIST] = JSON_ARRAY,     [MEMBER_STRUCTURE] = JSON_OBJECT,
        [MEMBER_BOOLEAN] = JSON_TRUE};
    struct call *call = kinesis->call;
    char *text;
    struct buf *scratch = &call->door->scratch.text;
    size_t from = scratch->size;

    if (input->value.kind != kinds[member->type] &&
        !(member->type == MEMBER_BOOLEAN && input->value.kind == JSON_FALSE))
        return wrong_kind(call, member, input->value.kind);
    switch (member->type) {
    case MEMBER_STRING:
        if (input->value.plain) {
            input->bytes = json_plain_text(input->value);
            return true;
        }
        if (json_text(input->value, scratch))
            return wrong_type(call, "%s: out of memory", member->name);
        text = arena_text(&call->arena, bytes_of(scratch->at + from, scratch->size - from));
        input->bytes = bytes_of(text, scratch->size - from);
        scratch->size = from;
        return text ? true : wrong_type(call, "%s: out of memory", member->name);
    case MEMBER_BLOB:
        return take_blob(call, input);
    case MEMBER_INTEGER:
    case MEMBER_TIMESTAMP:
        return take_number(call, member, input);
    default:
        return true;
    }
}

bool input_take(struct kinesis *kinesis, struct json_value object, const struct member *members,
                struct input *inputs)
{
    struct json_walk walk = json_walk(object);
    struct json_value name, value;
    enum err err;

    for (size_t i = 0; members[i].name; i++)
        inputs[i] = (struct input){0};
    while (!(err = json_walk_next(&walk, &name, &value))) /* members we do not know are ignored, as there */
        for (size_t i = 0; members[i].name; i++)
            if (json_text_is(name, members[i].name)) {
                inputs[i].given = value.kind != JSON_NULL;
                inputs[i].value = value;
            }
    for (size_t i = 0; members[i].name; i++)
        if (inputs[i].given && !take_value(kinesis, &members[i], &inputs[i]))
            return false;
    return true;
}

/* ---- constraints ---- */

static size_t characters(struct bytes text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += (text.at[i] & 0xc0) != 0x80;
    return count;
}

static size_t elements(struct json_value list)
{
    struct json_walk walk = json_walk(list);
    struct json_value value;
    size_t count = 0;

    while (!json_walk_next(&walk, NULL, &value))
        count++;
    return count;
}

/* The value as messages show it. */
static void show_value(struct buf *out, const struct member *member, const struct input *input)
{
    if (!input->given)
        (void)buf_add_text(out, "null");
    else if (member->type == MEMBER_BLOB)
        (void)buf_printf(out, "'java.nio.HeapByteBuffer[pos=0 lim=%zu cap=%zu]'", input->bytes.size,
                         input->bytes.size);
    else if (member->type == MEMBER_INTEGER)
        (void)buf_printf(out, "'%lld'", (long long)input->integer);
    else if (member->type == MEMBER_STRING)
        (void)buf_printf(out, "'%.*s'", (int)input->bytes.size, (const char *)input->bytes.at);
    else
        (void)buf_printf(out, "'%.*s'",
                         (int)(input->value.bytes.size < SHOWN_MOST ? input->value.bytes.size : SHOWN_MOST),
                         (const char *)input->value.bytes.at);
}

static void violate(struct violations *violations, const struct member *member, const struct input *input,
                    const char *path, const char *constraint)
{
    if (violations->count >= VIOLATIONS_MOST)
        return;
    (void)buf_add_text(&violations->text, violations->count++ ? "; Value " : "Value ");
    show_value(&violations->text, member, input);
    (void)buf_printf(&violations->text, " at '%s%c%s' failed to satisfy constraint: Member must %s", path,
                     tolower(member->name[0]), member->name + 1, constraint);
}

static void check_set(struct violations *violations, const struct member *member, const struct input *input,
                      const char *path)
{
    struct buf set = buf_init(1000);

    for (size_t i = 0; member->one_of[i]; i++) {
        if (bytes_equal(input->bytes, bytes_of_text(member->one_of[i])))
            goto out;
        (void)buf_printf(&set, "%s%s", i ? ", " : "satisfy enum value set: [", member->one_of[i]);
    }
    (void)buf_add_char(&set, ']');
    violate(violations, member, input, path, buf_text(&set));
out:
    buf_release(&set);
}

static void check_one(struct violations *violations, const struct member *member, const struct input *input,
                      const char *path)
{
    char text[200];
    const char *what = member->type == MEMBER_INTEGER ? "value" : "length";
    int64_t measure;

    if (!input->given) {
        if (member->required)
            violate(violations, member, input, path, "not be null");
        return;
    }
    if (member->one_of)
        check_set(violations, member, input, path);
    if (member->fits && !member->fits(input->bytes)) {
        snprintf(text, sizeof(text), "satisfy regular expression pattern: %s", member->pattern);
        violate(violations, member, input, path, text);
    }
    if (member->most == 0)
        return;
    measure = member->type == MEMBER_INTEGER ? input->integer
              : member->type == MEMBER_LIST  ? (int64_t)elements(input->value)
              : member->type == MEMBER_BLOB  ? (int64_t)input->bytes.size
                                             : (int64_t)characters(input->bytes);
    if (measure < member->least) {
        snprintf(text, sizeof(text), "have %s greater than or equal to %lld", what, (long long)member->least);
        violate(violations, member, input, path, text);
    }
    if (measure > member->most) {
        snprintf(text, sizeof(text), "have %s less than or equal to %lld", what, (long long)member->most);
        violate(violations, member, input, path, text);
    }
}

void input_check(struct violations *violations, const struct member *members, const struct input *inputs,
                 const char *path)
{
    for (size_t i = 0; members[i].name; i++)
        check_one(violations, &members[i], &inputs[i], path);
}

bool violations_end(struct violations *violations)
{
    bool good = violations->count == 0;

    if (!good)
        kinesis_error(violations->call, "ValidationException", "%d validation error%s detected: %s",
                      violations->count, violations->count > 1 ? "s" : "", buf_text(&violations->text));
    buf_release(&violations->text);
    return good;
}

bool kinesis_take(struct kinesis *kinesis, const struct member *members)
{
    struct violations violations = {kinesis->call, buf_init(1 << 20), 0};
    bool token = false;

    if (!input_take(kinesis, kinesis->body, members, kinesis->inputs))
        return false;
    input_check(&violations, members, kinesis->inputs, "");
    /* One of the two must name the stream, or a token does; the complaint is about the first. */
    for (size_t i = 0; members[i].name; i++)
        token = token || (kinesis->inputs[i].given && strcmp(members[i].name, "NextToken") == 0);
    if (strcmp(members[0].name, "StreamName") == 0 && !kinesis->inputs[0].given &&
        !kinesis->inputs[1].given && !token)
        violate(&violations, &members[0], &kinesis->inputs[0], "", "not be null");
    return violations_end(&violations);
}
