/* embedded.c - finds a file in the table that tools/embed made. */
#include "base/embedded.h"

const struct embedded_file *embedded_find(const char *name)
{
    for (const struct embedded_file *file = embedded_files; file->name; file++)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}
