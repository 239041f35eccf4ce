/* parse.h - one raw record, checked against its contract: the columns as text, or what is wrong with its shape.
 *
 * A record is a JSON object; a JSON string that holds one (sent by who encodes twice) is unwrapped once. Faults do not
 * end the reading: all are told, joined with "; ", each with the column and what was found. Their rules:
 *
 *     null_value        the value is null             missing_column    a required column is not there
 *     not_json          it is not JSON (or UTF-8)     unknown_column    the contract has no such column
 *     not_an_object     JSON, but no object           duplicate_column  the same column twice: which one counts?
 *     wrong_type        a number where a string belongs, and so on
 *
 * JSON null is missing data, not a fault. Threads: a parser belongs to one thread at a time. */
#ifndef CLEAN_PARSE_H
#define CLEAN_PARSE_H

#include "clean/contract.h"

struct parser {
    const struct contract *contract;
    /* Of the record read last; views into it or into the parser's buffers, until the next one. */
    struct bytes texts[CONTRACT_COLUMNS_MOST]; /* at NULL: null, absent, or at fault */
    struct buf fault;                          /* size 0: its shape is right */
    struct buf rule;                           /* names of the rules it broke, each once, joined with "; " */

    bool seen[CONTRACT_COLUMNS_MOST];
    size_t
        unescaped_at[CONTRACT_COLUMNS_MOST]; /* where in `unescaped` a text is; SIZE_MAX: it is not there */
    bool any_unescaped;
    struct buf unescaped, unwrapped, name;
    size_t next; /* the column that should come now: senders keep the order */
    size_t fault_count;
    unsigned rules;
};

/* `contract` must outlive the parser. Takes no memory yet. */
void parser_init(struct parser *parser, const struct contract *contract);
void parser_release(struct parser *parser);
/* Read a record's value (at NULL: a null value). Whatever the bytes are, ERR_OK; ERR_NO_MEMORY. */
enum err parser_read(struct parser *parser, struct bytes value);

#endif
