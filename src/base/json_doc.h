/* json_doc.h - jansson, with our errors: documents where speed does not matter. */
#ifndef BASE_JSON_DOC_H
#define BASE_JSON_DOC_H

#include <jansson.h>

#include "base/bytes.h"

/* Parse; the caller json_decref()s *out. ERR_INVALID: the note says where. */
enum err json_doc_parse(json_t **out, struct bytes text);
/* Append as compact JSON, keys in the order they were set. */
enum err json_doc_write(const json_t *doc, struct buf *out);

#endif
