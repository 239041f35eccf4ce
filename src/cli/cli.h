/* cli.h - the command line: `pinrail COMMAND [options] [operands]`.
 *
 * A command is one file in cli/ and one row in cli/commands.c. Every setting of config_table.c is an option of every
 * command (lake.flush.size is --lake-flush-size); what a row declares comes on top. Data goes to stdout, everything
 * else to stderr. Exit statuses are those of sysexits(3): err_exit_status(). */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "base/config.h"
#include "base/sql.h"

struct cli_option {
    const char *name;  /* "count" is --count */
    const char *value; /* what stands for the value in help, e.g. "N"; NULL: the option takes none */
    const char *help;
};

struct cli {
    const struct command *command;
    struct config *config;
    char **operands; /* NULL-terminated */
    size_t operand_count;
    struct cli_value *values;
    bool json; /* --json: every command has it */
    bool quiet;
};

struct command {
    const char *name;
    int (*run)(struct cli *cli);      /* gives the exit status */
    const char *summary;              /* one line */
    const char *operands;             /* e.g. "TOPIC", "" for none */
    const struct cli_option *options; /* ends with a NULL name; may be NULL */
    const char *examples;             /* lines */
};
extern const struct command commands[]; /* ends with a NULL name */

/* The option's value, "" for one without, NULL when it was not given. */
const char *cli_value(const struct cli *cli, const char *name);
/* The same as a number, `fallback` when not given; a wrong one ends the process with 64 and a sentence. */
int64_t cli_integer(const struct cli *cli, const char *name, int64_t fallback);
/* "pinrail: error: <sentence>" on stderr (the sentence of err_note()); gives the exit status to return. */
int cli_fail(enum err err);
/* Wrong usage: the sentence and a hint at --help; gives 64. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* May we draw on this stream? A terminal, no NO_COLOR or TERM=dumb (for colour), no --quiet. */
bool cli_is_terminal(FILE *stream);
bool cli_has_colour(FILE *stream);
int cli_width(FILE *stream); /* columns; 80 where there is no terminal */

/* Set by SIGINT and SIGTERM, once cli_catch_signals() was called. */
extern volatile int cli_stop;
void cli_catch_signals(void);

/* ---- progress.c ---- a bar with rate and time left on stderr when it is a terminal; a line now and then when it is not */
struct progress {
    const char *what; /* "posts" */
    bool quiet, drawn;
    double last_drawn;
};
void progress_show(struct progress *progress, int64_t done, int64_t total /* -1: unknown */, double seconds);
void progress_end(struct progress *progress);

/* ---- print.c ---- results for people and programs */
enum print_format { PRINT_TABLE, PRINT_CSV, PRINT_JSON /* an object a line */ };
/* ERR_INVALID: no such format. */
enum err print_format_of(const char *name, enum print_format *out);
enum err print_result(FILE *out, const struct sql_result *result, enum print_format format);
/* The table alone, of at most `most_rows` rows, saying how many are left out; 0: all. */
enum err print_table(FILE *out, const struct sql_result *result, size_t most_rows);
/* A horizontal bar chart of a result's last (numeric) column, labelled with the columns before it; fits the width;
 * at most `most_rows` rows, saying how many are left out. */
enum err print_bars(FILE *out, const struct sql_result *result, size_t most_rows);

#endif
