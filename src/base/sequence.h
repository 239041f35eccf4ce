/* sequence.h - Kinesis sequence numbers: a sequence number is an offset, in a bijection.
 *
 * The decimal form of 47 hexadecimal digits, as AWS's look (49..., 56 digits):
 *
 *     2 | created, s [9] | shard, low digit [1] | offset [16] | 00 | arrived, s [9] | shard [8] | 2
 *
 * Within a shard they rise strictly with the offset; the offset is read back from its sixteen digits. */
#ifndef BASE_SEQUENCE_H
#define BASE_SEQUENCE_H

#include "base/bytes.h"

enum { SEQUENCE_TEXT_BYTES = 60 };

void sequence_format(int64_t created_s, uint32_t shard, int64_t offset, int64_t arrival_s,
                     char out[SEQUENCE_TEXT_BYTES]);
/* ERR_INVALID: not a sequence number of this form. Any of the outputs may be NULL. */
enum err sequence_parse(struct bytes text, int64_t *created_s, uint32_t *shard, int64_t *offset);

#endif
