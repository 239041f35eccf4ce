/* error.c - the sentence behind an error, and its exit status. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

static _Thread_local char sentence[1024];

enum err err_note(enum err err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    return err;
}

const char *err_sentence(void)
{
    return sentence;
}

static const struct {
    const char *name;
    int exit_status;
} errors[] = {
    [ERR_OK] = {"ok", EX_OK},
    [ERR_NO_MEMORY] = {"out of memory", EX_OSERR},
    [ERR_IO] = {"input/output error", EX_IOERR},
    [ERR_FULL] = {"full", EX_IOERR},
    [ERR_NOT_FOUND] = {"not found", EX_DATAERR},
    [ERR_EXISTS] = {"already exists", EX_DATAERR},
    [ERR_INVALID] = {"invalid", EX_DATAERR},
    [ERR_TOO_LARGE] = {"too large", EX_DATAERR},
    [ERR_CORRUPT] = {"corrupt", EX_DATAERR},
    [ERR_RANGE] = {"offset out of range", EX_DATAERR},
    [ERR_BUSY] = {"busy", EX_TEMPFAIL},
    [ERR_CONFLICT] = {"conflict", EX_TEMPFAIL},
    [ERR_SEQUENCE] = {"out of order sequence", EX_DATAERR},
    [ERR_DUPLICATE] = {"duplicate", EX_DATAERR},
    [ERR_FENCED] = {"fenced", EX_DATAERR},
    [ERR_UNREACHABLE] = {"unreachable", EX_UNAVAILABLE},
    [ERR_DENIED] = {"permission denied", EX_NOPERM},
    [ERR_UNSUPPORTED] = {"unsupported", EX_DATAERR},
    [ERR_STOPPED] = {"stopped", EX_TEMPFAIL},
    [ERR_END] = {"end", EX_OK},
};

const char *err_name(enum err err)
{
    return (unsigned)err < sizeof(errors) / sizeof(*errors) ? errors[err].name : "unknown error";
}

int err_exit_status(enum err err)
{
    return (unsigned)err < sizeof(errors) / sizeof(*errors) ? errors[err].exit_status : EX_SOFTWARE;
}
