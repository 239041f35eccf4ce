/* print.h - what print.c and print_table.c share. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <stdio.h>

#include "base/sql.h"

/* Is that the name of a type of numbers? */
bool print_is_number(const char *type);
/* Write the text out and empty it. ERR_IO. */
enum err print_flush(FILE *out, struct buf *text);
/* A text of strangers; on a terminal without what could steer it. */
enum err print_text(FILE *out, struct bytes text);

#endif
