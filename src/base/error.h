/* error.h - what can go wrong, for every stage.
 *
 * Zero is success. A value exists only where some caller acts on it. What the world can cause is returned;
 * what only our own mistake can cause is an assert, and asserts stay on in release builds. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum err {
    ERR_OK = 0,
    ERR_NO_MEMORY,   /* an allocation failed; nothing was changed */
    ERR_IO,          /* disk or socket said no; the note says which and why */
    ERR_FULL,        /* no room: disk, queue or a buffer at its `most` */
    ERR_NOT_FOUND,   /* topic, partition, stream, table, file */
    ERR_EXISTS,      /* the thing to be made is there already */
    ERR_INVALID,     /* malformed input, or a value outside its range */
    ERR_TOO_LARGE,   /* well-formed, but over a limit */
    ERR_CORRUPT,     /* stored or received bytes fail their checksum */
    ERR_RANGE,       /* an offset outside what the partition holds */
    ERR_BUSY,        /* not now: still pending, or try again later */
    ERR_CONFLICT,    /* someone else was first */
    ERR_SEQUENCE,    /* an idempotent producer's sequence has a gap */
    ERR_DUPLICATE,   /* an idempotent producer repeats itself */
    ERR_FENCED,      /* an older epoch or a replaced member speaks */
    ERR_UNREACHABLE, /* the far end does not answer */
    ERR_DENIED,      /* not allowed */
    ERR_UNSUPPORTED, /* known, but not something we do; the note names it */
    ERR_STOPPED,     /* we were asked to stop */
    ERR_END,         /* nothing more to read */
};

/* Records a sentence for people (what, where, how to mend it) for this thread, and returns `err`, so that
 * `return err_note(ERR_IO, "cannot open %s: %s", path, strerror(errno))` reads as one thing. */
enum err err_note(enum err err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The sentence that belongs to the last err_note() of this thread; "" if there was none. Valid until the
 * thread's next err_note(). */
const char *err_sentence(void);

/* The bare name of an error, e.g. "not found". Never NULL. */
const char *err_name(enum err err);

/* The process's exit status for an error, after sysexits(3): 64 usage, 65 data, 69 unreachable, 74 I/O, 75 try
 * again, 77 permission, 78 configuration. */
int err_exit_status(enum err err);

#endif
