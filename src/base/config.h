/* config.h - one table of settings (config_table.c); parsing, --help and docs/config.md all come from it.
 *
 * A setting `lake.flush.size` is the key of that name in pinrail.yaml (nested maps or dotted names), the flag
 * --lake-flush-size and the environment variable PINRAIL_LAKE_FLUSH_SIZE. Flag beats variable beats file beats
 * default. `${VAR}` and `${VAR:-default}` in the file are replaced from the environment.
 *
 * Threads: read-only after config_load(), so any. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/bytes.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_INTEGER, /* range "0..100" */
    SETTING_SIZE,    /* bytes; 64MiB, 1GB, 512k are taken */
    SETTING_FLAG,    /* true or false */
    SETTING_CHOICE,  /* range "lower|exact" */
    SETTING_ADDRESS, /* HOST:PORT */
    SETTING_SECRET,  /* text that is never printed */
};

struct setting {
    const char *name;
    enum setting_type type;
    const char *fallback; /* the default, as one would type it; "" for none */
    const char *range;    /* "" for any */
    const char *help;
};

extern const struct setting config_settings[]; /* ends with a NULL name */

struct config;

/* `file` NULL: ./pinrail.yaml if it is there. `flags` are names and values from the command line, in pairs
 * (setting names, not flag names), `flag_count` pairs. ERR_INVALID with a note that names file, line and key. */
enum err config_load(struct config **out, const char *file, const char *const *flags, size_t flag_count);
/* The same settings as `from`, but for `flag_count` pairs of names and values. */
enum err config_copy(struct config **out, const struct config *from, const char *const *flags,
                     size_t flag_count);
void config_free(struct config *config); /* accepts NULL */

/* Values. The name must be in the table (asserted): a misspelt name is our mistake. Text is valid as long as the
 * configuration; never NULL, "" when unset. Integers, sizes (bytes) and flags were checked when loading. */
const char *config_text(const struct config *config, const char *name);
int64_t config_integer(const struct config *config, const char *name);
bool config_flag(const struct config *config, const char *name);
/* Where a value came from: "flag", "environment", "pinrail.yaml:12", "default". */
const char *config_origin(const struct config *config, const char *name);

/* Address parts of a SETTING_ADDRESS. `host` has room for 256 bytes. IPv6 hosts may stand in brackets. */
enum err config_address(const char *text, char host[256], int *port);

/* A path inside the data folder: data.dir + "/" + `below`, in a static per-thread buffer of PATH_MAX bytes... valid
 * until this thread's fourth next call. */
const char *config_path(const struct config *config, const char *below);

/* The address a running door listens on: HOST:PORT from DIR/run/<door>.port when a pinrail serves this data folder
 * (port 0 or another process), else the configured one. `door` is "http", "kafka" or "page". */
enum err config_door(const struct config *config, const char *door, char out[300]);

#endif
