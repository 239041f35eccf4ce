/* open_tables.h - the tables of the data folder behind a connection, for commands that only read.
 *
 * They read the folder itself, so they work with no pinrail running, and beside one that is. */
#ifndef CLI_OPEN_TABLES_H
#define CLI_OPEN_TABLES_H

#include "cli/cli.h"

struct open_tables {
    struct sql_db *db;
    struct sql *sql;
};

/* A connection; `views`: with all tables and views of table_views(). */
enum err open_tables(struct open_tables *out, const struct cli *cli, bool views);
void open_tables_close(struct open_tables *tables);

/* What --format (or --json) asks for; what it says otherwise ends in ERR_INVALID. */
enum err format_asked(const struct cli *cli, enum print_format *out);
/* Push what was printed out of the process; then the exit status for `err`, which it tells. */
int finish_output(enum err err);

#endif
