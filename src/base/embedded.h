/* embedded.h - files that travel inside the program: `sql/...` and `web/...` (made by tools/embed at build time). */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

#include "base/bytes.h"

struct embedded_file {
    const char *name; /* as "sql/clean/pin.sql"; NULL ends the table */
    const uint8_t *at;
    size_t size; /* a NUL stands behind the last byte, so text may be used as a C string */
};

/* All of them, ordered by name within a folder. */
extern const struct embedded_file embedded_files[];

/* The file of that name, or NULL. */
const struct embedded_file *embedded_find(const char *name);

#endif
