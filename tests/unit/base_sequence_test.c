/* What could go wrong: a sequence number that does not lead back to its offset, that does not rise with it,
 * or a foreign number taken for ours. How we look: edge values there and back, rising order compared as
 * decimal text of one length, the independent value of one number, and every one-digit change refused or
 * leading elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sequence.h"

#define CHECK(what) assert_true(what)

static void there_and_back(void **state)
{
    static const int64_t offsets[] = {0, 1, 15, 16, 65535, 65536, 1000000007, INT64_MAX - 1, INT64_MAX};
    static const uint32_t shards[] = {0, 1, 15, 16, 9999, UINT32_MAX};
    static const int64_t times[] = {0, 1, 1700000000, 0xfffffffff};
    char text[SEQUENCE_TEXT_BYTES];
    int64_t created, offset;
    uint32_t shard;

    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < 6; j++)
            for (size_t k = 0; k < 16; k++) {
                sequence_format(times[k & 3], shards[j], offsets[i], times[k >> 2], text);
                CHECK(strlen(text) == 56);
                CHECK(sequence_parse(bytes_of_text(text), &created, &shard, &offset) == ERR_OK);
                CHECK(created == times[k & 3] && shard == shards[j] && offset == offsets[i]);
            }
}

static void they_rise_with_the_offset(void **state)
{
    char before[SEQUENCE_TEXT_BYTES], after[SEQUENCE_TEXT_BYTES];

    sequence_format(1700000000, 3, 0, 0xfffffffff, before);
    for (int64_t offset = 1; offset > 0 && offset < INT64_MAX / 3; offset = offset * 3 + 1) {
        sequence_format(1700000000, 3, offset, 0, after);
        CHECK(strcmp(before, after) < 0);
        sequence_format(1700000000, 3, offset, 0xfffffffff, before);
    }
}

/* int("2" + "%09x" % 1700000000 + "3" + "%016x" % 42 + "00" + "%09x" % 1700000100 + "%08x" % 3 + "2", 16) in
 * Python */
static void one_known_number(void **state)
{
    char text[SEQUENCE_TEXT_BYTES];

    sequence_format(1700000000, 3, 42, 1700000100, text);
    assert_string_equal(text, "49646437577175378652512468275301311464827196058078543922");
}

static void foreign_numbers_are_refused(void **state)
{
    static const char *bad[] = {"",
                                "0",
                                "49",
                                "4957",
                                "-1",
                                "abc",
                                "99999999999999999999999999999999999999999999999999999999",
                                "00000000000000000000000000000000000000000000000000000000",
                                "TRIM_HORIZON"};
    char text[SEQUENCE_TEXT_BYTES], again[SEQUENCE_TEXT_BYTES];

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(sequence_parse(bytes_of_text(bad[i]), NULL, NULL, NULL) == ERR_INVALID);
    sequence_format(1700000000, 3, 42, 1700000100, text);
    for (size_t i = 0; i < 56; i++) {
        int64_t created, offset;
        uint32_t shard;
        memcpy(again, text, sizeof(text));
        again[i] = again[i] == '9' ? '8' : (char)(again[i] + 1);
        if (!sequence_parse(bytes_of_text(again), &created, &shard, &offset))
            CHECK(created != 1700000000 || shard != 3 || offset != 42 || i > 30);
        again[i] = 'x';
        CHECK(sequence_parse(bytes_of_text(again), NULL, NULL, NULL) == ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(they_rise_with_the_offset),
        cmocka_unit_test(one_known_number),
        cmocka_unit_test(foreign_numbers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
