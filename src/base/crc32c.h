/* crc32c.h - CRC-32C (Castagnoli, RFC 3720 appendix B.4), as Kafka record batches have it. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/bytes.h"

uint32_t crc32c(struct bytes bytes);
/* Continue: crc32c_more(crc32c(a), b) is the checksum of a followed by b. */
uint32_t crc32c_more(uint32_t crc, struct bytes bytes);
/* crc32c_more() as machines without the instruction have it; public so that a test can compare the two. */
uint32_t crc32c_by_tables(uint32_t crc, struct bytes bytes);

#endif
