/* parts.h - what the kinds of source share; nothing outside this folder includes it but tests. */
#ifndef SOURCE_PARTS_H
#define SOURCE_PARTS_H

#include "source/source.h"

/* The first member of every kind of source: source.c calls through it. */
struct source {
    enum err (*next)(struct source *source, struct post *out);
    void (*close)(struct source *source);
    int64_t count;
};

/* Each opens its kind; on success *out is the caller's, otherwise it is untouched. */
enum err generator_open(struct source **out, const struct source_options *options);
enum err jsonl_open(struct source **out, const char *dir, const struct source_options *options);

/* ---- course.c: the rows that the course's script draws ---- */

enum {
    COURSE_SEED = 100,
    COURSE_LAST = 11000, /* its randint(0, 11000): rows above are never drawn */
    TWISTER_WORDS = 624,
};

/* Python's random.Random. */
struct course {
    uint32_t state[TWISTER_WORDS];
    int used;
};

/* As random.seed(seed) for a whole number. */
void course_seed(struct course *course, uint64_t seed);
/* As random.randrange(0, below), for 0 < below < 2^32. */
uint32_t course_below(struct course *course, uint32_t below);
/* One turn of the script's loop: the pause it draws first, then the row. */
int64_t course_next(struct course *course);

/* ---- creds.c: where a database is, and who we are there ---- */

struct creds {
    char *host, *user, *password, *database, *charset; /* never NULL once read; a password may be "" */
    char *socket, *ssl_ca;                             /* NULL: not given */
    int port;
};

bool creds_is_url(const char *text);
/* mysql://USER:PASSWORD@HOST:PORT/DATABASE?charset=utf8mb4, parts percent-encoded where needed; +pymysql and
 * +mysqldb behind "mysql" are as good. Also charset=, unix_socket=, ssl_ca=. Notes never repeat the text. */
enum err creds_from_url(struct creds *out, const char *url);
/* A YAML map with HOST, USER, PASSWORD, DATABASE and PORT in any case. ERR_NOT_FOUND, ERR_INVALID. */
enum err creds_from_yaml(struct creds *out, const char *text, size_t size, const char *name);
enum err creds_from_file(struct creds *out, const char *path);
void creds_release(struct creds *creds);

/* Takes what `creds` holds, in any case. */
enum err mysql_open(struct source **out, struct creds *creds, const struct source_options *options);

#endif
