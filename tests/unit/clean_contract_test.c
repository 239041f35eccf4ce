/* Contracts. What could go wrong: a slip in a contract that passes unseen (a rule then never holds), or one that is
 * told without its place. Each test reads a contract with one slip and looks for file, line and the word at fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/embedded.h"
#include "clean/contract.h"

static enum err read_text(struct contract *out, const char *text)
{
    return contract_read(out, bytes_of_text(text), "x.yaml");
}

static void a_contract_is_read_whole(void **state)
{
    struct contract contract;

    assert_int_equal(read_text(&contract, "entity: pin\n"
                                          "unknown_columns: ignore\n"
                                          "columns:\n"
                                          "  - { name: index, type: integer }\n"
                                          "  - { name: ok, type: boolean, required: false }\n"
                                          "expectations:\n"
                                          "  - name: index_is_there\n"
                                          "    expect: ind IS NOT NULL\n"
                                          "    column: index\n"
                                          "    expected: a number\n"
                                          "    action: drop\n"),
                     ERR_OK);
    assert_string_equal(contract.entity, "pin");
    assert_true(contract.ignore_unknown);
    assert_int_equal(contract.column_count, 2);
    assert_true(bytes_equal(contract.columns[1].name, BYTES("ok")));
    assert_int_equal(contract.columns[0].type, COLUMN_INTEGER);
    assert_true(contract.columns[0].required);
    assert_int_equal(contract.columns[1].type, COLUMN_BOOLEAN);
    assert_false(contract.columns[1].required);
    assert_int_equal(contract.expectation_count, 1);
    assert_string_equal(contract.expectations[0].expect, "ind IS NOT NULL");
    assert_null(contract.expectations[0].found);
    assert_int_equal(contract.expectations[0].action, EXPECT_DROP);
    contract_release(&contract);
}

static void the_built_in_contracts_are_right(void **state)
{
    static const char *const names[] = {"pin", "geo", "user"};

    for (size_t i = 0; i < 3; i++) {
        struct contract contract;
        char path[64];
        const struct embedded_file *file;
        snprintf(path, sizeof(path), "sql/clean/%s.yaml", names[i]);
        file = embedded_find(path);
        assert_non_null(file);
        assert_int_equal(contract_read(&contract, bytes_of(file->at, file->size), path), ERR_OK);
        assert_string_equal(contract.entity, names[i]);
        assert_false(contract.ignore_unknown);
        contract_release(&contract);
    }
}

static void every_slip_is_told_with_its_line(void **state)
{
#define ENTITY "entity: pin\n"
#define COLUMN "columns:\n  - { name: index, type: integer }\n"
    static const struct {
        const char *text, *line, *word;
    } cases[] = {
        {"", "x.yaml", "empty"},
        {"entity: [pin\n", "x.yaml:2", "not YAML"},
        {"- pin\n", "x.yaml:1", "entity, unknown_columns"},
        {ENTITY, "x.yaml:1", "lacks `columns`"},
        {COLUMN, "x.yaml:1", "lacks `entity`"},
        {"entity: Pin\n" COLUMN, "x.yaml:1", "lower-case"},
        {"entity: [pin]\n" COLUMN, "x.yaml:1", "must be a text"},
        {ENTITY ENTITY COLUMN, "x.yaml:2", "twice"},
        {ENTITY "colums: 3\n" COLUMN, "x.yaml:2", "colums"},
        {ENTITY "columns: 3\n", "x.yaml:2", "must be a list"},
        {ENTITY "columns: []\n", "x.yaml:2", "has 0"},
        {ENTITY "unknown_columns: keep\n" COLUMN, "x.yaml", "quarantine, ignore"},
        {ENTITY "columns:\n  - { name: index }\n", "x.yaml:3", "lacks `type`"},
        {ENTITY "columns:\n  - { name: index, type: int }\n", "x.yaml:3", "string, integer, number, boolean"},
        {ENTITY "columns:\n  - { name: _offset, type: integer }\n", "x.yaml:3", "pipeline's own"},
        {ENTITY "columns:\n  - { name: \"a b\", type: integer }\n", "x.yaml:3", "lower-case"},
        {ENTITY "columns:\n  - { name: index, type: integer, required: yes }\n", "x.yaml:3", "false, true"},
        {ENTITY COLUMN "  - { name: index, type: string }\n", "x.yaml:4", "twice"},
        {ENTITY COLUMN "expectations:\n  - { name: a, expect: b, column: c }\n", "x.yaml:5",
         "lacks `expected`"},
        {ENTITY COLUMN "expectations:\n  - { name: a, expect: b, column: c, expected: d, action: stop }\n",
         "x.yaml:5", "quarantine, warn, drop, fail"},
        {ENTITY COLUMN "expectations:\n  - { name: a, expect: b, column: c, expected: d }\n"
                       "  - { name: a, expect: b, column: c, expected: d }\n",
         "x.yaml:6", "twice"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct contract contract;
        assert_int_equal(read_text(&contract, cases[i].text), ERR_INVALID);
        if (!strstr(err_sentence(), cases[i].line) || !strstr(err_sentence(), cases[i].word))
            fail_msg("of case %zu: %s", i, err_sentence());
        contract_release(&contract);
    }
}

static void too_much_is_refused(void **state)
{
    struct buf text = buf_init(SIZE_MAX / 2);
    struct contract contract;

    assert_int_equal(buf_add_text(&text, ENTITY "columns:\n"), ERR_OK);
    for (int i = 0; i <= CONTRACT_COLUMNS_MOST; i++)
        assert_int_equal(buf_printf(&text, "  - { name: c%d, type: string }\n", i), ERR_OK);
    assert_int_equal(contract_read(&contract, buf_bytes(&text), "x.yaml"), ERR_INVALID);
    assert_non_null(strstr(err_sentence(), "1 to 56"));
    while (text.size <= CONTRACT_BYTES_MOST)
        assert_int_equal(buf_add_text(&text, "# a long comment\n"), ERR_OK);
    assert_int_equal(contract_read(&contract, buf_bytes(&text), "x.yaml"), ERR_INVALID);
    assert_non_null(strstr(err_sentence(), "at most"));
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_contract_is_read_whole),
        cmocka_unit_test(the_built_in_contracts_are_right),
        cmocka_unit_test(every_slip_is_told_with_its_line),
        cmocka_unit_test(too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
