/* object.h - names of lake objects (the lake's own; others use lake.h).
 *
 *     <data>/lake/<topics.dir>/<topic>/partition=<n>/<topic>+<n>+<start offset, 10 digits>.json */
#ifndef LAKE_OBJECT_H
#define LAKE_OBJECT_H

#include "lake/lake.h"

/* The folder of a partition's objects; `below` the data folder's name with lake/ and lake.topics.dir. Paths come out
 * as text in `out` (buf_text). */
enum err object_folder(const struct config *config, const char *topic, int32_t partition, struct buf *out);
enum err object_path(const struct config *config, const char *topic, int32_t partition, int64_t start,
                     struct buf *out);
/* The start offset in the name of an object of that partition; -1: not such a name. */
int64_t object_start(const char *name, const char *topic, int32_t partition);
/* Make the partition's folder, so that a crash cannot take its name away again. */
enum err object_make_folder(const struct config *config, struct disk *disk, const char *topic,
                            int32_t partition);
/* True if the object is there. */
bool object_exists(const struct config *config, struct disk *disk, const char *topic, int32_t partition,
                   int64_t start);

#endif
