/* json_doc.c - jansson, with our errors. */
#include "base/json_doc.h"

#include <stdlib.h>

enum err json_doc_parse(json_t **out, struct bytes text)
{
    json_error_t error;
    json_t *doc = json_loadb((const char *)text.at, text.size, JSON_REJECT_DUPLICATES, &error);

    if (!doc)
        return err_note(ERR_INVALID, "not a JSON document: %s at byte %d", error.text, error.position);
    *out = doc;
    return ERR_OK;
}

static int add_to_buf(const char *at, size_t size, void *buf)
{
    return buf_add(buf, at, size) ? -1 : 0;
}

enum err json_doc_write(const json_t *doc, struct buf *out)
{
    if (json_dump_callback(doc, add_to_buf, out, JSON_COMPACT | JSON_ENCODE_ANY))
        return ERR_FULL;
    return ERR_OK;
}
