/* source.h - posts when nobody sends any.                                       [source] -> emulate -> gateway
 *
 * A post is three rows with the same index: pin, geo, user, each a JSON object with its keys in table column order
 * and datetimes in ISO 8601. Sources: the seeded generator (`demo`), JSON-lines folders (`file:DIR` with pin.jsonl,
 * geo.jsonl, user.jsonl), MySQL or MariaDB (`mysql://...`, `mysql+pymysql://...`, or `db_creds.yaml`).
 * Threads: a source belongs to one thread. */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include "base/bytes.h"

struct source;

struct post {
    int64_t index;
    struct bytes pin, geo, user; /* JSON objects; .at NULL where the source has no such row for this index */
};

enum source_order {
    SOURCE_EACH_ONCE, /* every row once, by index; the generator never ends */
    SOURCE_COURSE,    /* rows as the course's script draws them, with replacement: random.seed(100) */
};

struct source_options {
    const char *url; /* demo | file:DIR | mysql://USER:PASSWORD@HOST:PORT/DB | PATH of a db_creds.yaml */
    enum source_order order;
    uint64_t seed; /* of the generator, and of the course's draw (100 there) */
    bool clean;    /* generator: leave the dirt out */
};

/* ERR_INVALID (url), ERR_NOT_FOUND, ERR_UNREACHABLE (the note says what to look at; never shows a password). */
enum err source_open(struct source **out, const struct source_options *options);
void source_close(struct source *source);
/* The next post; its bytes are valid until the next call. ERR_END: no more. */
enum err source_next(struct source *source, struct post *out);
/* How many posts there will be in SOURCE_EACH_ONCE order, for progress: a database that lacks keys in its longest
 * table has a few more; -1: endless. */
int64_t source_count(const struct source *source);

#endif
