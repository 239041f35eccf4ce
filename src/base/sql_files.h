/* sql_files.h - the SQL files and contracts: those of `sql.dir` where it has them, else those built in. */
#ifndef BASE_SQL_FILES_H
#define BASE_SQL_FILES_H

#include "base/config.h"

enum { SQL_FILE_BYTES_MOST = 256 * 1024 };

struct sql_file {
    const char
        *path; /* where it came from, for notes: "my-sql/clean/pin.sql", "built-in sql/clean/pin.sql" */
    const char *name;  /* "pin.sql" */
    struct bytes text; /* a NUL stands behind it */
};

/* The file `below` ("clean/pin.sql"), in the arena. ERR_NOT_FOUND: it is in neither place. ERR_TOO_LARGE, ERR_IO. */
enum err sql_file_read(const struct config *config, const char *below, struct arena *arena,
                       struct sql_file *out);
/* All *.sql files of a folder ("insight") by name, in the arena: of sql.dir if it has that folder, else built in. */
enum err sql_files_list(const struct config *config, const char *folder, struct arena *arena,
                        struct sql_file **out, size_t *count);

#endif
