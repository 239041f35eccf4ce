/* draft.h - an object that is being written and does not have its name yet.
 *
 * Lines gather in memory, at most about a mebibyte; then they go on to a file in <data>/lake/.drafts. Putting the
 * draft syncs it and gives it its name, all at once. Whatever goes wrong before that leaves no object: the records
 * are still in the topic, so a draft is simply dropped and made again.
 *
 * Threads: the sink's own. */
#ifndef LAKE_DRAFT_H
#define LAKE_DRAFT_H

#include <sys/types.h>

#include "lake/lake.h"

struct draft {
    struct disk *disk;
    char *path;             /* of the file, whether it is there yet or not */
    struct disk_file *file; /* NULL while all lines are in memory */
    off_t written;          /* bytes in the file */
    struct buf lines;       /* lines behind those */
};

/* An empty draft that will use the file `path` when it needs one. ERR_NO_MEMORY. */
enum err draft_init(struct draft *draft, struct disk *disk, const char *path);
void draft_release(struct draft *draft); /* accepts a zeroed one */

static inline int64_t draft_bytes(const struct draft *draft)
{
    return (int64_t)draft->written + (int64_t)draft->lines.size;
}

/* Add a record's line. After an error the draft must be dropped. */
enum err draft_add(struct draft *draft, struct bytes value);
/* Move what is in memory to the file and give the memory back. After an error the draft must be dropped. */
enum err draft_spill(struct draft *draft);
/* Make all lines durable and give them the name `path` in the folder `folder`, replacing what had it; the draft is
 * empty then. After an error the draft must be dropped. */
enum err draft_put(struct draft *draft, const char *folder, const char *path);
/* Empty the draft. */
void draft_drop(struct draft *draft);

#endif
