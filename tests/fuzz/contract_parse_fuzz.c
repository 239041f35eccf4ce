/* Contracts and records. The first byte chooses: a contract from the rest, or a record read by one fixed contract. A
 * record that passes must give UTF-8 texts; whatever fails must say why in UTF-8, and shortly. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "clean/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_contract(struct bytes text)
{
    struct contract contract;

    if (contract_read(&contract, text, "fuzz.yaml") == ERR_OK) {
        assert(contract.column_count > 0 && contract.column_count <= CONTRACT_COLUMNS_MOST);
        for (size_t i = 0; i < contract.column_count; i++)
            assert(contract.columns[i].name.size > 0);
    }
    contract_release(&contract);
}

static void fuzz_record(struct bytes text)
{
    static const char yaml[] = "entity: thing\ncolumns:\n"
                               "  - { name: a, type: integer }\n"
                               "  - { name: b, type: string }\n"
                               "  - { name: c, type: number, required: false }\n"
                               "  - { name: d, type: boolean, required: false }\n";
    static struct contract contract;
    static struct parser parser;

    if (contract.column_count == 0) {
        enum err err = contract_read(&contract, bytes_of_text(yaml), "fuzz");
        assert(!err);
        parser_init(&parser, &contract);
    }
    assert(parser_read(&parser, text) == ERR_OK);
    assert((parser.fault.size > 0) == (parser.rule.size > 0));
    assert(parser.fault.size < 2048 && bytes_are_utf8(buf_bytes(&parser.fault)));
    for (size_t i = 0; i < contract.column_count; i++)
        assert(!parser.texts[i].at || bytes_are_utf8(parser.texts[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        fuzz_contract(bytes_of(data + 1, size - 1));
    else
        fuzz_record(bytes_of(data + 1, size - 1));
    return 0;
}
