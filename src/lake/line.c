/* line.c - a record as one line of a lake object, and back.
 *
 *     record's value                          line
 *     a JSON document                         the document without white space outside strings
 *     anything else                           {"_pinrail_raw":"<base64 of the value>"}
 *     no value (null)                         null
 *
 * Two JSON documents would be taken for something else when read back: `null` itself, and an object that begins as a
 * wrapper does. They are wrapped too, so that every value comes back as it was (but for white space). */
#include "base/json.h"
#include "lake/lake.h"

#define WRAP_OPEN  "{\"_pinrail_raw\":\""
#define WRAP_CLOSE "\"}"
#define WRAP_KEY   "{\"_pinrail_raw\""

static bool starts_with(struct bytes bytes, struct bytes start)
{
    return bytes.size >= start.size && memcmp(bytes.at, start.at, start.size) == 0;
}

static enum err add_wrapped(struct bytes value, struct buf *out)
{
    enum err err = buf_add_bytes(out, BYTES(WRAP_OPEN));

    if (!err)
        err = base64_encode(value, out);
    if (!err)
        err = buf_add_bytes(out, BYTES(WRAP_CLOSE));
    return err;
}

/* The document as JSON, or wrapped where reading it back would mistake it. */
static enum err add_document(struct bytes value, struct json_value document, struct buf *out)
{
    size_t from = out->size;
    enum err err;

    if (document.kind == JSON_NULL)
        return add_wrapped(value, out);
    if (document.plain || document.kind < JSON_ARRAY)
        err = buf_add_bytes(out, document.bytes);
    else
        err = json_compact(document, out);
    if (!err && starts_with(bytes_of(out->at + from, out->size - from), BYTES(WRAP_KEY))) {
        out->size = from;
        err = add_wrapped(value, out);
    }
    return err;
}

enum err lake_line(struct bytes value, struct buf *out)
{
    size_t from = out->size;
    struct json_value document;
    enum err err;

    if (!value.at)
        err = buf_add_bytes(out, BYTES("null"));
    else if (!json_check(value, &document, NULL))
        err = add_document(value, document, out);
    else
        err = add_wrapped(value, out);
    if (!err)
        err = buf_add_char(out, '\n');
    if (err)
        out->size = from; /* a line is there as a whole or not at all */
    return err;
}

enum err lake_line_value(struct bytes line, struct buf *scratch, struct bytes *value, bool *is_json)
{
    struct bytes wrapped;
    size_t from = scratch->size;
    enum err err;

    if (line.size > 0 && line.at[line.size - 1] == '\n')
        line.size--;
    *value = line;
    *is_json = true;
    if (bytes_equal(line, BYTES("null"))) {
        *value = (struct bytes){NULL, 0};
        return ERR_OK;
    }
    if (!starts_with(line, BYTES(WRAP_OPEN)))
        return ERR_OK;
    wrapped = bytes_of(line.at + sizeof(WRAP_OPEN) - 1, line.size - (sizeof(WRAP_OPEN) - 1));
    if (wrapped.size < 2 || memcmp(wrapped.at + wrapped.size - 2, WRAP_CLOSE, 2) != 0)
        return err_note(ERR_CORRUPT, "a lake line begins as a wrapped record but does not end as one");
    wrapped.size -= 2;
    /* Room first: the value must not be at NULL even when it is empty, for that means null. */
    err = buf_reserve(scratch, wrapped.size / 4 * 3 + 4);
    if (!err)
        err = base64_decode(wrapped, scratch);
    if (err) {
        scratch->size = from;
        return err == ERR_INVALID ? err_note(ERR_CORRUPT, "a wrapped record in a lake line is not base64")
                                  : err;
    }
    *value = bytes_of(scratch->at + from, scratch->size - from);
    *is_json = false;
    return ERR_OK;
}
