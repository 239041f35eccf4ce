/* internal.h - what the internal topics have in common: they are read once, last record of a key wins, and they are
 * written anew when they have grown to much more than what lives in them. */
#ifndef LOG_INTERNAL_H
#define LOG_INTERNAL_H

#include "log/partition.h"

enum {
    INTERNAL_SLACK_BYTES = 4 << 20,
    INTERNAL_BATCH_BYTES = 256 << 10,
    INTERNAL_RECORD_MOST_BYTES = 4 << 20
};

/* Calls `each` with every record from the start on; what it returns ends the reading if not ERR_OK. */
enum err internal_replay(struct partition *partition,
                         enum err (*each)(void *arg, const struct record *record), void *arg);

/* Records gathered into batches:
 *     internal_begin(&out, partition, &buf);  internal_add(&out, key, value)...  err = internal_end(&out); */
struct internal_writer {
    struct partition *partition;
    struct batch_writer batch;
    int64_t end_offset; /* behind the last record, once internal_end() says ERR_OK */
    enum err err;       /* the first that went wrong; later calls do nothing */
};
void internal_begin(struct internal_writer *writer, struct partition *partition, struct buf *buf);
void internal_add(struct internal_writer *writer, struct bytes key, struct bytes value);
enum err internal_end(struct internal_writer *writer);

/* Is it time to write it anew? Not while that is under way. */
bool internal_has_grown(struct partition *partition, int64_t live_bytes);

#endif
