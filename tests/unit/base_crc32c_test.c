/* A checksum that is wrong for some length, or differs between machines, would make good data look corrupt.
 * How: published vectors; the instruction against the tables for every length through the three-lane bounds, at
 * odd alignments; and that a checksum continued in two parts is that of the whole. */
#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void published_vectors(void **state)
{
    uint8_t bytes[32];

    assert_int_equal(crc32c(BYTES("123456789")), 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c(bytes_of(bytes, 32)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c(bytes_of(bytes, 32)), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c(bytes_of(bytes, 32)), 0x46dd794e);
    assert_int_equal(crc32c(bytes_of(NULL, 0)), 0);
}

static void both_ways_agree(void **state)
{
    enum { MOST = 40000 };
    uint8_t *bytes = malloc(MOST);
    uint32_t seed = 1;

    for (int i = 0; i < MOST; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    for (size_t size = 0; size < MOST - 8; size += size < 2000 ? 1 : 997) {
        struct bytes part = bytes_of(bytes + size % 8, size);
        uint32_t crc = crc32c(part);
        assert_int_equal(crc, crc32c_by_tables(0, part));
        size_t first = size / 3;
        assert_int_equal(
            crc, crc32c_more(crc32c(bytes_of(part.at, first)), bytes_of(part.at + first, size - first)));
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(both_ways_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
