/* Lengths come off sockets, so buffers and arenas must stop at their limits, and the UTF-8 check must agree with
 * RFC 3629. What could go wrong: growth past `most`, an overflow in the sum, a form that is no UTF-8 let through.
 * How: fill to the last byte and one more; every lead byte with good, short and overlong followers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"

static void a_buffer_stops_at_its_limit(void **state)
{
    struct buf buf = buf_init(1000);

    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_add_char(&buf, 'x'), ERR_OK);
    assert_int_equal(buf_add_char(&buf, 'x'), ERR_FULL);
    assert_int_equal(buf.size, 1000);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX), ERR_FULL);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX - 500), ERR_FULL);
    buf_clear(&buf);
    assert_int_equal(buf_add(&buf, NULL, 0), ERR_OK);
    assert_int_equal(buf_printf(&buf, "%d-%s", 12, "ab"), ERR_OK);
    assert_string_equal(buf_text(&buf), "12-ab");
    assert_int_equal(buf.size, 5);
    buf_release(&buf);
}

static void an_arena_stops_at_its_limit_and_zeroes(void **state)
{
    struct arena arena = arena_init(10000);
    char *text;

    for (int i = 0; i < 100; i++) {
        uint8_t *at = arena_take(&arena, 100);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
        for (int j = 0; j < 100; j++)
            assert_int_equal(at[j], 0);
        memset(at, 0xff, 100);
    }
    assert_null(arena_take(&arena, 1));
    assert_null(arena_take(&arena, SIZE_MAX));
    arena_release(&arena);
    text = arena_text(&arena, BYTES("abc"));
    assert_string_equal(text, "abc");
    assert_string_equal(arena_printf(&arena, "%s-%d", text, 5), "abc-5");
    arena_release(&arena);
}

static bool utf8(const char *text, size_t size)
{
    /* At each alignment, and behind eight plain bytes: the fast path must not change the answer. */
    uint8_t room[64];
    bool first = bytes_are_utf8(bytes_of(text, size));

    for (size_t pad = 0; pad < 9; pad++) {
        memset(room, 'a', sizeof(room));
        memcpy(room + pad, text, size);
        assert_int_equal(bytes_are_utf8(bytes_of(room, pad + size)), first);
    }
    return first;
}

static void utf8_is_as_rfc_3629_says(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "caf\xc3\xa9 \xf0\x9f\x8d\x82"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xe0\xa0",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "a\xc2"};

    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(utf8(bad[i], strlen(bad[i])));
}

static void numbers_are_big_endian(void **state)
{
    uint8_t at[8];

    put_u64(at, 0x0102030405060708u);
    assert_int_equal(at[0], 1);
    assert_int_equal(get_u64(at), 0x0102030405060708u);
    assert_int_equal(get_u32(at), 0x01020304u);
    assert_int_equal(get_u16(at), 0x0102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_stops_at_its_limit),
        cmocka_unit_test(an_arena_stops_at_its_limit_and_zeroes),
        cmocka_unit_test(utf8_is_as_rfc_3629_says),
        cmocka_unit_test(numbers_are_big_endian),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
