/* The shape check. What could go wrong: a wrong record that passes, a right one that does not, a text cut or unescaped
 * wrongly, what is left of one record showing in the next, memory read past hostile input. One parser reads all cases,
 * so each follows the rubbish of the one before; ASan sees the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clean/parse.h"

static struct contract contract;
static struct parser parser;

static int set_up(void **state)
{
    static const char yaml[] = "entity: thing\n"
                               "columns:\n"
                               "  - { name: ind, type: integer }\n"
                               "  - { name: title, type: string }\n"
                               "  - { name: height, type: number }\n"
                               "  - { name: seen, type: boolean, required: false }\n";

    assert_int_equal(contract_read(&contract, bytes_of_text(yaml), "x.yaml"), ERR_OK);
    parser_init(&parser, &contract);
    return 0;
}

static int tear_down(void **state)
{
    parser_release(&parser);
    contract_release(&contract);
    return 0;
}

/* Read a copy of exact size, so that a look behind its end is a fault under ASan. */
static uint8_t *read_copy(struct bytes text)
{
    uint8_t *copy = malloc(text.size + 1);

    assert_non_null(copy);
    copy = memcpy(realloc(copy, text.size ? text.size : 1), text.at, text.size);
    assert_int_equal(parser_read(&parser, bytes_of(copy, text.size)), ERR_OK);
    return copy;
}

static void check_text(size_t column, const char *want)
{
    if (!want) {
        assert_null(parser.texts[column].at);
        return;
    }
    assert_non_null(parser.texts[column].at);
    assert_int_equal(parser.texts[column].size, strlen(want));
    assert_memory_equal(parser.texts[column].at, want, strlen(want));
}

static void right_records_become_texts(void **state)
{
    static const struct {
        const char *json, *texts[4];
    } cases[] = {
        {"{\"ind\":7,\"title\":\"a\",\"height\":1.5,\"seen\":true}", {"7", "a", "1.5", "true"}},
        {" {\"height\" : -0.0e+2 , \"title\":\"\",\"ind\":-9223372036854775808}\n",
         {"-9223372036854775808", "", "-0.0e+2", NULL}},
        {"{\"ind\":null,\"title\":null,\"height\":null,\"seen\":null}", {NULL, NULL, NULL, NULL}},
        {"{\"ind\":1,\"title\":\"\\u00e9\\ud83d\\ude00\\n\\\"\",\"height\":2}", {"1", "é😀\n\"", "2", NULL}},
        {"{\"\\u0069nd\":1,\"t\\u0069tle\":\"x\",\"height\":2}", {"1", "x", "2", NULL}},
        {"\"{\\\"ind\\\":1,\\\"title\\\":\\\"\\\\\\\"q\\\",\\\"height\\\":2}\"", {"1", "\"q", "2", NULL}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t *copy = read_copy(bytes_of_text(cases[i].json));
        assert_int_equal(parser.fault.size, 0);
        for (size_t column = 0; column < 4; column++)
            check_text(column, cases[i].texts[column]);
        free(copy);
    }
}

static void every_fault_is_told(void **state)
{
#define REST "\"title\":\"a\",\"height\":1"
    static const struct {
        const char *json, *fault, *rule;
    } cases[] = {
        {"", "not JSON", "not_json"},
        {"   ", "not JSON", "not_json"},
        {"hello", "not JSON", "not_json"},
        {"{\"ind\":1," REST, "not JSON", "not_json"},
        {"{\"ind\":1," REST "} {}", "not JSON", "not_json"},
        {"{\"ind\":1,\"title\":\"\xff\",\"height\":1}", "not UTF-8", "not_json"},
        {"{\"ind\":01," REST "}", "not JSON", "not_json"},
        {"{\"ind\":1,\"title\":\"\\ud800\",\"height\":1}", "not JSON", "not_json"},
        {"null", "the value is null", "null_value"},
        {"[1]", "found an array, expected an object", "not_an_object"},
        {"12", "found a number, expected an object", "not_an_object"},
        {"\"hello\"", "found a string, expected an object", "not_an_object"},
        {"\"\\\"{}\\\"\"", "found a string, expected an object", "not_an_object"},
        {"\"{\\\"ind\\\":\"", "not JSON", "not_json"},
        {"true", "found true, expected an object", "not_an_object"},
        {"{}", "ind: missing; title: missing; height: missing", "missing_column"},
        {"{\"ind\":\"1\"," REST "}", "ind: found \"1\", expected a whole number", "wrong_type"},
        {"{\"ind\":1.0," REST "}", "ind: found 1.0, expected a whole number", "wrong_type"},
        {"{\"ind\":9223372036854775808," REST "}", "ind: found 9223372036854775808, expected a whole number",
         "wrong_type"},
        {"{\"ind\":1,\"title\":12,\"height\":1}", "title: found 12, expected a string", "wrong_type"},
        {"{\"ind\":1,\"title\":{\"a\":[1]},\"height\":1}", "title: found {\"a\":[1]}, expected a string",
         "wrong_type"},
        {"{\"ind\":1,\"title\":\"a\",\"height\":true}", "height: found true, expected a number",
         "wrong_type"},
        {"{\"ind\":1," REST ",\"seen\":0}", "seen: found 0, expected true or false", "wrong_type"},
        {"{\"ind\":1," REST ",\"extra\":1}", "extra: unknown column", "unknown_column"},
        {"{\"ind\":1,\"ind\":2," REST "}", "ind: there twice", "duplicate_column"},
        {"{\"ind\":1,\"Title\":\"b\"," REST "}", "Title: unknown column", "unknown_column"},
        {"{\"ind\":\"x\",\"colour\":1,\"height\":1}",
         "ind: found \"x\", expected a whole number; colour: unknown column; title: missing",
         "wrong_type; missing_column; unknown_column"},
        {"{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}",
         "h: unknown column; and 4 more", "missing_column; unknown_column"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t *copy = read_copy(bytes_of_text(cases[i].json));
        const char *fault = buf_text(&parser.fault), *rule = buf_text(&parser.rule);
        if (!strstr(fault, cases[i].fault) || strcmp(rule, cases[i].rule) != 0)
            fail_msg("%s: %s (%s)", cases[i].json, fault, rule);
        free(copy);
    }
}

static void a_null_value_is_a_fault(void **state)
{
    assert_int_equal(parser_read(&parser, bytes_of(NULL, 0)), ERR_OK);
    assert_string_equal(buf_text(&parser.rule), "null_value");
}

/* A reason stays short and whole UTF-8 however long the value at fault. */
static void a_long_value_is_shown_cut(void **state)
{
    struct buf text = buf_init(1 << 22);
    uint8_t *copy;

    buf_add_text(&text, "{\"ind\":\"");
    while (text.size < 1 << 20)
        buf_add_text(&text, "é猫");
    buf_add_text(&text, "\"," REST "}");
    copy = read_copy(buf_bytes(&text));
    assert_true(parser.fault.size < 200);
    assert_true(bytes_are_utf8(buf_bytes(&parser.fault)));
    assert_non_null(strstr(buf_text(&parser.fault), "…, expected a whole number"));
    free(copy);
    buf_release(&text);
}

static void a_mebibyte_of_title_is_kept(void **state)
{
    struct buf text = buf_init(1 << 22);
    uint8_t *copy;
    size_t size = 1 << 20;

    buf_add_text(&text, "{\"ind\":1,\"height\":1,\"title\":\"\\n");
    for (size_t i = 1; i < size; i++)
        buf_add_char(&text, 'a');
    buf_add_text(&text, "\"}");
    copy = read_copy(buf_bytes(&text));
    assert_int_equal(parser.fault.size, 0);
    assert_int_equal(parser.texts[1].size, size);
    assert_int_equal(parser.texts[1].at[0], '\n');
    assert_int_equal(parser.texts[1].at[size - 1], 'a');
    free(copy);
    buf_release(&text);
}

static void deep_nesting_is_a_fault_and_no_more(void **state)
{
    struct buf text = buf_init(1 << 22);
    uint8_t *copy;

    buf_add_text(&text, "{\"ind\":");
    for (int i = 0; i < 500000; i++)
        buf_add_char(&text, '[');
    copy = read_copy(buf_bytes(&text));
    assert_string_equal(buf_text(&parser.rule), "not_json");
    assert_non_null(strstr(buf_text(&parser.fault), "deeply"));
    free(copy);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_records_become_texts),  cmocka_unit_test(every_fault_is_told),
        cmocka_unit_test(a_null_value_is_a_fault),     cmocka_unit_test(a_long_value_is_shown_cut),
        cmocka_unit_test(a_mebibyte_of_title_is_kept), cmocka_unit_test(deep_nesting_is_a_fault_and_no_more),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
