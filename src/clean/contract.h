/* contract.h - what a raw record must look like, and what must hold of the clean row: sql/clean/<entity>.yaml.
 *
 *     entity: pin
 *     unknown_columns: quarantine            # or ignore
 *     columns:                               # of a raw record
 *       - { name: index, type: integer }     # type: string, integer, number or boolean, as JSON has them
 *       - { name: downloaded, type: integer, required: false }
 *     expectations:
 *       - name: age_in_range
 *         expect: age BETWEEN 0 AND 120      # SQL over the columns of <entity>.sql; only false fails, null does not
 *         column: age                        # for the reason: "age: found 430, expected 0 to 120"
 *         found: _age_text                   # SQL of what was found; left out: nothing to show
 *         expected: 0 to 120
 *         action: quarantine                 # the default; or warn, drop, fail
 *
 * Threads: read-only once it is read, so any. */
#ifndef CLEAN_CONTRACT_H
#define CLEAN_CONTRACT_H

#include "base/bytes.h"

enum {
    CONTRACT_BYTES_MOST = 256 * 1024,
    CONTRACT_COLUMNS_MOST = 56,
    CONTRACT_EXPECTATIONS_MOST = 256,
    CONTRACT_NAME_BYTES_MOST = 63,
};

enum column_type { COLUMN_STRING, COLUMN_INTEGER, COLUMN_NUMBER, COLUMN_BOOLEAN };

struct contract_column {
    struct bytes name; /* a NUL stands behind it */
    enum column_type type;
    bool required;
};

enum expectation_action {
    EXPECT_QUARANTINE, /* the row goes aside with its reason and its original bytes */
    EXPECT_WARN,       /* the row stays, and is counted */
    EXPECT_DROP,       /* the row goes aside without its bytes, so that counts still add up */
    EXPECT_FAIL,       /* the statement fails: nothing of the batch is taken */
};

struct expectation {
    const char *name, *expect, *column, *expected;
    const char *found; /* NULL: nothing to show */
    enum expectation_action action;
};

struct contract {
    struct arena arena; /* owns all that follows */
    const char *entity;
    bool ignore_unknown;
    struct contract_column *columns;
    size_t column_count;
    struct expectation *expectations;
    size_t expectation_count;
};

/* Read a contract. `from` is its name in notes ("sql/clean/pin.yaml"). ERR_INVALID: the note has file, line and how
 * to mend it; *out is then empty. The caller releases *out. */
enum err contract_read(struct contract *out, struct bytes yaml, const char *from);
void contract_release(struct contract *contract);

const char *column_type_name(enum column_type type); /* "a string" */

#endif
